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
from tests.workflow.notes_source import write_source
from tests.workflow.test_notes import texts_of

pytestmark = [pytest.mark.service, pytest.mark.slow]
FEW = {"quality": {"max_quarantined": 0.3}, "shards": {"count": 2}}


@dataclass(frozen=True)
class Track:
    """A small run of a track, and what is expected of it."""

    name: str
    config: Mapping[str, Any]
    groups: Mapping[str, str]
    """Rules of the track that share a submission, since each costs seconds."""
    stays: frozenset[str]
    """Rules that run on the machine that Snakemake was started on."""
    tables: tuple[str, ...]
    """Tables of the warehouse."""
    least: int
    """Files to compare, at least."""
    files: Mapping[str, str] = field(default_factory=dict)
    only_local: tuple[str, ...] = ()


MEMBERS = Track(
    name="members",
    config={**FEW, "demo": {"members": 300, "seed": 3}, "decomposition": {"definitions": "definitions.yaml"}},
    groups={
        **dict.fromkeys(("members_demo", "members_demo_prior"), "member_sources"),
        **dict.fromkeys(("members_ingest", "members_ingest_prior", "members_quality"), "member_sources"),
        "members_score_prior": "member_shards",
        **dict.fromkeys(("members_merge", "members_merge_prior", "members_transfer"), "member_results"),
        **dict.fromkeys(("members_compare", "members_decompose"), "member_results"),
    },
    stays=frozenset({"members_record", "members_record_prior", "members_publish"}),
    tables=("main_runs.risk_scores", "main_intermediate.enrolment_spans", "main_analytics.decomposition"),
    least=40,
    files={"definitions.yaml": yaml.safe_dump(DEFINITIONS)},
)
NOTES = Track(
    name="notes",
    config={**FEW, "demo": {"patients": 30}},
    groups={
        **dict.fromkeys(("notes_demo", "notes_ingest", "notes_quality"), "note_sources"),
        **dict.fromkeys(("notes_deidentify", "notes_gate", "notes_evaluate"), "note_results"),
    },
    stays=frozenset({"notes_publish"}),
    tables=("notes.patients", "notes.observations", "notes.audit"),
    least=25,
    only_local=("cache/",),
)


@dataclass
class Ran:
    """A track that has run in a cloud and, for comparison, on this machine alone."""

    track: Track
    cloud: Cloud
    local: Workspace


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with running(S3Server()) as server:
        yield server


