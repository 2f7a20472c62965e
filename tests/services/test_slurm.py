"""The provider track on a real one-node SLURM: the bytes of a local run, whatever happens to a job."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.paths import REPOSITORY
from tests.services.needs import free_port, running
from tests.services.slurm_server import SlurmServer
from tests.services.test_workflow_servers import SCORES, SMALL
from tests.workflow.harness import Run, Workspace, executed

pytestmark = [pytest.mark.service, pytest.mark.slow]
PROFILE = ["--profile", "profiles/slurm", "--slurm-status-command", "squeue", "--slurm-no-account"]
PROFILE += ["--slurm-init-seconds-before-status-checks", "5"]
MATCHES = "results/providers/exclusion_candidates.parquet"


@pytest.fixture(scope="module")
def slurm() -> Iterator[SlurmServer]:
    with running(SlurmServer()) as server:
        yield server


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace whose provider track has run on this machine, without SLURM."""
    workspace = Workspace.create(tmp_path_factory.mktemp("local") / "riskflow", SMALL)
    workspace.build("providers")
    return workspace


@pytest.fixture
def workspace(local: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the finished workspace: SLURM only sees what a test makes stale."""
    return local.copy(tmp_path / "riskflow")


def on_slurm(slurm: SlurmServer, workspace: Workspace, *words: str) -> Run:
    """Run Snakemake with the profile and what a cluster without accounting needs."""
    return workspace.snakemake(*PROFILE, *words, env=slurm.environment)


def documented_trial() -> list[str]:
    """Return the lines of docs/clusters.md that say how to try it on one machine."""
    text = (REPOSITORY / "docs" / "clusters.md").read_text()
    _, _, after = text.partition("<!-- tests/services/test_slurm.py runs these lines -->\n")
    block, _, _ = after.partition("\n\n")
    lines = [line.strip() for line in block.splitlines()]
    assert len(lines) >= 5, "the documented trial is gone"
    return lines


def test_the_documented_trial_gives_the_bytes_of_a_local_run(
    slurm: SlurmServer, local: Workspace, tmp_path: Path
) -> None:
    """`slurm` is asked for its skip only: the documented lines make a cluster of their own."""
    fresh = Workspace.create(tmp_path / "riskflow", SMALL)
    (fresh.folder / "my_config.yaml").write_text(yaml.safe_dump(SMALL))
    (fresh.folder / "services").symlink_to(REPOSITORY / "services")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(fresh.folder / "src"),
        "SLURM_CTLD_PORT": str(free_port()),
        "SLURM_D_PORT": str(free_port()),
    }
    *lines, down = documented_trial()
    script = "\n".join(["set -eu", f"stop() {{ {down}; }}", *lines[:2], "trap stop EXIT", *lines[2:]])
    done = subprocess.run(
        ["bash", "-c", script], cwd=fresh.folder, env=environment, capture_output=True, text=True, check=False
    )
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    assert "has been submitted with SLURM jobid" in text
    assert executed(text)["providers_score"] == 2
    assert fresh.path(SCORES).read_bytes() == local.path(SCORES).read_bytes()
    assert on_slurm(slurm, fresh, "providers").jobs == {}, "a second run has nothing to do"


def test_a_config_edit_reruns_only_what_it_must(slurm: SlurmServer, workspace: Workspace) -> None:
    workspace.overlay["providers"]["report"] = {"top": 10}
    run = on_slurm(slurm, workspace, "providers")
    assert run.status == 0, run.text
    assert executed(run.text) == {"providers_report": 1}


def test_a_cancelled_job_is_retried(slurm: SlurmServer, workspace: Workspace) -> None:
    expected = workspace.path("providers/backtest.parquet").read_bytes()

    def cancel_the_first() -> None:
        slurm.command("scancel", slurm.steps()[0].partition(".")[0])

    target = "results/providers/backtest.parquet"
    run = while_running(
        slurm,
        cancel_the_first,
        lambda: on_slurm(slurm, workspace, target, "--forcerun", "providers_backtest"),
    )
    assert run.status == 0, run.text
    assert submissions(run) == 2
    assert "Trying to restart job" in run.text
    assert workspace.path("providers/backtest.parquet").read_bytes() == expected


def test_a_job_over_its_memory_is_retried_with_more(slurm: SlurmServer, workspace: Workspace) -> None:
    expected = (workspace.folder / MATCHES).read_bytes()
    small_first = "providers_matching:mem_mb=100 * attempt ** 4"
    run = on_slurm(
        slurm, workspace, MATCHES, "--forcerun", "providers_matching", "--set-resources", small_first
    )
    assert run.status == 0, run.text
    ended = slurm_history(slurm)[-2:]
    assert [memory for memory, _ in ended] == ["100", "1600"], ended
    assert ended[0][1] != "COMPLETED"
    assert ended[1][1] == "COMPLETED"
    assert (workspace.folder / MATCHES).read_bytes() == expected


def test_the_controller_may_go_away_for_a_while(slurm: SlurmServer, workspace: Workspace) -> None:
    expected = (workspace.folder / MATCHES).read_bytes()

    def outage() -> None:
        slurm.stop_controller()
        time.sleep(3)
        slurm.start()

    run = while_running(
        slurm, outage, lambda: on_slurm(slurm, workspace, MATCHES, "--forcerun", "providers_matching")
    )
    assert run.status == 0, run.text
    assert submissions(run) == 1
    assert (workspace.folder / MATCHES).read_bytes() == expected


def while_running(slurm: SlurmServer, disturb: Callable[[], None], run: Callable[[], Run]) -> Run:
    """Run, and disturb once, as soon as SLURM runs a step of a job."""
    failures: list[BaseException] = []

    def watch() -> None:
        try:
            deadline = time.monotonic() + 120
            while not slurm.steps():
                assert time.monotonic() < deadline, "no job began to run"
                time.sleep(0.2)
            disturb()
        except BaseException as error:
            failures.append(error)

    watcher = threading.Thread(target=watch)
    watcher.start()
    done = run()
    watcher.join()
    if failures:
        raise failures[0]
    return done


def submissions(run: Run) -> int:
    return run.text.count("has been submitted with SLURM jobid")


def slurm_history(slurm: SlurmServer) -> list[tuple[str, str]]:
    """Return memory asked for and end state of SLURM's jobs, oldest first."""
    jobs = slurm.command("scontrol", "show", "job", "--oneliner").splitlines()
    found = []
    for job in jobs:
        fields = dict(re.findall(r"(\w+)=(\S+)", job))
        memory = re.search(r"mem=(\d+)M", fields.get("TRES", "")) or re.search(r"MinMemory\w+=(\d+)M", job)
        found.append((int(fields["JobId"]), memory.group(1) if memory else "", fields["JobState"]))
    return [(memory, state) for _, memory, state in sorted(found)]
