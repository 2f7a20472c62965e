"""Bring a PostgreSQL table up to a run's rows: what differs is sent in one transaction and compared before commit."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from typing import Any

import duckdb
import polars as pl
import psycopg
from psycopg import sql

from riskflow.config.publish import PostgresSection
from riskflow.errors import RiskflowError
from riskflow.publish.postgres import connected, retried
from riskflow.publish.postgres_copy import ahead, csv_bytes
from riskflow.publish.registry import RunFacts
from riskflow.resources import text

log = logging.getLogger("riskflow")

ROWS_PER_CHUNK = 50_000
MIGRATIONS_TABLE = "riskflow_migrations"


@dataclass(frozen=True)
class SqlFile:
    """A .sql file beside a module."""

    package: str
    name: str

    def text(self) -> str:
        """Return its text."""
        return text(self.package, self.name)


REGISTRY = SqlFile("riskflow.publish", "postgres_0001_registry.sql")


@dataclass(frozen=True)
class Table:
    """A published table: its name and key in PostgreSQL, its migrations in order, and what is summed to compare.

    `totals` is a SELECT list without FROM that PostgreSQL and DuckDB both understand and answer exactly
    (counts, sums of integers and decimals), `rows` first and `hashes`, the sum of row_hash, second.
    """

    name: str
    key: str
    migrations: tuple[SqlFile, ...]
    totals: SqlFile


@dataclass(frozen=True)
class Run:
    """The run to publish: registry facts, when it was made, and whether it has every row there is (not a delta)."""

    facts: RunFacts
    made_at: datetime
    whole: bool


def publish(
    section: PostgresSection, table: Table, prepare: Callable[[], duckdb.DuckDBPyConnection], run: Run
) -> dict[str, int]:
    """Publish the rows of `rows_to_publish` (publish_key, row_hash, and the table's columns) in DuckDB.

    All of it happens in one transaction under an advisory lock: migrations, the rows that differ, the rows that
    are gone (of whole runs), the registry. Readers see the old run or the new one. A run that was already
    published changes nothing (and is not even prepared); one that is older than what is there is refused.
    Returns counts: rows, written, removed, no_op. Raises RiskflowError; then nothing was published.
    """
    prepared = cache(prepare)
    return retried(lambda: _publish_once(section, table, prepared, run), section, f"publishing {table.name}")


def _publish_once(
    section: PostgresSection, table: Table, prepared: Callable[[], duckdb.DuckDBPyConnection], run: Run
) -> dict[str, int]:
    with connected(section) as connection:
        _enter(connection, section)
        migrate(connection, (REGISTRY, *table.migrations))
        if _is_published(connection, table, run):
            return {"rows": run.facts.rows, "written": 0, "removed": 0, "no_op": 1}
        with prepared().cursor() as source:  # a cursor: a try that was broken off leaves no result open
            counts, totals = _bring_up_to(connection, table, source, run, section.history)
        _register(connection, table, run, totals)
    return {"rows": totals[0], **counts, "no_op": 0}


def _bring_up_to(
    connection: psycopg.Connection, table: Table, source: duckdb.DuckDBPyConnection, run: Run, history: bool
) -> tuple[dict[str, int], tuple[int, ...]]:
    """Make the table hold the run's rows and return counts and totals; what is read back must be what was sent."""
    counts = _write_difference(connection, table, source, run, history, trust_hashes=True)
    totals = _totals(connection, table, source, run)
    if totals is None:  # rows were changed by hand: their hashes no longer tell their content
        again = _write_difference(connection, table, source, run, history, trust_hashes=False)
        counts = {name: counts[name] + again[name] for name in counts}
        totals = _totals(connection, table, source, run)
    if totals is None:
        raise RiskflowError(
            f"{table.name}: what was read back is not what was sent; nothing was published",
            "a trigger or a rule on the table may change rows: remove it",
        )
    return counts, totals


def _enter(connection: psycopg.Connection, section: PostgresSection) -> None:
    """Wait for other publishers of the schema, then work inside it."""
    wait = sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(section.wait_seconds * 1000))
    connection.execute(wait)
    lock = int.from_bytes(
        hashlib.sha256(f"riskflow:{section.schema_name}".encode()).digest()[:8], "big", signed=True
    )
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
    usable = "SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = %s"
    found = connection.execute(usable, [section.schema_name]).fetchone()
    schema = sql.Identifier(section.schema_name)
    if found is None:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
    elif not found[0]:
        raise RiskflowError(
            f"user {section.user} may not use the schema {section.schema_name}",
            "GRANT it: see docs/postgres_roles.sql",
        )
    connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(schema))
    connection.execute("SET LOCAL client_encoding TO 'UTF8'")


