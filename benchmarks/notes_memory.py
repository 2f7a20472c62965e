"""Peak memory of ingest and redaction while the number of notes grows and shards stay of one size.

    python -m benchmarks.notes_memory [--notes 10000 100000 1000000]

The sources are JSON arrays made of the records of 10,000 demo patients, each round over them with ids and texts of its
own. A million notes take some minutes.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from benchmarks.measure import OUT, peak_bytes, write_result
from benchmarks.notes_scale import (
    OBSERVATIONS,
    PATIENTS,
    PROCESSES,
    ingested,
    redact_shards,
    trained,
    write_array,
)
from riskflow.notes.demo import demo_records

FOLDER = OUT / "notes-memory"
SHARD_NOTES = 25_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notes", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    arguments = parser.parse_args()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    model = trained(FOLDER / "names.model")
    records = [item.record for item in demo_records(PATIENTS, seed=1, observations=OBSERVATIONS)]
    measured = [memory(records, notes, model) for notes in arguments.notes]
    shutil.rmtree(FOLDER)
    write_result("notes_memory", {"memory": measured})


def memory(records: Sequence[dict[str, Any]], notes: int, model: Path) -> dict[str, Any]:
    """Return the peak memory of ingest and of the largest redact process over `notes` notes in equal shards."""
    source, shards = FOLDER / "grown.json", max(2, -(-notes // SHARD_NOTES))
    written = write_array(grown(records, notes), source)
    started = time.perf_counter()
    work = ingested(source, FOLDER / "grown", shards)
    ingest = time.perf_counter() - started
    # every shard is of one size, so the first two tell what all need
    redact_shards(work, model, PROCESSES, cached=False)
    peaks = peak_bytes(work / "receipts")
    size = source.stat().st_size
    shutil.rmtree(work)
    source.unlink()
    return {
        "notes": written,
        "shards": shards,
        "source_bytes": size,
        "ingest_seconds": ingest,
        "ingest_peak_bytes": peaks["notes.ingest.stage"],
        "redact_peak_bytes": peaks["notes.redact.stage"],
    }


def grown(records: Sequence[dict[str, Any]], notes: int) -> Iterator[dict[str, Any]]:
    """Yield records until they have `notes` notes; each round over them has ids and texts of its own."""
    made = turn = 0
    while made < notes:
        for record in records:
            if made >= notes:
                return
            copy = orjson.loads(orjson.dumps(record)) if turn else record
            if turn:
                _renamed(copy, turn)
            made += len(copy["observations"])
            yield copy
        turn += 1


def _renamed(record: dict[str, Any], turn: int) -> None:
    for row in (record["patient"], *record["encounters"], *record["observations"]):
        for name in ("patient_id", "encounter_id", "observation_id"):
            if row.get(name):
                row[name] = f"{row[name]}-{turn}"
        if row.get("notes"):
            row["notes"] = f"{row['notes']} Sheet {turn} of the chart."


if __name__ == "__main__":
    main()
