"""Publish the notes track to PostgreSQL: what the leak gate passed, in the order of its foreign keys."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb

from riskflow import artifacts
from riskflow.artifacts import Artifact
from riskflow.config.publish import PostgresSection, PostgresStage
from riskflow.errors import RiskflowError
from riskflow.notes.publish import BATCH, load_batch, refuse_ungated
from riskflow.publish.postgres_tables import Part, Run, SqlFile, Table, made_at, publish
from riskflow.publish.registry import RunFacts, run_facts
from riskflow.publish.warehouse import execute_script, scratch_database
from riskflow.receipts import Receipt, load
from riskflow.resources import text

_MIGRATIONS = (SqlFile("riskflow.notes", "postgres_0001_notes.sql"),)


def parts_of(section: PostgresSection) -> list[Part]:
    """Return what is published: each table after those that it refers to."""
    return [
        Part(Table(section.notes_schema, name, contract.key, _MIGRATIONS), f"{name}_to_publish")
        for name, contract in BATCH.items()
    ]


def fill(connection: duckdb.DuckDBPyConnection, paths: Mapping[str, Path]) -> None:
    """Make the tables in DuckDB, as the warehouse has them."""
    load_batch(connection, paths, "")
    execute_script(connection, text(__package__, "postgres_rows.sql"))


def run(
    *,
    patients: Path,
    encounters: Path,
    observations: Path,
    audit: Path,
    quarantine: Path,
    findings: Path,
    gate: Path,
    published: Path,
    receipts: list[Path],
    config: PostgresStage,
) -> Receipt:
    """Publish a batch in one transaction; it replaces the batch before.

    Fails closed: only tables that the leak gate has read as they are, and that `publish.run` has then published
    (`published` is its receipt), with every note redacted or withheld, go on. `receipts`: those of the other stages.
    """
    paths = {
        "patients": patients,
        "encounters": encounters,
        "observations": observations,
        "audit": audit,
        "quarantine": quarantine,
    }
    batch = {name: artifacts.checked(path, BATCH[name]) for name, path in paths.items()}
    refuse_ungated(batch, findings, load(gate))
    refuse_unpublished(batch, load(published))
    facts, made = _facts(batch, receipts), made_at(receipts)

    @contextmanager
    def rows() -> Iterator[duckdb.DuckDBPyConnection]:
        with scratch_database() as source:
            fill(source, paths)
            yield source

    counts = publish(config.postgres, parts_of(config.postgres), rows, Run(facts, made))
    return Receipt(counts=counts, facts={"run_id": facts.run_id, "made_at": made.isoformat()})


def refuse_unpublished(batch: Mapping[str, Artifact], published: Receipt) -> None:
    """Raise RiskflowError unless exactly these tables were published before, as parquet and into the warehouse."""
    read = {(artifact.contract, artifact.digest) for artifact in published.inputs}
    missed = [name for name, artifact in batch.items() if (artifact.contract, artifact.digest) not in read]
    if missed:
        raise RiskflowError(
            f"publish: these {', '.join(missed)} are not those that notes_publish has published; nothing was changed",
            "run the workflow again: it publishes them first",
        )


def _facts(batch: Mapping[str, Artifact], receipts: list[Path]) -> RunFacts:
    """Return the facts of the run; its id follows from the content of every table, too."""
    content = hashlib.sha256("".join(artifact.digest for artifact in batch.values()).encode()).hexdigest()
    rows = sum(artifact.rows for artifact in batch.values())
    whole = Artifact(batch["observations"].path, batch["observations"].contract, rows, content)
    return run_facts("notes", "redaction", whole, receipts)
