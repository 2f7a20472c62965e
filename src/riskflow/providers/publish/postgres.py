"""Publish the scores to PostgreSQL: table provider_risk_scores and the run registry."""

from __future__ import annotations

import json
import tempfile
from datetime import datetime
from pathlib import Path

import duckdb

from riskflow import artifacts
from riskflow.config.publish import PostgresStage
from riskflow.contracts.providers_scores import SCORES
from riskflow.publish.postgres_tables import Run, SqlFile, Table, publish
from riskflow.publish.registry import run_facts
from riskflow.publish.warehouse import execute_script
from riskflow.receipts import Receipt, load
from riskflow.resources import text

_PACKAGE = "riskflow.providers.publish"
SCORES_TABLE = Table(
    name="provider_risk_scores",
    key="npi",
    migrations=(SqlFile(_PACKAGE, "postgres_0001_scores.sql"),),
    totals=SqlFile(_PACKAGE, "postgres_totals.sql"),
)


def run(*, scores: Path, receipts: list[Path], config: PostgresStage) -> Receipt:
    """Publish a run's scores; a delta run (as its receipts say) leaves the other providers' rows alone."""
    artifact = artifacts.checked(scores, SCORES)
    stages = [load(path) for path in receipts]
    params = {
        name: json.loads(value)
        for stage in stages
        for name, value in stage.params.items()
        if name.startswith("config.")
    }
    facts = run_facts("providers", params.get("config.scoring.method", ""), artifact, receipts)
    made_at = max(datetime.fromisoformat(stage.run["started"]) for stage in stages)
    whole = not params.get("config.delta.only") and params.get("config.delta.newer_than") is None
    with (
        tempfile.TemporaryDirectory() as spill,
        duckdb.connect(config={"memory_limit": "1GB", "temp_directory": spill}) as source,
    ):
        source.execute(text(__package__ or "", "incoming.sql"), {"scores": str(scores)})
        execute_script(source, text(__package__ or "", "postgres_rows.sql"))
        counts = publish(config.postgres, SCORES_TABLE, source, Run(facts, made_at, whole))
    return Receipt(
        counts=counts, facts={"run_id": facts.run_id, "made_at": made_at.isoformat(), "whole": whole}
    )
