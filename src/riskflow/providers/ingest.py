"""From raw provider tables to typed, validated, deduplicated ones; every bad row goes to quarantine by a rule.

Read = kept + quarantined, always. The rules are in `source_tables`. Decisions that the sources leave open:

- A negative payment total is a net reversal: a fact, not dirt. It is kept, with its sign.
- A row without an NPI in payments is a total of the release: quarantined.
- Rows that repeat another one in every kept column are quarantined; unequal rows of one
  (npi, year, program) are parts and are all kept.
- Of several registry rows of an NPI the one updated last is kept.
- An exclusion repeated by a later supplement is kept once, with the latest reinstatement and waiver.
- An exclusion without a date cannot be said to be active or not: quarantined.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.config.providers import IngestStage, TableSource
from riskflow.providers import demo_layout
from riskflow.providers.raw import batches
from riskflow.providers.source_tables import TABLES
from riskflow.providers.typed_tables import Ingested, typed_table
from riskflow.quarantine import QUARANTINE
from riskflow.receipts import Receipt


def ingest(paths: Sequence[Path], table: TableSource, name: str) -> Ingested:
    """Read, type, check and deduplicate one raw table: registry, payments, exclusions or ownership."""
    rules = TABLES[name]
    raw = batches(paths, table, name, rules.required, rules.optional)
    return typed_table(raw, rules, table.date_format)


def run(*, source: list[Path], table: str, output: Path, quarantine: Path, config: IngestStage) -> Receipt:
    """Ingest one raw table from its files; write the typed table and its quarantine."""
    layout = _layout(source, table, config)
    result = ingest(source, layout, table)
    artifacts.write(result.kept, output, TABLES[table].contract)
    artifacts.write(result.quarantined, quarantine, QUARANTINE)
    bad = result.quarantined.height
    by_rule = result.quarantined.group_by("rule_id").len().sort("rule_id").rows()
    counts = {"read": result.read, "kept": result.kept.height, "quarantined": bad}
    return Receipt(counts=counts, facts={"quarantined_by_rule": dict(by_rule), "nulls": _nulls(result.kept)})


def _layout(source: Sequence[Path], table: str, config: IngestStage) -> TableSource:
    if config.source.kind == "demo":
        return demo_layout.sources(source[0].parent)[table]
    layout: TableSource = getattr(config.source, table)
    return layout


def _nulls(frame: pl.DataFrame) -> dict[str, int]:
    """Return how many rows of each column are null, where any is."""
    counts = frame.null_count().row(0, named=True)
    return {name: count for name, count in counts.items() if count}
