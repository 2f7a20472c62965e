"""The members track as a whole: same bytes at any shard count, nothing done twice, killed and resumed."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest

from riskflow.artifacts import content_digest
from riskflow.members.dossier import dossier
from riskflow.members.registry import runs as registry_runs
from tests.workflow.harness import Workspace
from tests.workflow.members_workspace import SHARDS, TARGETS, members_workspace
from tests.workflow.test_docs import commands, started
from tests.workflow.test_resume import wait_for_program

RESULTS = ["scores.parquet", "rejected.parquet", "prior/scores.parquet", "transfers.parquet"]
RESULTS += ["comparison/members.parquet", "decomposition/effects.parquet"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return members_workspace(tmp_path_factory.mktemp("finished-members") / "riskflow")


@pytest.fixture
def workspace(finished: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the finished workspace, for one test to change."""
    return finished.copy(tmp_path / "riskflow")


def contents(workspace: Workspace) -> dict[str, bytes]:
    return {name: workspace.path(f"members/{name}").read_bytes() for name in RESULTS}


def setting(section: str, key: str, value: object) -> Callable[[Workspace], None]:
    def change(workspace: Workspace) -> None:
        workspace.overlay["members"].setdefault(section, {})[key] = value

    return change


def edit(file: str, pattern: str, replacement: str) -> Callable[[Workspace], None]:
    def change(workspace: Workspace) -> None:
        path = workspace.folder / file
        text, count = re.subn(pattern, replacement, path.read_text(), count=1)
        assert count == 1, f"{pattern} is not in {file}"
        path.write_text(text)

    return change


def nothing(_: Workspace) -> None:
    """No change at all."""


def touch_tables(workspace: Workspace) -> None:
    for path in (workspace.folder / "src/riskflow/members/tables/data").rglob("*.*"):
        path.touch()


def content_of(name: str) -> Callable[[Workspace], None]:
    """A file of the CMS tables in other bytes, and no newer than it was."""

    def change(workspace: Workspace) -> None:
        path = workspace.folder / "src/riskflow/members/tables/data" / name
        before = path.stat()
        path.write_bytes(path.read_bytes() + b"\n")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    return change


def delete(name: str) -> Callable[[Workspace], None]:
    return lambda workspace: workspace.path(name).unlink()


PAGE = {"report": 1}
PUBLISH = {"publish": 1, **PAGE}
AFTER_SCORES = {"transfer": 1, "compare": 1, "decompose": 1, **PUBLISH}
RECORDED = {"record": 1, "record_prior": 1, "plan": 1, "merge": 1, "merge_prior": 1, **AFTER_SCORES}
PLANNED: dict[str, tuple[Callable[[Workspace], None], dict[str, int]]] = {
    "nothing": (nothing, {}),
    "CMS tables touched": (touch_tables, {}),
    "other content of a CMS set that scores nobody": (
        content_of("2023_diy/labels.parquet"),
        {"decompose": 1, **PUBLISH},
    ),
    "comment in the engine": (
        edit("src/riskflow/members/engine/score.py", r"\ndef ", "\n# why\n\n\ndef "),
        {},
    ),
    "length of the page's lists": (setting("report", "top", 5), PAGE),
    # what follows from a new plan is known when it is made
    "other content of last year's CMS set": (
        content_of("2024_alt/set.json"),
        {name: count for name, count in RECORDED.items() if name != "record"},
    ),
    "quarantine limit": (setting("quality", "max_quarantined", 0.31), {"quality": 1, "shard": 1, **RECORDED}),
    "description of the runs": (setting("runs", "description", "monthly"), RECORDED),
    "population of the comparison": (
        setting("comparison", "population", "a_only"),
        {"compare": 1, **PUBLISH},
    ),
    "definitions": (
        edit("definitions.yaml", "replicates: 20", "replicates: 30"),
        {"decompose": 1, **PUBLISH},
    ),
    "bootstrap seed": (setting("decomposition", "seed", 2), {"decompose": 1, **PUBLISH}),
    "scores deleted": (delete("members/scores.parquet"), {"merge": 1, **AFTER_SCORES}),
}


