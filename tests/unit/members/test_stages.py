"""The stages after one another through their `run` functions, as the workflow calls them."""

import json
import shutil
from pathlib import Path

import duckdb
import polars as pl
import pytest

from riskflow.artifacts import content_digest, read
from riskflow.config.members import MembersConfig, MembersDemoStage, MembersIngestStage, MembersScoreStage
from riskflow.config.members_runs import (
    MembersCompareStage,
    MembersComparisonSection,
    MembersDecomposeStage,
    MembersDecompositionSection,
    MembersPublishStage,
    MembersRecordStage,
    MembersRunsSection,
    MembersTransfersSection,
    MembersTransferStage,
)
from riskflow.contracts.members_runs import DECOMPOSITION, RUN, SCENARIOS, TRANSFER_POOLS
from riskflow.contracts.members_scores import REJECTED
from riskflow.contracts.members_sources import SPANS
from riskflow.errors import RiskflowError
from riskflow.members import compare, decomposition, demo, ingest_stage, record, transfer, warehouse
from riskflow.members.engine import stage as engine_stage
from riskflow.members.registry import runs as registry_rows
from riskflow.members.tables.load import folder
from riskflow.quarantine import QUARANTINE

YEARS = {"prior": 2024, "current": 2025}
ROOT = Path(__file__).parents[3]
RUNS = MembersRunsSection(group="test", description="stages")


def config(year):
    whole = MembersConfig()
    return whole.model_copy(
        update={
            "demo": whole.demo.model_copy(update={"members": 600}),
            "model": whole.model.model_copy(update={"benefit_year": year}),
        }
    )


def fields(stage, whole):
    return stage(**{name: getattr(whole, name) for name in stage.model_fields})


def cms(year):
    return sorted(folder(year).glob("*.parquet"))


def made(base, name, year):
    """Demo, ingest, record and score one data set into base/name; return its folder."""
    whole, place = config(year), base / name
    raw = {table: place / f"raw_{table}.parquet" for table in ("spans", "diagnoses", "drugs")}
    demo.run(year=year, **raw, config=fields(MembersDemoStage, whole))
    clean = {table: place / f"{table}.parquet" for table in raw}
    receipt = ingest_stage.run(
        **{f"{table}_source": path for table, path in raw.items()},
        variants=folder(year) / "csr_variants.parquet",
        year=year,
        **clean,
        quarantine=place / "quarantine.parquet",
        config=fields(MembersIngestStage, whole),
    )
    assert receipt.counts["read"] == receipt.counts["kept"] + receipt.counts["quarantined"]
    record.run(
        **clean,
        tables=cms(year),
        program=ROOT / "src/riskflow/members/engine/stage.py",
        warehouse_file=base / "warehouse.duckdb",
        output=place / "run.parquet",
        config=MembersRecordStage(runs=RUNS),
    )
    engine_stage.run(
        **clean,
        tables=cms(year),
        output=place / "scores.parquet",
        rejected=place / "rejected.parquet",
        config=fields(MembersScoreStage, whole),
    )
    return place


def all_stages(base):
    places = {name: made(base, name, year) for name, year in YEARS.items()}
    compare.run(
        run_a=places["prior"] / "run.parquet",
        scores_a=places["prior"] / "scores.parquet",
        run_b=places["current"] / "run.parquet",
        scores_b=places["current"] / "scores.parquet",
        program=ROOT / "src/riskflow/members/compare.py",
        output=base / "comparison.parquet",
        summary=base / "comparison_summary.parquet",
        bins=base / "comparison_bins.parquet",
        moved=base / "moved_variables.parquet",
        run_output=base / "comparison_run.parquet",
        config=MembersCompareStage(comparison=MembersComparisonSection()),
    )
    decomposition.run(
        **{
            table: [place / f"{table}.parquet" for place in places.values()]
            for table in ("spans", "diagnoses", "drugs")
        },
        runs=[place / "run.parquet" for place in places.values()],
        scores=[place / "scores.parquet" for place in places.values()],
        tables=[path for year in range(2021, 2027) for path in cms(year)],
        definitions=ROOT / "config/members_decompositions.yaml",
        program=ROOT / "src/riskflow/members/decomposition.py",
        output=base / "decomposition.parquet",
        definitions_output=base / "definitions.parquet",
        scenarios_output=base / "scenarios.parquet",
        run_output=base / "decomposition_run.parquet",
        config=MembersDecomposeStage(decomposition=MembersDecompositionSection()),
    )
    transfer.run(
        spans=places["current"] / "spans.parquet",
        scores=places["current"] / "scores.parquet",
        plans=base / "transfers.parquet",
        pools=base / "transfer_pools.parquet",
        config=MembersTransferStage(transfers=MembersTransfersSection()),
    )


