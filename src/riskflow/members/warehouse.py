"""Publish the members track into the DuckDB warehouse: all of a run in one transaction, or nothing of it.

A table's rows of a run are replaced only when their content changed, so publishing again writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import polars as pl

from riskflow import artifacts, resources
from riskflow.config.members_runs import MembersPublishStage, MembersRunsSection
from riskflow.contracts.base import Contract
from riskflow.contracts.members_runs import (
    COMPARISON,
    DECOMPOSITION,
    DEFINITIONS,
    SCENARIOS,
    TRANSFER_POOLS,
    TRANSFERS,
)
from riskflow.contracts.members_scores import REJECTED, SCORES
from riskflow.contracts.members_sources import SPANS
from riskflow.errors import RiskflowError
from riskflow.members.record import runs_of
from riskflow.members.registry import Run, finish_within, prepare, start_within
from riskflow.publish.warehouse import execute_script, transaction
from riskflow.receipts import Receipt


@dataclass(frozen=True)
class Target:
    """A warehouse table: the script that replaces a run's rows, and the contract of the artifact it reads.

    `beside` are tables that the script fills from the same artifact, each with its key.
    """

    script: str
    contract: Contract
    beside: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, ...]:
        """The key of the table: the contract's within a run."""
        return ("run_id", *self.contract.key)


TARGETS = {
    "main_runs.risk_scores": Target("publish_scores.sql", SCORES),
    "main_intermediate.enrolment_spans": Target("publish_spans.sql", SPANS),
    "main_intermediate.rejected_evidence": Target(
        "publish_rejected.sql", REJECTED, {"main_intermediate.unpaid_codes": ("run_id", "kind", "code")}
    ),
    "main_analytics.run_comparison": Target("publish_comparison.sql", COMPARISON),
    "main_analytics.decomposition": Target("publish_decomposition.sql", DECOMPOSITION),
    "main_analytics.decomposition_definitions": Target("publish_definitions.sql", DEFINITIONS),
    "main_analytics.decomposition_scenarios": Target("publish_scenarios.sql", SCENARIOS),
    "main_analytics.transfers": Target("publish_transfers.sql", TRANSFERS),
    "main_analytics.transfer_pools": Target("publish_transfer_pools.sql", TRANSFER_POOLS),
}


def publish(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    run_id: str,
    path: Path,
    values: Mapping[str, object] | None = None,
) -> int:
    """Bring a table up to a run's artifact, inside a transaction; return how many rows were written.

    `values` are the further columns that the table's script binds.
    """
    target = TARGETS[table]
    artifact = artifacts.checked(path, target.contract)
    key = {"table_name": table, "run_id": run_id}
    known = connection.execute(resources.text(__package__, "publish_find.sql"), key).fetchone()
    if known == (artifact.digest, artifact.rows):
        return 0
    bound = {"run_id": run_id, "path": str(path), **(values or {})}
    execute_script(connection, resources.text(__package__, target.script), bound)
    inserted = connection.fetchone()  # the scripts end with the INSERT into their table
    note = {**key, "digest": artifact.digest, "rows": artifact.rows}
    connection.execute(resources.text(__package__, "publish_note.sql"), note)
    return int(inserted[0]) if inserted else 0


def own_run(recorded: Sequence[Run]) -> Run:
    """Return the run that a RUN artifact is of; the others are the scenarios of a decomposition."""
    return next((one for one in recorded if one.identity.analysis_type != "scoring"), recorded[0])


def publish_run(
    connection: duckdb.DuckDBPyConnection, run: Path, tables: Sequence[Path], section: MembersRunsSection
) -> dict[str, int]:
    """Bring the tables of one run up to date, record its runs as completed, and return table → rows written.

    `run` is the RUN artifact: the run's own row, and for a decomposition those of its scenarios. `tables` are
    artifacts of the contracts in TARGETS; each contract has one table.
    """
    recorded = runs_of(run, section)
    own = own_run(recorded)
    run_id = own.identity.run_id
    values = _bound(own.identity.config)
    for one in recorded:
        start_within(connection, one)
    written = {}
    for path in tables:
        table = table_of(path)
        written[table] = publish(connection, table, run_id, path, values)
    for one in recorded:
        finish_within(connection, one.identity.run_id, "completed")
    return written


def run(
    *,
    current: Path,
    current_tables: list[Path],
    warehouse_file: Path,
    config: MembersPublishStage,
    prior: Path | None = None,
    prior_tables: list[Path],
    comparison: Path | None = None,
    comparison_tables: list[Path],
    decomposition: Path | None = None,
    decomposition_tables: list[Path],
) -> Receipt:
    """Publish everything of one workflow run in one transaction: each RUN artifact with its tables.

    Without prior members there are no runs but the current one, and the other lists are empty.
    """
    parts = {
        "current": (current, current_tables),
        "prior": (prior, prior_tables),
        "comparison": (comparison, comparison_tables),
        "decomposition": (decomposition, decomposition_tables),
    }
    counts: dict[str, int] = {}
    with transaction(warehouse_file) as connection:
        execute_script(connection, resources.text(__package__, "publish_settings.sql"))
        prepare(connection)
        for path, tables in parts.values():
            if path is not None:
                for table, rows in publish_run(connection, path, tables, config.runs).items():
                    counts[table] = counts.get(table, 0) + rows
    runs = {name: runs_of(path, config.runs) for name, (path, _) in parts.items() if path is not None}
    return Receipt(
        counts=counts,
        facts={"runs": {name: [one.identity.run_id for one in found][-1] for name, found in runs.items()}},
    )


def _bound(config: Mapping[str, object]) -> dict[str, object]:
    names = ("run_id_a", "run_id_b", "population")
    return {name: config[name] for name in names if name in config}


def table_of(path: Path) -> str:
    """Return the table that takes an artifact."""
    contract = pl.read_parquet_metadata(path).get("riskflow.contract")
    for table, target in TARGETS.items():
        if target.contract.name == contract:
            return table
    raise RiskflowError(
        f"{path} is {contract or 'no riskflow artifact'}, which the warehouse has no table for",
        f"it takes {', '.join(sorted(target.contract.name for target in TARGETS.values()))}",
    )