@pytest.fixture(scope="module")
def members(server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return both(MEMBERS, server, tmp_path_factory.mktemp("members"))


@pytest.fixture(scope="module")
def notes(server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return both(NOTES, server, tmp_path_factory.mktemp("notes"))


@pytest.fixture(params=["members", "notes"])
def ran(request: pytest.FixtureRequest) -> Ran:
    found: Ran = request.getfixturevalue(request.param)
    return found


def both(track: Track, server: S3Server, folder: Path) -> Ran:
    overlay = {"tracks": [track.name], track.name: dict(track.config)}
    local = Workspace.create(folder / "local", overlay)
    for name, text in track.files.items():
        (local.folder / name).write_text(text)
    cloud = Cloud.create(server, folder / "cloud", track.name, local, dict(track.groups))
    local.build(track.name)
    assert track.stays <= set(cloud.build())
    return Ran(track, cloud, local)


def test_the_bucket_has_the_bytes_of_a_local_run(ran: Ran) -> None:
    assert_bytes_of_a_local_run(ran.cloud, ran.local, ran.track.only_local, ran.track.least)


def test_only_what_needs_the_warehouse_ran_here(ran: Ran) -> None:
    elsewhere, name = ran.cloud.ran_elsewhere(), ran.track.name
    assert not ran.track.stays & elsewhere
    assert {f"{name}_demo", f"{name}_ingest", f"{name}_report"} <= elsewhere
    assert not ran.cloud.workspace.path(name).exists()


def test_the_warehouse_here_is_that_of_a_local_run(ran: Ran) -> None:
    for table in ran.track.tables:
        ours, expected = (
            rows(one.path("warehouse.duckdb"), table) for one in (ran.cloud.workspace, ran.local)
        )
        assert ours == expected and ours, table


def rows(warehouse: Path, table: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return connection.sql(f"SELECT * FROM {table} ORDER BY ALL").fetchall()


def test_a_second_run_has_nothing_to_do(ran: Ran) -> None:
    again = ran.cloud.snakemake(ran.track.name)
    assert again.status == 0, again.text
    assert "Nothing to be done" in again.text


def test_the_secret_key_is_nowhere(ran: Ran) -> None:
    assert_secret_is_nowhere(ran.cloud)


def test_the_members_runs_are_told_as_completed(members: Ran) -> None:
    assert set(registry_runs(members.cloud.workspace.path("warehouse.duckdb"))["status"]) == {"completed"}


def test_a_config_edit_reruns_only_what_it_must(members: Ran, tmp_path: Path) -> None:
    edited = members.cloud.other(tmp_path)
    edited.workspace.overlay["members"]["report"] = {"top": 5}
    assert edited.plan() == {"members_report": 1}


def test_a_changed_cms_table_counts_by_its_content(members: Ran, tmp_path: Path) -> None:
    edited = members.cloud.other(tmp_path)
    tables = edited.workspace.folder / "src/riskflow/members/tables/data"
    for path in tables.glob("*/*.*"):
        path.touch()
    assert edited.plan() == {}
    about = tables / "2024_diy" / "set.json"
    about.write_text(about.read_text() + "\n")
    assert edited.plan()["members_decompose"] == 1


def test_tables_of_this_machine_are_read_here(members: Ran, tmp_path: Path) -> None:
    """They are not on the machines that go on with what was read."""
    here = members.cloud.other(tmp_path, prefix="files", more_groups={})
    (here.workspace.folder / "data").mkdir()
    source = {}
    for table in ("spans", "diagnoses", "drugs"):
        raw = pl.read_parquet(members.local.path(f"members/current/source/{table}.parquet"))
        raw.write_parquet(here.workspace.folder / "data" / f"{table}.parquet")
        source[table] = {"path": f"data/{table}.parquet"}
    here.workspace.overlay["members"]["source"] = {"kind": "files", **source}
    ran = here.build("results/members/receipts/quality.json")
    assert ran == {"members_ingest": 1, "members_quality": 1}
    assert here.ran_elsewhere() == {"members_quality"}


def test_an_earlier_run_in_a_folder_is_refused(members: Ran, tmp_path: Path) -> None:
    later = members.cloud.other(tmp_path)
    (later.workspace.folder / "before").mkdir()
    later.workspace.overlay["members"]["comparison"] = {"against": "before"}
    refused = later.snakemake("--dry-run", "members")
    assert refused.status != 0
    assert "members.comparison.against: an earlier run is read from a folder" in refused.text


def test_an_earlier_run_of_the_warehouse_is_looked_up_here(members: Ran, tmp_path: Path) -> None:
    later = members.cloud.other(tmp_path)
    prior = pl.read_parquet(members.local.path("members/prior/run.parquet"))["run_id"].item()
    later.workspace.overlay["members"]["comparison"] = {"against": prior[:16]}
    ran = later.build("results/members/comparison/members.parquet")
    assert ran == {"members_earlier": 1, "members_compare": 1}
    assert later.ran_elsewhere() == {"members_compare"}


def test_the_plan_in_the_bucket_decides_which_shards_are_new(members: Ran) -> None:
    jobs = members.cloud.plan_with_another_digest("current_spans", "0001")
    assert jobs["members_score"] == 1
    assert not {"members_score_prior", "members_shard"} & set(jobs)


def test_what_must_be_nowhere_is_read_here(notes: Ran, tmp_path: Path) -> None:
    gated = notes.cloud.other(tmp_path)
    (gated.workspace.folder / "nowhere.txt").write_text("Xylomancy\n")
    gated.workspace.overlay["notes"]["gate"] = {"canaries": "nowhere.txt"}
    assert gated.plan() == {"notes_gate": 1, "notes_publish": 1, "notes_report": 1}
    assert gated.build("results/notes/receipts/gate.json") == {"notes_gate": 1}
    assert gated.ran_elsewhere() == set()


def test_a_key_that_other_machines_do_not_have_is_refused(notes: Ran, tmp_path: Path) -> None:
    other = notes.cloud.other(tmp_path)
    other.workspace.overlay["notes"]["policy"] = {"key_file": "notes.key"}
    key = other.workspace.folder / "notes.key"
    key.write_text("a key for the tests, 0123456789abcdef\n")
    key.chmod(0o600)
    refused = other.snakemake("results/notes/redacted/0000.parquet")
    assert refused.status != 0
    said = "".join(path.read_text() for path in other.machines.glob("*/output"))
    assert "the key file notes.key is not there" in said


def test_own_records_are_read_here_and_every_machine_has_its_key(notes: Ran, tmp_path: Path) -> None:
    own = notes.cloud.other(tmp_path, prefix="own", more_groups={})
    write_source(own.workspace.folder / "data" / "records.json", people=12)
    key = tmp_path / "notes.key"
    key.write_text("a key for the tests, 0123456789abcdef\n")
    key.chmod(0o600)
    own.workspace.overlay["notes"] |= {
        "source": {"kind": "files", "paths": ["data/*.json"]},
        "policy": {"key_file": str(key)},
        "quality": {"max_quarantined": 0.5},
    }
    model = notes.cloud.objects()["model/names.model"]
    own.build("results/notes/unchecked/observations.parquet")
    assert own.ran_elsewhere() == {
        f"notes_{name}" for name in ("train", "quality", "plan", "redact", "deidentify")
    }
    assert own.objects()["model/names.model"] == model
    assert not any(name.startswith("demo") for name in own.objects())


def test_identifiers_are_in_the_sensitive_part_of_the_bucket_only(notes: Ran, tmp_path: Path) -> None:
    people = json.loads(notes.local.path("notes/sensitive/source/records.json").read_text())
    secrets = [one["patient"]["email"] for one in people if isinstance(one, dict) and "patient" in one]
    for name, content in notes.cloud.objects().items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    found = dict(texts_of(tmp_path, secrets))
    assert found and all(name.startswith("sensitive/") for name in found)
    for folder in (notes.cloud.machines, notes.cloud.workspace.folder / ".snakemake"):
        assert dict(texts_of(folder, secrets)) == {}, "local copies are gone"
