"""The provider track without a shared folder: files in a bucket, each job in an empty folder of another machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from riskflow.providers.demo import DemoSpec
from riskflow.providers.demo_files import write_demo
from riskflow.providers.demo_layout import sources
from tests.services.cloud import Cloud, assert_bytes_of_a_local_run, assert_secret_is_nowhere
from tests.services.needs import running
from tests.services.s3_server import S3Server
from tests.services.test_workflow_servers import SMALL
from tests.workflow.harness import Workspace

pytestmark = [pytest.mark.service, pytest.mark.slow]


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with running(S3Server()) as server:
        yield server


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One state of the sources for both runs."""
    return Workspace.create(tmp_path_factory.mktemp("checkout") / "riskflow", SMALL)


@pytest.fixture(scope="module")
def cloud(server: S3Server, checkout: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    """The track has run in it."""
    cloud = Cloud.create(server, tmp_path_factory.mktemp("cloud"), "providers", checkout)
    cloud.build()
    return cloud


@pytest.fixture(scope="module")
def local(checkout: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = checkout.copy(tmp_path_factory.mktemp("local") / "riskflow")
    workspace.build("providers")
    return workspace


def test_the_bucket_has_the_bytes_of_a_local_run(cloud: Cloud, local: Workspace) -> None:
    assert_bytes_of_a_local_run(cloud, local, ("source/truth.csv", "source/dirt.csv"), 30)


def test_every_job_was_on_another_machine_and_the_warehouse_is_here(cloud: Cloud) -> None:
    ran = cloud.ran_elsewhere()
    assert {"providers_ingest_registry", "providers_score", "providers_report"} <= ran
    assert "providers_publish" not in ran
    assert cloud.workspace.path("warehouse.duckdb").exists()
    assert not cloud.workspace.path("providers").exists()


def test_a_second_run_has_nothing_to_do(cloud: Cloud) -> None:
    again = cloud.snakemake("providers")
    assert again.status == 0, again.text
    assert "Nothing to be done" in again.text


def test_a_config_edit_reruns_only_what_it_must(cloud: Cloud, tmp_path: Path) -> None:
    edited = cloud.other(tmp_path)
    edited.workspace.overlay["providers"]["report"] = {"top": 10}
    assert edited.plan() == {"providers_report": 1}


def test_the_plan_in_the_bucket_decides_which_shards_are_new(cloud: Cloud) -> None:
    """Another digest in the plan is a shard with other rows; nobody asks the dates of objects."""
    jobs = cloud.plan_with_another_digest("universe", "0001")
    assert jobs["providers_features"] == 1
    assert jobs["providers_score"] == 1
    assert "providers_shard" not in jobs


def test_tables_of_this_machine_are_read_here(cloud: Cloud, tmp_path: Path) -> None:
    """They are not on the machines that go on with what was read."""
    here = cloud.other(tmp_path, prefix="files")
    write_demo(DemoSpec(providers=50, seed=5), here.workspace.folder / "data")
    tables = {name: table.model_dump(mode="json") for name, table in sources(Path("data")).items()}
    here.workspace.overlay["providers"]["source"] = {"kind": "files", **tables}
    ran = here.build("results/providers/universe.parquet")
    assert set(ran) == {f"providers_ingest_{table}" for table in tables} | {"providers_universe"}
    assert here.ran_elsewhere() == {"providers_universe"}


def test_a_group_that_would_lose_the_warehouse_is_refused(cloud: Cloud, tmp_path: Path) -> None:
    grouped = cloud.other(tmp_path, more_groups={"providers_publish": "last"})
    target = "results/providers/receipts/publish.json"
    refused = grouped.snakemake(target, "--forcerun", "providers_publish")
    assert refused.status != 0
    said = "".join(path.read_text() for path in grouped.machines.glob("*/output"))
    assert "a group took providers_publish to another machine" in said


def test_an_earlier_run_in_a_folder_is_refused(cloud: Cloud, tmp_path: Path) -> None:
    later = cloud.other(tmp_path)
    later.workspace.overlay["providers"]["previous"] = {"run": "earlier"}
    refused = later.snakemake("--dry-run", "providers")
    assert refused.status != 0
    assert "providers.previous.run: an earlier run is read from a folder that all jobs share" in refused.text


def test_the_secret_key_is_nowhere(cloud: Cloud) -> None:
    assert_secret_is_nowhere(cloud)
