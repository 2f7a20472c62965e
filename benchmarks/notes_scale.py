"""Speed of the notes track: the model, and 10,000 patients from JSON to redacted parquet.

    python -m benchmarks.notes_scale [--sample 12000]

In one run: the name model without prefilter and cache, with the prefilter, and with a warm cache; the predecessor's
way, one `nlp(text)` per note, on a part of the same notes; 30,061 observations of 10,000 patients from a JSON array to
redacted parquet, two shards side by side. Memory is measured by `notes_memory`. The package's bytecode is made first,
as by an installation.
"""

from __future__ import annotations

import argparse
import compileall
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from benchmarks.measure import OUT, REPOSITORY, peak_bytes, write_result
from riskflow.config.base import leaf_values
from riskflow.config.notes import NotesNerSection, NotesPolicySection, NotesShardsSection, NotesSourceSection
from riskflow.jobs import LEAN
from riskflow.notes.demo import demo_records
from riskflow.notes.ner import model_file
from riskflow.notes.ner.detector import NerDetector
from riskflow.notes.ner.stage import SIZES
from riskflow.notes.ner.train import Recipe, train
from riskflow.notes.ner.worker import load_pipeline
from riskflow.notes.redact.cache import SpanCache
from riskflow.sharding import shard_name

FOLDER = OUT / "notes-scale"
PATIENTS, OBSERVATIONS = 10_000, 30_061
PREDECESSOR_SAMPLE = 1_000
PROCESSES = 2
REPEATS = 3
KEY = "the key of a benchmark, no secret"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=12_000)
    arguments = parser.parse_args()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    compileall.compile_dir(REPOSITORY / "src", quiet=1)
    model = FOLDER / "names.model"
    trained(model)
    print(f"generating {OBSERVATIONS:,} observations of {PATIENTS:,} patients", flush=True)
    records = [item.record for item in demo_records(PATIENTS, seed=1, observations=OBSERVATIONS)]
    texts = [row["notes"] for record in records for row in record["observations"]]
    result = {
        "ner": model_speed(model, texts[: arguments.sample]),
        "json_to_redacted": json_to_redacted(records, model),
    }
    shutil.rmtree(FOLDER)
    write_result("notes_scale", result)


def trained(path: Path) -> Path:
    """Train the small model into a file."""
    print("training the small model", flush=True)
    model_file.save(train(Recipe(*SIZES["small"], seed=NotesNerSection().seed)).nlp, path)
    return path


def model_speed(model: Path, texts: Sequence[str]) -> dict[str, Any]:
    """Return notes per second of the model alone, by each way of asking it, over different notes."""
    plain = NerDetector(model, processes=PROCESSES, prefilter=False)
    filtered = NerDetector(model, processes=PROCESSES)
    cache = SpanCache(FOLDER / "cache", "0000", KEY.encode())
    nlp = load_pipeline(str(model))
    some = texts[:PREDECESSOR_SAMPLE]
    return {
        "notes": len(texts),
        "different_notes": len(set(texts)),
        "words_per_note": sum(len(text.split()) for text in texts) / len(texts),
        "processes": PROCESSES,
        "load_average": os.getloadavg()[0],
        "one_by_one": speed(lambda: [nlp(text) for text in some], len(some)),
        "uncached": speed(lambda: plain.detect(texts), len(texts)),
        "prefilter": speed(lambda: filtered.detect(texts), len(texts)),
        "prefilter_into_cache": speed(lambda: cache.detect(texts, filtered), len(texts)),
        "prefilter_and_cache": speed(lambda: cache.detect(texts, filtered), len(texts)),
    }


def json_to_redacted(records: Sequence[dict[str, Any]], model: Path) -> dict[str, Any]:
    """Return wall seconds of ingest and of redacting two shards side by side, and again with the cache warm.

    All is done `REPEATS` times; the figures are those of the quickest, and `total_seconds_of_all` has them all.
    """
    source = FOLDER / "records.json"
    write_array(records, source)
    runs = [one_json_to_redacted(source, model) for _ in range(REPEATS)]
    return {
        "patients": len(records),
        "observations": sum(len(record["observations"]) for record in records),
        "source_bytes": source.stat().st_size,
        **min(runs, key=lambda run: run["total_seconds"]),
        "total_seconds_of_all": [run["total_seconds"] for run in runs],
    }