def migrate(connection: psycopg.Connection, migrations: Sequence[SqlFile]) -> list[str]:
    """Apply the migrations that the current schema does not have yet, in order; return their names.

    A migration that was applied and whose file is another one now is an error: history is not rewritten.
    """
    known = _applied(connection)
    applied = []
    for migration in migrations:
        content = migration.text()
        digest = hashlib.sha256(content.encode()).hexdigest()
        if migration.name in known:
            if known[migration.name] != digest:
                raise RiskflowError(
                    f"migration {migration.name} was applied with other content than it has now",
                    "put the file back and add a new one with the next number",
                )
            continue
        connection.execute(content)
        insert = "INSERT INTO riskflow_migrations (name, sha256) VALUES (%s, %s)"
        connection.execute(insert, [migration.name, digest])
        applied.append(migration.name)
    return applied


def _applied(connection: psycopg.Connection) -> dict[str, str]:
    if connection.execute("SELECT to_regclass(%s)", [MIGRATIONS_TABLE]).fetchone() == (None,):
        return {}
    return dict(connection.execute("SELECT name, sha256 FROM riskflow_migrations").fetchall())


def _is_published(connection: psycopg.Connection, table: Table, run: Run) -> bool:
    """Return whether the table holds this run; raise when it holds a newer one."""
    query = "SELECT run_id, made_at FROM published_tables WHERE table_name = %s"
    found = connection.execute(query, [table.name]).fetchone()
    if found is None:
        return False
    if found[0] == run.facts.run_id:
        count = sql.SQL(
            "SELECT rows_published = (SELECT count(*) FROM {}) FROM published_tables WHERE table_name = %s"
        )
        answer = connection.execute(count.format(sql.Identifier(table.name)), [table.name]).fetchone()
        return answer == (True,)
    if found[1] > run.made_at:
        raise RiskflowError(
            f"{table.name} holds run {found[0]} of {found[1]:%Y-%m-%d %H:%M:%S %Z}, which is newer than this run "
            f"({run.facts.run_id} of {run.made_at:%Y-%m-%d %H:%M:%S %Z})",
            "to go back to it on purpose, delete the table's row in published_tables first",
        )
    return False


def _write_difference(
    connection: psycopg.Connection,
    table: Table,
    source: duckdb.DuckDBPyConnection,
    run: Run,
    history: bool,
    trust_hashes: bool,
) -> dict[str, int]:
    """Send the rows that are new or differ, and remove those that are gone."""
    held = _held(connection, table)
    source.register("held", held if trust_hashes else held.with_columns(row_hash=pl.lit(None, pl.Int64)))
    gone = _rows(source, text(__package__ or "", "postgres_gone.sql")) if run.whole else held.clear()
    outgoing = source.sql(text(__package__ or "", "postgres_outgoing.sql")).to_arrow_reader(ROWS_PER_CHUNK)
    chunks = (pl.DataFrame(batch) for batch in outgoing)
    first = next(chunks, None)
    columns = [] if first is None else first.columns
    _check_columns(connection, table, columns)
    if held.is_empty():
        written = 0 if first is None else _copy(connection, table.name, _with_run(_all(first, chunks), run))
        return {"written": written, "removed": 0}
    written = 0 if first is None else _upsert(connection, table, columns, _all(first, chunks), run, history)
    removed = _remove(connection, table, gone["publish_key"], run, history)
    return {"written": written, "removed": removed}


def _rows(source: duckdb.DuckDBPyConnection, query: str) -> pl.DataFrame:
    return pl.DataFrame(source.sql(query).to_arrow_table())


