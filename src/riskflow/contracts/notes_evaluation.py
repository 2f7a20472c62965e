"""Contracts of the notes track's evaluation: scores per system and kind, and the misses without their text."""

from __future__ import annotations

import polars as pl

from riskflow.contracts.base import Contract, at_least, column, in_range, matches, not_empty, one_of

SYSTEMS = ("ner", "rules", "rules_ner", "record_rules_ner")
"""What is measured: the model alone, rules alone, both, and both with the known identifiers of the record."""

ALL = "ALL"
"""The kind that stands for all kinds together."""

_SHARE = in_range(0, 1)

SCORES = Contract(
    name="notes_scores",
    version=1,
    title="One row per system and kind of identifier (ALL: over all kinds)",
    key=("system", "kind"),
    columns={
        "system": column(pl.String, "What was measured", one_of(SYSTEMS)),
        "kind": column(pl.String, "Kind of identifier, or ALL", not_empty()),
        "true_spans": column(pl.Int64, "Identifiers of the kind in the labelled set", at_least(0)),
        "found_whole": column(pl.Int64, "Of these, covered whole", at_least(0)),
        "found_in_part": column(pl.Int64, "Of these, touched but not covered whole", at_least(0)),
        "predicted": column(pl.Int64, "Spans found with this kind", at_least(0)),
        "predicted_right": column(pl.Int64, "Of these, touching a true span of any kind", at_least(0)),
        "recall": column(
            pl.Float64, "found_whole / true_spans; null where there are none", _SHARE, nullable=True
        ),
        "precision": column(
            pl.Float64, "predicted_right / predicted; null where there are none", _SHARE, nullable=True
        ),
        "f2": column(pl.Float64, "F2 of precision and recall; null where either is", _SHARE, nullable=True),
        "over_redaction": column(
            pl.Float64,
            "ALL only: share of the words outside true spans that are redacted",
            _SHARE,
            nullable=True,
        ),
    },
)

MISSES = Contract(
    name="notes_misses",
    version=1,
    title="One row per labelled identifier that the whole redactor did not cover",
    key=("id", "start", "end", "kind"),
    columns={
        "id": column(pl.String, "Id of the labelled text", not_empty()),
        "start": column(pl.UInt32, "First code point of the identifier"),
        "end": column(pl.UInt32, "Code point after its last"),
        "kind": column(pl.String, "Kind of identifier", not_empty()),
        "sha256": column(pl.String, "Hash of the missed value", matches(r"^[0-9a-f]{64}$", "is a sha256")),
    },
)
