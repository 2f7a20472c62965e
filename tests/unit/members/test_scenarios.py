from functools import cache

import polars as pl
import pytest

from riskflow.errors import RiskflowError
from riskflow.members import csr
from riskflow.members.compare import member_scores
from riskflow.members.demo import DemoSpec, generate
from riskflow.members.engine.score import score
from riskflow.members.factorial import full_settings
from riskflow.members.ingest import validated_spans
from riskflow.members.ingest_evidence import validated_diagnoses, validated_drugs
from riskflow.members.ingest_sources import DIAGNOSES_SHAPE, DRUGS_SHAPE, SPANS_SHAPE, typed
from riskflow.members.scenarios import DataSet, ScenarioScores, tables_in_year
from riskflow.members.tables.load import folder, load


@cache
def tables(year, vintage="latest"):
    return load(folder(year, vintage))


@cache
def data_set(year):
    demo = generate(DemoSpec(700, 5, year))
    spans = validated_spans(typed(demo.spans, {}, SPANS_SHAPE, "s"), year).kept.sort("member_id", "span_id")
    diagnoses = validated_diagnoses(typed(demo.diagnoses, {}, DIAGNOSES_SHAPE, "d"), spans).kept
    drugs = validated_drugs(typed(demo.drugs, {}, DRUGS_SHAPE, "r"), spans).kept
    return DataSet(
        year, spans, diagnoses, drugs, {"spans": f"s{year}", "diagnoses": f"d{year}", "drugs": f"r{year}"}
    )


@pytest.fixture(scope="module")
def scenarios():
    return ScenarioScores({"prior": data_set(2024), "current": data_set(2025)}, 2025, tables)


def sorted_scores(frame):
    return frame.select("member_id", "span_id", "raw_score", "csr_adjusted_score", "member_months").sort(
        "member_id", "span_id"
    )


@pytest.mark.parametrize("year", [2022, 2024, 2025, 2026])
def test_a_scenario_scores_as_the_engine_does(year):
    own = data_set(year)
    alone = ScenarioScores({"current": own}, year, tables)
    mine = sorted_scores(alone.span_scores(full_settings({"model": str(year), "data": "current"})))
    engine = sorted_scores(score(own.spans, own.diagnoses, own.drugs, tables(year)).scores)
    assert mine["span_id"].equals(engine["span_id"])
    for column in ("raw_score", "csr_adjusted_score", "member_months"):
        assert (mine[column] - engine[column]).abs().max() < 1e-12


def test_moved_data_scores_as_in_its_own_year(scenarios):
    """All of 2024 moved into 2025 under the tables of 2024 is 2024 scored by itself, but for month lengths."""
    moved = sorted_scores(scenarios.span_scores(full_settings({"model": "2024", "data": "prior"})))
    own = data_set(2024)
    engine = sorted_scores(score(own.spans, own.diagnoses, own.drugs, tables(2024)).scores)
    same = (moved["raw_score"] - engine["raw_score"]).abs() < 1e-12
    assert same.mean() > 0.99
    assert (moved["csr_adjusted_score"] / moved["raw_score"]).max() <= 1.12 + 1e-9


@pytest.mark.parametrize("column", ["raw_score", "csr_adjusted_score"])
def test_member_scores_are_those_of_the_comparison(scenarios, column):
    settings = full_settings({"model": "2025", "data": "current"})
    mine = scenarios.member_scores(settings, column)
    expected = member_scores(scenarios.span_scores(settings), column)
    assert mine["member_id"].equals(expected["member_id"])
    assert (mine["score"] - expected["score"]).abs().max() < 1e-12
    assert (mine["member_months"] - expected["member_months"]).abs().max() < 1e-12


def test_order_of_scenarios_changes_nothing(scenarios):
    wanted = [
        full_settings({"model": model, "enrolment": e, "diagnoses": d, "drugs": "prior", "data": "current"})
        for model in ("2024", "2025")
        for e in ("prior", "current")
        for d in ("prior", "current")
    ]
    first = [scenarios.span_scores(s) for s in wanted]
    again = ScenarioScores({"prior": data_set(2024), "current": data_set(2025)}, 2025, tables)
    for settings, expected in reversed(list(zip(wanted, first, strict=True))):
        assert again.span_scores(settings).equals(expected)


def test_other_diagnoses_change_scores_and_other_cost_sharing_only_the_adjusted_ones(scenarios):
    base = full_settings({"model": "2025", "data": "current"})
    other = scenarios.span_scores(base | {"diagnoses": "prior"})
    mine = scenarios.span_scores(base)
    assert not other["raw_score"].equals(mine["raw_score"])
    older = scenarios.span_scores(base | {"csr": "2024"})
    assert older["raw_score"].equals(mine["raw_score"])


def test_codes_are_valid_as_many_years_later():
    laid = tables_in_year(tables(2024), 2026)
    assert laid.benefit_year == 2026
    before, after = tables(2024).codes["valid_from"].drop_nulls(), laid.codes["valid_from"].drop_nulls()
    assert set(after.dt.year() - before.dt.year()) == {2}


def test_unknown_data_and_models_are_said(scenarios):
    base = full_settings({"model": "2025", "data": "current"})
    with pytest.raises(RiskflowError, match="names the data set older"):
        scenarios.span_scores(base | {"drugs": "older"})
    with pytest.raises(RiskflowError, match="no benefit year"):
        scenarios.span_scores(base | {"model": "newest"})


@pytest.mark.parametrize(
    ("start", "to", "indicator", "metal", "factor"),
    [
        (2025, 2025, 10, "silver", 1.46),
        (2025, 2024, 10, "silver", 1.12),
        (2025, 2024, 6, "platinum", 1.0),
        (2024, 2025, 3, "silver", 1.12),
        (2024, 2025, 4, "bronze", 1.19),
        (2022, 2025, 7, "bronze", 1.51),
        (2022, 2025, 11, "bronze", 1.19),
        (2022, 2025, 3, "silver", 1.0),
        (2025, 2022, 4, "bronze", 1.15),
        (2025, 2022, 1, "gold", 1.0),
    ],
)
def test_cost_sharing_indicators_keep_their_meaning(start, to, indicator, metal, factor):
    crossed = csr.crossed_factors(tables(to).csr_factors, start, to)
    row = crossed.filter((pl.col("csr_indicator") == indicator) & (pl.col("metal") == metal))
    assert row["factor"].to_list() == [pytest.approx(factor)]


@pytest.mark.parametrize("year", range(2021, 2027))
def test_crossing_into_the_own_year_is_the_table_itself(year):
    own = tables(year).csr_factors.select("csr_indicator", "metal", "factor")
    crossed = csr.crossed_factors(own, year, year)
    both = crossed.join(own, on=["csr_indicator", "metal"], how="left", suffix="_own").with_columns(
        pl.col("factor_own").fill_null(1.0)
    )
    assert both["factor"].to_list() == pytest.approx(both["factor_own"].to_list())
    assert (
        own.join(crossed, on=["csr_indicator", "metal"], how="anti").filter(pl.col("factor") != 1).is_empty()
    )
