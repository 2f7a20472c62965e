"""Publish the scores to PostgreSQL: table provider_risk_scores and the run registry."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import duckdb

from riskflow import artifacts
from riskflow.config.providers import PublishStage
from riskflow.config.publish import PostgresSection
from riskflow.contracts.providers_scores import SCORES
from riskflow.publish.postgres_tables import Part, Run, SqlFile, Table, made_at, publish
from riskflow.publish.registry import run_facts
from riskflow.publish.warehouse import execute_script, scratch_database
from riskflow.receipts import Receipt
from riskflow.resources import text

_PACKAGE = "riskflow.providers.publish"


def scores_part(section: PostgresSection) -> Part:
    """Return what is published: provider_risk_scores."""
    table = Table(
        schema=section.schema_name,
        name="provider_risk_scores",
        key=("npi",),
        migrations=(SqlFile(_PACKAGE, "postgres_0001_scores.sql"),),
        totals=SqlFile(_PACKAGE, "postgres_totals.sql"),
        history=True,
    )
    return Part(table, "scores_to_publish")


class PublishToPostgresStage(PublishStage):
    """Config of publishing to PostgreSQL: the keys of `providers.publish` and of `publish.postgres` together."""

    postgres: PostgresSection


def run(*, scores: Path, receipts: list[Path], config: PublishToPostgresStage) -> Receipt:
    """Publish a run's scores; a delta run leaves the other providers' rows alone.

    A run is as old as its youngest receipt: of two different runs, the one made later counts.
    """
    artifact = artifacts.checked(scores, SCORES)
    facts = run_facts("providers", config.scoring.method, artifact, receipts)
    made = made_at(receipts)
    whole = not config.delta.only and config.delta.newer_than is None
    with ExitStack() as open_until_done:

        def prepare() -> duckdb.DuckDBPyConnection:
            source = open_until_done.enter_context(scratch_database())
            source.execute(text(__package__ or "", "incoming.sql"), {"scores": str(scores)})
            execute_script(source, text(__package__ or "", "postgres_rows.sql"))
            return source

        parts = [scores_part(config.postgres)]
        counts = publish(config.postgres, parts, prepare, Run(facts, made, whole))
    return Receipt(counts=counts, facts={"run_id": facts.run_id, "made_at": made.isoformat(), "whole": whole})
