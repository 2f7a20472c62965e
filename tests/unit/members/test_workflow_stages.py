"""The stages between ingest and publish that only cut, merge, check and show."""

import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from riskflow import artifacts
from riskflow.artifacts import Artifact, content_digest
from riskflow.cli import app
from riskflow.config.members import (
    MembersConfig,
    MembersDemoStage,
    MembersIngestStage,
    MembersQualitySection,
    MembersQualityStage,
    MembersReportSection,
    MembersReportStage,
    MembersScoreStage,
    MembersShardsSection,
    MembersShardStage,
)
from riskflow.config.members_runs import (
    MembersRecordStage,
    MembersRunsSection,
    MembersTransfersSection,
    MembersTransferStage,
)
from riskflow.contracts.members_scores import REJECTED, SCORES
from riskflow.errors import RiskflowError
from riskflow.members import demo, ingest_stage, merge, quality, record, report, report_data, shard, transfer
from riskflow.members.dossier import chosen_run, dossier
from riskflow.members.engine import stage as engine_stage
from riskflow.members.tables.load import files, folder, load
from riskflow.receipts import Receipt
from riskflow.sharding import buckets
from riskflow.sharding import run as plan
from tests.paths import REPOSITORY

TABLES = ("spans", "diagnoses", "drugs")
YEAR = 2025
runner = CliRunner()


