"""The members and notes tracks without a shared folder: files in a bucket, jobs in empty folders of other machines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
import yaml

from riskflow.members.registry import runs as registry_runs
from tests.services.cloud import Cloud, assert_bytes_of_a_local_run, assert_secret_is_nowhere
from tests.services.needs import running
from tests.services.s3_server import S3Server
from tests.workflow.harness import Workspace
from tests.workflow.members_workspace import DEFINITIONS
from tests.workflow.test_notes import texts_of

pytestmark = [pytest.mark.service, pytest.mark.slow]


@dataclass(frozen=True)
class Track:
    """A small run of a track, and what is expected of it."""

    config: Mapping[str, Any]
    stays: frozenset[str]
    """Rules that run on the machine that Snakemake was started on."""
    tables: tuple[str, ...]
    """Tables of the warehouse."""
    files: Mapping[str, str] = field(default_factory=dict)
    only_local: tuple[str, ...] = ()
    least: int = 0


TRACKS = {
    "members": Track(
        config={
            "demo": {"members": 300, "seed": 3},
            "quality": {"max_quarantined": 0.3},
            "shards": {"count": 2},
            "decomposition": {"definitions": "definitions.yaml"},
        },
        stays=frozenset({"members_record", "members_record_prior", "members_publish"}),
        tables=(
            "main_runs.risk_scores",
            "main_intermediate.rejected_evidence",
            "main_analytics.decomposition",
        ),
        files={"definitions.yaml": yaml.safe_dump(DEFINITIONS)},
        least=40,
    ),
    "notes": Track(
        config={"demo": {"patients": 30}, "quality": {"max_quarantined": 0.3}, "shards": {"count": 2}},
        stays=frozenset({"notes_publish"}),
        tables=("notes.patients", "notes.observations", "notes.audit"),
        only_local=("cache/",),
        least=25,
    ),
}


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with running(S3Server()) as server:
        yield server


@pytest.fixture(scope="module", params=TRACKS)
def track(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def cloud(server: S3Server, track: str, tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    """The track has run in it."""
    overlay = {"tracks": [track], track: dict(TRACKS[track].config)}
    cloud = Cloud.create(server, tmp_path_factory.mktemp("cloud"), track, overlay, TRACKS[track].files)
    ran = cloud.build()
    assert TRACKS[track].stays <= set(ran)
    return cloud


@pytest.fixture(scope="module")
def local(cloud: Cloud, track: str, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("local") / "riskflow"
    workspace = Workspace.create(folder, cloud.workspace.overlay)
    for name, text in TRACKS[track].files.items():
        (folder / name).write_text(text)
    workspace.build(track)
    return workspace


def test_the_bucket_has_the_bytes_of_a_local_run(cloud: Cloud, local: Workspace, track: str) -> None:
    assert_bytes_of_a_local_run(cloud, local, TRACKS[track].only_local, TRACKS[track].least)


def test_only_what_needs_the_warehouse_ran_here(cloud: Cloud, track: str) -> None:
    elsewhere = cloud.ran_elsewhere()
    assert not TRACKS[track].stays & elsewhere
    assert {f"{track}_demo", f"{track}_report"} <= elsewhere
    assert not cloud.workspace.path(track).exists()


def test_the_warehouse_here_is_that_of_a_local_run(cloud: Cloud, local: Workspace, track: str) -> None:
    for table in TRACKS[track].tables:
        ours, expected = (rows(one.path("warehouse.duckdb"), table) for one in (cloud.workspace, local))
        assert ours == expected and ours, table
    if track == "members":
        assert set(registry_runs(cloud.workspace.path("warehouse.duckdb"))["status"]) == {"completed"}


def rows(warehouse: Path, table: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return connection.sql(f"SELECT * FROM {table} ORDER BY ALL").fetchall()


def test_a_second_run_has_nothing_to_do(cloud: Cloud, track: str) -> None:
    again = cloud.snakemake(track)
    assert again.status == 0, again.text
    assert "Nothing to be done" in again.text


def test_the_secret_key_is_nowhere(cloud: Cloud) -> None:
    assert_secret_is_nowhere(cloud)


class TestMembers:
    """What only the members track has."""

    @pytest.fixture(autouse=True)
    def only(self, track: str) -> None:
        if track != "members":
            pytest.skip("of the members track")

    def test_a_config_edit_reruns_only_what_it_must(self, cloud: Cloud, tmp_path: Path) -> None:
        edited = cloud.other(tmp_path)
        edited.workspace.overlay["members"]["report"] = {"top": 5}
        assert edited.plan() == {"members_report": 1}

    def test_a_changed_cms_table_counts_by_its_content(self, cloud: Cloud, tmp_path: Path) -> None:
        edited = cloud.other(tmp_path)
        tables = edited.workspace.folder / "src/riskflow/members/tables/data"
        for path in tables.glob("*/*.*"):
            path.touch()
        assert edited.plan() == {}
        about = tables / "2024_diy" / "set.json"
        about.write_text(about.read_text() + "\n")
        assert edited.plan()["members_decompose"] == 1

    def test_the_plan_in_the_bucket_decides_which_shards_are_new(self, cloud: Cloud) -> None:
        jobs = cloud.plan_with_another_digest("current_spans", "0001")
        assert jobs["members_score"] == 1
        assert not {"members_score_prior", "members_shard"} & set(jobs)

    def test_tables_of_this_machine_are_read_here(
        self, cloud: Cloud, local: Workspace, tmp_path: Path
    ) -> None:
        """They are not on the machines that go on with what was read."""
        here = cloud.other(tmp_path, prefix="files")
        (here.workspace.folder / "data").mkdir()
        source = {}
        for table in ("spans", "diagnoses", "drugs"):
            raw = pl.read_parquet(local.path(f"members/current/source/{table}.parquet"))
            raw.write_parquet(here.workspace.folder / "data" / f"{table}.parquet")
            source[table] = {"path": f"data/{table}.parquet"}
        here.workspace.overlay["members"]["source"] = {"kind": "files", **source}
        ran = here.build("results/members/receipts/quality.json")
        assert ran == {"members_ingest": 1, "members_quality": 1}
        assert here.ran_elsewhere() == {"members_quality"}

    def test_an_earlier_run_in_a_folder_is_refused(self, cloud: Cloud, tmp_path: Path) -> None:
        later = cloud.other(tmp_path)
        (later.workspace.folder / "before").mkdir()
        later.workspace.overlay["members"]["comparison"] = {"against": "before"}
        refused = later.snakemake("--dry-run", "members")
        assert refused.status != 0
        assert "members.comparison.against: an earlier run is read from a folder" in refused.text

    def test_an_earlier_run_of_the_warehouse_is_looked_up_here(
        self, cloud: Cloud, local: Workspace, tmp_path: Path
    ) -> None:
        later = cloud.other(tmp_path)
        prior = pl.read_parquet(local.path("members/prior/run.parquet"))["run_id"].item()
        later.workspace.overlay["members"]["comparison"] = {"against": prior[:16]}
        ran = later.build("results/members/comparison/members.parquet")
        assert ran == {"members_earlier": 1, "members_compare": 1}
        assert later.ran_elsewhere() == {"members_compare"}


class TestNotes:
    """What only the notes track has."""

    @pytest.fixture(autouse=True)
    def only(self, track: str) -> None:
        if track != "notes":
            pytest.skip("of the notes track")

    def test_what_must_be_nowhere_is_read_here(self, cloud: Cloud, tmp_path: Path) -> None:
        gated = cloud.other(tmp_path)
        (gated.workspace.folder / "nowhere.txt").write_text("Xylomancy\n")
        gated.workspace.overlay["notes"]["gate"] = {"canaries": "nowhere.txt"}
        assert gated.plan() == {"notes_gate": 1, "notes_publish": 1, "notes_report": 1}
        assert gated.build("results/notes/receipts/gate.json") == {"notes_gate": 1}
        assert gated.ran_elsewhere() == set()

    def test_a_key_that_other_machines_do_not_have_is_refused(self, cloud: Cloud, tmp_path: Path) -> None:
        other = cloud.other(tmp_path)
        other.workspace.overlay["notes"]["policy"] = {"key_file": "notes.key"}
        key = other.workspace.folder / "notes.key"
        key.write_text("a key for the tests, 0123456789abcdef\n")
        key.chmod(0o600)
        refused = other.snakemake("results/notes/redacted/0000.parquet")
        assert refused.status != 0
        said = "".join(path.read_text() for path in other.machines.glob("*/output"))
        assert "the key file notes.key is not there" in said

    def test_identifiers_are_in_the_sensitive_part_of_the_bucket_only(
        self, cloud: Cloud, local: Workspace, tmp_path: Path
    ) -> None:
        people = json.loads(local.path("notes/sensitive/source/records.json").read_text())
        secrets = [one["patient"]["email"] for one in people if isinstance(one, dict) and "patient" in one]
        for name, content in cloud.objects().items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        found = dict(texts_of(tmp_path, secrets))
        assert found and all(name.startswith("sensitive/") for name in found)
        assert dict(texts_of(cloud.machines, secrets)) == {}, "local copies are gone"