def publish_all(base):
    receipt = warehouse.run(
        current=base / "current/run.parquet",
        current_tables=[base / "current" / f"{name}.parquet" for name in ("scores", "spans", "rejected")]
        + [base / "transfers.parquet", base / "transfer_pools.parquet"],
        prior=base / "prior/run.parquet",
        prior_tables=[base / "prior/scores.parquet"],
        comparison=base / "comparison_run.parquet",
        comparison_tables=[base / "comparison.parquet"],
        decomposition=base / "decomposition_run.parquet",
        decomposition_tables=[
            base / f"{name}.parquet" for name in ("decomposition", "definitions", "scenarios")
        ],
        warehouse_file=base / "warehouse.duckdb",
        config=MembersPublishStage(runs=RUNS),
    )
    return receipt.counts


def publish_one(run, table, database):
    """Publish one table of one run; return table → rows written."""
    rest = {f"{name}_tables": [] for name in ("prior", "comparison", "decomposition")}
    return warehouse.run(
        current=run,
        current_tables=[table],
        **rest,
        warehouse_file=database,
        config=MembersPublishStage(runs=RUNS),
    ).counts


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    base = tmp_path_factory.mktemp("members")
    all_stages(base)
    return base


@pytest.fixture(scope="module")
def published(results):
    return publish_all(results)


def test_demo_dirt_reaches_the_quarantine_under_many_rules(results):
    rules = read(results / "current/quarantine.parquet", QUARANTINE)["rule_id"].unique()
    assert rules.len() >= 12


def test_every_effect_adds_up(results):
    effects = read(results / "decomposition.parquet", DECOMPOSITION)
    whole = effects.filter(pl.col("dimension") == "all")
    assert set(whole["name"]) == {
        "model_and_data",
        "five_factors",
        "model_then_data",
        "one_at_a_time",
        "turnover",
    }
    exact = whole.filter(~pl.col("name").is_in(["model_then_data"]))
    assert exact["identity_holds"].all()
    sums = exact.group_by("name", "view").agg(pl.col("value").sum(), pl.col("total").first())
    assert (sums["value"] - sums["total"]).abs().max() < 1e-9


def test_the_factorial_ends_are_the_runs_of_the_two_years(results):
    """The Shapley total of model and data is this year's run less last year's, up to month lengths."""
    effects = read(results / "decomposition.parquet", DECOMPOSITION).filter(pl.col("dimension") == "all")
    by_name = dict(effects.group_by("name").agg(pl.col("total").first()).iter_rows())
    assert by_name["model_and_data"] == pytest.approx(by_name["five_factors"], abs=1e-12)
    assert by_name["model_and_data"] == pytest.approx(by_name["turnover"], abs=0.01)


def test_scenarios_list_all_runs(results):
    scenarios = read(results / "scenarios.parquet", SCENARIOS)
    counts = dict(scenarios.group_by("name").len().iter_rows())
    assert (counts["five_factors"], counts["model_and_data"], counts["model_years"]) == (32, 4, 6)
    assert scenarios["scenario_run_id"].n_unique() >= 32


