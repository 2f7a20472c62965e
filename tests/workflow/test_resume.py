"""A run that is killed leaves nothing half-written, and its resumption ends in the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from riskflow.artifacts import content_digest
from tests.workflow.conftest import TARGETS
from tests.workflow.harness import Workspace


def test_kill_in_mid_shard_then_resume(workspace: Workspace) -> None:
    expected = workspace.path("providers/scores.parquet").read_bytes()
    for shard in workspace.path("providers/scored").iterdir():
        shard.unlink()
    workspace.path("providers/merged.parquet").unlink()
    workspace.path("providers/scores.parquet").unlink()
    run = start(workspace)
    wait_for_program(run, "providers_score.py")
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    for shard in workspace.path("providers/scored").glob("*.parquet"):
        assert content_digest(shard), "a shard that is visible is whole"
    assert not workspace.path("providers/scores.parquet").exists()
    assert workspace.snakemake("--unlock").status == 0
    workspace.build(*TARGETS)
    assert workspace.path("providers/scores.parquet").read_bytes() == expected
    assert not list(workspace.folder.rglob(".*.tmp"))


def test_row_order_and_threads_change_no_byte(workspace: Workspace) -> None:
    expected = workspace.path("providers/scores.parquet").read_bytes()
    for name in ("registry.csv", "payments_release_2.csv", "ownership.csv", "exclusions.csv"):
        reverse_rows(workspace.folder / "data" / name)
    ran = workspace.snakemake(*TARGETS, "--config", "tracks=[providers]", cores=1)
    assert ran.status == 0, ran.text
    assert "providers_ingest_registry" in ran.text
    assert workspace.path("providers/scores.parquet").read_bytes() == expected


def test_rows_read_are_kept_or_quarantined(finished: Workspace) -> None:
    for table in ("registry", "payments", "exclusions", "ownership"):
        kept = (
            pl.scan_parquet(finished.path(f"providers/ingested/{table}.parquet"))
            .select(pl.len())
            .collect()
            .item()
        )
        bad = pl.read_parquet(finished.path(f"providers/quarantine/{table}.parquet"))
        lines = sum(data_lines(path) for path in finished.folder.joinpath("data").glob(f"{table}*"))
        assert kept + bad.height == lines, table
        assert bad["rule_id"].str.starts_with(f"{table}.").all()


def reverse_rows(path: Path) -> None:
    head, *rows = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([head, *reversed(rows), b""]))


def data_lines(path: Path) -> int:
    return pl.read_csv(path, infer_schema=False, encoding="utf8-lossy").height


def start(workspace: Workspace) -> subprocess.Popen[bytes]:
    """Start the workflow in a process group of its own, so that all of it can be killed at once."""
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", *TARGETS, "--configfile", "overlay.yaml"],
        cwd=workspace.folder,
        env={**os.environ, "PYTHONPATH": str(workspace.folder / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def wait_for_program(run: subprocess.Popen[bytes], program: str, seconds: float = 90) -> int:
    """Wait until a stage's program runs in the group of `run`; return its process."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and run.poll() is None:
        listed = subprocess.run(
            ["ps", "-eo", "pgid,pid,args"], capture_output=True, text=True, check=True
        ).stdout
        for line in listed.splitlines():
            group, process, words = line.split(maxsplit=2)
            if group == str(run.pid) and words.startswith("python ") and program in words:
                return int(process)
        time.sleep(0.05)
    pytest.fail(f"{program} did not start")
