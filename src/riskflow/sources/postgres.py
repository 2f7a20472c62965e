"""PostgreSQL as a source: tables to parquet in one snapshot, with flat memory, whole or by what changed.

All tables of an export are of one repeatable-read snapshot. A table with an `updated_column` leaves a watermark, the
newest time seen; the next export reads the rows from `overlap_minutes` before it (equal times included) and lays
them over the earlier file by key. When the file then has not as many rows as the table (rows were deleted, or
committed later than the overlap), when the columns changed, or when the file is not the one that the watermark
is of, the table is read whole.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow.parquet
from psycopg import sql

from riskflow import duck
from riskflow.config.postgres import PostgresSource
from riskflow.errors import RiskflowError
from riskflow.files import replacing
from riskflow.publish.postgres import connected, retried
from riskflow.sources import postgres_copy
from riskflow.sources.watermarks import Watermark, Watermarks, digest

log = logging.getLogger("riskflow")

Columns = Mapping[str, str]


@dataclass(frozen=True)
class Export:
    """One table to export: its name there (`schema.table`), its columns, and the file.

    `columns`: our name → theirs, given the names that the table has. `key`: our names of the columns that tell a
    row from all others; needed with `updated_column`, which is their name of the time of a row's last change.
    """

    table: str
    columns: Callable[[list[str]], Columns]
    output: Path
    key: Sequence[str] = ()
    updated_column: str = ""


@dataclass(frozen=True)
class Exported:
    """Rows read now, and rows in the file."""

    read: int
    rows: int


def export(section: PostgresSource, tables: Sequence[Export], watermarks: Path) -> dict[str, Exported]:
    """Write every table's file as of one snapshot and return what was done, by table.

    The same rows give the same bytes, whether they came at once or in increments. Raises RiskflowError; then
    no file has changed but whole new ones, and the next export is right again. What an export that was killed
    left half-written, under names that nothing reads, is removed first.
    """
    for path in (*(table.output for table in tables), watermarks):
        for unfinished in path.parent.glob(f".{path.name}.*.tmp"):
            unfinished.unlink()
    return retried(lambda: _export_once(section, tables, watermarks), section, "exporting")


def _export_once(section: PostgresSource, tables: Sequence[Export], watermarks: Path) -> dict[str, Exported]:
    known, marks = Watermarks.load(watermarks), Watermarks()
    done: dict[str, Exported] = {}
    with _snapshot(section) as connection, tempfile.TemporaryDirectory() as scratch:
        for table in tables:
            columns = table.columns(_columns_there(connection, table))
            _check_key(table, columns)
            asked, newest = _asked(section, table, columns), _newest(connection, table)
            since = known.since(table.table, asked, table.output)
            task = _Task(connection, section, table, columns, Path(scratch))
            done[table.table] = (_increment(task, since) if since else None) or _whole(task)
            log.info(
                "%s: %s rows read, %s in the file",
                table.table,
                f"{done[table.table].read:,}",
                f"{done[table.table].rows:,}",
            )
            if newest:
                marks.tables[table.table] = Watermark(newest, asked, digest(table.output))
    marks.write(watermarks)
    return done


def changes(section: PostgresSource, tables: Sequence[tuple[str, str]]) -> str:
    """Return a digest that differs when tables have changed: of their rows' number and newest time of change.

    `tables`: name and updated_column; where this is empty, of the rows themselves, which the server has to read.
    """
    return retried(lambda: _changes_once(section, tables), section, "asking for changes")


def _changes_once(section: PostgresSource, tables: Sequence[tuple[str, str]]) -> str:
    told = []
    with _snapshot(section) as connection:
        for name, updated in tables:
            told.append((name, connection.execute(_state_query(name, updated)).fetchone()))
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _state_query(table: str, updated: str) -> sql.Composed:
    newest = sql.SQL("max(t.{})::text").format(sql.Identifier(updated))
    content = sql.SQL("sum(hashtextextended(t::text, 0)::numeric)::text")
    what = newest if updated else content
    return sql.SQL("SELECT count(*), {} FROM {} AS t").format(what, named(table))


def _snapshot(section: PostgresSource) -> Any:
    return connected(
        section,
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        "SET LOCAL TIME ZONE 'UTC'",
        "SET LOCAL DateStyle TO 'ISO, YMD'",
        "SET LOCAL IntervalStyle TO 'iso_8601'",
        "SET LOCAL extra_float_digits TO 1",
        "SET LOCAL client_encoding TO 'UTF8'",
    )


def named(table: str) -> sql.Identifier:
    """Return `schema.table` (or `table`, found by the server's search path) as an identifier."""
    return sql.Identifier(*table.split(".", 1))


@dataclass(frozen=True)
class _Task:
    """One table of an export under way."""

    connection: psycopg.Connection
    section: PostgresSource
    table: Export
    columns: Columns
    scratch: Path

    @property
    def query(self) -> sql.Composed:
        renamed = [
            sql.SQL("{} AS {}").format(sql.Identifier(theirs), sql.Identifier(ours))
            for ours, theirs in self.columns.items()
        ]
        return sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(renamed), named(self.table.table))

    @property
    def order(self) -> Sequence[str]:
        return self.table.key or list(self.columns)


