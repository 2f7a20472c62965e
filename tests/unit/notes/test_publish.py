"""Publishing: in one transaction what the gate has read, and nothing that is neither redacted nor withheld."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import polars as pl
import pytest

from riskflow import artifacts
from riskflow.contracts.notes_redacted import LEAKS
from riskflow.errors import RiskflowError
from riskflow.notes import publish
from riskflow.notes.deidentify import deidentified
from riskflow.notes.policy import Policy
from riskflow.notes.redact.pipeline import redact
from riskflow.notes.redact.record import record_identifiers
from riskflow.notes.redact.stage import notes_of, redacted_artifacts
from riskflow.receipts import Receipt
from riskflow.sharding import write_manifest
from tests.unit.notes.notes_frames import KEY, source


@pytest.fixture
def batch(tmp_path: Path) -> dict[str, Path]:
    tables = source("Seen Mr. Ortega today.", "Stable.")
    policy = Policy()
    done = redact(notes_of(tables["observations"]), record_identifiers(*tables.values()), policy, KEY)
    rows, audit = redacted_artifacts(done, policy, KEY, ())
    frames = deidentified(tables, rows, policy, KEY) | {
        "audit": audit,
        "quarantine": publish.BATCH["quarantine"].empty(),
    }
    paths = {name: tmp_path / "unchecked" / f"{name}.parquet" for name in publish.BATCH}
    for name, path in paths.items():
        artifacts.write(frames[name], path, publish.BATCH[name])
    return paths


def published(tmp_path: Path, batch: dict[str, Path], *, read: int = 2, gated: bool = True) -> Receipt:
    findings = tmp_path / "leaks.parquet"
    artifacts.write(LEAKS.empty(), findings, LEAKS)
    tables = ("patients", "encounters", "observations") if gated else ("patients",)
    inputs = [artifacts.checked(batch[name], publish.BATCH[name]) for name in tables]
    gate, shard = (
        Receipt(inputs=inputs),
        Receipt(counts={"read": read}, facts={"policy": "p", "withheld": []}),
    )
    gate.write(tmp_path / "gate.json")
    shard.write(tmp_path / "0000.json")
    write_manifest(tmp_path / "plan.json", {}, {"0000": read})
    return publish.run(
        **batch,
        findings=findings,
        gate=tmp_path / "gate.json",
        redacted=tmp_path,
        plan=tmp_path / "plan.json",
        receipts=[],
        folder=tmp_path,
        warehouse_file=tmp_path / "warehouse.duckdb",
    )


def rows_of(tmp_path: Path) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as connection:
        return {n: connection.sql(f"SELECT * FROM notes.{n} ORDER BY ALL").fetchall() for n in publish.BATCH}


def test_a_batch_is_published_and_publishing_it_again_changes_nothing(tmp_path, batch):
    receipt = published(tmp_path, batch)
    assert receipt.counts["observations"] == 2 and receipt.counts["audit"] >= 1
    first = rows_of(tmp_path)
    published(tmp_path, batch)
    assert rows_of(tmp_path) == first
    for name, path in batch.items():
        assert (tmp_path / f"{name}.parquet").read_bytes() == path.read_bytes()


def test_a_batch_that_the_gate_has_not_read_is_refused(tmp_path, batch):
    with pytest.raises(RiskflowError, match="has not read these encounters, observations"):
        published(tmp_path, batch, gated=False)
    assert not (tmp_path / "warehouse.duckdb").exists() and not (tmp_path / "observations.parquet").exists()


def test_findings_are_refused(tmp_path, batch):
    found = pl.DataFrame([("observations", "note", "b" * 16, "date")], schema=LEAKS.schema, orient="row")
    artifacts.write(found, tmp_path / "leaks.parquet", LEAKS)
    with pytest.raises(RiskflowError, match="has findings"):
        publish.refuse_ungated({}, tmp_path / "leaks.parquet", Receipt())


def test_a_note_that_went_missing_is_refused(tmp_path, batch):
    with pytest.raises(RiskflowError, match="2 notes came, 3 were"):
        published(tmp_path, batch, read=3)
    assert not (tmp_path / "observations.parquet").exists()


@pytest.mark.parametrize(
    "cells", [{"note_status": None}, {"note_reason": "why"}, {"note": None}, {"note_status": "clear"}]
)
def test_a_note_that_is_neither_redacted_nor_withheld_is_refused(tmp_path, batch, cells):
    frame = pl.read_parquet(batch["observations"])
    spoiled = frame.with_columns(pl.lit(value, pl.String).alias(name) for name, value in cells.items())
    # past the contract, as a faulty stage would
    spoiled.write_parquet(tmp_path / "spoiled.parquet")
    with pytest.raises(RiskflowError, match="2 notes are neither redacted nor withheld") as told:
        publish.refuse_unfit(tmp_path / "spoiled.parquet", 2)
    assert frame["observation_id"][0] in str(told.value) and "Ortega" not in str(told.value)


def test_an_orphan_is_refused_and_the_last_batch_stays(tmp_path, batch):
    published(tmp_path, batch)
    first = rows_of(tmp_path)
    nobody = publish.BATCH["patients"].empty()
    artifacts.write(nobody, batch["patients"], publish.BATCH["patients"])
    with pytest.raises(duckdb.ConstraintException):
        published(tmp_path, batch)
    assert rows_of(tmp_path) == first


def test_another_batch_replaces_the_last(tmp_path, batch):
    published(tmp_path, batch)
    fewer = pl.read_parquet(batch["observations"]).head(1)
    artifacts.write(fewer, batch["observations"], publish.BATCH["observations"])
    audit = pl.read_parquet(batch["audit"]).filter(
        pl.col("observation_id").is_in(fewer["observation_id"].implode())
    )
    artifacts.write(audit, batch["audit"], publish.BATCH["audit"])
    receipt = published(tmp_path, batch, read=1)
    assert receipt.counts["observations"] == len(rows_of(tmp_path)["observations"]) == 1
    assert replace(receipt).facts["run_id"]
