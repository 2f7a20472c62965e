"""The provider track without a shared folder: files in a bucket, each job in an empty folder of another machine."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from riskflow.providers.demo import DemoSpec
from riskflow.providers.demo_files import write_demo
from riskflow.providers.demo_layout import sources
from tests.services.needs import running
from tests.services.s3_server import S3Server
from tests.services.test_workflow_servers import SMALL
from tests.workflow.harness import Run, Workspace, executed

pytestmark = [pytest.mark.service, pytest.mark.slow]
OTHER_MACHINE = Path(__file__).with_name("other_machine.sh")
BUCKET, PREFIX = "riskflow", "run"
BYTES_OF_A_RUN = (".parquet", ".html", ".csv", ".gz")
ONLY_WHERE_MADE = {"source/truth.csv", "source/dirt.csv"}


@dataclass
class Cloud:
    """A checkout to run from, a bucket, and other machines that jobs run on."""

    server: S3Server
    workspace: Workspace
    machines: Path
    prefix: str = PREFIX
    more_groups: dict[str, str] = field(default_factory=dict)

    def snakemake(self, *words: str) -> Run:
        return self.workspace.snakemake("--profile", self._profile(), *words, env=self._environment())

    def _profile(self) -> str:
        """Write the profile of a cluster without a shared folder, as docs/clusters.md tells, and return its folder."""
        profiles = self.workspace.folder / "profiles"
        profile = yaml.safe_load((profiles / "generic" / "config.yaml").read_text())
        groups = yaml.safe_load((profiles / "slurm" / "config.yaml").read_text())["groups"]
        groups.pop("providers_publish")
        groups |= self.more_groups
        profile |= {
            "cluster-generic-submit-cmd": f"{OTHER_MACHINE} submit",
            "cluster-generic-status-cmd": f"{OTHER_MACHINE} status",
            "default-storage-provider": "s3",
            "default-storage-prefix": f"s3://{BUCKET}/{self.prefix}",
            "storage-s3-endpoint-url": self.server.url,
            "shared-fs-usage": "none",
            "job-deploy-sources": True,
            "groups": groups,
            "seconds-between-status-checks": 2,
            "jobs": 2,
            "retries": 0,
        }
        (profiles / "bucket").mkdir(exist_ok=True)
        (profiles / "bucket" / "config.yaml").write_text(yaml.safe_dump(profile))
        return "profiles/bucket"

    def _environment(self) -> dict[str, str]:
        return {
            "AWS_SHARED_CREDENTIALS_FILE": str(self.server.credentials_file),
            "OTHER_MACHINES": str(self.machines),
        }


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with running(S3Server()) as server:
        yield server


@pytest.fixture(scope="module")
def cloud(server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    """The track has run in it. Sources reach the jobs as what git knows of the checkout."""
    workspace = Workspace.create(tmp_path_factory.mktemp("cloud") / "riskflow", SMALL)
    (workspace.folder / ".gitignore").write_text(".snakemake\nresults\n__pycache__\n")
    for words in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *words], cwd=workspace.folder, check=True)
    cloud = Cloud(server, workspace, tmp_path_factory.mktemp("machines"))
    run = cloud.snakemake("providers")
    assert run.status == 0, run.text
    return cloud


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace.create(tmp_path_factory.mktemp("local") / "riskflow", SMALL)
    workspace.build("providers")
    return workspace


def test_the_bucket_has_the_bytes_of_a_local_run(cloud: Cloud, local: Workspace) -> None:
    made = cloud.server.objects(BUCKET, f"{PREFIX}/results/providers/")
    root = local.path("providers")
    expected = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert set(made) == expected - ONLY_WHERE_MADE
    compared = [name for name in sorted(made) if name.endswith(BYTES_OF_A_RUN)]
    assert len(compared) > 30
    for name in compared:
        assert made[name] == (root / name).read_bytes(), name


def test_every_job_was_on_another_machine_and_the_warehouse_is_here(cloud: Cloud) -> None:
    ran = [name for path in cloud.machines.glob("*/output") for name in executed(path.read_text())]
    assert {"providers_ingest_registry", "providers_score", "providers_report"} <= set(ran)
    assert "providers_publish" not in ran
    assert cloud.workspace.path("warehouse.duckdb").exists()
    assert not cloud.workspace.path("providers").exists()


def test_a_second_run_has_nothing_to_do(cloud: Cloud) -> None:
    again = cloud.snakemake("providers")
    assert again.status == 0, again.text
    assert "Nothing to be done" in again.text


def test_a_config_edit_reruns_only_what_it_must(cloud: Cloud) -> None:
    workspace = cloud.workspace.copy(cloud.workspace.folder.with_name("edited"))
    workspace.overlay["providers"]["report"] = {"top": 10}
    edited = Cloud(cloud.server, workspace, cloud.machines)
    assert planned(edited) == {"providers_report": 1}


def test_the_plan_in_the_bucket_decides_which_shards_are_new(cloud: Cloud) -> None:
    """Another digest in the plan is a shard with other rows; nobody asks the dates of objects."""
    client, key = cloud.server.client(), f"{PREFIX}/results/providers/plan.json"
    before = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    plan = json.loads(before)
    plan["universe"]["0001"] = "0" * 64
    client.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(plan))
    try:
        jobs = planned(cloud)
    finally:
        client.put_object(Bucket=BUCKET, Key=key, Body=before)
    assert jobs["providers_features"] == 1
    assert jobs["providers_score"] == 1
    assert "providers_shard" not in jobs


def test_tables_of_this_machine_are_read_here(cloud: Cloud, tmp_path: Path) -> None:
    workspace = cloud.workspace.copy(tmp_path / "riskflow")
    write_demo(DemoSpec(providers=50, seed=5), workspace.folder / "data")
    tables = {name: table.model_dump(mode="json") for name, table in sources(Path("data")).items()}
    workspace.overlay["providers"]["source"] = {"kind": "files", **tables}
    machines = tmp_path / "machines"
    machines.mkdir()
    here = Cloud(cloud.server, workspace, machines, "files")
    run = here.snakemake("results/providers/ingested/registry.parquet")
    assert run.status == 0, run.text
    assert executed(run.text) == {"providers_ingest_registry": 1}
    assert list(machines.iterdir()) == []


def test_a_group_that_would_lose_the_warehouse_is_refused(cloud: Cloud) -> None:
    workspace = cloud.workspace.copy(cloud.workspace.folder.with_name("grouped"))
    machines = cloud.machines.with_name("grouped_machines")
    machines.mkdir()
    grouped = Cloud(cloud.server, workspace, machines, more_groups={"providers_publish": "last"})
    target = "results/providers/receipts/publish.json"
    refused = grouped.snakemake(target, "--forcerun", "providers_publish")
    assert refused.status != 0
    said = "".join(path.read_text() for path in machines.glob("*/output"))
    assert "a group took a publish rule to another machine" in said


def test_an_earlier_run_in_a_folder_is_refused(cloud: Cloud, tmp_path: Path) -> None:
    workspace = cloud.workspace.copy(tmp_path / "riskflow")
    workspace.overlay["providers"]["previous"] = {"run": "earlier"}
    refused = Cloud(cloud.server, workspace, cloud.machines).snakemake("--dry-run", "providers")
    assert refused.status != 0
    assert "providers.previous.run: an earlier run is read from a folder that all jobs share" in refused.text


def test_the_secret_key_is_nowhere(cloud: Cloud) -> None:
    looked_at = [
        path
        for root in (cloud.workspace.folder, cloud.machines)
        for path in root.rglob("*")
        if path.is_file()
    ]
    assert any(path.name == "job.sh" for path in looked_at), "the scripts that were submitted"
    assert any(path.suffix == ".log" for path in looked_at)
    for path in looked_at:
        assert cloud.server.secret.encode() not in path.read_bytes(), path
    for name, content in cloud.server.objects(BUCKET, "").items():
        assert cloud.server.secret.encode() not in content, name


def planned(cloud: Cloud) -> dict[str, int]:
    """Return rule → jobs that a dry run lists, without the target rule."""
    run = cloud.snakemake("--dry-run", "providers")
    assert run.status == 0, run.text
    return {rule: count for rule, count in run.jobs.items() if "_" in rule}
