"""The table of docs/benchmarks.md, from the JSON files that the benchmarks wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import OUT, REPOSITORY

PAGE = REPOSITORY / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

`make bench` measures and writes `benchmarks/out/*.json`; `python -m benchmarks --table` makes this page from those
files. The numbers are one run's on one machine of 2 cores; a ratio's two sides are measured in the same run. That
machine was not always as fast, nor always idle (`load average`): look at the ratios.
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
    if not result:
        return
    sizes = result["sizes"]
    yield "\n## Providers: from parquet to ranked, explained, merged scores\n\n"
    yield from _columns(
        [f"{size['providers']:,} providers" for size in sizes], [_of_size(size) for size in sizes]
    )
    single = sizes[-1]["one_query_per_npi"]
    yield (
        f"\nThe predecessor's way, one query per NPI, on {single['sampled']} of the providers: "
        f"{single['seconds_per_npi'] * 1000:.0f} ms each, which makes {single['hours_extrapolated']:.1f} h for all. "
        "The plain pass is one process from the ingested tables to ranks, without shards, contracts, receipts and "
        "explanations; it gives the same ranks bit for bit. The workflow starts two processes per shard: where there "
        "are few providers, that is most of its time.\n"
    )


def _of_size(size: dict[str, Any]) -> dict[str, str]:
    """Return figure → text of one size of the population."""
    changed, plain = size["one_changed"], size["plain_pass"]
    stages = list(size["stage_seconds"].items())[:5]
    return {
        "payment rows": f"{size['payment_rows']:,}",
        "shards": str(size["shards"]),
        "**workflow**": f"**{size['workflow_seconds']:.1f} s**",
        "of it: to ingested tables": f"{size['ingest_seconds']:.1f} s",
        "of it: to ranks": f"{size['ingested_to_ranks_seconds']:.1f} s",
        "of it: to explained scores": f"{size['explain_seconds']:.1f} s",
        "largest process": f"{size['peak_process_bytes'] / GIB:.2f} GiB ({size['peak_stage']})",
        "plain single-process pass to ranks": f"{plain['seconds']:.1f} s, {plain['peak_rss_bytes'] / GIB:.2f} GiB",
        "**workflow to ranks ÷ plain pass**": f"**{size['ratio_to_plain_pass']:.2f}**",
        "reading, sorting and writing the same source bytes": f"{size['read_sort_write_seconds']:.1f} s",
        "workflow ÷ reading, sorting and writing": f"{size['workflow_seconds'] / size['read_sort_write_seconds']:.1f}",
        "nothing changed": f"{size['nothing_changed_seconds']:.1f} s",
        "one provider changed": f"{changed['seconds']:.1f} s, {sum(changed['jobs'].values())} jobs, "
        f"{changed['jobs'].get('providers_score', 0)} shard scored",
        "seconds inside the five longest stages": ", ".join(
            f"{stage.removeprefix('providers.')} {seconds:.0f}" for stage, seconds in stages
        ),
    }


def _overhead(result: dict[str, Any]) -> Iterator[str]:
    if not result:
        return
    kinds = {
        "ours": "this workflow",
        "same_shape": "bare, joined the same way",
        "chain": "bare chain, no checkpoint",
    }
    yield f"\n## Snakemake at {result['shards']:,} shards\n\n"
    figures = [
        {
            "dry run of everything": _seconds(result, kind, "dry_run"),
            "ours ÷ it": _ratio(result, kind, "dry_run"),
            "nothing to do": _seconds(result, kind, "nothing_to_do"),
            "ours ÷ it, nothing to do": _ratio(result, kind, "nothing_to_do"),
        }
        for kind in kinds
    ]
    yield from _columns(list(kinds.values()), figures)
    yield (
        "\nCPU seconds; two jobs per shard. The bare Snakefiles have no params, logs, benchmarks, receipts or config. "
        "A checkpoint alone, which finds the shards that are new, makes Snakemake look at every job behind it twice.\n"
    )


def _seconds(result: dict[str, Any], kind: str, figure: str) -> str:
    return ", ".join(f"{one[kind][f'{figure}_seconds']:.1f} s" for one in result["rounds"])


def _ratio(result: dict[str, Any], kind: str, figure: str) -> str:
    return "" if kind == "ours" else f"{result[f'{figure}_ratio_to_{kind}']:.2f}"


def _quality(result: dict[str, Any]) -> Iterator[str]:
    if not result:
        return
    systems: dict[str, Any] = result["systems"]
    yield f"\n## Notes: what is found in {result['notes']:,} notes of unseen templates and names\n\n"
    columns = [
        {
            "**recall**": f"**{found['recall']:.1%}**",
            "precision": f"{found['precision']:.1%}",
            "over-redaction (share of other words)": f"{found['over_redaction']:.2%}",
            **{
                f"recall {kind}": f"{of_kind['recall']:.1%} of {of_kind['true_spans']:,}"
                for kind, of_kind in sorted(found["kinds"].items())
                if of_kind["true_spans"]
            },
        }
        for found in systems.values()
    ]
    yield from _columns([_words(name) for name in systems], columns)
    yield "\nWithout the record's own identifiers, which riskflow also removes where it has them."
    if presidio := result.get("presidio"):
        yield f" Presidio {_words('; '.join(f'{key} {_shown(key, value)}' for key, value in presidio.items()))}."
    yield "\n"


def _plain(title: str) -> Callable[[dict[str, Any]], Iterator[str]]:
    """Return a section that shows a result's figures as a table, and each of its lists as a table of its own."""

    def section(result: dict[str, Any]) -> Iterator[str]:
        figures = {key: value for key, value in result.items() if key not in {"benchmark", "machine"}}
        if not figures:
            return
        yield f"\n## {title}\n"
        lists = {key: value for key, value in figures.items() if _is_table(value)}
        if single := _flat({key: value for key, value in figures.items() if key not in lists}):
            yield "\n"
            yield from _columns(["value"], [single])
        for name, rows in lists.items():
            yield f"\n### {_words(name)}\n\n"
            heads = [next(iter(row)) for row in rows]
            yield from _columns(
                [f"{_shown(head, row[head])} {_words(head)}" for head, row in zip(heads, rows, strict=True)],
                [_flat({k: v for k, v in row.items() if k != h}) for h, row in zip(heads, rows, strict=True)],
            )

    return section


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _columns(heads: list[str], columns: list[dict[str, str]]) -> Iterator[str]:
    """Yield a table with a row per figure and a column per head."""
    names = list(dict.fromkeys(name for column in columns for name in column))
    yield f"| | {' | '.join(heads)} |\n|---|{'---|' * len(heads)}\n"
    for name in names:
        yield f"| {name} | {' | '.join(column.get(name, '') for column in columns)} |\n"


