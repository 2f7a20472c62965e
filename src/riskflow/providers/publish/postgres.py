"""Publish the scores to PostgreSQL: table provider_risk_scores and the run registry."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import duckdb

from riskflow import artifacts, duck
from riskflow.config.providers import PublishStage
from riskflow.config.publish import PostgresSection
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


class PublishToPostgresStage(PublishStage):
    """Config of publishing to PostgreSQL: the keys of `providers.publish` and of `publish.postgres` together."""

    postgres: PostgresSection


def run(*, scores: Path, receipts: list[Path], config: PublishToPostgresStage) -> Receipt:
    """Publish a run's scores; a delta run leaves the other providers' rows alone.

    A run is as old as its youngest receipt: of two different runs, the one made later counts.
    """
    artifact = artifacts.checked(scores, SCORES)
    facts = run_facts("providers", config.scoring.method, artifact, receipts)
    made_at = max(datetime.fromisoformat(load(path).run["started"]) for path in receipts)
    whole = not config.delta.only and config.delta.newer_than is None
    with ExitStack() as open_until_done:

        def prepare() -> duckdb.DuckDBPyConnection:
            spill = open_until_done.enter_context(tempfile.TemporaryDirectory())
            source = open_until_done.enter_context(duck.connect(memory_limit="768MB", temp_directory=spill))
            source.execute(text(__package__ or "", "incoming.sql"), {"scores": str(scores)})
            execute_script(source, text(__package__ or "", "postgres_rows.sql"))
            return source

        counts = publish(config.postgres, SCORES_TABLE, prepare, Run(facts, made_at, whole))
    return Receipt(
        counts=counts, facts={"run_id": facts.run_id, "made_at": made_at.isoformat(), "whole": whole}
    )
