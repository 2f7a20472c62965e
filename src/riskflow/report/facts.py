"""Run facts and data quality, as the receipts of the stages tell them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from riskflow.artifacts import Artifact
from riskflow.quarantine import QUARANTINE
from riskflow.receipts import Receipt
from riskflow.report.blocks import Block, Callout, Column, Section, Table

_SHORT = 12


@dataclass(frozen=True)
class Facts:
    """What a reader needs to make the page again: code, config, data, versions, rows per stage."""

    code: Sequence[tuple[str, str]]
    versions: Sequence[tuple[str, str]]
    stages: Table
    data: Table
    config: Table


def run_facts(receipts: Sequence[Receipt]) -> Facts:
    """Return the facts of a run; clock times stay in the receipts, so equal runs give equal pages."""
    ordered = sorted(receipts, key=lambda receipt: receipt.stage)
    run = next((receipt.run for receipt in ordered if receipt.run), {})
    return Facts(
        code=_code(run.get("git", {})),
        versions=_versions(run),
        stages=_stages(ordered),
        data=_data(ordered),
        config=_config(ordered),
    )


def quality(
    receipts: Sequence[Receipt], quarantined: Sequence[pl.DataFrame] = (), title: str = "Data quality"
) -> Section:
    """Return the section on rows read, kept and quarantined: per stage from receipts, per rule from quarantine.

    `quarantined`: frames of the QUARANTINE contract; only rule, reason and source are shown, never the row.
    Without them the counts per rule are those of the receipts (facts["quarantined_by_rule"]).
    """
    counted = sorted((r for r in receipts if "quarantined" in r.counts and r.outputs), key=_table_name)
    blocks: list[Block] = [_conservation(counted)]
    blocks.append(
        Table(
            "Rows read, kept and quarantined",
            [_quality_row(receipt) for receipt in counted],
            [
                Column(
                    "table",
                    "Table",
                    meaning="The stage that read the table; its receipt has the same counts.",
                ),
                Column("read", "Read", "number"),
                Column("kept", "Kept", "number"),
                Column("quarantined", "Quarantined", "number", meaning=_QUARANTINE),
                Column("share", "Share", "percent", digits=2),
            ],
        )
    )
    blocks.append(_rules(counted, quarantined))
    return Section(
        title, "Nothing is dropped silently: every row that was read is kept or in quarantine.", blocks
    )


_QUARANTINE = (
    "Rows that broke a rule. They are in the quarantine files with rule id, source and line; none is scored."
)


def _conservation(receipts: Sequence[Receipt]) -> Callout:
    lost = [
        r.stage
        for r in receipts
        if r.counts.get("read", 0) != r.counts.get("kept", 0) + r.counts["quarantined"]
    ]
    if lost:
        return Callout(f"Read is not kept plus quarantined in: {', '.join(lost)}.", "warning")
    read = sum(r.counts.get("read", 0) for r in receipts)
    quarantined = sum(r.counts["quarantined"] for r in receipts)
    return Callout(f"{read:,} rows read, {quarantined:,} in quarantine, none lost.", "good")


def _quality_row(receipt: Receipt) -> dict[str, Any]:
    read, quarantined = receipt.counts.get("read", 0), receipt.counts["quarantined"]
    return {
        "table": _table_name(receipt),
        "read": read,
        "kept": receipt.counts.get("kept", 0),
        "quarantined": quarantined,
        "share": quarantined / read if read else None,
    }


def _rules(receipts: Sequence[Receipt], quarantined: Sequence[pl.DataFrame]) -> Table:
    """Count the rules from the quarantine, which has their sentences, else from what the receipts tell."""
    counted = _quarantine_counts(quarantined) if quarantined else _receipt_counts(receipts)
    columns = [
        Column("source", "Source"),
        Column("rule_id", "Rule", "code"),
        Column("reason", "What it says"),
        Column("rows", "Rows", "number"),
    ]
    return Table("Quarantine by rule", counted, columns, note="" if counted else "No row broke a rule.")


def _quarantine_counts(quarantined: Sequence[pl.DataFrame]) -> list[dict[str, Any]]:
    rows = pl.concat(frame.select("rule_id", "reason", "source") for frame in quarantined)
    return (
        rows.with_columns(pl.col("source").str.split("/").list.last())
        .group_by("source", "rule_id", "reason")
        .agg(pl.len().alias("rows"))
        .sort(["source", "rows", "rule_id"], descending=[False, True, False])
        .to_dicts()
    )


def _receipt_counts(receipts: Sequence[Receipt]) -> list[dict[str, Any]]:
    return [
        {"source": _table_name(receipt), "rule_id": rule, "reason": None, "rows": rows}
        for receipt in receipts
        for rule, rows in sorted(receipt.facts.get("quarantined_by_rule", {}).items())
    ]


def _code(git: Mapping[str, Any]) -> list[tuple[str, str]]:
    if not git.get("commit"):
        return [("Commit", "not a git checkout")]
    state = "clean" if git.get("clean") else "with uncommitted changes"
    return [
        ("Commit", f"{git['commit'][:_SHORT]} ({state})"),
        ("Branch", str(git.get("branch", ""))),
        ("Commit date", str(git.get("commit_date", ""))[:10]),
    ]


def _versions(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    versions = [(name, str(number)) for name, number in sorted(run.get("versions", {}).items())]
    return [("python", str(run["python"])), *versions] if "python" in run else versions


def _stages(receipts: Sequence[Receipt]) -> Table:
    """One line per stage; the jobs of a sharded stage are added up."""
    stages: dict[str, dict[str, Any]] = {}
    for receipt in receipts:
        row = stages.setdefault(receipt.stage, {"jobs": 0, "counts": {}, "provenance": receipt.provenance})
        row["jobs"] += 1
        for name, count in receipt.counts.items():
            row["counts"][name] = row["counts"].get(name, 0) + count
    rows = [
        {
            "stage": stage,
            "jobs": row["jobs"],
            "rows": ", ".join(f"{name} {count:,}" for name, count in row["counts"].items()),
            "provenance": row["provenance"][:_SHORT],
        }
        for stage, row in stages.items()
    ]
    return Table(
        "Stages",
        rows,
        [
            Column("stage", "Stage", "code"),
            Column("jobs", "Jobs", "number"),
            Column("rows", "Rows"),
            Column("provenance", "Code and config", "code", meaning=_PROVENANCE),
        ],
    )


_PROVENANCE = (
    "First 12 digits of the sha256 over the stage's code and config; the same digits are in its artifacts."
)


def _data(receipts: Sequence[Receipt]) -> Table:
    """The artifacts that were written, with the digest of their content."""
    outputs: dict[str, Artifact] = {item.path: item for receipt in receipts for item in receipt.outputs}
    rows = [
        {"file": path, "contract": item.contract, "rows": item.rows, "digest": item.digest[:_SHORT]}
        for path, item in sorted(outputs.items())
    ]
    return Table(
        "Artifacts",
        rows,
        [
            Column("file", "File", "code"),
            Column("contract", "Contract"),
            Column("rows", "Rows", "number"),
            Column("digest", "Content", "code", meaning="First 12 digits of the sha256 of the rows."),
        ],
    )


def _config(receipts: Sequence[Receipt]) -> Table:
    """Every config key that a stage read, with its value."""
    values = {
        key.removeprefix("config."): value
        for receipt in receipts
        for key, value in receipt.params.items()
        if key.startswith("config.")
    }
    rows = [{"key": key, "value": value} for key, value in sorted(values.items())]
    return Table("Config", rows, [Column("key", "Key", "code"), Column("value", "Value", "code")])


def _table_name(receipt: Receipt) -> str:
    """Return the name of the table that a stage kept; a gate that only counts has none."""
    kept = [item for item in receipt.outputs if item.contract != QUARANTINE.name]
    return Path(kept[0].path).stem if kept else receipt.stage.rpartition(".")[2]
