"""Publish the members track to PostgreSQL: the schemas of the warehouse, several runs side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from riskflow import artifacts, resources
from riskflow.artifacts import Artifact
from riskflow.config.members_runs import MembersPublishStage, MembersRunsSection
from riskflow.config.publish import PostgresSection
from riskflow.contracts.members_scores import SCORES
from riskflow.members.record import runs_of
from riskflow.members.registry import prepare
from riskflow.members.warehouse import TARGETS, own_run, publish_run, table_of
from riskflow.publish.postgres_tables import Part, Run, SqlFile, Table, made_at, publish
from riskflow.publish.registry import RunFacts, run_facts
from riskflow.publish.warehouse import scratch_database
from riskflow.receipts import Receipt

Runs = Mapping[Path, Sequence[Path]]
"""RUN artifact → the artifacts of its tables."""

_PACKAGE = "riskflow.members"
_MIGRATIONS = {
    "runs": (SqlFile(_PACKAGE, "postgres_0001_runs.sql"),),
    "intermediate": (
        SqlFile(_PACKAGE, "postgres_0001_intermediate.sql"),
        SqlFile(_PACKAGE, "postgres_0002_intermediate.sql"),
    ),
    "analytics": (SqlFile(_PACKAGE, "postgres_0001_analytics.sql"),),
}
_WHO_RAN = ("run_timestamp", "git_branch", "git_commit", "git_clean", "git_commit_date", "owner")


class MembersPostgresStage(MembersPublishStage):
    """Config of publishing to PostgreSQL: the keys of `members.runs` and of `publish.postgres` together."""

    postgres: PostgresSection


def parts_of(runs: Runs, config: MembersPostgresStage) -> list[Part]:
    """Return what is published: the runs themselves, then the rows of each table and run."""
    registry = _table("main_runs.run_registry", ("run_id",), config.postgres)
    recorded = {path: runs_of(path, config.runs) for path in runs}
    parts = [
        Part(registry, "main_runs.run_rows", one.identity.run_id)
        for found in recorded.values()
        for one in found
    ]
    for path, tables in runs.items():
        run_id = own_run(recorded[path]).identity.run_id
        for name in map(table_of, tables):
            filled = {name: TARGETS[name].key, **TARGETS[name].beside}
            parts += [Part(_table(one, key, config.postgres), one, run_id) for one, key in filled.items()]
    return list(dict.fromkeys(parts))


def _table(name: str, key: tuple[str, ...], section: PostgresSection) -> Table:
    schema, _, table = name.partition(".")
    group = schema.removeprefix("main_")
    unhashed = _WHO_RAN if table == "run_registry" else ()
    return Table(
        f"{section.members_schema}_{group}", table, key, _MIGRATIONS[group], scope="run_id", unhashed=unhashed
    )


def fill(
    connection: duckdb.DuckDBPyConnection, runs: Runs, section: MembersRunsSection, made: datetime
) -> None:
    """Make the tables in DuckDB, as the warehouse has them."""
    prepare(connection)
    for path, tables in runs.items():
        publish_run(connection, path, tables, section)
    when = {"made_at": made.astimezone(UTC).replace(tzinfo=None)}
    connection.execute(resources.text(__package__, "postgres_run_rows.sql"), when)


def run(
    *,
    current: Path,
    current_tables: list[Path],
    receipts: list[Path],
    config: MembersPostgresStage,
    prior: Path | None = None,
    prior_tables: list[Path],
    comparison: Path | None = None,
    comparison_tables: list[Path],
    decomposition: Path | None = None,
    decomposition_tables: list[Path],
) -> Receipt:
    """Publish everything of one workflow run in one transaction, as `warehouse.run` does; rows of other runs stay.

    `receipts`: those of the stages, which say what was run and when.
    """
    named = {
        current: current_tables,
        prior: prior_tables,
        comparison: comparison_tables,
        decomposition: decomposition_tables,
    }
    runs = {path: tables for path, tables in named.items() if path is not None}
    facts, made = _facts(runs, receipts), made_at(receipts)

    @contextmanager
    def rows() -> Iterator[duckdb.DuckDBPyConnection]:
        with scratch_database() as source:
            fill(source, runs, config.runs, made)
            yield source

    counts = publish(config.postgres, parts_of(runs, config), rows, Run(facts, made))
    return Receipt(counts=counts, facts={"run_id": facts.run_id, "made_at": made.isoformat()})


def _facts(runs: Runs, receipts: Sequence[Path]) -> RunFacts:
    """Return the facts of the workflow's run; its id follows from the content of every table, too."""
    scores = next(path for path in next(iter(runs.values())) if table_of(path) == "main_runs.risk_scores")
    year = artifacts.read(scores, SCORES, ["benefit_year", "vintage"]).head(1).rows()
    method = " ".join(map(str, ("HHS-HCC", *(year[0] if year else ()))))
    found = [
        artifacts.checked(path, TARGETS[table_of(path)].contract)
        for tables in runs.values()
        for path in tables
    ]
    content = hashlib.sha256("".join(artifact.digest for artifact in found).encode()).hexdigest()
    whole = Artifact(str(scores), SCORES.name, sum(artifact.rows for artifact in found), content)
    return run_facts("members", method, whole, receipts)
