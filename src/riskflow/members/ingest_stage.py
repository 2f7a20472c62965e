"""Stage: read the raw member tables of one benefit year, validate them, quarantine the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.config.members import MembersIngestStage, MembersTable
from riskflow.contracts.base import Contract
from riskflow.contracts.members_sources import DIAGNOSES, DRUGS, SPANS
from riskflow.contracts.members_tables import CSR_VARIANTS
from riskflow.members.ingest import assert_population, validated_spans
from riskflow.members.ingest_evidence import diagnoses_by_piece, drugs_by_piece
from riskflow.members.ingest_sources import (
    DIAGNOSES_SHAPE,
    DRUGS_SHAPE,
    SPANS_SHAPE,
    TableShape,
    TableSource,
    read_batches,
)
from riskflow.members.texts import distinct_in_order
from riskflow.quarantine import QUARANTINE, Split
from riskflow.receipts import Receipt


def run(
    *,
    spans_source: Path,
    diagnoses_source: Path,
    drugs_source: Path,
    variants: Path,
    year: int,
    spans: Path,
    diagnoses: Path,
    drugs: Path,
    quarantine: Path,
    config: MembersIngestStage,
) -> Receipt:
    """Write the validated spans, diagnoses and drugs of a benefit year, and the quarantine of all three.

    `variants`: the HIOS variants (CSR_VARIANTS) of the benefit year.
    """
    source = config.source
    rows = pl.concat(_read(spans_source, source.spans, SPANS_SHAPE, config))
    people = validated_spans(rows, year, variants=artifacts.read(variants, CSR_VARIANTS))
    del rows
    assert_population(people.kept, people.quarantined.height, year)
    members = distinct_in_order(people.kept["member_id"]).to_frame()
    claims = _read(diagnoses_source, source.diagnoses, DIAGNOSES_SHAPE, config)
    fills = _read(drugs_source, source.drugs, DRUGS_SHAPE, config)

    def others() -> list[Table]:
        return [
            _written("spans", people, spans, SPANS),
            _streamed("drugs", drugs_by_piece(fills, members), drugs, DRUGS),
        ]

    # The others begin when all diagnoses are read: joining and writing these leaves a core free.
    with ThreadPoolExecutor(1) as pool:
        begun: list[Future[list[Table]]] = []
        judged = diagnoses_by_piece(_followed(claims, lambda: begun.append(pool.submit(others))), members)
        claimed = _streamed("diagnoses", judged, diagnoses, DIAGNOSES)
        enrolled, filled = begun[0].result()
    parts = [enrolled, claimed, filled]
    bad = pl.concat([part.quarantined for part in parts])
    artifacts.write(bad, quarantine, QUARANTINE)
    return _receipt(parts, bad, members.height)


@dataclass(frozen=True)
class Table:
    """What became of a raw table: its kept rows are written, those in quarantine are here."""

    name: str
    kept: int
    quarantined: pl.DataFrame


def _written(name: str, part: Split, path: Path, contract: Contract) -> Table:
    artifacts.write(part.kept, path, contract)
    return Table(name, part.kept.height, part.quarantined)


def _streamed(name: str, parts: Iterable[Split], path: Path, contract: Contract) -> Table:
    kept, quarantined = 0, []
    with artifacts.writing(path, contract) as add:
        for part in parts:
            add(part.kept)
            kept += part.kept.height
            quarantined.append(part.quarantined)
    return Table(name, kept, pl.concat(quarantined))


def _followed(batches: Iterable[pl.DataFrame], then: Callable[[], object]) -> Iterator[pl.DataFrame]:
    """Yield the batches, and do something when there are no more."""
    yield from batches
    then()


def _read(
    path: Path, table: MembersTable, shape: TableShape, config: MembersIngestStage
) -> Iterator[pl.DataFrame]:
    if config.source.kind == "demo":
        return read_batches(TableSource(path), shape)
    return read_batches(TableSource(path, table.table, table.columns), shape)


def _receipt(parts: Sequence[Table], bad: pl.DataFrame, members: int) -> Receipt:
    """Return the counts; that each table's rows read were kept or quarantined is asserted where it is validated."""
    kept = sum(part.kept for part in parts)
    counts = {"read": kept + bad.height, "kept": kept, "quarantined": bad.height}
    for part in parts:
        counts |= {
            f"{part.name}_read": part.kept + part.quarantined.height,
            f"{part.name}_kept": part.kept,
        }
    by_rule = dict(bad.group_by("rule_id").len().sort("rule_id").iter_rows())
    return Receipt(counts=counts | {"members": members}, facts={"quarantined_by_rule": by_rule})