def one_json_to_redacted(source: Path, model: Path) -> dict[str, Any]:
    started = time.perf_counter()
    work = ingested(source, FOLDER / "two", PROCESSES)
    ingest = time.perf_counter() - started
    taken: list[float] = []
    cpu = cpu_seconds(
        lambda: taken.append(seconds(lambda: redact_shards(work, model, PROCESSES, cached=True)))
    )
    again = seconds(lambda: redact_shards(work, model, PROCESSES, cached=True))
    figures = {
        "ingest_seconds": ingest,
        "redact_seconds": taken[0],
        "redact_cpu_seconds": cpu,
        "total_seconds": ingest + taken[0],
        "redact_again_with_cache_seconds": again,
        "peak_process_bytes": max(peak_bytes(work / "receipts").values()),
    }
    shutil.rmtree(work)
    return figures


def write_array(records: Iterator[dict[str, Any]] | Sequence[dict[str, Any]], path: Path) -> int:
    """Write records as one JSON array; return how many notes are in it."""
    notes = 0
    with path.open("wb") as out:
        for number, record in enumerate(records):
            out.write((b",\n" if number else b"[\n") + orjson.dumps(record))
            notes += len(record["observations"])
        out.write(b"\n]\n")
    return notes


def ingested(source: Path, work: Path, shards: int, threads: int = 1) -> Path:
    """Run the ingest stage's program over a file; return the folder of its shards."""
    shutil.rmtree(work, ignore_errors=True)
    tables = [word for name in TABLES for word in (f"--{name}", str(work / name))]
    outputs = ["--quarantine", str(work / "quarantine.parquet"), "--manifest", str(work / "manifest.json")]
    sections = {
        "source": NotesSourceSection(kind="files", paths=[str(source)]),
        "shards": NotesShardsSection(count=shards),
    }
    words, receipt = ["--sources", str(source), *tables, *outputs], work / "receipts" / "ingest.json"
    wait(started("ingest", words, sections, receipt, threads))
    return work


def redact_shards(work: Path, model: Path, count: int, *, cached: bool) -> None:
    """Run the redact stage's program over the first shards, all at once."""
    running = []
    for shard in map(shard_name, range(count)):
        words = [word for name in TABLES for word in (f"--{name}", str(work / name / f"{shard}.parquet"))]
        words += ["--redacted", str(work / "redacted" / f"{shard}.parquet"), "--model", str(model)]
        words += ["--audit", str(work / "audit" / f"{shard}.parquet")]
        words += ["--cache", str(work / "cache")] if cached else []
        sections = {"policy": NotesPolicySection(), "ner": NotesNerSection()}
        running.append(started("redact", words, sections, work / "receipts" / f"redact-{shard}.json"))
    for process in running:
        wait(process)


TABLES = ("patients", "encounters", "observations")


def started(
    stage: str, words: list[str], sections: dict[str, Any], receipt: Path, threads: int = 1
) -> subprocess.Popen[str]:
    values = {name: section.model_dump(mode="json") for name, section in sections.items()}
    params = [f"config.{key}={value}" for key, value in leaf_values(values).items()]
    program = REPOSITORY / "workflow" / "scripts" / f"notes_{stage}.py"
    environment = {
        **LEAN,
        **os.environ,
        "PYTHONPATH": str(REPOSITORY / "src"),
        "RISKFLOW_NOTES_KEY": KEY,
        "POLARS_MAX_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
    }
    program_call = [sys.executable, str(program), *words, "--receipt", str(receipt), "--params", *params]
    # by way of a shell: a process inherits the peak memory of the one that starts it, and this one is large
    command = ["/bin/sh", "-c", '"$@"; exit $?', "sh", *program_call]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def wait(process: subprocess.Popen[str]) -> None:
    _, told = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(told[-3000:])


def seconds(work: Callable[[], object]) -> float:
    """Return wall seconds."""
    started_at = time.perf_counter()
    work()
    return time.perf_counter() - started_at


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return processor seconds of this process and its children: what a busy machine does not change much."""
    before = os.times()
    work()
    after = os.times()
    return sum(after[:4]) - sum(before[:4])


def speed(work: Callable[[], object], notes: int) -> dict[str, float]:
    """Return notes per second, and per processor second."""
    taken: list[float] = []
    cpu = cpu_seconds(lambda: taken.append(seconds(work)))
    return {"notes_per_second": notes / taken[0], "notes_per_cpu_second": notes / cpu}


if __name__ == "__main__":
    main()