@pytest.mark.parametrize("name", PLANNED)
def test_exactly_what_is_stale_is_planned(workspace: Workspace, name: str) -> None:
    change, expected = PLANNED[name]
    change(workspace)
    jobs = {f"members_{rule}": count for rule, count in expected.items()}
    assert workspace.plan(*TARGETS) == jobs | ({"members": 1} if jobs else {})


def test_the_number_of_shards_changes_no_byte(workspace: Workspace) -> None:
    before = contents(workspace)
    setting("shards", "count", 1)(workspace)
    ran = workspace.build(*TARGETS)
    assert ran["members_score"] == ran["members_score_prior"] == 1
    assert contents(workspace) == before
    assert workspace.plan(*TARGETS) == {}


@pytest.mark.slow
def test_more_shards_than_some_have_members_for(workspace: Workspace) -> None:
    """Empty shards are files too."""
    before = workspace.path("members/scores.parquet").read_bytes()
    members = (
        pl.read_parquet(workspace.path("members/current/spans.parquet"))["member_id"].unique().sort()[:3]
    )
    for data_set in ("current", "prior"):
        for table in ("spans", "diagnoses", "drugs"):
            path = workspace.folder / "data" / data_set / f"{table}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            raw = pl.read_parquet(workspace.path(f"members/{data_set}/source/{table}.parquet"))
            mine = raw.filter(pl.col("member_id").is_in(members.to_list()) | pl.lit(data_set == "prior"))
            mine.write_parquet(path)
    workspace.overlay["members"] |= {
        "source": {"kind": "files"} | files("current"),
        "prior": files("prior"),
        "shards": {"count": 6},
    }
    workspace.build("results/members/scores.parquet")
    after = pl.read_parquet(workspace.path("members/scores.parquet"))
    assert after["member_id"].n_unique() == 3
    whole = pl.read_parquet(before).filter(pl.col("member_id").is_in(members.to_list()))
    assert after.equals(whole)


def test_csv_parquet_and_a_duckdb_view_with_other_column_names_score_the_same(workspace: Workspace) -> None:
    before = content_digest(workspace.path("members/scores.parquet"))
    raw = {
        table: pl.read_parquet(workspace.path(f"members/current/source/{table}.parquet"))
        for table in ("spans", "diagnoses", "drugs")
    }
    data = workspace.folder / "data"
    data.mkdir()
    raw["spans"].rename({"member_id": "MBR_ID", "sex": "GENDER"}).write_csv(data / "spans.csv")
    with duckdb.connect(str(data / "claims.duckdb")) as connection:
        connection.register("rows", raw["diagnoses"].rename({"code": "icd"}))
        connection.execute("create schema raw; create table raw.lines as from rows")
        connection.execute("create view raw.diagnoses as select * from raw.lines")
    raw["drugs"].write_parquet(data / "drugs.parquet")
    workspace.overlay["members"]["source"] = {
        "kind": "files",
        "spans": {"path": "data/spans.csv", "columns": {"member_id": "MBR_ID", "sex": "GENDER"}},
        "diagnoses": {
            "path": "data/claims.duckdb",
            "table": "raw.diagnoses",
            "columns": {"code": "icd"},
        },
        "drugs": {"path": "data/drugs.parquet"},
    }
    workspace.build("results/members/scores.parquet")
    assert content_digest(workspace.path("members/scores.parquet")) == before
    bad = pl.read_parquet(workspace.path("members/quarantine/current.parquet"))
    assert {"spans: spans.csv", "diagnoses: claims.duckdb", "drugs: drugs.parquet"} == set(bad["source"])