def config(stage, **changes):
    whole = MembersConfig().model_copy(update=changes)
    return stage(**{name: getattr(whole, name) for name in stage.model_fields})


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A results folder as the workflow makes it, of one shard, without last year."""
    base = tmp_path_factory.mktemp("results") / "members"
    place = base / "current"
    raw = {name: place / "source" / f"{name}.parquet" for name in TABLES}
    few = MembersConfig().demo.model_copy(update={"members": 400})
    demo.run(year=YEAR, **raw, config=config(MembersDemoStage, demo=few))
    clean = {name: place / f"{name}.parquet" for name in TABLES}
    receipt = ingest_stage.run(
        **{f"{name}_source": path for name, path in raw.items()},
        variants=folder(YEAR) / "csr_variants.parquet",
        year=YEAR,
        **clean,
        quarantine=base / "quarantine/current.parquet",
        config=config(MembersIngestStage),
    )
    receipt.write(base / "receipts/ingest_current.json")
    record.run(
        **clean,
        tables=files(YEAR),
        program=REPOSITORY / "workflow/scripts/members_score.py",
        warehouse_file=base.parent / "warehouse.duckdb",
        output=place / "run.parquet",
        config=MembersRecordStage(runs=MembersRunsSection()),
    )
    sharded(base, 1)
    scored(base, 1)
    transfer.run(
        spans=clean["spans"],
        scores=base / "scores.parquet",
        plans=base / "transfers.parquet",
        pools=base / "transfer_pools.parquet",
        config=MembersTransferStage(transfers=MembersTransfersSection()),
    )
    return base


def sharded(base, count):
    """Cut into shards under base/shards<count> and plan."""
    folder = base / f"shards{count}"
    shard.run(
        **{name: [base / "current" / f"{name}.parquet"] for name in TABLES},
        folder=str(folder),
        manifest=folder / "manifest.json",
        config=MembersShardStage(shards=MembersShardsSection(count=count)),
    )
    plan(manifest=folder / "manifest.json", receipts=[], output=folder / "plan.json")
    return folder


def scored(base, count, output="scores.parquet", rejected="rejected.parquet"):
    folder = base / f"shards{count}"
    for number in range(count):
        name = f"{number:04d}.parquet"
        engine_stage.run(
            **{table: folder / "current" / table / name for table in TABLES},
            tables=files(YEAR),
            output=folder / "scored" / name,
            rejected=folder / "unused" / name,
            config=config(MembersScoreStage),
        )
    return merge.run(
        data_set="current",
        scored=folder / "scored",
        unused=folder / "unused",
        plan=folder / "plan.json",
        output=base / output,
        rejected=base / rejected,
    )


@settings(deadline=None, max_examples=25)
@given(st.lists(st.text("abc", max_size=3), max_size=40), st.integers(1, 7))
def test_rows_go_to_the_shard_of_their_member(ids, count):
    members = pl.Series("member_id", ids, dtype=pl.String)
    assert shard.row_buckets(members, count).tolist() == buckets(members, count).to_list()


def test_shards_hold_every_row_once_and_the_manifest_names_all_parts(results):
    folder = sharded(results, 4)
    for table in TABLES:
        parts = [pl.read_parquet(folder / "current" / table / f"{n:04d}.parquet") for n in range(4)]
        whole = pl.read_parquet(results / "current" / f"{table}.parquet")
        key = whole.columns[:2]
        assert pl.concat(parts).sort(key).equals(whole.sort(key))
        owners = [set(part["member_id"]) for part in parts]
        assert sum(map(len, owners)) == len(set.union(*owners))
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest) == {"current_spans", "current_diagnoses", "current_drugs", "rows"}
    assert sum(manifest["rows"].values()) == pl.read_parquet(results / "current/spans.parquet").height


def test_the_number_of_shards_changes_no_byte(results):
    sharded(results, 5)
    receipt = scored(results, 5, "scores5.parquet", "rejected5.parquet")
    assert receipt.counts["shards"] == 5
    assert content_digest(results / "scores5.parquet") == content_digest(results / "scores.parquet")
    assert content_digest(results / "rejected5.parquet") == content_digest(results / "rejected.parquet")


def test_a_shard_of_nobody_is_scored_to_nothing(results, tmp_path):
    for table in TABLES:
        frame = pl.read_parquet(results / "current" / f"{table}.parquet").clear()
        contract = {
            "spans": ingest_stage.SPANS,
            "diagnoses": ingest_stage.DIAGNOSES,
            "drugs": ingest_stage.DRUGS,
        }
        artifacts.write(frame, tmp_path / f"{table}.parquet", contract[table])
    engine_stage.run(
        **{table: tmp_path / f"{table}.parquet" for table in TABLES},
        tables=files(YEAR),
        output=tmp_path / "scores.parquet",
        rejected=tmp_path / "rejected.parquet",
        config=config(MembersScoreStage),
    )
    assert artifacts.read(tmp_path / "scores.parquet", SCORES).is_empty()
    assert artifacts.read(tmp_path / "rejected.parquet", REJECTED).is_empty()


def test_merge_refuses_shards_of_another_plan():
    merge.check_rows({"0000": 3, "0001": 4}, {"0000": 3, "0001": 4})
    with pytest.raises(RiskflowError, match="shard 0001 has 4, the plan says 5"):
        merge.check_rows({"0000": 3, "0001": 4}, {"0000": 3, "0001": 5})
    with pytest.raises(RiskflowError, match="no shards of this data set"):
        merge.check_rows({}, {})


def ingest_receipt(read, kept):
    counts = {"read": sum(read), "kept": sum(kept), "quarantined": sum(read) - sum(kept)}
    for table, all_rows, good in zip(TABLES, read, kept, strict=True):
        counts |= {f"{table}_read": all_rows, f"{table}_kept": good}
    return Receipt(stage="members.ingest_stage", counts=counts)


@given(
    st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=3, max_size=3), st.floats(0, 1)
)
def test_the_gate_stops_exactly_when_one_table_has_too_much_quarantine(tmp_path_factory, tables, limit):
    read, kept = zip(*[(max(pair), min(pair)) for pair in tables], strict=True)
    path = tmp_path_factory.getbasetemp() / "ingest_current.json"
    ingest_receipt(read, kept).write(path)
    section = MembersQualityStage(quality=MembersQualitySection(max_quarantined=limit))
    too_much = any(r and (r - k) / r > limit for r, k in zip(read, kept, strict=True))
    if too_much:
        with pytest.raises(RiskflowError, match="max_quarantined"):
            quality.run(receipts=[path], config=section)
    else:
        assert quality.run(receipts=[path], config=section).counts["read"] == sum(read)


def test_the_gate_stops_when_rows_are_lost(tmp_path):
    receipt = ingest_receipt((10, 10, 10), (10, 10, 9))
    receipt.counts["kept"] -= 1
    receipt.write(tmp_path / "ingest_prior.json")
    section = MembersQualityStage(quality=MembersQualitySection(max_quarantined=1))
    with pytest.raises(RiskflowError, match="prior rows"):
        quality.run(receipts=[tmp_path / "ingest_prior.json"], config=section)


def test_ingest_receipts_are_told_table_by_table():
    receipt = ingest_receipt((10, 20, 30), (9, 18, 27))
    receipt.outputs = [Artifact(f"results/members/prior/{t}.parquet", f"members_{t}", 1, "d") for t in TABLES]
    told = report_data.by_table([receipt, Receipt(stage="other")])
    assert [one.counts.get("quarantined") for one in told] == [1, 2, 3, None]
    assert [one.outputs[0].path for one in told[:3]] == ["prior spans", "prior diagnoses", "prior drugs"]


def test_points_of_all_variables_add_up_to_the_mean_raw_score(results):
    scores = artifacts.read(results / "scores.parquet", SCORES)
    labels = pl.DataFrame({"variable": ["G01"], "label": ["Diabetes"]})
    rows = report_data.top_variables(scores, labels, "", 10_000)
    mean = (scores["raw_score"] * scores["member_months"]).sum() / scores["member_months"].sum()
    assert rows["points"].sum() == pytest.approx(mean, abs=1e-9)
    assert rows["share"].is_between(0, 1).all()
    assert dict(rows.select("variable", "label").iter_rows()).get("G01") == "Diabetes"


def test_a_group_is_called_by_its_hccs():
    labels = dict(report_data.variable_labels(load(folder(YEAR))).select("variable", "label").iter_rows())
    assert labels["G01"] == (
        "Any of: Diabetes with Acute Complications; Diabetes with Chronic Complications; "
        "Diabetes without Complication"
    )
    assert labels["HHS_HCC021"] == "Diabetes without Complication"


def test_groups_hold_every_span_and_average_to_the_whole(results):
    scores = artifacts.read(results / "scores.parquet", SCORES)
    for rows in (report_data.metals(scores), report_data.bands(scores), report_data.models(scores)):
        assert rows["spans"].sum() == scores.height
        mean = (rows["mean"] * rows["member_months"]).sum() / rows["member_months"].sum()
        assert mean == pytest.approx(report_data.mean_score(scores), abs=1e-9)


def test_issuers_net_to_zero(results):
    plans = pl.read_parquet(results / "transfers.parquet")
    owners = report_data.issuers(plans)
    assert owners["transfer"].sum() == pytest.approx(0, abs=1e-6)
    assert owners["billable_months"].sum() == pytest.approx(plans["billable_months"].sum())


def page(results, output, **changes):
    parts = {
        "transfers": [results / "transfers.parquet", results / "transfer_pools.parquet"],
        "comparison": [],
        "decomposition": [],
    }
    report.run(
        scores=results / "scores.parquet",
        rejected=results / "rejected.parquet",
        tables=files(YEAR),
        **(parts | changes),
        quarantine=[results / "quarantine/current.parquet"],
        receipts=[results / "receipts/ingest_current.json"],
        output=output,
        config=MembersReportStage(report=MembersReportSection(top=5)),
    )
    return output.read_text()


def test_the_page_shows_no_member_and_leaves_out_what_was_not_computed(results, tmp_path):
    html = page(results, tmp_path / "a.html")
    assert "Transfers" in html and "What changed" not in html
    assert "M00000" not in html
    assert page(results, tmp_path / "b.html") == html
    assert "Net transfer per issuer" not in page(results, tmp_path / "c.html", transfers=[])


def test_a_run_is_named_by_data_set_id_or_its_beginning(results):
    own = pl.read_parquet(results / "current/run.parquet")["run_id"][0]
    for name in ("", "current", own, own[:14]):
        assert chosen_run(results, name)[1]["run_id"] == own
    with pytest.raises(RiskflowError, match="no such run"):
        chosen_run(results, "scoring-nothing")
    with pytest.raises(RiskflowError, match="no run of the members track"):
        chosen_run(results / "nowhere", "")


def test_every_members_trace_ends_in_the_stored_score(results):
    members = pl.read_parquet(results / "scores.parquet")["member_id"].unique().sort().gather_every(40)
    for member in members:
        found = dossier(member, results.parent)
        assert found.agrees
        sums = found.explanation.variables.group_by("span_id").agg(pl.col("coefficient").sum())
        both = found.stored.select("span_id", "raw_score").join(sums, on="span_id", how="left")
        assert (both["raw_score"] - both["coefficient"].fill_null(0)).abs().max() < 1e-9


def test_explain_member_shows_the_way_from_code_to_coefficient(results):
    scores = pl.read_parquet(results / "scores.parquet")
    grouped = scores.filter(pl.col("variables").list.contains("G01"))["member_id"][0]
    done = runner.invoke(app, ["explain", "member", grouped, "--results", str(results.parent)])
    assert done.exit_code == 0, done.output
    for word in ("replaced by G01", "HHS_HCC0", "raw score", "What did not count"):
        assert word in done.stdout
    told = runner.invoke(app, ["explain", "member", grouped, "--json", "--results", str(results.parent)])
    document = json.loads(told.stdout)
    assert document["agrees"] is True
    assert {one["variable"] for one in document["variables"]} >= {"G01"}


def test_explain_member_of_an_unknown_member_is_one_message(results):
    done = runner.invoke(app, ["explain", "member", "nobody", "--results", str(results.parent)])
    assert done.exit_code == 1
    assert "no enrolment span" in done.stderr and "Traceback" not in done.stderr
