"""Each promise of the scores and of the rejected rows, broken once."""

from datetime import date

import polars as pl
import pytest

from riskflow.contracts.members_scores import REASONS, REJECTED, SCORES
from riskflow.contracts.members_tables import TABLES
from riskflow.errors import RiskflowError
from riskflow.members.engine.score import score
from riskflow.members.tables import load
from tests.unit.members.member_frames import frames, person

SET = load.load(load.folder(2025))
GOOD = score(*frames({"m": person("F", date(1980, 1, 1), diagnoses=["E1165", "J00"])}), SET)


def test_what_the_engine_makes_keeps_every_promise():
    SCORES.validate(GOOD.scores)
    REJECTED.validate(GOOD.rejected)
    assert GOOD.rejected.height == 1


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("member_id", ""),
        ("member_id", None),
        ("span_id", ""),
        ("benefit_year", 2020),
        ("vintage", ""),
        ("model_version", ""),
        ("model", "senior"),
        ("metal", "zinc"),
        ("sex", "U"),
        ("age_last", -1),
        ("enrolled_days", 0),
        ("enrolled_days", 367),
        ("member_months", 0.0),
        ("member_months", 12.5),
        ("enrolment_duration", 13),
        ("raw_score", float("nan")),
        ("raw_score", float("inf")),
        ("csr_factor", 0.0),
        ("csr_adjusted_score", 9.0),
        ("coefficients", [1.0]),
        ("variables", None),
    ],
)
def test_a_score_that_breaks_a_promise_is_refused(column, value):
    bad = GOOD.scores.with_columns(pl.Series(column, [value], dtype=GOOD.scores.schema[column]))
    with pytest.raises(RiskflowError, match="members_scores") as error:
        SCORES.validate(bad)
    assert "zinc" not in str(error.value)


@pytest.mark.parametrize(
    ("column", "value"), [("member_id", ""), ("row_id", -1), ("reason", None), ("kind", None)]
)
def test_a_rejected_row_that_breaks_a_promise_is_refused(column, value):
    bad = GOOD.rejected.with_columns(pl.Series(column, [value], dtype=GOOD.rejected.schema[column]))
    with pytest.raises(RiskflowError, match="members_rejected"):
        REJECTED.validate(bad)


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("codes", "code", "E11.65"),
        ("codes", "mce_age_low", -1),
        ("codes", "mce_sex", "X"),
        ("categories", "variable", "CC19"),
        ("categories", "sex", "X"),
        ("drugs", "kind", "cpt"),
        ("drugs", "code", "123"),
        ("drugs", "variable", "HHS_HCC001"),
        ("statements", "phase", "magic"),
        ("statements", "part", "else"),
        ("statements", "low", 300),
        ("coefficients", "coefficient", float("nan")),
        ("coefficients", "metal", "tin"),
        ("csr_factors", "factor", 0.0),
        ("csr_variants", "hios_variant", 100),
        ("ages", "model", "senior"),
        ("durations", "months", 13),
        ("labels", "label", ""),
    ],
)
def test_a_table_that_breaks_a_promise_is_refused(table, column, value):
    frame = getattr(SET, table).head(1)
    bad = frame.with_columns(pl.Series(column, [value], dtype=frame.schema[column]))
    with pytest.raises(RiskflowError, match=f"members_{table}"):
        TABLES[table].validate(bad)


def test_every_reason_is_a_sentence():
    assert all(len(sentence) > 20 for sentence in REASONS.values())
