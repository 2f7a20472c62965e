"""Generated members for the engine alone, and the seconds it takes to score them; one process per measurement.

python -m benchmarks.members_engine --members 1000000
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from riskflow.members.engine.score import score
from riskflow.members.engine.stage import SLICE_SPANS
from riskflow.members.parallel import mapped
from riskflow.members.tables.load import TableSet, folder, load

YEAR = 2025
SHARD = 1_000_000  # members in memory at a time
DIAGNOSES, DRUGS = 8, 2  # rows per member
PAID_DIAGNOSES, PAID_DRUGS = 0.3, 0.15  # share of rows whose code the model knows
METALS, SHARES = ("silver", "bronze", "gold", "platinum", "catastrophic"), (0.5, 0.3, 0.12, 0.05, 0.03)
SUBSIDISED = (3, 4, 2, 6, 1)  # a CSR indicator of each metal in that year


@dataclass(frozen=True)
class Population:
    """Spans, diagnoses and drugs as the engine takes them."""

    spans: pl.DataFrame
    diagnoses: pl.DataFrame
    drugs: pl.DataFrame


def population(members: int, tables: TableSet, seed: int = 5) -> Population:
    """Return members of 0 to 63 years with one span, 8 diagnoses and 2 NDCs each."""
    rng = np.random.default_rng(seed)
    ids = pl.Series("member_id", np.arange(members)).cast(pl.String).str.zfill(9)
    start = np.datetime64(f"{YEAR}-01-01")
    metal = rng.choice(len(METALS), members, p=SHARES)
    spans = pl.DataFrame(
        {
            "member_id": ids,
            "span_id": pl.repeat("1", members, eager=True),
            "sex": pl.Series(["M", "F"]).gather(rng.integers(0, 2, members)),
            "date_of_birth": (start - rng.integers(0, 64 * 365, members)).astype("datetime64[D]"),
            "metal": pl.Series(METALS).gather(metal),
            "csr_indicator": np.where(rng.random(members) < 0.5, np.array(SUBSIDISED)[metal], 1),
            **{name: pl.repeat(value, members, eager=True) for name, value in _CONSTANTS.items()},
            "enrolment_start": np.full(members, start),
            "enrolment_end": (
                np.datetime64(f"{YEAR}-12-31") - rng.choice([0, 0, 0, 31, 184], members)
            ).astype("datetime64[D]"),
        }
    )
    rows = DIAGNOSES * members
    unpaid = pl.Series("code", [f"Z{number:05d}" for number in range(20_000)])
    diagnoses = pl.DataFrame(
        {
            "member_id": ids.gather(np.repeat(np.arange(members), DIAGNOSES)),
            "code": _drawn(rng, rows, tables.codes["code"], unpaid, PAID_DIAGNOSES),
            "service_date": (start + rng.integers(0, 365, rows)).astype("datetime64[D]"),
        }
    )
    rows = DRUGS * members
    known = tables.drugs.filter(pl.col("kind") == "ndc")["code"]
    unpaid = pl.Series("code", [f"{number:011d}" for number in range(99_000_000_000, 99_000_040_000)])
    drugs = pl.DataFrame(
        {
            "member_id": ids.gather(np.repeat(np.arange(members), DRUGS)),
            "ndc": _drawn(rng, rows, known, unpaid, PAID_DRUGS),
            "hcpcs": pl.Series([None] * rows, dtype=pl.String),
            "service_date": (start + rng.integers(0, 365, rows)).astype("datetime64[D]"),
        }
    )
    return Population(spans, diagnoses, drugs)


_CONSTANTS: dict[str, str | int] = {
    "plan_id": "10000TX1000001",
    "issuer": "10000",
    "market": "individual",
    "state": "TX",
    "rating_area": 1,
}


def _drawn(
    rng: np.random.Generator, rows: int, known: pl.Series, unknown: pl.Series, share: float
) -> pl.Series:
    """Return `rows` codes, that share of them from the known ones."""
    places = np.where(
        rng.random(rows) < share,
        rng.integers(0, len(known), rows),
        len(known) + rng.integers(0, len(unknown), rows),
    )
    return pl.concat([known, unknown]).gather(places)


def slices(people: Population) -> Iterator[tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]]:
    """Yield the members in the slices that the stage scores, as many at a time as there are threads."""
    for first in range(0, people.spans.height, SLICE_SPANS):
        yield (
            people.spans.slice(first, SLICE_SPANS),
            people.diagnoses.slice(first * DIAGNOSES, SLICE_SPANS * DIAGNOSES),
            people.drugs.slice(first * DRUGS, SLICE_SPANS * DRUGS),
        )


def measured(members: int, repeats: int) -> dict[str, Any]:
    """Return the seconds of each repeat, the best rate, and the peak memory of the process.

    More than SHARD members are scored as the workflow does it, a shard at a time, each with its own members.
    """
    tables = load(folder(YEAR))
    walls, cpus = [0.0] * repeats, [0.0] * repeats
    before = 0
    for seed, first in enumerate(range(0, members, SHARD)):
        size = min(SHARD, members - first)
        people = population(size, tables, seed)
        before = before or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        for repeat in range(repeats):
            started, cpu = time.perf_counter(), time.process_time()
            scored = list(mapped(lambda part: score(*part, tables), slices(people)))
            walls[repeat] += time.perf_counter() - started
            cpus[repeat] += time.process_time() - cpu
            assert sum(part.scores.height for part in scored) == size
            del scored
        del people
    return {
        "members": members,
        "shards": -(-members // SHARD),
        "wall_seconds": [round(value, 3) for value in walls],
        "cpu_seconds": [round(value, 3) for value in cpus],
        "members_per_second": round(members / min(walls)),
        "members_per_cpu_second": round(members / min(cpus)),
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "rss_of_the_input_bytes": before,
        "load_average": os.getloadavg()[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    print(json.dumps(measured(arguments.members, arguments.repeats)))


if __name__ == "__main__":
    main()
