"""`riskflow plan` after a real run: every job of the run counted, its time and memory those of its own records."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from riskflow.cli.plan import cost, finished_jobs
from riskflow.config.costs import CostsConfig
from tests.workflow.conftest import SHARDS
from tests.workflow.harness import Workspace


def seconds(path: Path) -> float:
    with path.open(newline="") as lines:
        return float(next(csv.DictReader(lines, delimiter="\t"))["s"])


def test_the_plan_adds_up_the_jobs_of_a_run(finished: Workspace) -> None:
    jobs = list(finished_jobs(finished.folder / "results", {"providers": SHARDS}))
    logs = list(finished.path("providers/logs").rglob("*.log"))
    assert len(jobs) == len(logs), "every job has written its log"
    assert sum(job.stage == "score" for job in jobs) == SHARDS
    total = cost(jobs, CostsConfig(core_hour=1.0, gib_hour=0.0))
    files = list(finished.path("providers/benchmarks").rglob("*.tsv"))
    assert total.hours * 3600 == pytest.approx(sum(seconds(path) for path in files))
    assert total.hours < total.core_hours < 2 * total.hours, "some jobs have one thread, some have two"
    assert total.money == total.core_hours


def test_the_memory_is_that_of_a_python_with_its_libraries(finished: Workspace) -> None:
    """The benchmark of a short job is sampled too early to see it; the receipt knows."""
    jobs = list(finished_jobs(finished.folder / "results", {"providers": SHARDS}))
    assert min(job.peak_bytes for job in jobs) > 50 << 20
    assert max(job.peak_bytes for job in jobs) < 2 << 30