def _all(first: pl.DataFrame, rest: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    yield first
    yield from rest


def _with_run(frames: Iterator[pl.DataFrame], run: Run) -> Iterator[pl.DataFrame]:
    for frame in frames:
        yield frame.with_columns(run_id=pl.lit(run.facts.run_id), updated_at=pl.lit("now"))


def _held(connection: psycopg.Connection, table: Table) -> pl.DataFrame:
    """Return publish_key and row_hash of the rows that the table holds."""
    query = sql.SQL("COPY (SELECT {}, row_hash FROM {}) TO STDOUT (FORMAT csv)")
    statement = query.format(sql.Identifier(table.key), sql.Identifier(table.name))
    buffer = io.BytesIO()
    with connection.cursor().copy(statement) as copy:
        for block in copy:
            buffer.write(block)
    schema = {"publish_key": pl.String, "row_hash": pl.Int64}
    if not buffer.tell():
        return pl.DataFrame(schema=schema)
    buffer.seek(0)
    return pl.read_csv(buffer, has_header=False, schema=schema)


def _check_columns(connection: psycopg.Connection, table: Table, columns: Sequence[str]) -> None:
    """Say which columns the table lacks, or has in another type than its migrations gave it."""
    shape = text(__package__ or "", "postgres_shape.sql")
    found: dict[str, str] = dict(connection.execute(shape, {"table": table.name}).fetchall())
    wanted = _migrated_shape(connection, table)
    missing = [name for name in columns if name not in found]
    changed = [
        f"{name} is {found[name]}, not {kind}"
        for name, kind in wanted.items()
        if found.get(name, kind) != kind
    ]
    if missing or changed:
        faults = [f"missing columns: {', '.join(missing)}"] * bool(missing) + changed
        raise RiskflowError(
            f"the table {table.name} was changed: {'; '.join(faults)}",
            "put it back, or drop the schema and publish again: riskflow makes the table",
        )


def _migrated_shape(connection: psycopg.Connection, table: Table) -> dict[str, str]:
    """Return column → type as riskflow's migration made them, from the history table that is made with it."""
    shape = text(__package__ or "", "postgres_shape.sql")
    return dict(connection.execute(shape, {"table": f"{table.name}_history"}).fetchall())


def _copy(connection: psycopg.Connection, target: str, frames: Iterator[pl.DataFrame]) -> int:
    """COPY frames of the same columns into a table; return the rows."""
    rows, first = 0, next(frames)
    columns = sql.SQL(", ").join(map(sql.Identifier, first.columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(sql.Identifier(target), columns)
    with connection.cursor().copy(statement) as copy:
        for content, count in ahead((csv_bytes(frame), frame.height) for frame in _all(first, frames)):
            copy.write(content)
            rows += count
            log.info("%s: %s rows sent", target, f"{rows:,}")
    return rows


def _upsert(
    connection: psycopg.Connection,
    table: Table,
    columns: Sequence[str],
    frames: Iterator[pl.DataFrame],
    run: Run,
    history: bool,
) -> int:
    staging = f"{table.name}_staging"
    names = {
        "staging": sql.Identifier(staging),
        "table": sql.Identifier(table.name),
        "key": sql.Identifier(table.key),
    }
    named = sql.SQL(", ").join(map(sql.Identifier, columns))
    connection.execute(
        sql.SQL("CREATE TEMP TABLE {staging} ON COMMIT DROP AS SELECT {columns} FROM {table} LIMIT 0").format(
            columns=named, **names
        )
    )
    rows = _copy(connection, staging, frames)
    if history:
        keys = sql.SQL("SELECT {key} FROM {staging}").format(**names)
        _remember(connection, table, keys, [], run)
    changes = sql.SQL(", ").join(
        sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name))
        for name in (*columns, "run_id", "updated_at")
        if name != table.key
    )
    connection.execute(
        sql.SQL(
            "INSERT INTO {table} ({columns}, run_id, updated_at) SELECT {columns}, %s, now() FROM {staging} "
            "ON CONFLICT ({key}) DO UPDATE SET {changes}"
        ).format(columns=named, changes=changes, **names),
        [run.facts.run_id],
    )
    connection.execute(sql.SQL("DROP TABLE {staging}").format(**names))
    return rows


def _remove(connection: psycopg.Connection, table: Table, keys: pl.Series, run: Run, history: bool) -> int:
    if keys.is_empty():
        return 0
    gone = [keys.to_list()]
    if history:
        _remember(connection, table, sql.SQL("SELECT unnest(%s::text[])"), gone, run)
    delete = sql.SQL("DELETE FROM {} WHERE {} = ANY(%s)")
    return connection.execute(
        delete.format(sql.Identifier(table.name), sql.Identifier(table.key)), gone
    ).rowcount


def _remember(
    connection: psycopg.Connection, table: Table, keys: sql.Composable, values: list[list[str]], run: Run
) -> None:
    """Copy the rows that are about to be replaced into the history table."""
    statement = sql.SQL(
        "INSERT INTO {history} SELECT t.*, %s, now() FROM {table} AS t WHERE t.{key} IN ({keys})"
    )
    names = {"history": f"{table.name}_history", "table": table.name, "key": table.key}
    composed = statement.format(keys=keys, **{name: sql.Identifier(value) for name, value in names.items()})
    connection.execute(composed, [run.facts.run_id, *values])


def _totals(
    connection: psycopg.Connection, table: Table, source: duckdb.DuckDBPyConnection, run: Run
) -> tuple[int, ...] | None:
    """Return the totals of the table when they are those of the incoming rows, else None.

    For a delta run, both are taken over the run's own rows.
    """
    (wanted,) = source.sql(table.totals.text() + " FROM rows_to_publish").fetchall()
    base = sql.SQL(table.totals.text() + " FROM {}").format(sql.Identifier(table.name))
    if run.whole:
        found = connection.execute(base).fetchone()
    else:
        keys = _rows(source, "SELECT publish_key FROM rows_to_publish")["publish_key"].to_list()
        chosen = sql.SQL("{} WHERE {} = ANY(%s)").format(base, sql.Identifier(table.key))
        found = connection.execute(chosen, [keys]).fetchone()
    if found is None or _scaled(wanted) != _scaled(found):
        return None
    return _scaled(found)


def _scaled(values: Sequence[Any]) -> tuple[int, ...]:
    """Return exact numbers of up to four decimal places as integers; the first, the count of rows, as it is."""
    return (int(values[0]), *(int(value * 10_000) for value in values[1:]))


def _register(connection: psycopg.Connection, table: Table, run: Run, totals: tuple[int, ...]) -> None:
    package = __package__ or ""
    connection.execute(text(package, "postgres_register.sql"), asdict(run.facts) | {"made_at": run.made_at})
    values = {"table": table.name, "run_id": run.facts.run_id, "made_at": run.made_at, "rows": totals[0]}
    digest = hashlib.sha256(repr(totals).encode()).hexdigest()
    connection.execute(text(package, "postgres_published.sql"), values | {"digest": digest})