@pytest.mark.slow
def test_this_run_is_compared_with_an_earlier_one_by_id_or_by_folder(workspace: Workspace) -> None:
    compared = "members/comparison/members.parquet"
    before = content_digest(workspace.path(compared))
    prior = pl.read_parquet(workspace.path("members/prior/run.parquet"))["run_id"].item()
    setting("comparison", "against", prior[:16])(workspace)
    ran = workspace.build(f"results/{compared}")
    assert ran == {"members_earlier": 1, "members_compare": 1}
    assert content_digest(workspace.path(compared)) == before
    setting("comparison", "against", prior[:-2] + "zz")(workspace)
    run = workspace.snakemake(f"results/{compared}")
    assert run.status != 0
    assert f"the nearest is {prior}" in run.text
    shutil.copytree(workspace.path("members"), workspace.folder / "before/members")
    setting("comparison", "against", "before")(workspace)
    workspace.build(*TARGETS)
    same = pl.read_parquet(workspace.path(compared))
    assert (set(same["match_status"]), same["score_diff"].abs().max()) == ({"matched"}, 0.0)
    assert "Only in the earlier run" in workspace.path("members/report.html").read_text()
    assert workspace.plan(*TARGETS) == {}


def files(data_set: str) -> dict[str, dict[str, str]]:
    return {table: {"path": f"data/{data_set}/{table}.parquet"} for table in ("spans", "diagnoses", "drugs")}


@pytest.mark.slow
def test_another_benefit_year_scores_by_its_tables(workspace: Workspace) -> None:
    setting("model", "benefit_year", 2023)(workspace)
    ran = workspace.build(*TARGETS)
    assert ran["members_demo"] == ran["members_demo_prior"] == 1
    assert ran["members_score"] == ran["members_score_prior"] == SHARDS
    scores = pl.read_parquet(workspace.path("members/scores.parquet"))
    assert set(scores["benefit_year"]) == {2023}
    assert set(pl.read_parquet(workspace.path("members/prior/scores.parquet"))["benefit_year"]) == {2022}
    rows = registry_runs(workspace.path("warehouse.duckdb"))
    assert set(rows["status"]) == {"completed"}
    assert {2022, 2023, 2025} <= set(rows.filter(pl.col("analysis_type") == "scoring")["benefit_year"])


@pytest.mark.slow
def test_a_change_of_the_engine_scores_everybody_again(workspace: Workspace) -> None:
    """And a second change at the same time, before the plan, hides neither."""
    edit("src/riskflow/members/engine/score.py", r"\ndef ", "\nUNUSED = 1\n\n\ndef ")(workspace)
    setting("quality", "max_quarantined", 0.31)(workspace)
    ran = workspace.build(*TARGETS)
    assert ran["members_score"] == ran["members_score_prior"] == SHARDS
    assert ran["members_merge"] == ran["members_compare"] == ran["members_decompose"] == 1
    assert not {"members_demo", "members_ingest"} & set(ran)
    assert workspace.plan(*TARGETS) == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [setting("prior", "vintage", "diy"), content_of("2024_alt/set.json")],
    ids=["vintage", "content"],
)
def test_other_tables_of_last_year_score_last_year_only(
    workspace: Workspace, change: Callable[[Workspace], None]
) -> None:
    change(workspace)
    ran = workspace.build(*TARGETS)
    assert ran["members_score_prior"] == SHARDS
    assert ran["members_compare"] == ran["members_decompose"] == 1
    assert not {"members_score", "members_demo_prior", "members_ingest_prior", "members_shard"} & set(ran)
    assert workspace.plan(*TARGETS) == {}


def test_without_last_year_there_is_no_comparison(workspace: Workspace) -> None:
    setting("model", "benefit_year", 2021)(workspace)
    planned = workspace.plan(*TARGETS)
    assert planned["members_demo"] == planned["members_shard"] == 1
    assert not {"members_compare", "members_decompose", "members_score_prior"} & set(planned)


