"""What the benchmarks share: a workspace, timing of whole commands, and results as JSON files."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
OUT = REPOSITORY / "benchmarks" / "out"


def write_result(name: str, result: dict[str, Any]) -> Path:
    """Write benchmarks/out/<name>.json with the machine's facts beside the result; return its path."""
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f"{name}.json"
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}
    path.write_text(json.dumps({"benchmark": name, "machine": machine, **result}, indent=1) + "\n")
    print(f"{name}: written to {path.relative_to(REPOSITORY)}", flush=True)
    return path


def seconds_of(command: Sequence[str], folder: Path) -> float:
    """Run a command in a folder and return its wall seconds; raise with its output when it fails."""
    started = time.perf_counter()
    output_of(command, folder)
    return time.perf_counter() - started


def cpu_seconds_of(command: Sequence[str], folder: Path) -> float:
    """Run a command in a folder and return the CPU seconds of it and its children; raise when it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output_of(command, folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def output_of(command: Sequence[str], folder: Path) -> str:
    """Run a command in a folder, with riskflow from there or from the repository; return its standard output."""
    source = folder / "src" if (folder / "src").is_dir() else REPOSITORY / "src"
    environment = {**os.environ, "PYTHONPATH": str(source)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:6])} … failed:\n{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout


def snakemake(*words: str, cores: int = 2) -> list[str]:
    """Return the command line of a Snakemake call; config files come last."""
    return [sys.executable, "-m", "snakemake", "--cores", str(cores), *words]


def peak_bytes(receipts: Path) -> dict[str, int]:
    """Return stage → peak memory of its largest process, from the receipts of a run."""
    peaks: dict[str, int] = {}
    for path in receipts.rglob("*.json"):
        receipt = json.loads(path.read_text())
        stage, peak = receipt.get("stage", ""), receipt.get("run", {}).get("peak_rss_bytes", 0)
        peaks[stage] = max(peaks.get(stage, 0), peak)
    return dict(sorted(peaks.items(), key=lambda item: -item[1]))


def stage_seconds(receipts: Path) -> dict[str, float]:
    """Return stage → seconds inside its processes, added over shards."""
    totals: dict[str, float] = {}
    for path in receipts.rglob("*.json"):
        receipt = json.loads(path.read_text())
        totals[receipt["stage"]] = totals.get(receipt["stage"], 0.0) + receipt["run"]["seconds"]
    return {stage: round(seconds, 2) for stage, seconds in sorted(totals.items(), key=lambda item: -item[1])}
