"""A checkout, a bucket and other machines: a run of a track without a shared folder, for the tests of it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.services.s3_server import S3Server
from tests.workflow.harness import Run, Workspace, executed

OTHER_MACHINE = Path(__file__).with_name("other_machine.sh")
BUCKET = "riskflow"
BYTES_OF_A_RUN = (".parquet", ".html", ".csv", ".gz", ".jsonl", ".model")
"""Files that are the same in every run; logs, receipts and benchmarks tell of times and machines."""


@dataclass
class Cloud:
    """A checkout to run a track from, a bucket, and other machines that jobs run on."""

    server: S3Server
    workspace: Workspace
    machines: Path
    track: str = "providers"
    prefix: str = "run"
    more_groups: dict[str, str] = field(default_factory=dict)

    @classmethod
    def create(
        cls,
        server: S3Server,
        folder: Path,
        track: str,
        workspace: Workspace,
        more_groups: dict[str, str] | None = None,
    ) -> Cloud:
        """Return one with a copy of a workspace. Sources reach the jobs as what git knows of the checkout."""
        (folder / "machines").mkdir(parents=True)
        copied = workspace.copy(folder / "riskflow")
        (copied.folder / ".gitignore").write_text(".snakemake\nresults\n__pycache__\n")
        for words in (["init", "-q"], ["add", "."]):
            subprocess.run(["git", *words], cwd=copied.folder, check=True)
        return cls(server, copied, folder / "machines", track, track, more_groups or {})

    def other(self, folder: Path, **changes: Any) -> Cloud:
        """Return one with a copy of the checkout and machines of its own, on the same bucket."""
        (folder / "machines").mkdir(parents=True)
        parts = {"track": self.track, "prefix": self.prefix, "more_groups": self.more_groups} | changes
        return Cloud(self.server, self.workspace.copy(folder / "riskflow"), folder / "machines", **parts)

    def snakemake(self, *words: str) -> Run:
        return self.workspace.snakemake("--profile", self._profile(), *words, env=self._environment())

    def build(self, *words: str) -> dict[str, int]:
        """Run the track, or what is named, and return rule → jobs that were done; fail when it fails."""
        run = self.snakemake(*(words or [self.track]))
        assert run.status == 0, run.text
        return executed(run.text)

    def plan(self) -> dict[str, int]:
        """Return rule → jobs that a dry run lists, without the target rule."""
        run = self.snakemake("--dry-run", self.track)
        assert run.status == 0, run.text
        return {rule: count for rule, count in run.jobs.items() if "_" in rule}

    def plan_with_another_digest(self, part: str, shard: str) -> dict[str, int]:
        """Return what a dry run lists when the plan in the bucket says that a shard has other rows.

        The plan is then as it was, but for its date.
        """
        client, key = self.server.client(), f"{self.prefix}/results/{self.track}/plan.json"
        before = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        plan = json.loads(before)
        plan[part][shard] = "0" * 64
        client.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(plan))
        try:
            return self.plan()
        finally:
            client.put_object(Bucket=BUCKET, Key=key, Body=before)

    def ran_elsewhere(self) -> set[str]:
        """Return the rules that the other machines say they have run."""
        texts = [path.read_text() for path in self.machines.glob("*/output")]
        return {name for text in texts for name in executed(text)}

    def objects(self) -> dict[str, bytes]:
        """Return name below results/<track>/ → content of all objects."""
        return self.server.objects(BUCKET, f"{self.prefix}/results/{self.track}/")

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


def assert_bytes_of_a_local_run(
    cloud: Cloud, local: Workspace, only_local: tuple[str, ...], least: int
) -> None:
    """Fail unless the bucket has all files of a local run, at least `least` of them comparable, with their bytes.

    `only_local`: beginnings of the names of files that no rule hands to another.
    """
    made, root = cloud.objects(), local.path(cloud.track)
    expected = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert set(made) == {name for name in expected if not name.startswith(only_local)}
    compared = [name for name in sorted(made) if name.endswith(BYTES_OF_A_RUN)]
    assert len(compared) >= least
    for name in compared:
        assert made[name] == (root / name).read_bytes(), name


def assert_secret_is_nowhere(cloud: Cloud) -> None:
    """Fail if the secret key of the bucket is in a file of the checkout or of another machine, or in the bucket."""
    looked_at = [
        path
        for root in (cloud.workspace.folder, cloud.machines)
        for path in root.rglob("*")
        if path.is_file()
    ]
    assert any(path.name == "job.sh" for path in looked_at), "the scripts that were submitted"
    assert any(path.suffix == ".log" for path in looked_at)
    secret = cloud.server.secret.encode()
    for path in looked_at:
        assert secret not in path.read_bytes(), path
    for name, content in cloud.server.objects(BUCKET, "").items():
        assert secret not in content, name