def test_transfers_balance(results):
    assert read(results / "transfer_pools.parquet", TRANSFER_POOLS)["balanced"].all()


def test_the_warehouse_holds_every_table_and_all_runs_are_completed(results, published):
    assert set(published) == set(warehouse.TARGETS)
    assert all(count > 0 for table, count in published.items() if "rejected" not in table)
    rows = registry_rows(results / "warehouse.duckdb")
    assert set(rows["status"]) == {"completed"}
    assert set(rows["analysis_type"]) == {"scoring", "comparison", "decomposition"}
    with duckdb.connect(str(results / "warehouse.duckdb"), read_only=True) as connection:
        stored = {name: connection.table(name).count("*").fetchall()[0][0] for name in warehouse.TARGETS}
        unpaid = connection.table("main_intermediate.unpaid_codes").sum("row_count").fetchall()[0][0]
        orphans = connection.execute(
            "select count(*) from main_analytics.decomposition_scenarios s "
            "left join main_runs.run_registry r on r.run_id = s.scenario_run_id "
            "where r.run_id is null and s.settings ->> 'run' is null"
        ).fetchone()
        assert orphans == (0,)
        score, components, details = connection.execute(
            "select raw_score, components, details from main_runs.risk_scores order by raw_score desc limit 1"
        ).fetchone()
    assert stored == published
    rejected = read(results / "current" / "rejected.parquet", REJECTED).height
    assert stored["main_intermediate.rejected_evidence"] + unpaid == rejected
    assert sum(json.loads(components).values()) == pytest.approx(score, abs=1e-9)
    assert "age_last" in json.loads(details)


def test_publishing_again_writes_nothing(results, published):
    again = publish_all(results)
    assert set(again) == set(published)
    assert set(again.values()) == {0}


def test_changed_content_replaces_the_rows_of_the_run(results, published, tmp_path):
    changed = tmp_path / "transfers.parquet"
    from riskflow.artifacts import write
    from riskflow.contracts.members_runs import TRANSFERS

    database = tmp_path / "warehouse.duckdb"
    shutil.copy(results / "warehouse.duckdb", database)
    write(read(results / "transfers.parquet", TRANSFERS).head(2), changed, TRANSFERS)
    counts = publish_one(results / "current/run.parquet", changed, database)
    assert counts == {"main_analytics.transfers": 2}
    with duckdb.connect(str(database), read_only=True) as connection:
        assert connection.table("main_analytics.transfers").count("*").fetchall()[0] == (2,)


def test_an_artifact_without_a_table_is_an_error_and_publishes_nothing(results, published):
    before = registry_rows(results / "warehouse.duckdb")
    with pytest.raises(RiskflowError, match="the warehouse has no table for"):
        publish_one(
            results / "current/run.parquet",
            results / "current/quarantine.parquet",
            results / "warehouse.duckdb",
        )
    assert registry_rows(results / "warehouse.duckdb").equals(before)


def test_a_run_artifact_that_was_altered_is_refused(results, tmp_path):
    from riskflow.artifacts import write

    altered = read(results / "current/run.parquet", RUN).with_columns(
        pl.lit(2030).cast(pl.Int64).alias("benefit_year")
    )
    write(altered, tmp_path / "run.parquet", RUN)
    with pytest.raises(RiskflowError, match="not the one it describes"):
        record.runs_of(tmp_path / "run.parquet", RUNS)


@pytest.mark.slow
def test_all_artifacts_have_the_same_bytes_when_made_again(results, tmp_path):
    all_stages(tmp_path)
    names = [path.relative_to(results) for path in results.rglob("*.parquet")]
    assert len(names) > 20
    for name in names:
        assert content_digest(tmp_path / name) == content_digest(results / name), name


def test_spans_artifact_is_within_the_year(results):
    spans = read(results / "prior/spans.parquet", SPANS)
    assert set(spans["enrolment_start"].dt.year()) == {2024}