def _whole(task: _Task) -> Exported:
    with replacing(task.table.output) as temporary:
        rows = postgres_copy.copy_to_parquet(task.connection, task.query, task.order, temporary)
        if task.table.updated_column:
            _assert_unique(task.table, temporary)
    return Exported(rows, rows)


def _increment(task: _Task, since: str) -> Exported | None:
    """Read what changed and lay it over the file; None when the file cannot be brought up to the table so."""
    condition = sql.SQL(" WHERE {} >= CAST({} AS timestamptz) - make_interval(mins => {})").format(
        sql.Identifier(task.table.updated_column),
        sql.Literal(since),
        sql.Literal(task.section.overlap_minutes),
    )
    changed = task.scratch / "changed.parquet"
    read = postgres_copy.copy_to_parquet(task.connection, task.query + condition, task.order, changed)
    _assert_unique(task.table, changed)
    try:
        with replacing(task.table.output) as temporary:
            rows = _laid_over(task.table, changed, temporary, task.scratch)
            if rows != _count(task):
                raise _Behind
    except _Behind:
        log.info("%s: rows are gone or came late, or columns changed: reading all of it", task.table.table)
        return None
    return Exported(read, rows)


class _Behind(Exception):
    """The file and what changed do not make the table."""


def _count(task: _Task) -> int:
    (rows,) = task.connection.execute(
        sql.SQL("SELECT count(*) FROM {}").format(named(task.table.table))
    ).fetchone() or (0,)
    return int(rows)


def _laid_over(table: Export, changed: Path, output: Path, scratch: Path) -> int:
    """Write the table's file with the changed rows laid over it by key to `output`; return its rows."""
    ours, schema = duckdb.ColumnExpression, pyarrow.parquet.read_schema(changed)
    if not schema.equals(pyarrow.parquet.read_schema(table.output)):
        raise _Behind
    with duck.connect(temp_directory=str(scratch / "spill"), memory_limit="1GB") as connection:
        new = connection.read_parquet(str(changed)).set_alias("n")
        old = connection.read_parquet(str(table.output)).set_alias("o")
        same: Any = None
        for name in table.key:
            equal = ours("o", name) == ours("n", name)
            same = equal if same is None else same & equal
        merged = new.union(old.join(new, same, how="anti")).sort(*[ours(name) for name in table.key])
        arrow = merged.to_arrow_reader(postgres_copy.ROW_GROUP_ROWS)
        rows = 0
        with pyarrow.parquet.ParquetWriter(output, schema, compression="zstd") as writer:
            for group in postgres_copy.row_groups((batch.cast(schema) for batch in arrow), schema):
                writer.write_table(group, row_group_size=postgres_copy.ROW_GROUP_ROWS)
                rows += group.num_rows
    return rows


def _assert_unique(table: Export, file: Path) -> None:
    """Raise when rows share a key, or have none: laying changes over them would lose some."""
    with duck.connect(memory_limit="1GB") as connection:
        rows = connection.read_parquet(str(file)).select(
            *[duckdb.ColumnExpression(name) for name in table.key]
        )
        total = rows.shape[0]
        known = rows.filter(_all_known(table.key)).distinct().shape[0]
    if known != total:
        raise RiskflowError(
            f"{table.table}: {total - known} rows have no key of their own in {', '.join(table.key)}",
            "name columns in key that tell every row from all others, or leave updated_column empty",
        )


def _all_known(key: Sequence[str]) -> Any:
    known: Any = None
    for name in key:
        one = duckdb.ColumnExpression(name).isnotnull()
        known = one if known is None else known & one
    return known


def _columns_there(connection: psycopg.Connection, table: Export) -> list[str]:
    cursor = connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(named(table.table)))
    return [column.name for column in cursor.description or []]


def _check_key(table: Export, columns: Columns) -> None:
    missing = [name for name in table.key if name not in columns]
    if missing:
        raise RiskflowError(
            f"{table.table}: the key needs the columns {', '.join(missing)}", "map them in columns"
        )


def _newest(connection: psycopg.Connection, table: Export) -> str:
    if not table.updated_column:
        return ""
    query = sql.SQL("SELECT max({})::text FROM {}").format(
        sql.Identifier(table.updated_column), named(table.table)
    )
    found = connection.execute(query).fetchone()
    return str(found[0]) if found and found[0] is not None else ""


def _asked(section: PostgresSource, table: Export, columns: Columns) -> str:
    """Return a digest of what is asked of which server: a file of another question is never built upon."""
    question = [section.host, section.port, section.database, table.table]
    question += [sorted(columns.items()), list(table.key), table.updated_column]
    return hashlib.sha256(repr(question).encode()).hexdigest()