def _flat(figures: dict[str, Any], above: str = "") -> dict[str, str]:
    """Return figure → text, nested figures under the names above them."""
    flat: dict[str, str] = {}
    for key, value in figures.items():
        name = f"{above}{_words(key)}"
        flat |= _flat(value, f"{name}: ") if isinstance(value, dict) else {name: _shown(key, value)}
    return flat


def _words(key: str) -> str:
    return key.removesuffix("_bytes").removesuffix("_seconds").replace("_", " ")


def _shown(key: str, value: Any) -> str:
    """Return a figure with the unit that its key names."""
    if isinstance(value, list):
        return ", ".join(_shown(key, one) for one in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if key.endswith("_bytes"):
        return f"{value / GIB:.2f} GiB" if value >= GIB else f"{value / (1 << 20):.0f} MiB"
    if key.endswith("seconds") and "_per_" not in key:
        return f"{value:,.2f} s"
    return (
        f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    )


SECTIONS: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "providers_scale": _providers,
    "snakemake_overhead": _overhead,
    "members_scale": _plain("Members"),
    "notes_scale": _plain("Notes: speed"),
    "notes_quality": _quality,
    "notes_memory": _plain("Notes: memory"),
    "notes_array_memory": _plain("Notes: memory of reading one large array"),
    "neo4j_graph": _plain("Neo4j"),
    "postgres_publish": _plain("PostgreSQL"),
    "slurm_submissions": _plain("SLURM"),
}
