"""riskflow plan: what a run costs, from the benchmark files and receipts of the last one."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from riskflow.cli.console import ConfigFiles, ResultsFolder, layers, row, show, table
from riskflow.errors import RiskflowError

if TYPE_CHECKING:
    from riskflow.config.costs import CostsConfig

GIB = 1024**3
MIB = 1024**2
_SHARD = re.compile(r"\d{4}")


@dataclass(frozen=True)
class Job:
    """One finished job: its stage, wall seconds, threads, and the most memory it held (bytes)."""

    track: str
    stage: str
    seconds: float
    threads: int
    peak_bytes: float


@dataclass(frozen=True)
class Cost:
    """What some jobs cost: core-hours and GiB-hours held, and money at the configured prices."""

    jobs: int
    hours: float
    core_hours: float
    gib_hours: float
    money: float


def register(seats: Any) -> None:
    """Add `plan`."""
    seats.app.command("plan")(plan)


def plan(files: ConfigFiles = None, results: ResultsFolder = Path("results")) -> None:
    """Say what a whole run costs: jobs, core-hours, memory-hours, money at the prices of `costs` in the config."""
    from riskflow.config.root import load

    config = load(layers(files))
    shards = {
        name: getattr(config, name).shards.count
        for name in type(config).model_fields
        if hasattr(getattr(config, name), "shards")
    }
    jobs = list(finished_jobs(results, shards))
    if not jobs:
        raise RiskflowError(
            f"no benchmark files in {results}",
            "the estimate is that of the last run: run once, on the demo even",
        )
    _show(jobs, config.costs)


def finished_jobs(results: Path, shards: dict[str, int]) -> Iterator[Job]:
    """Yield the jobs whose benchmark files are in the results; `shards`: track → number of shards now.

    Memory is the larger of the benchmark's samples and what the stage's receipt says: a short job is sampled once.
    Shards that the config no longer has are left out.
    """
    from riskflow.receipts import load

    for path in sorted(results.glob("*/benchmarks/**/*.tsv")):
        track, _, *parts = path.relative_to(results).with_suffix("").parts
        if _SHARD.fullmatch(parts[-1]) and int(parts[-1]) >= shards.get(track, 1 << 30):
            continue
        with path.open(encoding="utf-8", newline="") as lines:
            measured = next(csv.DictReader(lines, delimiter="\t"), None)
        if measured is None:
            continue
        receipt = results / track / "receipts" / Path(*parts).with_suffix(".json")
        run = load(receipt).run if receipt.exists() else {}
        yield Job(
            track=track,
            stage=" ".join(part for part in parts if not _SHARD.fullmatch(part)),
            seconds=_number(measured["s"]),
            threads=int(run.get("threads") or 1),
            peak_bytes=max(_number(measured["max_rss"]) * MIB, float(run.get("peak_rss_bytes", 0))),
        )


def cost(jobs: Iterable[Job], prices: CostsConfig) -> Cost:
    """Return what jobs cost; a job holds its threads and its peak memory from start to end."""
    listed = list(jobs)
    hours = [(job.seconds + prices.job_overhead_seconds) / 3600 for job in listed]
    core_hours = sum(each * job.threads for each, job in zip(hours, listed, strict=True))
    gib_hours = sum(each * job.peak_bytes / GIB for each, job in zip(hours, listed, strict=True))
    money = core_hours * prices.core_hour + gib_hours * prices.gib_hour
    return Cost(len(listed), sum(hours), core_hours, gib_hours, money)


def _show(jobs: list[Job], prices: CostsConfig) -> None:
    numbers = ("jobs", "hours", "core-hours", "GiB-hours", prices.currency)
    listing = table("track", "stage", *numbers, right=numbers)
    for track, stage in sorted({(job.track, job.stage) for job in jobs}):
        spent = cost((job for job in jobs if (job.track, job.stage) == (track, stage)), prices)
        _add(listing, track, stage, spent)
    _add(listing, "all", "", cost(jobs, prices), style="bold")
    show(listing)
    typer.echo(
        f"Of the last run of each job, at {prices.core_hour:g} {prices.currency} per core-hour and "
        f"{prices.gib_hour:g} per GiB-hour; {prices.job_overhead_seconds:g} s added per job. "
        "Not in it: waiting, storage, transfer, and memory or time that is asked for but not used.",
        err=True,
    )


def _add(listing: Any, track: str, stage: str, spent: Cost, style: str = "") -> None:
    amounts = (spent.hours, spent.core_hours, spent.gib_hours, spent.money)
    row(listing, track, stage, f"{spent.jobs:,}", *(f"{amount:,.4f}" for amount in amounts), style=style)


def _number(text: str | None) -> float:
    """Return a cell of a benchmark file; Snakemake writes NA or - for what it could not sample."""
    return float(text) if text not in (None, "", "NA", "-") else 0.0
