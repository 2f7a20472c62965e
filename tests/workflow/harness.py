"""A copy of the repository in a folder of its own, and Snakemake run in it as a user would."""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.paths import REPOSITORY

COPIED = ("Snakefile", "workflow", "config", "profiles", "src", "envs", "pyproject.toml")
STATS_ROW = re.compile(r"^(\w+)\s+(\d+)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """What a Snakemake call did: exit status, output, and the jobs per rule that it planned or ran."""

    status: int
    text: str
    jobs: dict[str, int]


@dataclass
class Workspace:
    """A folder with a copy of the repository; `overlay` is laid over its config by every call."""

    folder: Path
    overlay: dict

    @classmethod
    def create(cls, folder: Path, overlay: dict) -> Workspace:
        folder.mkdir(parents=True)
        for name in COPIED:
            source = REPOSITORY / name
            if source.is_dir():
                shutil.copytree(
                    source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
                )
            elif source.exists():
                shutil.copy2(source, folder / name)
        return cls(folder, overlay)

    def copy(self, folder: Path) -> Workspace:
        """Return a copy with all results and Snakemake's records, file dates kept."""
        subprocess.run(["cp", "-a", str(self.folder), str(folder)], check=True)
        return Workspace(folder, copy.deepcopy(self.overlay))

    def snakemake(self, *words: str, cores: int = 2, env: dict[str, str] | None = None) -> Run:
        """Run Snakemake here and return what it did."""
        overlay = self.folder / "overlay.yaml"
        overlay.write_text(yaml.safe_dump(self.overlay))
        # the config file comes last: it takes all the words that follow it
        command = [
            sys.executable,
            "-m",
            "snakemake",
            "--cores",
            str(cores),
            *words,
            "--configfile",
            "overlay.yaml",
        ]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder / "src"), **(env or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        text = done.stdout + done.stderr
        return Run(done.returncode, text, _job_stats(text))

    def plan(self, *words: str) -> dict[str, int]:
        """Return rule → jobs that a dry run lists."""
        run = self.snakemake("--dry-run", *words)
        assert run.status == 0, run.text
        return run.jobs

    def build(self, *words: str) -> dict[str, int]:
        """Run and return rule → jobs that were done; fail with the output when it fails."""
        run = self.snakemake(*words)
        assert run.status == 0, run.text
        return executed(run.text)

    def path(self, relative: str) -> Path:
        return self.folder / "results" / relative


def executed(text: str) -> dict[str, int]:
    """Return rule → jobs that the output says were finished, without the target rules."""
    counts: dict[str, int] = {}
    for name in re.findall(r"^Finished jobid: \d+ \(Rule: (\w+_\w+)\)$", text, re.MULTILINE):
        counts[name] = counts.get(name, 0) + 1
    return counts


def _job_stats(text: str) -> dict[str, int]:
    """Return the first table of job counts in the output, without its total and target rules."""
    _, _, table = text.partition("Job stats:")
    head, _, _ = table.partition("\n\n")
    return {name: int(count) for name, count in STATS_ROW.findall(head) if name != "total"}
