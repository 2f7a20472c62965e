"""Publish the scores into the DuckDB warehouse: provider_risk_scores and the run registry, in one transaction."""

from __future__ import annotations

from pathlib import Path

import duckdb

from riskflow import artifacts
from riskflow.config.providers import PublishStage
from riskflow.contracts.providers_scores import SCORES
from riskflow.errors import RiskflowError
from riskflow.publish import warehouse
from riskflow.publish.registry import RunFacts, register, run_facts
from riskflow.receipts import Receipt
from riskflow.resources import text


def publish(
    connection: duckdb.DuckDBPyConnection, scores: Path, run_id: str, *, whole: bool
) -> dict[str, int]:
    """Bring provider_risk_scores up to the rows of a scores artifact, inside the connection's transaction.

    `whole`: the run scored everybody, so rows of providers that it does not have are removed; a delta run
    leaves them. Returns counts: incoming, found, in_table, distinct_npis, changed. Raises RiskflowError,
    before anything is committed, when the table does not hold exactly what came in.
    """
    package = __package__ or ""
    warehouse.execute_script(connection, text(package, "create.sql"))
    connection.execute(text(package, "scores_rows.sql"))
    connection.execute(text(package, "incoming.sql"), {"scores": str(scores)})
    warehouse.execute_script(connection, text(package, "upsert.sql"), {"whole": whole, "run_id": run_id})
    cursor = connection.execute(text(package, "verify.sql"))
    names = [column[0] for column in cursor.description or []]
    counts: dict[str, int] = dict(zip(names, cursor.fetchone() or (), strict=True))
    if not (
        counts["found"] == counts["incoming"]
        and counts["in_table"] == counts["distinct_npis"]
        and (not whole or counts["in_table"] == counts["incoming"])
    ):
        raise RiskflowError(
            f"publish: the table would hold {counts['in_table']} rows ({counts['distinct_npis']} NPIs), "
            f"{counts['found']} of the {counts['incoming']} that came in; nothing was published",
            "another program may have written to provider_risk_scores; look at it before publishing again",
        )
    return counts


def run(*, scores: Path, receipts: list[Path], warehouse_file: Path, config: PublishStage) -> Receipt:
    """Publish a run into the warehouse file."""
    artifact = artifacts.checked(scores, SCORES)
    facts: RunFacts = run_facts("providers", config.scoring.method, artifact, receipts)
    whole = not config.delta.only and config.delta.newer_than is None
    with warehouse.transaction(warehouse_file) as connection:
        counts = publish(connection, scores, facts.run_id, whole=whole)
        register(connection, facts)
    return Receipt(
        counts=counts, facts={"run_id": facts.run_id, "warehouse": str(warehouse_file), "whole": whole}
    )
