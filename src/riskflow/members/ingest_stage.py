"""Stage: read the raw member tables of one benefit year, validate them, quarantine the rest."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.config.members import MembersIngestStage, MembersTable
from riskflow.contracts.members_sources import DIAGNOSES, DRUGS, SPANS
from riskflow.members.ingest import (
    assert_population,
    validated_diagnoses,
    validated_drugs,
    validated_spans,
)
from riskflow.members.ingest_sources import (
    DIAGNOSES_SHAPE,
    DRUGS_SHAPE,
    SPANS_SHAPE,
    TableShape,
    TableSource,
    read_table,
)
from riskflow.quarantine import QUARANTINE, Split
from riskflow.receipts import Receipt


def run(
    *,
    spans_source: Path,
    diagnoses_source: Path,
    drugs_source: Path,
    year: int,
    spans: Path,
    diagnoses: Path,
    drugs: Path,
    quarantine: Path,
    config: MembersIngestStage,
) -> Receipt:
    """Write the validated spans, diagnoses and drugs of a benefit year, and the quarantine of all three."""
    parts: dict[str, tuple[int, Split]] = {}
    raw = _read(spans_source, config.source.spans, SPANS_SHAPE, config)
    people = validated_spans(raw, year)
    assert_population(people.kept, raw.height, year)
    parts["spans"] = raw.height, people
    artifacts.write(people.kept, spans, SPANS)
    raw = _read(diagnoses_source, config.source.diagnoses, DIAGNOSES_SHAPE, config)
    claims = validated_diagnoses(raw, people.kept)
    parts["diagnoses"] = raw.height, claims
    artifacts.write(claims.kept, diagnoses, DIAGNOSES)
    raw = _read(drugs_source, config.source.drugs, DRUGS_SHAPE, config)
    fills = validated_drugs(raw, people.kept)
    parts["drugs"] = raw.height, fills
    artifacts.write(fills.kept, drugs, DRUGS)
    bad = pl.concat([part.quarantined for _, part in parts.values()])
    artifacts.write(bad, quarantine, QUARANTINE)
    return _receipt(parts, bad, people.kept)


def _read(path: Path, table: MembersTable, shape: TableShape, config: MembersIngestStage) -> pl.DataFrame:
    if config.source.kind == "demo":
        return read_table(TableSource(path), shape)
    return read_table(TableSource(path, table.table, table.columns), shape)


def _receipt(parts: dict[str, tuple[int, Split]], bad: pl.DataFrame, spans: pl.DataFrame) -> Receipt:
    read = sum(count for count, _ in parts.values())
    counts = {"read": read, "kept": read - bad.height, "quarantined": bad.height}
    for table, (rows, part) in parts.items():
        counts |= {f"{table}_read": rows, f"{table}_kept": part.kept.height}
    by_rule = dict(bad.group_by("rule_id").len().sort("rule_id").iter_rows())
    return Receipt(
        counts=counts | {"members": spans["member_id"].n_unique()}, facts={"quarantined_by_rule": by_rule}
    )
