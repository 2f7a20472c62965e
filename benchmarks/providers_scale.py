"""The provider track at 1/100, 1/10 and the whole size of the country: from parquet to explained, merged scores.

    python -m benchmarks.providers_scale [--providers 17900 179000 1790000] [--shards 16]

In one run: the workflow from source parquet to scores.parquet, in three calls (ingest, ranks, explain); nothing
changed; one provider changed; one plain polars pass over the same formulas in a single process, from the ingested
tables to ranks; reading, sorting and writing the same bytes; and the predecessor's way, one query per NPI, on a
sample.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from benchmarks.measure import (
    OUT,
    REPOSITORY,
    output_of,
    peak_bytes,
    seconds_of,
    snakemake,
    stage_seconds,
    write_result,
)
from riskflow.providers.demo import DemoSpec
from riskflow.providers.demo_files import write_demo
from riskflow.providers.demo_layout import sources
from tests.workflow.harness import Workspace, executed

SCORES = "results/providers/scores.parquet"


def measured(providers: int, shards: int) -> dict[str, Any]:
    """Return the figures of one size."""
    folder = OUT / f"providers-{providers}"
    workspace, rows = prepared(folder, providers, shards)
    overlay = ["--configfile", "overlay.yaml"]
    ingested = [
        f"results/providers/ingested/{table}.parquet"
        for table in ("registry", "payments", "exclusions", "ownership")
    ]
    ingest = seconds_of(snakemake(*ingested, *overlay), folder)
    ranked = seconds_of(snakemake("results/providers/ranks.parquet", *overlay), folder)
    explained = seconds_of(snakemake(SCORES, *overlay), folder)
    idle = seconds_of(snakemake(SCORES, *overlay), folder)
    planned = seconds_of(snakemake(SCORES, "--dry-run", *overlay), folder)
    receipts = folder / "results" / "providers" / "receipts"
    peaks, stages = peak_bytes(receipts), stage_seconds(receipts)
    plain_file = folder / "plain.parquet"
    command = [sys.executable, "-m", "benchmarks.predecessor_scores", str(folder / "results/providers")]
    others = json.loads(output_of([*command, "--plain-output", str(plain_file)], REPOSITORY))
    figures = {
        "providers": providers,
        "payment_rows": rows["payments"],
        "shards": shards,
        "workflow_seconds": ingest + ranked + explained,
        "ingest_seconds": ingest,
        "ingested_to_ranks_seconds": ranked,
        "explain_seconds": explained,
        "nothing_changed_seconds": idle,
        "dry_run_seconds": planned,
        "peak_process_bytes": max(peaks.values()),
        "peak_stage": next(iter(peaks)),
        "stage_seconds": stages,
        "read_sort_write_seconds": copied(folder / "data", folder / "copy"),
        **others,
        "ratio_to_plain_pass": ranked / others["plain_pass"]["seconds"],
        "one_changed": one_changed(workspace),
    }
    shutil.rmtree(folder / "copy", ignore_errors=True)
    return figures


def prepared(folder: Path, providers: int, shards: int) -> tuple[Workspace, dict[str, int]]:
    """Return a fresh workspace with generated source parquet files, and the rows of each table."""
    shutil.rmtree(folder, ignore_errors=True)
    workspace = Workspace.create(folder, {})
    print(f"generating {providers:,} providers", flush=True)
    rows = write_demo(DemoSpec(providers=providers), folder / "data", "parquet")
    tables = {name: table.model_dump(mode="json") for name, table in sources(Path("data"), "parquet").items()}
    workspace.overlay = {
        "tracks": ["providers"],
        "providers": {"source": {"kind": "files", **tables}, "shards": {"count": shards}},
    }
    (folder / "overlay.yaml").write_text(yaml.safe_dump(workspace.overlay))
    return workspace, rows


def copied(data: Path, target: Path) -> float:
    """Read, sort by all columns and write every source file; return the wall seconds."""
    target.mkdir(exist_ok=True)
    started = time.perf_counter()
    for path in sorted(data.glob("*.parquet")):
        frame = pl.read_parquet(path)
        frame.sort(frame.columns).write_parquet(target / path.name, compression="zstd", compression_level=1)
    return time.perf_counter() - started


def one_changed(workspace: Workspace) -> dict[str, Any]:
    """Raise one payment by a cent in a source file and return seconds and jobs of the run that follows."""
    path = next((workspace.folder / "data").glob("payments_release_1*.parquet"))
    frame = pl.read_parquet(path).with_row_index()
    paid = pl.col("TOTAL_PAID").cast(pl.Float64, strict=False)
    row = frame.filter(paid > paid.quantile(0.9))["index"][0]
    raised = (
        pl.when(pl.col("index") == row).then((paid + 0.01).round(2).cast(pl.String)).otherwise("TOTAL_PAID")
    )
    frame.with_columns(raised.alias("TOTAL_PAID")).drop("index").write_parquet(path, compression="zstd")
    started = time.perf_counter()
    run = workspace.snakemake(SCORES)
    if run.status != 0:
        raise RuntimeError(run.text[-3000:])
    return {"seconds": time.perf_counter() - started, "jobs": executed(run.text)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--providers", type=int, nargs="*", default=[17_900, 179_000, 1_790_000])
    parser.add_argument("--shards", type=int, default=16)
    arguments = parser.parse_args()
    sizes = [measured(providers, arguments.shards) for providers in arguments.providers]
    write_result("providers_scale", {"sizes": sizes})


if __name__ == "__main__":
    main()
