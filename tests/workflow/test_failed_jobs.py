"""A job that failed after the config was changed is done by the next run, though later results are still there."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.workflow.conftest import SHARDS, TARGETS
from tests.workflow.harness import Workspace
from tests.workflow.test_resume import start, wait_for_program

pytestmark = pytest.mark.slow
SCORES = "providers/scores.parquet"


def kill(workspace: Workspace, program: str) -> None:
    """Run, and kill a stage's process as soon as it is there."""
    assert workspace.plan(*TARGETS), "the config says nothing new"
    run = start(workspace)
    os.kill(wait_for_program(run, program), signal.SIGKILL)
    assert run.wait() != 0


def test_a_killed_stage_is_done_again_with_what_comes_of_it(workspace: Workspace) -> None:
    workspace.overlay["providers"]["backtest"]["resamples"] = 21
    kill(workspace, "providers_backtest.py")
    assert workspace.path("providers/report.html").exists()
    assert workspace.build(*TARGETS) == {"providers_backtest": 1, "providers_report": 1}
    assert workspace.plan(*TARGETS) == {}


@pytest.mark.parametrize("program", ["providers_reference.py", "providers_score.py"])
def test_the_scores_are_those_of_an_undisturbed_run(
    finished: Workspace, workspace: Workspace, program: str, tmp_path: Path
) -> None:
    undisturbed = finished.copy(tmp_path / "undisturbed")
    for each in (undisturbed, workspace):
        each.overlay["providers"] |= {"peers": {"minimum": 30}, "weights": {"billing": 0.35}}
    undisturbed.build(*TARGETS)
    kill(workspace, program)
    before = workspace.path(SCORES).read_bytes()
    assert before == finished.path(SCORES).read_bytes(), "the earlier run's scores are still there"
    assert workspace.build(*TARGETS)["providers_score"] == SHARDS
    assert workspace.path(SCORES).read_bytes() == undisturbed.path(SCORES).read_bytes() != before
    assert workspace.plan(*TARGETS) == {}
