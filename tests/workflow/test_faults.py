"""Full disks, folders for reading only and killed processes: said in a line, nothing half-written, no row lost."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from riskflow.artifacts import content_digest
from tests.disks import fill_disk, read_only, small_disk
from tests.workflow.conftest import TARGETS
from tests.workflow.harness import Workspace
from tests.workflow.test_resume import start, wait_for_program

SCORES = "providers/scores.parquet"
REMADE = ("scored/0000.parquet", "merged.parquet", "scores.parquet")


def test_a_full_disk_is_said_and_the_run_resumes_when_there_is_space(workspace: Workspace) -> None:
    expected = workspace.path(SCORES).read_bytes()
    with small_disk(workspace.folder / "results"):
        forget_scores(workspace)
        ballast = fill_disk(workspace.folder / "results")
        failed = workspace.snakemake(*TARGETS)
        assert failed.status != 0
        assert re.search(
            r"cannot write results/providers/scored/0000\.parquet: No space left on device\n"
            r"  nothing was left behind: free space",
            failed.text,
        ), failed.text
        assert_nothing_half_written(workspace)
        assert not workspace.path("providers/scored/0000.parquet").exists()
        ballast.unlink()
        workspace.build(*TARGETS)
        assert workspace.path(SCORES).read_bytes() == expected


def test_a_folder_for_reading_only_is_said_before_any_work(workspace: Workspace) -> None:
    expected = workspace.path(SCORES).read_bytes()
    with read_only(workspace.folder / "results"):
        assert workspace.plan(*TARGETS) == {}, "who may only read may look whether all is up to date"
    forget_scores(workspace)
    with read_only(workspace.folder / "results"):
        refused = workspace.snakemake(*TARGETS)
    assert refused.status != 0
    assert "cannot write results: results is for reading only\n  give write permission there" in refused.text
    assert "Execute" not in refused.text
    workspace.build(*TARGETS)
    assert workspace.path(SCORES).read_bytes() == expected


@pytest.mark.slow
def test_a_killed_job_fails_the_run_and_is_done_again(workspace: Workspace) -> None:
    expected = workspace.path(SCORES).read_bytes()
    forget_scores(workspace)
    run = start(workspace)
    os.kill(wait_for_program(run, "providers_score.py"), signal.SIGKILL)
    assert run.wait() != 0
    assert_nothing_half_written(workspace)
    assert not workspace.path(SCORES).exists()
    assert "providers_score" in workspace.build(*TARGETS), "no lock is left, nothing needs to be typed first"
    assert workspace.path(SCORES).read_bytes() == expected


@pytest.mark.slow
def test_a_killed_snakemake_leaves_a_lock_and_the_next_run_says_how_to_go_on(workspace: Workspace) -> None:
    """Its jobs live on to their end; what they made counts as unfinished and is made again."""
    expected = workspace.path(SCORES).read_bytes()
    forget_scores(workspace)
    run = start(workspace)
    job = wait_for_program(run, "providers_score.py")
    run.kill()
    run.wait()
    wait_for_end(job)
    locked = workspace.snakemake(*TARGETS)
    assert locked.status != 0
    assert "Directory cannot be locked" in locked.text
    assert "--unlock" in locked.text
    assert_nothing_half_written(workspace)
    assert workspace.snakemake("--unlock").status == 0
    assert workspace.build(*TARGETS)["providers_score"] == 1
    assert workspace.path(SCORES).read_bytes() == expected


def forget_scores(workspace: Workspace) -> None:
    for name in REMADE:
        workspace.path(f"providers/{name}").unlink()


def assert_nothing_half_written(workspace: Workspace) -> None:
    assert not list((workspace.folder / "results").rglob(".*.tmp"))
    for path in (workspace.folder / "results").rglob("*.parquet"):
        assert content_digest(path), path


def wait_for_end(process: int, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while Path(f"/proc/{process}").exists():
        assert time.monotonic() < deadline, "the job did not end"
        time.sleep(0.05)
