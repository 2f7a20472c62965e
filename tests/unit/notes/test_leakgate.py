"""The leak gate finds planted identifiers by its own reading, tells no text, and passes clean tables."""

import polars as pl
import pytest

from riskflow.contracts.notes_redacted import LEAKS
from riskflow.errors import RiskflowError
from riskflow.notes.deidentify import deidentified
from riskflow.notes.leakgate import leaks, refuse
from riskflow.notes.policy import Policy
from riskflow.notes.redact.stage import redacted_artifacts
from riskflow.notes.redact.text import ordinary_words
from tests.unit.notes.notes_frames import KEY, redacted, source

SOURCE = source("Seen today, doing well.")
ORDINARY = ordinary_words()


def tables(policy=Policy()):  # noqa: B008
    rows, _ = redacted_artifacts(redacted("Seen today, doing well.", policy=policy), policy, KEY, ())
    return deidentified(SOURCE, rows, policy, KEY)


CLEAN = tables()


def found(note: str, **more):
    observations = CLEAN["observations"].with_columns(pl.lit(note).alias("note"))
    return leaks(SOURCE, CLEAN | {"observations": observations}, KEY, ordinary=ORDINARY, **more)


def test_clean_tables_pass():
    result = leaks(SOURCE, CLEAN, KEY, ordinary=ORDINARY)
    assert result.is_empty()
    LEAKS.validate(result)
    refuse(result)


@pytest.mark.parametrize(
    ("note", "check"),
    [
        ("Seen with CRUZ.", "name of the record"),
        ("seen with cruz's wife", "name of the record"),
        ("Crúz was here", "name of the record"),
        ("Xavier called", "name of the record"),
        ("daughter Okonkwo", "name of the record"),
        ("call 555.123.4567", "telephone of the record"),
        ("call 1 (555) 123 4567", "telephone of the record"),
        ("call 5559876543", "telephone of the record"),
        ("number 0012345 given", "record number of the record"),
        ("number 999169876 given", "identifier of the record"),
        ("code D-1234567 given", "code of the record"),
        ("visit enc-771-a given", "code of the record"),
        ("at 568 olson landing apt 2", "street of the record"),
        ("write WDELACRUZ@example.com", "e-mail of the record"),
        ("born 3/4/1950", "birth date of the record"),
        ("born March 4, 1950", "birth date of the record"),
        ("write to someone@example.org", "e-mail address"),
        ("see https://example.org", "web address"),
        ("number 123-45-6789", "social security number"),
        ("call (212) 555-0100", "telephone number"),
        ("seen on 2021-02-03", "date"),
        ("seen on 2/3/2021", "date"),
        ("seen on February 3, 2021", "date in words"),
        ("mail to 10001-1234", "ZIP+4 code"),
        ("from 10.0.0.1", "internet address"),
        ("MRN: 55512", "record number"),
        ("by Dr. Jane Roe", "name after a title"),
    ],
)
def test_a_planted_identifier_is_found(note, check):
    assert check in found(note)["check"].to_list()


@pytest.mark.parametrize(
    "note",
    [
        "[NAME] called [PHONE] on [DATE].",
        "[NAME:bcdfghjklmnpqrst] walks a long way.",
        "viral load 123456789 copies/mL, BP 120/80, pain 7/10",
        "Parkinson's disease, stage 2",
        "de novo la grippe",
    ],
)
def test_redacted_and_clinical_text_passes(note):
    assert found(note).is_empty()


def test_a_shifted_date_passes_only_where_dates_are_shifted():
    note = "seen [DATE:2021-02-03]"
    assert found(note)["check"].to_list() == ["date"]
    assert found(note, shifted_dates=True).is_empty()


def test_clear_text_in_a_marker_does_not_pass():
    assert not found("[NAME:Xavier]").is_empty()


def test_a_canary_is_found_in_every_column():
    for name, table in CLEAN.items():
        for column, dtype in table.schema.items():
            if dtype != pl.String or column.endswith("_id") or column in ("note_status", "zip3"):
                continue
            planted = CLEAN | {name: table.with_columns(pl.lit("the ZEBRA canary 77").alias(column))}
            result = leaks(SOURCE, planted, KEY, ordinary=ORDINARY, canaries=["zebra CANARY"])
            assert (name, column, "canary") in result.select("table", "column", "check").rows(), (
                name,
                column,
            )


def test_an_allowed_term_is_no_finding():
    assert found("by Dr. Jane Roe", allowed=["Dr. Jane Roe"]).is_empty()


@pytest.mark.parametrize(
    "wrong",
    [
        {"note_status": pl.lit("clear")},
        {"note_status": pl.lit("withheld")},
        {"note_status": pl.lit(None, pl.String)},
    ],
)
def test_a_note_that_is_neither_redacted_nor_withheld_is_found(wrong):
    observations = CLEAN["observations"].with_columns(**wrong)
    result = leaks(SOURCE, CLEAN | {"observations": observations}, KEY, ordinary=ORDINARY)
    assert result["check"].to_list() == ["neither redacted nor withheld"]


def test_the_refusal_tells_records_and_checks_and_no_text():
    result = found("Xavier Okonkwo, 999-16-9876")
    with pytest.raises(RiskflowError) as error:
        refuse(result)
    told = str(error.value)
    assert "name of the record: 1" in told and CLEAN["observations"]["observation_id"][0] in told
    assert all(part not in told for part in ("Xavier", "Okonkwo", "9876"))


def test_the_gate_shares_no_matching_code_with_the_redaction():
    import inspect

    from riskflow.notes import leakgate

    code = inspect.getsource(leakgate)
    for module in (
        "redact.known",
        "redact.rule",
        "redact.names",
        "redact.dates",
        "redact.contacts",
        "redact.pipeline",
    ):
        assert module not in code
