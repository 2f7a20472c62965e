"""Measure the members track end to end, raw parquet to warehouse, as the workflow runs it: a process per stage.

    python -m benchmarks.members_pipeline --members 1000000 [--shards 1] [--repeats 3]

Each member has 8 diagnoses and 2 drugs (benchmarks.members_engine). The stages, one after another, two threads each:
    ingest   three raw parquet files → validated, sorted artifacts and the quarantine
    record   the run's identity, and its started row in the warehouse
    score    scores and rejected evidence
    publish  scores, spans and rejected evidence into DuckDB; run completed
With --shards above 1 the members are cut before and merged after scoring, and shards are scored one at a time.
`seconds` is from the start of the first process to the end of the last, starting Python included; the best of the
repeats, of which `runs` has all.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import REPOSITORY
from benchmarks.members_engine import YEAR, population
from riskflow.config.base import leaf_values
from riskflow.config.members import STAGES, MembersConfig
from riskflow.jobs import CODE_FACTS_VARIABLE, LEAN
from riskflow.members.tables.load import folder, load
from riskflow.provenance import fingerprint
from riskflow.sharding import shard_name

TABLES = ("spans", "diagnoses", "drugs")
SCORING = Path("workflow/scripts/members_score.py")
THREADS = 2
Steps = list[tuple[str, list[str]]]
"""Name of a stage → its program's file and the words after it."""


def params(stage: str, **sections: dict[str, Any]) -> list[str]:
    """Return --params with a stage's default config, and some keys of its sections otherwise."""
    whole = MembersConfig().model_dump(mode="json")
    values = {name: whole[name] | sections.get(name, {}) for name in STAGES[stage].model_fields}
    return [
        "--params",
        *(
            f"config.{section}.{key}={value}"
            for section, found in values.items()
            for key, value in leaf_values(found).items()
        ),
    ]


def commands(base: Path, shards: int) -> Steps:
    """Return the name and the words of each stage's command, in order."""
    clean = base / "current"
    artifacts = options({table: clean / f"{table}.parquet" for table in TABLES})
    raw = options({f"{table}-source": base / f"raw_{table}.parquet" for table in TABLES})
    cms = ["--tables", *(str(path) for path in sorted(folder(YEAR).glob("*.*")))]
    warehouse = f"path.warehouse_file={base / 'warehouse.duckdb'}"
    scoring = params("score", model={"benefit_year": YEAR})
    results = {"output": base / "scores.parquet", "rejected": base / "rejected.parquet"}
    found = [
        (
            "ingest",
            [
                "members_ingest.py",
                *raw,
                *artifacts,
                *options({"variants": folder(YEAR) / "csr_variants.parquet"}),
                *options({"quarantine": base / "quarantine.parquet"}),
                *params("ingest"),
                f"path.year={YEAR}",
            ],
        ),
        (
            "record",
            [
                "members_record.py",
                *artifacts,
                *cms,
                *options({"program": SCORING, "output": clean / "run.parquet"}),
                *params("record"),
                warehouse,
            ],
        ),
    ]
    if shards == 1:
        found.append(
            ("score", ["members_score.py", *artifacts, *cms, *options(results), *scoring]),
        )
    else:
        found += sharded(base, shards, [*cms, *scoring], results)
    published = [base / "scores.parquet", base / "rejected.parquet", clean / "spans.parquet"]
    empty = ("prior", "comparison", "decomposition")
    found.append(
        (
            "publish",
            [
                "members_publish.py",
                *options({"current": clean / "run.parquet"}),
                "--current-tables",
                *map(str, published),
                *(f"--{name}-tables" for name in empty),
                *params("publish"),
                warehouse,
            ],
        )
    )
    return found


