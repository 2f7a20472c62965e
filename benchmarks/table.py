"""The table of docs/benchmarks.md, from the JSON files that the benchmarks wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import OUT, REPOSITORY

PAGE = REPOSITORY / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

`make bench` measures and writes `benchmarks/out/*.json`; `python -m benchmarks --table` makes this page from those
files. The numbers are one run's on one machine of 2 cores; a ratio's two sides are measured in the same run.
"""
GIB = 1 << 30


def write_table() -> Path:
    """Write docs/benchmarks.md from what is in benchmarks/out; return its path."""
    sections = [text for name, section in SECTIONS.items() if (text := "".join(section(_result(name)))) != ""]
    PAGE.write_text(HEAD + "".join(sections))
    return PAGE


def _result(name: str) -> dict[str, Any]:
    path = OUT / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _providers(result: dict[str, Any]) -> Iterator[str]:
    if not result or "ingest_seconds" not in result["sizes"][-1]:
        return
    yield (
        "\n## Providers: from parquet to ranked, explained, merged scores\n\n"
        "| providers | payment rows | shards | workflow s | ingest s | to ranks s | explain s | largest process GiB |"
        " plain pass s | to ranks ÷ plain pass | nothing changed s | one provider changed s (shards scored) |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|\n"
    )
    for size in result["sizes"]:
        changed = size["one_changed"]
        yield (
            f"| {size['providers']:,} | {size['payment_rows']:,} | {size['shards']} | {size['workflow_seconds']:.0f} "
            f"| {size['ingest_seconds']:.0f} | {size['ingested_to_ranks_seconds']:.0f} | {size['explain_seconds']:.0f} "
            f"| {size['peak_process_bytes'] / GIB:.2f} ({size['peak_stage']}) | {size['plain_pass']['seconds']:.1f} "
            f"| {size['ratio_to_plain_pass']:.1f} | {size['nothing_changed_seconds']:.1f} "
            f"| {changed['seconds']:.0f} ({changed['jobs'].get('providers_score', 0)}) |\n"
        )
    last = result["sizes"][-1]
    single = last["one_query_per_npi"]
    yield (
        f"\nReading, sorting and writing the same source bytes: {last['read_sort_write_seconds']:.1f} s. "
        f"One query per NPI, the predecessor's way, on {single['sampled']} of the providers: "
        f"{single['seconds_per_npi'] * 1000:.0f} ms each, which makes {single['hours_extrapolated']:.1f} h for all. "
        "The plain pass is one process from the ingested tables to ranks, without shards, contracts, receipts and "
        "explanations; it gives the same ranks bit for bit.\n"
    )


def _overhead(result: dict[str, Any]) -> Iterator[str]:
    if "nothing_to_do_ratio" not in result:
        return
    ours = ", ".join(f"{run['dry_run_seconds']:.1f}" for run in result["ours"])
    bare = ", ".join(f"{run['dry_run_seconds']:.1f}" for run in result["bare"])
    yield (
        f"\n## Snakemake at {result['shards']:,} shards\n\nA fresh dry run takes {ours} s; a bare Snakefile with as "
        f"many jobs {bare} s. The median ratio is {result['dry_run_ratio']:.2f}; with nothing to be done it is "
        f"{result['nothing_to_do_ratio']:.2f}.\n"
    )


def _plain(title: str) -> Any:
    """Return a section that shows a result's numbers as a list."""

    def section(result: dict[str, Any]) -> Iterator[str]:
        if result:
            yield f"\n## {title}\n\n"
            for key, value in result.items():
                if key not in {"benchmark", "machine"}:
                    yield f"- {key.replace('_', ' ')}: {_shown(value)}\n"

    return section


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key.replace('_', ' ')} {_shown(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return "; ".join(f"({_shown(inner)})" for inner in value)
    return (
        f"{value:,.4g}"
        if isinstance(value, float)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )


SECTIONS = {
    "providers_scale": _providers,
    "snakemake_overhead": _overhead,
    "members_scale": _plain("Members"),
    "notes_scale": _plain("Notes"),
    "neo4j_graph": _plain("Neo4j"),
    "postgres_publish": _plain("PostgreSQL"),
}
