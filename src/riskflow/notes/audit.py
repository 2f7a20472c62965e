"""The audit: for every replaced identifier its record, place, kind, the rule or model, and a keyed hash. No text."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from riskflow.contracts.notes_redacted import AUDIT
from riskflow.notes import pseudonym
from riskflow.notes.redact.detectors import rule_detector
from riskflow.notes.redact.spans import Detector

AUDIT_SCHEMA: dict[str, type[pl.DataType]] = {
    "note_id": pl.String,
    "start": pl.UInt32,
    "end": pl.UInt32,
    "kind": pl.String,
    "source": pl.String,
    "detector": pl.String,
    "value_hash": pl.String,
}
_BY_RECORD, _BY_POLICY = "record", "policy"


def detector_versions(detectors: Iterable[Detector]) -> dict[str, str]:
    """Return tier of a source → version of the rules or the model behind it."""
    rules = rule_detector().version
    models = {detector.version.partition(":")[0]: detector.version for detector in detectors}
    return {"known": _BY_RECORD, "deny": _BY_POLICY, "rule": rules, "list": rules} | models


def audit_rows(
    notes: pl.DataFrame, spans: pl.DataFrame, key: bytes, detectors: Iterable[Detector]
) -> pl.DataFrame:
    """Return one row per span (columns of AUDIT_SCHEMA).

    `notes`: note_id, patient_id, text; `spans.text_id` is the row of the note. The hash is keyed and of the
    patient, kind and value together: equal values of a patient can be counted, no value can be guessed.
    """
    versions = detector_versions(detectors)
    ids, patients, texts = (notes[name].to_list() for name in ("note_id", "patient_id", "text"))
    by_source = {source: versions[source.partition(":")[0]] for source in spans["source"].unique()}
    places = spans["text_id"].to_list()
    starts, ends, kinds = (spans[name].to_list() for name in ("start", "end", "kind"))
    return pl.DataFrame(
        {
            "note_id": [str(ids[row]) for row in places],
            "start": spans["start"],
            "end": spans["end"],
            "kind": spans["kind"],
            "source": spans["source"],
            "detector": spans["source"].replace_strict(by_source, return_dtype=pl.String),
            "value_hash": [
                pseudonym.keyed_hash(key, str(patients[row]), kind, texts[row][start:end])
                for row, start, end, kind in zip(places, starts, ends, kinds, strict=True)
            ],
        },
        schema=AUDIT_SCHEMA,
    )


def audit_artifact(audit: pl.DataFrame, observation_ids: dict[str, str]) -> pl.DataFrame:
    """Return AUDIT rows: note ids of the source become pseudonyms."""
    renamed = audit.with_columns(
        pl.col("note_id")
        .replace_strict(observation_ids, default=None, return_dtype=pl.String)
        .alias("observation_id")
    )
    return renamed.select(list(AUDIT.schema))