def test_a_killed_run_is_told_as_failed_and_resumes_to_the_same_bytes(workspace: Workspace) -> None:
    before = contents(workspace)
    warehouse = workspace.path("warehouse.duckdb")
    shutil.rmtree(workspace.path("members/scored"))
    for name in ("scores.parquet", "current/run.parquet"):
        workspace.path(f"members/{name}").unlink()
    run = start(workspace)
    wait_for_program(run, "members_score.py")
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert not workspace.path("members/scores.parquet").exists()
    own = json.loads(workspace.path("members/receipts/record_current.json").read_text())["facts"]["run_id"]
    assert dict(registry_runs(warehouse).select("run_id", "status").iter_rows())[own] == "failed"
    assert workspace.snakemake("--unlock").status == 0
    workspace.build(*TARGETS)
    assert contents(workspace) == before
    assert set(registry_runs(warehouse)["status"]) == {"completed"}
    assert not list(workspace.folder.rglob(".*.tmp"))
    assert workspace.plan(*TARGETS) == {}


def start(workspace: Workspace) -> subprocess.Popen[bytes]:
    """Start the workflow in a process group of its own, so that all of it can be killed at once."""
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", *TARGETS, "--configfile", "overlay.yaml"],
        cwd=workspace.folder,
        env={**os.environ, "PYTHONPATH": str(workspace.folder / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def test_rows_read_are_kept_or_quarantined(finished: Workspace) -> None:
    for data_set in ("current", "prior"):
        tables = ("spans", "diagnoses", "drugs")
        raw = [finished.path(f"members/{data_set}/source/{table}.parquet") for table in tables]
        kept = [finished.path(f"members/{data_set}/{table}.parquet") for table in tables]
        bad = pl.read_parquet(finished.path(f"members/quarantine/{data_set}.parquet"))
        assert rows(raw) == rows(kept) + bad.height
        assert bad["rule_id"].n_unique() >= 10


def rows(paths: list[Path]) -> int:
    return sum(int(pl.scan_parquet(path).select(pl.len()).collect().item()) for path in paths)


def test_too_much_quarantine_stops_the_run_and_keeps_the_quarantine(workspace: Workspace) -> None:
    setting("quality", "max_quarantined", 0.0001)(workspace)
    run = workspace.snakemake(*TARGETS)
    assert run.status != 0
    assert "members.quality.max_quarantined" in run.text
    assert workspace.path("members/quarantine/current.parquet").exists()


def test_the_warehouse_has_the_scores_and_every_scored_member_can_be_explained(finished: Workspace) -> None:
    scores = pl.read_parquet(finished.path("members/scores.parquet"))
    with duckdb.connect(str(finished.path("warehouse.duckdb")), read_only=True) as connection:
        stored = connection.execute(
            "SELECT count(*), sum(csr_adjusted_score) FROM main_runs.risk_scores JOIN main_runs.run_registry "
            "USING (run_id) WHERE run_registry.benefit_year = 2025 AND status = 'completed'"
        ).fetchone()
    assert stored is not None
    assert stored == (scores.height, pytest.approx(scores["csr_adjusted_score"].sum()))
    for member in scores["member_id"].unique().sort().gather_every(97):
        assert dossier(member, finished.folder / "results").agrees


def test_what_is_published_twice_is_the_same(finished: Workspace) -> None:
    digests = {name: content_digest(finished.path(f"members/{name}")) for name in RESULTS}
    page = finished.path("members/report.html").read_text()
    receipts = json.loads(finished.path("members/receipts/publish.json").read_text())["counts"]
    assert len(digests) == len(RESULTS)
    assert receipts["main_runs.risk_scores"] > 0
    assert "Transfers" in page and "What changed" in page and "M0000" not in page


@pytest.mark.parametrize(
    "command", [c for page, c in commands() if page == "members.md" and not c.startswith("make ")]
)
def test_the_commands_of_the_page_run(finished: Workspace, command: str) -> None:
    program, *words = shlex.split(command)
    known = pl.read_parquet(finished.path("members/scores.parquet"))["member_id"][0]
    words = [known if word == "M000000127" else word for word in words]
    dry = ["--dry-run"] if program.endswith("snakemake") else []
    done = subprocess.run(
        [*started(program), *words, *dry],
        cwd=finished.folder,
        env={**os.environ, "PYTHONPATH": str(finished.folder / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert dry or known in done.stdout or '"data_set": "prior"' in done.stdout
