"""The ingest stage: raw clinical records to typed shards, a quarantine and a manifest of digests."""

from __future__ import annotations

import gc
import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.config.notes import NotesIngestStage
from riskflow.contracts.notes_sources import SOURCE_TABLES
from riskflow.notes.garbage import no_cycle_search
from riskflow.notes.ingest.records import RawChunk
from riskflow.notes.ingest.sources import read_files, source_files
from riskflow.notes.ingest.spill import SOURCE_RANK, Spill
from riskflow.notes.ingest.typed import LINE, SOURCE, fault_rows, typed_table
from riskflow.quarantine import QUARANTINE, Rule, assert_conserved, split
from riskflow.receipts import Receipt
from riskflow.sharding import shard_name, write_manifest

_CHUNKS_BETWEEN_SEARCHES = 16
"""Chunks after which cycles are looked for, should there be any."""


@dataclass
class Tally:
    """Rows read and kept by table, and the quarantine as it grows; `records` are units that hold no known row."""

    read: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    quarantined: list[pl.DataFrame] = field(default_factory=list)
    shard_rows: dict[str, int] = field(default_factory=dict)

    def add(self, quarantined: pl.DataFrame) -> None:
        """Add quarantine rows, if there are any."""
        if not quarantined.is_empty():
            self.quarantined.append(quarantined)

    def quarantine(self) -> pl.DataFrame:
        """Return the quarantine rows so far."""
        return pl.concat([QUARANTINE.empty(), *self.quarantined])


def spill_chunks(chunks: Iterable[RawChunk], spill: Spill, tally: Tally) -> None:
    """Type every chunk and append it to the shards; rows that do not fit go to the tally's quarantine."""
    for number, chunk in enumerate(chunks, 1):
        faults = fault_rows(chunk)
        tally.add(faults)
        tally.read.update(fault.unit for fault in chunk.faults)
        for table, raw in chunk.tables.items():
            typed = typed_table(table, raw, chunk.source)
            tally.read[table] += typed.read
            tally.add(typed.quarantined)
            spill.add(table, typed.kept)
        if number % _CHUNKS_BETWEEN_SEARCHES == 0:
            gc.collect()
    spill.close()


def sound_shard(
    spill: Spill, shard: int, repeats: dict[str, pl.DataFrame], tally: Tally
) -> dict[str, pl.DataFrame]:
    """Return the tables of a shard without repeated keys and orphans, in the contracts' columns."""
    sound: dict[str, pl.DataFrame] = {}
    for table, contract in SOURCE_TABLES.items():
        rows = _marked(spill.rows(table, shard), table, repeats[table], sound)
        parted = split(rows, _REFERENCES[table], line=LINE, source=SOURCE, keep_row=False)
        tally.add(parted.quarantined)
        tally.kept[table] += parted.kept.height
        sound[table] = parted.kept.select(contract.schema.keys())
    return sound


_REPEATED = Rule("repeated_id", "an earlier row has the same id", ~pl.col("__repeated"))
_ORPHAN = Rule("orphan_patient", "patient_id is not among the patients", pl.col("__patient"))
_ASTRAY = Rule(
    "orphan_encounter", "encounter_id is not among the encounters of the patient", pl.col("__encounter")
)
_REFERENCES = {
    "patients": [_REPEATED],
    "encounters": [_REPEATED, _ORPHAN],
    "observations": [_REPEATED, _ORPHAN, _ASTRAY],
}


def _marked(
    rows: pl.DataFrame, table: str, repeats: pl.DataFrame, sound: dict[str, pl.DataFrame]
) -> pl.DataFrame:
    """Mark rows that repeat a key, and whether the patient and the encounter that they name are there."""
    twice = repeats.with_columns(pl.lit(True).alias("__repeated"))
    rows = rows.join(twice, on=[SOURCE_RANK, LINE], how="left", maintain_order="left")
    rows = rows.with_columns(pl.col("__repeated").fill_null(False))
    if table == "patients":
        return rows
    patients = sound["patients"].select("patient_id", pl.lit(True).alias("__patient"))
    rows = rows.join(patients, on="patient_id", how="left", maintain_order="left")
    if table == "encounters":
        return rows
    encounters = sound["encounters"].select("patient_id", "encounter_id", pl.lit(True).alias("__encounter"))
    rows = rows.join(encounters, on=["patient_id", "encounter_id"], how="left", maintain_order="left")
    return rows.with_columns(pl.col("__encounter") | pl.col("encounter_id").is_null())


def ingest(
    chunks: Iterable[RawChunk], folders: dict[str, Path], scratch: Path, shards: int
) -> tuple[Tally, dict[str, dict[str, str]]]:
    """Write `<folder>/<shard>.parquet` of every table; return the tally and table → shard → digest."""
    tally, digests = Tally(), {table: dict[str, str]() for table in SOURCE_TABLES}
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        with Spill(scratch, shards) as spill:
            with no_cycle_search():
                spill_chunks(chunks, spill, tally)
            repeats = {table: spill.repeats(table) for table in SOURCE_TABLES}
            for shard in range(shards):
                kept_before = tally.kept.total()
                for table, frame in sound_shard(spill, shard, repeats, tally).items():
                    path = folders[table] / f"{shard_name(shard)}.parquet"
                    digests[table][shard_name(shard)] = artifacts.write(
                        frame, path, SOURCE_TABLES[table]
                    ).digest
                tally.shard_rows[shard_name(shard)] = tally.kept.total() - kept_before
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return tally, digests


def run(
    *,
    sources: list[Path],
    patients: Path,
    encounters: Path,
    observations: Path,
    quarantine: Path,
    manifest: Path,
    config: NotesIngestStage,
) -> Receipt:
    """Read clinical records as a stream and write typed shards of patients, encounters and observations.

    `patients`, `encounters`, `observations` are folders of shards (`0000.parquet` …); `manifest` gets the digest
    of each of them. The demo's files are read as JSON, whatever the format of files is.
    """
    kind = "json" if config.source.kind == "demo" else config.source.format
    chunks = read_files(source_files(sources, kind), kind)
    folders = {"patients": patients, "encounters": encounters, "observations": observations}
    scratch = manifest.parent / f".{manifest.stem}-spill"
    tally, digests = ingest(chunks, folders, scratch, config.shards.count)
    bad = tally.quarantine()
    artifacts.write(bad, quarantine, QUARANTINE)
    read, kept = tally.read.total(), tally.kept.total()
    assert_conserved(read, kept, bad.height, "clinical records")
    write_manifest(manifest, digests, tally.shard_rows)
    counts = {"read": read, "kept": kept, "quarantined": bad.height}
    return Receipt(counts=counts, facts={"read": dict(tally.read), "kept": dict(tally.kept), "format": kind})