def sharded(base: Path, shards: int, cms: list[str], results: dict[str, Path]) -> Steps:
    """Return the commands that cut the members, score each shard, and merge."""
    cut, manifest = base / "shards", base / "shards" / "manifest.json"
    found = [
        (
            "shard",
            [
                "members_shard.py",
                *options({table: base / "current" / f"{table}.parquet" for table in TABLES}),
                *options({"folder": cut, "manifest": manifest}),
                *params("shard", shards={"count": shards}),
            ],
        )
    ]
    for name in map(shard_name, range(shards)):
        mine = {table: cut / "current" / table / f"{name}.parquet" for table in TABLES}
        outputs = {
            "output": base / "scored" / f"{name}.parquet",
            "rejected": base / "unused" / f"{name}.parquet",
        }
        found.append(
            (
                f"score {name}",
                ["members_score.py", *options(mine), *options(outputs), *cms],
            )
        )
    folders = {"scored": base / "scored", "unused": base / "unused", "plan": manifest}
    merge = ["members_merge.py", *options(folders | results), "--params", "path.data_set=current"]
    return [*found, ("merge", merge)]


def options(values: dict[str, Any]) -> list[str]:
    return [word for name, value in values.items() for word in (f"--{name}", str(value))]


def measured(members: int, shards: int, repeats: int) -> dict[str, Any]:
    """Return seconds, CPU seconds and peak memory, of all and of each stage."""
    with tempfile.TemporaryDirectory(dir=REPOSITORY / "benchmarks" / "out") as place:
        base = Path(place)
        rows = written(base, members)
        steps = commands(base, shards)
        facts = base / "code_facts.json"
        fingerprint(REPOSITORY / SCORING, facts)  # the plan has read the code before there are jobs
        os.environ[CODE_FACTS_VARIABLE] = str(facts)
        runs = [run(base, steps) for _ in range(repeats)]
    return {
        "members": members,
        "rows": rows,
        "shards": shards,
        "load_average": os.getloadavg()[0],
        **min(runs, key=lambda one: float(one["seconds"])),
        "runs": [one["seconds"] for one in runs],
    }


def run(base: Path, steps: Steps) -> dict[str, Any]:
    """Run the stages one after another, each in a process of its own, into a new warehouse."""
    for path in base.glob("warehouse.duckdb*"):
        path.unlink()
    started = time.perf_counter()
    found = {name: timed([f"workflow/scripts/{words[0]}", *words[1:]]) for name, words in steps}
    return {
        "seconds": round(time.perf_counter() - started, 2),
        "cpu_seconds": round(sum(one["cpu_seconds"] for one in found.values()), 2),
        "peak_rss_bytes": max(one["peak_rss_bytes"] for one in found.values()),
        "steps": found,
    }


def written(base: Path, members: int) -> dict[str, int]:
    """Write the raw tables in a process of its own, whose memory is nobody's; return table → rows."""
    process = subprocess.run(
        [sys.executable, "-m", __spec__.name, "--write", str(base), "--members", str(members)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    rows: dict[str, int] = json.loads(process.stdout)
    return rows


def write(base: Path, members: int) -> dict[str, int]:
    people = population(members, load(folder(YEAR)))
    frames = {table: getattr(people, table) for table in TABLES}
    for table, frame in frames.items():
        frame.write_parquet(base / f"raw_{table}.parquet")
    return {table: frame.height for table, frame in frames.items()}


def timed(words: list[str]) -> dict[str, Any]:
    """Run Python with some words, with two threads and as lean as the workflow; return seconds and peak memory."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=REPOSITORY,
            env={**LEAN, **os.environ, "POLARS_MAX_THREADS": str(THREADS)},
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            errors.seek(0)
            raise RuntimeError(errors.read().decode()[-3000:])
    return {
        "seconds": round(time.perf_counter() - started, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_rss_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--members", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write:
        print(json.dumps(write(arguments.write, arguments.members)))
    else:
        print(json.dumps(measured(arguments.members, arguments.shards, arguments.repeats), indent=1))


if __name__ == "__main__":
    main()
