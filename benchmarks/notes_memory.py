"""Peak memory of ingest and redaction while the number of notes grows and shards stay of one size.

    python -m benchmarks.notes_memory [--notes 10000 100000 1000000] [--megabytes 50 5000] [--folder /big/disk]

The sources are JSON arrays made of the records of 10,000 demo patients, each round over them with ids and texts of its
own. A million notes take some minutes. `--megabytes` measures ingest alone, on two threads, over arrays of these sizes:
5 GB take ten minutes and 12 GB of disk in the folder.
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

SHARD_NOTES = 25_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notes", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--megabytes", type=int, nargs="*", default=[])
    parser.add_argument("--folder", type=Path, default=OUT)
    arguments = parser.parse_args()
    folder = arguments.folder / "notes-memory"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        records = [item.record for item in demo_records(PATIENTS, seed=1, observations=OBSERVATIONS)]
        if arguments.notes:
            model = trained(folder / "names.model")
            measured = [memory(records, notes, model, folder) for notes in arguments.notes]
            write_result("notes_memory", {"memory": measured})
        if arguments.megabytes:
            arrays = [array_memory(records, size, folder) for size in arguments.megabytes]
            write_result("notes_array_memory", {"arrays": arrays})
    finally:
        shutil.rmtree(folder)


def array_memory(records: Sequence[dict[str, Any]], megabytes: int, folder: Path) -> dict[str, Any]:
    """Return the peak memory of ingest over one JSON array of a size, in shards of one size."""
    a_note = sum(len(orjson.dumps(record)) for record in records) / OBSERVATIONS
    notes = round(megabytes * 1e6 / a_note)
    source, shards = folder / "array.json", max(2, -(-notes // SHARD_NOTES))
    written = write_array(grown(records, notes), source)
    started = time.perf_counter()
    work = ingested(source, folder / "array", shards, threads=2)
    figures = {
        "source_bytes": source.stat().st_size,
        "notes": written,
        "shards": shards,
        "ingest_seconds": time.perf_counter() - started,
        "ingest_peak_bytes": peak_bytes(work / "receipts")["notes.ingest.stage"],
    }
    shutil.rmtree(work)
    source.unlink()
    print(figures, flush=True)
    return figures


def memory(records: Sequence[dict[str, Any]], notes: int, model: Path, folder: Path) -> dict[str, Any]:
    """Return the peak memory of ingest and of the largest redact process over `notes` notes in equal shards."""
    source, shards = folder / "grown.json", max(2, -(-notes // SHARD_NOTES))
    written = write_array(grown(records, notes), source)
    started = time.perf_counter()
    work = ingested(source, folder / "grown", shards)
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
