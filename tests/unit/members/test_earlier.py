"""Runs of other days: found in the warehouse by id, as they were; unknown ones with the nearest named."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from riskflow import artifacts
from riskflow.config.members_runs import MembersDecompositionSection
from riskflow.contracts.members_runs import RUN
from riskflow.contracts.members_scores import SCORES
from riskflow.errors import RiskflowError
from riskflow.members import earlier
from riskflow.members.decomposition import ExistingRuns, ScenarioRuns, decomposed
from riskflow.members.definitions import data_sets, parsed
from riskflow.members.scenarios import ScenarioScores
from tests.unit.members.test_stages import made, publish_all, results

__all__ = ["results"]  # the fixture: two years of all stages

NAMES = ["scoring-aaaa", "scoring-aabb", "scoring-bbbb"]


@pytest.fixture(scope="module")
def warehouse(results):
    publish_all(results)
    return results / "warehouse.duckdb"


def run_id(place):
    return artifacts.read(place / "run.parquet", RUN)["run_id"].item()


def test_a_published_run_comes_back_as_it_was(results, warehouse, tmp_path):
    place = results / "prior"
    wanted = run_id(place)
    receipt = earlier.run(
        wanted=wanted[:20],
        warehouse_file=warehouse,
        output=tmp_path / "scores.parquet",
        run_output=tmp_path / "run.parquet",
    )
    assert receipt.facts["run_id"] == wanted
    for name, contract in (("scores", SCORES), ("run", RUN)):
        again = artifacts.read(tmp_path / f"{name}.parquet", contract)
        assert_frame_equal(again, artifacts.read(place / f"{name}.parquet", contract))
    assert artifacts.content_digest(tmp_path / "scores.parquet") == artifacts.content_digest(
        place / "scores.parquet"
    )


def test_an_unknown_run_names_the_nearest(results, warehouse):
    known = run_id(results / "current")
    with pytest.raises(RiskflowError, match=f"not among the 2 scored runs.*\n.*nearest is {known}"):
        earlier.stored_run(warehouse, known[:-3] + "zzz")
    with pytest.raises(RiskflowError, match=r"more than one of the scored runs .* begins so"):
        earlier.stored_run(warehouse, "scoring-")


def test_without_a_warehouse_or_its_members_tables_it_says_so(tmp_path):
    with pytest.raises(RiskflowError, match="there is no warehouse"):
        earlier.stored_run(tmp_path / "none.duckdb", "scoring-1")
    with earlier.transaction(tmp_path / "empty.duckdb"):
        pass
    with pytest.raises(RiskflowError, match="holds no run of the members track"):
        earlier.stored_run(tmp_path / "empty.duckdb", "scoring-1")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("scoring-aaaa", "scoring-aaaa"), ("scoring-b", "scoring-bbbb"), ("scoring-aa", None)],
)
def test_names_are_whole_or_unique_beginnings(wanted, found):
    if found:
        assert earlier.named(wanted, NAMES, "runs") == found
    else:
        with pytest.raises(RiskflowError, match="more than one"):
            earlier.named(wanted, NAMES, "runs")


@given(st.text(max_size=12))
def test_any_other_name_is_an_error_that_says_what_is_nearest(wanted):
    try:
        assert earlier.named(wanted, NAMES, "runs").startswith(wanted)
    except RiskflowError as error:
        assert "more than one" in str(error) or "the nearest is scoring-" in str(error)


def test_a_decomposition_between_a_run_of_the_warehouse_and_one_of_today(results, warehouse):
    before, after = run_id(results / "prior"), run_id(results / "current")
    definitions = parsed(
        {
            "scenarios": {"then": {"run": before[:18]}, "now": {"run": "current"}},
            "decompositions": [
                {
                    "name": "turnover",
                    "method": "turnover",
                    "baseline": "then",
                    "actual": "now",
                    "replicates": 0,
                    "segments": ["metal"],
                }
            ],
        },
        "test",
    )
    assert data_sets(definitions) == {"current"}
    nothing_made = ScenarioScores({}, 2025, lambda year, vintage: None)
    files = {"current": (after, results / "current" / "scores.parquet")}

    def effects(existing):
        runs = ScenarioRuns(nothing_made, existing, 2025, {})
        return decomposed(definitions.decompositions[0], definitions, runs, MembersDecompositionSection())

    found = effects(ExistingRuns(files, warehouse))
    assert found.scenarios["scenario_run_id"].to_list() == [before, after]
    assert found.effects["identity_holds"].all()
    both = files | {before[:18]: (before, results / "prior" / "scores.parquet")}
    assert_frame_equal(found.effects, effects(ExistingRuns(both)).effects)
    with pytest.raises(RiskflowError, match=r"names the run .*\n.*there are: current"):
        effects(ExistingRuns(files))


def test_a_run_that_was_scored_but_not_published_cannot_be_compared_with(results, warehouse, tmp_path):
    place = made(tmp_path, "alone", 2023)
    with pytest.raises(RiskflowError, match=r"holds no run|not among the 0 scored runs"):
        earlier.stored_run(tmp_path / "warehouse.duckdb", run_id(place))
    assert pl.read_parquet(place / "scores.parquet").height
