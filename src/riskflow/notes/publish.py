"""Publish the notes track: what passed the leak gate, and nothing else, as parquet and into the DuckDB warehouse.

All tables of a batch in one transaction, patients before encounters before observations, each with its keys and
foreign keys declared. Publishing the same batch again leaves the same rows.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from riskflow import artifacts
from riskflow.artifacts import Artifact, replacing
from riskflow.contracts.base import Contract
from riskflow.contracts.notes_redacted import AUDIT, LEAKS, PUBLISHED_TABLES
from riskflow.errors import RiskflowError
from riskflow.publish import warehouse
from riskflow.publish.registry import register, run_facts
from riskflow.quarantine import QUARANTINE
from riskflow.receipts import Receipt, load
from riskflow.resources import text
from riskflow.sharding import planned_files

BATCH: dict[str, Contract] = {**PUBLISHED_TABLES, "audit": AUDIT, "quarantine": QUARANTINE}
"""Table → contract of what is published, in the order in which it is loaded."""
_TOLD = 5


def refuse_unfit(observations: Path, notes_redacted: int) -> None:
    """Raise RiskflowError when a note is neither redacted nor withheld, or notes went missing on the way.

    `notes_redacted` is how many notes the redact stage read; each must be here, redacted or withheld.
    """
    bound = {"observations": str(observations)}
    with duckdb.connect() as connection:
        unfit = connection.execute(text(__package__, "publish_unfit.sql"), bound).fetchall()
        row = connection.execute(text(__package__, "publish_notes.sql"), bound).fetchone()
    if unfit:
        some = ", ".join(str(row[0]) for row in unfit[:_TOLD])
        raise RiskflowError(
            f"publish: {len(unfit)} notes are neither redacted nor withheld; nothing was published",
            f"look at these observations: {some}",
        )
    found = row[0] if row else 0
    if found != notes_redacted:
        raise RiskflowError(
            f"publish: {found} notes came, {notes_redacted} were redacted or withheld; nothing was published",
            "run the redact and deidentify stages again",
        )


def refuse_ungated(batch: Mapping[str, Artifact], findings: Path, gate: Receipt) -> None:
    """Raise RiskflowError unless the leak gate has read exactly these tables and found nothing."""
    if artifacts.read(findings, LEAKS).height:
        raise RiskflowError("publish: the leak gate has findings; nothing was published", f"see {findings}")
    read = {(artifact.contract, artifact.digest) for artifact in gate.inputs}
    missed = [name for name in PUBLISHED_TABLES if (batch[name].contract, batch[name].digest) not in read]
    if missed:
        raise RiskflowError(
            f"publish: the leak gate has not read these {', '.join(missed)}; nothing was published",
            "run the leak gate on this batch",
        )


def load_batch(
    connection: duckdb.DuckDBPyConnection, paths: Mapping[str, Path], run_id: str
) -> dict[str, int]:
    """Replace the tables of schema `notes` by a batch, inside the connection's transaction; return rows by table."""
    warehouse.execute_script(connection, text(__package__, "publish_tables.sql"))
    values = {"run_id": run_id, **{name: str(path) for name, path in paths.items()}}
    warehouse.execute_script(connection, text(__package__, "publish_rows.sql"), values)
    cursor = connection.execute(text(__package__, "publish_counts.sql"))
    names = [column[0] for column in cursor.description or []]
    return dict(zip(names, cursor.fetchone() or (), strict=True))


def run(
    *,
    patients: Path,
    encounters: Path,
    observations: Path,
    audit: Path,
    quarantine: Path,
    findings: Path,
    gate: Path,
    redacted: Path,
    plan: Path,
    receipts: list[Path],
    folder: Path,
    warehouse_file: Path,
) -> Receipt:
    """Publish a batch: into the warehouse file, and as `<folder>/<table>.parquet`.

    `findings` and `gate`: artifact and receipt of the leak gate; `redacted`: the folder with the receipts of the
    redact stage, of the shards that `plan` names; `receipts`: those of the other stages, for the run registry. Refuses
    a batch that the gate has not read as it is, and one with a note that is neither redacted nor withheld.
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
    names = shard_receipts(redacted, plan)
    shards = [load(path) for path in names]
    refuse_unfit(observations, sum(receipt.counts["read"] for receipt in shards))
    policy = next((str(receipt.facts["policy"]) for receipt in shards), "")
    facts = run_facts("notes", f"redaction {policy}", batch["observations"], [*receipts, *names])
    with warehouse.transaction(warehouse_file) as connection:
        counts = load_batch(connection, paths, facts.run_id)
        _assert_all_there(counts, batch)
        register(connection, facts)
    for name, path in paths.items():
        _copied(path, folder / f"{name}.parquet")
    withheld = _withheld(shards)
    return Receipt(
        counts=counts | {"withheld": len(withheld)},
        facts={"run_id": facts.run_id, "warehouse": str(warehouse_file), "withheld": withheld},
    )


def shard_receipts(folder: Path, plan: Path) -> list[Path]:
    """Return the receipts in a folder of the shards that the plan names."""
    return [path.with_suffix(".json") for path in planned_files(folder, plan)]


def _assert_all_there(counts: Mapping[str, int], batch: Mapping[str, Artifact]) -> None:
    wrong = [name for name, artifact in batch.items() if counts[name] != artifact.rows]
    if wrong:
        raise RiskflowError(
            f"publish: the warehouse would not hold all {', '.join(wrong)}; nothing was published"
        )


def _withheld(receipts: Sequence[Receipt]) -> list[list[str]]:
    """Return (pseudonym of the observation, reason) of every withheld note, sorted."""
    return sorted(entry for receipt in receipts for entry in receipt.facts["withheld"])


def _copied(source: Path, target: Path) -> None:
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)
