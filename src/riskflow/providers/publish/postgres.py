"""Publish the scores to PostgreSQL: table provider_risk_scores and the run registry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from riskflow import artifacts
from riskflow.config.providers import PublishStage
from riskflow.config.publish import PostgresSection
from riskflow.contracts.providers_scores import SCORES
from riskflow.publish.postgres_tables import Part, Run, SqlFile, Table, made_at, publish
from riskflow.publish.registry import run_facts
from riskflow.publish.warehouse import scratch_database
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
        unhashed=("risk_score", "r_raw", "components"),
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

    @contextmanager
    def rows() -> Iterator[duckdb.DuckDBPyConnection]:
        with scratch_database() as source:
            source.execute(text(__package__ or "", "scores_rows.sql"))
            source.table_function("scores_rows", [str(scores)]).create_view("scores_to_publish")
            yield source

    parts = [scores_part(config.postgres)]
    counts = publish(config.postgres, parts, rows, Run(facts, made, whole))
    return Receipt(counts=counts, facts={"run_id": facts.run_id, "made_at": made.isoformat(), "whole": whole})
