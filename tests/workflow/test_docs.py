"""Every command of the README and of the pages is run: Snakemake's as a dry run, make's as a list of its steps."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.paths import REPOSITORY, SHARED_DATA
from tests.workflow.harness import Workspace

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
COMMAND = re.compile(r"^    ((?:\.venv/bin/|make ).*?)(?:\s+#.*)?$", re.MULTILINE)
OWN_TESTS = ("member", "notes", "redact", "slurm", "--profile")
"""Commands that need another finished run than this module's; their tracks' tests run them."""


def commands() -> list[tuple[str, str]]:
    """Return page and command of every command line in the documentation, once each."""
    found = {(page.name, command) for page in PAGES for command in COMMAND.findall(page.read_text())}
    return sorted(found)


@pytest.mark.parametrize(("page", "command"), [c for c in commands() if c[1].startswith("make ")])
def test_make_knows_the_target(page: str, command: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", *shlex.split(command)[1:]],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{page}: {done.stderr}"


@pytest.mark.parametrize(
    ("page", "command"),
    [c for c in commands() if not c[1].startswith("make ") and not any(word in c[1] for word in OWN_TESTS)],
)
def test_the_command_runs(finished: Workspace, page: str, command: str) -> None:
    program, *words = shlex.split(command)
    if any("real_medicaid" in word for word in words) and not SHARED_DATA.is_dir():
        pytest.skip("the public extract is not here (looked in ../shared/data beside the repository)")
    link_shared_data(finished)
    done = subprocess.run(
        [*started(program), *prepared(finished, program, words)],
        cwd=finished.folder,
        env={**os.environ, "PYTHONPATH": str(finished.folder / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{page}: {command}\n{done.stdout}{done.stderr}"


def test_every_page_that_the_readme_names_is_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", (REPOSITORY / "README.md").read_text()):
        assert (REPOSITORY / target).exists(), target


def started(program: str) -> list[str]:
    if Path(program).name == "snakemake":
        return [sys.executable, "-m", "snakemake"]
    return [sys.executable, "-c", "from riskflow.cli import app; app()"]


def prepared(finished: Workspace, program: str, words: list[str]) -> list[str]:
    """Return the words with a provider that the demo has, and without any work for Snakemake to do."""
    known = pl.read_parquet(finished.path("providers/scores.parquet"))["npi"][0]
    words = [known if word == "1234567893" else word for word in words]
    extra = ["--dry-run"] if program.endswith("snakemake") and "--dry-run" not in words else []
    return [*extra, *words]


def link_shared_data(finished: Workspace) -> None:
    link = finished.folder.parent / "shared"
    if SHARED_DATA.is_dir() and not link.exists():
        link.symlink_to(SHARED_DATA.parent)
