"""The members track at 10,000 to 4,000,000 members: the engine, end to end, 32 runs, and beside another library.

    python -m benchmarks.members_scale [--other-python VENV/bin/python]

engine       members × 8 diagnoses + 2 NDCs, in memory, best of the repeats; 4 M as four shards (members_engine)
pipeline     raw parquet → validated → recorded → scored → warehouse, a process per stage (members_pipeline);
             4 M by shards with --pipeline-members 4000000: about two minutes
shapley      model, cost sharing, enrolment, diagnoses and drugs: 32 runs decomposed (members_decompose)
other        risk-adjustment-model of PyPI on the same members, with the Python of an environment that has it:
             python3.12 -m venv VENV && VENV/bin/pip install risk-adjustment-model
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.measure import REPOSITORY, write_result
from benchmarks.members_engine import SHARD, YEAR, Population, population
from riskflow.members.engine.score import score
from riskflow.members.tables.load import TableSet, folder, load

PARTS = ("engine", "pipeline", "shapley", "other")
CLOSE = 1e-6
LARGEST_WHOLE, SHARD_OF_PIPELINE = 1_000_000, 500_000


def told(module: str, *words: str) -> Any:
    """Run a benchmark module in a process of its own and return the JSON that it prints."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-3000:])
    return json.loads(done.stdout)


def engine(sizes: list[int], repeats: int) -> list[Any]:
    """Return the figures of the engine per size, and how its time grows; two repeats where there are shards."""
    return [
        told("members_engine", "--members", str(n), "--repeats", str(repeats if n <= SHARD else 2))
        for n in sizes
    ]


def pipeline(sizes: list[int]) -> list[Any]:
    """Return the figures of all stages per size; beyond a million members, by shards of half a million."""
    shards = [max(1, n // SHARD_OF_PIPELINE) if n > LARGEST_WHOLE else 1 for n in sizes]
    return [
        told("members_pipeline", "--members", str(n), "--shards", str(count))
        for n, count in zip(sizes, shards, strict=True)
    ]


def beside_other(python: str, members: int) -> dict[str, Any]:
    """Score the same members by both, each alone on the machine, and say how often they agree."""
    tables = load(folder(YEAR))
    people = population(members, tables)
    # the other library takes one code list per member, and the CSR factor by the indicator alone
    people = Population(people.spans.with_columns(csr_indicator=pl.lit(1)), people.diagnoses, people.drugs)
    lines = "\n".join(json.dumps(one) for one in calls(people))
    done = subprocess.run(
        [python, str(Path(__file__).with_name("members_other.py")), str(YEAR)],
        input=lines,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-3000:])
    theirs = json.loads(done.stdout)
    ours, seconds = timed_score(people, tables)
    agree = (ours - pl.Series(theirs.pop("scores"), dtype=pl.Float64)).abs() < CLOSE
    rate = theirs["members"] / theirs["seconds"]
    return {
        **theirs,
        "members_per_second": round(rate),
        "riskflow_seconds_same_members": round(seconds, 4),
        "riskflow_members_per_second_same_members": round(members / seconds),
        "ratio_same_members": round(members / seconds / rate, 1),
        "share_of_equal_scores": round(float(agree.mean() or 0.0), 4),  # type: ignore[arg-type]
    }


def calls(people: Population) -> list[dict[str, Any]]:
    """Return the keyword arguments of the other library's call for each member."""
    codes = people.diagnoses.group_by("member_id").agg(pl.col("code").alias("diagnosis_codes"))
    fills = people.drugs.group_by("member_id").agg(pl.col("ndc").alias("ndc_codes"))
    days = (pl.col("enrolment_end") - pl.col("enrolment_start")).dt.total_days() + 1
    born, end = pl.col("date_of_birth").dt, pl.col("enrolment_end").dt
    before_birthday = (end.month() * 100 + end.day()) < (born.month() * 100 + born.day())
    age = end.year() - born.year() - before_birthday.cast(pl.Int32)
    frame = (
        people.spans.join(codes, on="member_id", how="left")
        .join(fills, on="member_id", how="left")
        .sort("member_id")
        .select(
            pl.col("sex").alias("gender"),
            pl.col("metal").str.to_titlecase().alias("metal_level"),
            "csr_indicator",
            days.alias("enrollment_days"),
            "diagnosis_codes",
            "ndc_codes",
            age.alias("age"),
        )
    )
    return frame.to_dicts()


def timed_score(people: Population, tables: TableSet) -> tuple[pl.Series, float]:
    """Return our raw scores in the order of the members, and the best seconds of three."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        scored = score(people.spans, people.diagnoses, people.drugs, tables)
        seconds.append(time.perf_counter() - started)
    return scored.scores.sort("member_id")["raw_score"], min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--members", type=int, nargs="+", default=[10_000, 100_000, 1_000_000, 4_000_000])
    parser.add_argument("--pipeline-members", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--shapley-members", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--other-python", default="", help="Python of an environment with risk-adjustment-model"
    )
    parser.add_argument("--other-members", type=int, default=20_000)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    arguments = parser.parse_args()
    result: dict[str, Any] = {}
    if "engine" in arguments.parts:
        result["engine"] = engine(arguments.members, arguments.repeats)
    if "pipeline" in arguments.parts:
        result["pipeline"] = pipeline(arguments.pipeline_members)
    if "shapley" in arguments.parts:
        result["shapley"] = told("members_decompose", "--members", str(arguments.shapley_members))
    if "other" in arguments.parts and arguments.other_python:
        result["other"] = beside_other(arguments.other_python, arguments.other_members)
    write_result("members_scale", result)


if __name__ == "__main__":
    main()
