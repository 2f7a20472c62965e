"""The notes page and the quality gate's counts, from small artifacts."""

from __future__ import annotations

import polars as pl

from riskflow.contracts.notes_evaluation import MISSES, SCORES
from riskflow.contracts.notes_redacted import AUDIT, DEID_OBSERVATIONS
from riskflow.notes.report import notes_page, table_receipts, whole_system
from riskflow.quarantine import QUARANTINE
from riskflow.receipts import Receipt

HELD = "bcdfghjklmnpqrst"


def scores(*systems: str) -> pl.DataFrame:
    row = {"true_spans": 4, "found_whole": 3, "found_in_part": 1, "predicted": 4, "predicted_right": 3}
    shares = {"recall": 0.75, "precision": 0.75, "f2": 0.75}
    return pl.DataFrame(
        [
            {"system": s, "kind": k, **row, **shares, "over_redaction": 0.0125 if k == "ALL" else None}
            for s in systems
            for k in ("ALL", "NAME", "DATE")
        ],
        schema=SCORES.schema,
    )


def observations(withheld: bool) -> pl.DataFrame:
    rows = [
        {"observation_id": "zzzzzzzzzzzzzzzz", "note_status": "redacted"},
        {"observation_id": "xxxxxxxxxxxxxxxx", "note_status": None},
        *(
            [{"observation_id": HELD, "note_status": "withheld", "note_reason": "the model failed"}]
            if withheld
            else []
        ),
    ]
    names = ("observation_id", "note_status", "note_reason")
    return pl.DataFrame(rows, schema={name: DEID_OBSERVATIONS.schema[name] for name in names})


INGEST = Receipt(
    stage="notes.ingest.stage",
    counts={"read": 12, "kept": 10, "quarantined": 2},
    facts={
        "read": {"patients": 4, "observations": 7, "record": 1},
        "kept": {"patients": 4, "observations": 6},
    },
    params={"config.source.kind": '"demo"'},
)
CARD = {
    "model": "ner:test@1",
    "scores": {"generated_notes": {"kinds": {"NAME": {"true_spans": 9, "recall": 0.9, "precision": 0.8}}}},
    "limits": ["generated notes only"],
}


def page(withheld: bool = True, *systems: str) -> str:
    audit = pl.DataFrame(
        {"kind": ["NAME", "DATE", "NAME"], "source": ["known:name", "rule:date", "ner:test@1"]}
    )
    found = scores(*(systems or ("ner", "rules", "rules_ner", "record_rules_ner")))
    quarantined = pl.DataFrame(
        [("observations.misfit_value", "a.json:observations", 3, "value is not a text", None)],
        schema=QUARANTINE.schema,
        orient="row",
    )
    made = notes_page(
        found,
        MISSES.empty(),
        audit.select("kind", "source"),
        observations(withheld),
        quarantined,
        CARD,
        [INGEST],
    )
    return made.html()


def test_the_page_tells_recall_over_redaction_and_what_was_withheld():
    html = page()
    for text in (
        "75.0%",
        "1.2%",
        HELD,
        "the model failed",
        "Over-redaction",
        "Generated demo data",
        "a.json",
    ):
        assert text in html
    assert set(AUDIT.schema) >= {"kind", "source"}


def test_without_records_the_page_shows_rules_and_model():
    assert whole_system(scores("ner", "rules", "rules_ner")) == "rules_ner"
    assert "record&#39;s own identifiers, " not in page(False, "ner", "rules", "rules_ner")
    assert "No note was withheld." in page(False, "ner", "rules", "rules_ner")


def test_each_table_of_ingest_is_counted_by_itself():
    parts = {receipt.outputs[0].contract: receipt.counts for receipt in table_receipts([INGEST])}
    assert parts["observations"] == {"read": 7, "kept": 6, "quarantined": 1}
    assert sum(part["quarantined"] for part in parts.values()) == INGEST.counts["quarantined"]
