"""One part of a publish: the rows of a table that differ go to PostgreSQL by COPY and upsert, what is gone leaves."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl
import psycopg
from psycopg import sql

from riskflow.publish.postgres_copy import ahead, csv_bytes
from riskflow.publish.postgres_migrations import SqlFile
from riskflow.publish.postgres_readback import check_shape, exact, shape, totals_of
from riskflow.publish.warehouse import execute_script
from riskflow.resources import text

log = logging.getLogger("riskflow")

ROWS_PER_CHUNK = 10_000
ROWS_PER_MESSAGE = 100_000
SEPARATOR = "\x1f"  # between the columns of a key, as one text
STAGING = ("pg_temp", "riskflow_staging")
KEYS = ("pg_temp", "riskflow_keys")


@dataclass(frozen=True)
class Table:
    """A published table: where it is, its key, its migrations in order, and what is read back to compare.

    `scope`: the column that tells a run's rows from those of other runs, where the table holds several runs.
    `totals`: a SELECT without FROM that PostgreSQL and DuckDB both understand and answer exactly, the
    count of rows first; without one, every column is counted and summed. `history`: whether the migrations made
    `<name>_history`. `unhashed`: columns that make no row another one: what follows from others, who ran it.
    """

    schema: str
    name: str
    key: tuple[str, ...]
    migrations: tuple[SqlFile, ...]
    scope: str = ""
    totals: SqlFile | None = None
    history: bool = False
    unhashed: tuple[str, ...] = ()

    @property
    def identifier(self) -> sql.Identifier:
        """The quoted name."""
        return sql.Identifier(self.schema, self.name)

    @property
    def key_text(self) -> sql.Composable:
        """The key as one text, in SQL."""
        columns = [sql.SQL("{}::text").format(sql.Identifier(name)) for name in self.key]
        separator: sql.Composable = sql.Literal(SEPARATOR)
        if len(columns) == 1:
            return columns[0]
        return sql.SQL("concat_ws({})").format(sql.SQL(", ").join([separator, *columns]))


@dataclass(frozen=True)
class Part:
    """Rows of one table to publish: their relation in DuckDB, and the run they are of where tables hold several."""

    table: Table
    rows: str
    run: str = ""

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{self.table.schema}.{self.table.name}"

    def where(self) -> sql.Composed:
        """Return the condition on the table's rows that are of the run."""
        if not self.table.scope:
            return sql.Composed([sql.SQL("TRUE")])
        return sql.SQL("{} = {}").format(sql.Identifier(self.table.scope), sql.Literal(self.run))


@dataclass(frozen=True)
class Publication:
    """What the parts of one publish share.

    `stamps`: columns that the run fills in where the rows have none (values that PostgreSQL reads); `whole`: the run
    has every row there is, what it does not have is gone; `history`: keep what is replaced; `scratch`: a folder.
    """

    connection: psycopg.Connection
    source: duckdb.DuckDBPyConnection
    stamps: Mapping[str, str]
    whole: bool
    history: bool
    scratch: Path


class Difference:
    """A part on its way: what was sent, what has to go, and what the table must hold in the end."""

    def __init__(self, publication: Publication, part: Part, number: int) -> None:
        """`number` tells the parts of a publish apart."""
        self.part, self._shared = part, publication
        self._connection, self._source = publication.connection, publication.source
        self._gone = publication.scratch / f"gone_{number}.parquet"
        self._mine = publication.scratch / f"mine_{number}.parquet"
        self._history = publication.history and part.table.history
        self._wanted: tuple[int, ...] = ()

    def write(self, *, trusted: bool) -> int:
        """Send what is new or differs and return how many rows; untrusted, the table's hashes are not believed."""
        columns = self._prepare_rows()
        is_empty = self._read_held() == 0
        self._source.sql(_sql("postgres_gone.sql")).write_parquet(str(self._gone))
        if not self._shared.whole:
            self._source.sql("SELECT publish_key FROM keys_to_publish").write_parquet(str(self._mine))
        (wanted,) = self._source.sql(self._totals + " FROM rows_to_publish").fetchall()
        self._wanted = exact(wanted)
        self._source.execute(_sql("postgres_changed.sql"), {"trusted": trusted})
        reader = self._source.sql(_sql("postgres_outgoing.sql")).to_arrow_reader(ROWS_PER_CHUNK)
        chunks = (pl.DataFrame(batch) for batch in reader)
        first = next(chunks, None)
        if first is None:
            return 0
        if is_empty:
            return self._copy(self.part.table.identifier, self._stamped(_all(first, chunks)))
        return self._upsert(columns, _all(first, chunks))

    def remove_gone(self) -> int:
        """Remove the rows that the run does not have; return how many."""
        gone = pl.read_parquet(self._gone, glob=False)
        if not self._shared.whole or gone.is_empty():
            return 0
        self._stage_keys(gone)
        keys = sql.SQL("SELECT publish_key FROM {}").format(sql.Identifier(*KEYS))
        self._remember(keys)
        delete = sql.SQL("DELETE FROM {} AS t WHERE {} AND {} IN ({})")
        return self._connection.execute(
            delete.format(self.part.table.identifier, self.part.where(), self.part.table.key_text, keys)
        ).rowcount

    def totals(self) -> tuple[int, ...] | None:
        """Return what the table holds when it is what was wanted, else None; a delta run looks at its own rows."""
        condition = self.part.where()
        if not self._shared.whole:
            self._stage_keys(pl.read_parquet(self._mine, glob=False))
            mine = sql.SQL("{} AND {} IN (SELECT publish_key FROM {})")
            condition = mine.format(condition, self.part.table.key_text, sql.Identifier(*KEYS))
        select = sql.SQL("{} FROM {} AS t WHERE {}")
        query = select.format(sql.SQL(self._totals), self.part.table.identifier, condition)
        found = self._connection.execute(query).fetchone()
        return self._wanted if found is not None and exact(found) == self._wanted else None

    def _prepare_rows(self) -> list[str]:
        """Make `rows_to_publish` in DuckDB, with key and hash; return those of its columns that the table has."""
        table = self.part.table
        rows = self._source.table(self.part.rows)
        if table.scope:
            rows = rows.filter(
                duckdb.ColumnExpression(table.scope) == duckdb.ConstantExpression(self.part.run)
            )
        told = [name for name in rows.columns if name not in table.unhashed]
        key = duckdb.FunctionExpression("concat_ws", duckdb.ConstantExpression(SEPARATOR), *_texts(table.key))
        hashed = duckdb.FunctionExpression("list_value", *_texts(told))
        keyed = rows.select(key.alias("publish_key"), hashed.alias("hashed"), duckdb.StarExpression())
        keyed.create_view("keyed_rows", replace=True)
        execute_script(self._source, _sql("postgres_keys.sql"))
        found = shape(self._connection, table.schema, table.name)
        sent = self._source.table("rows_to_publish").select(duckdb.StarExpression(exclude=["publish_key"]))
        check_shape(table.name, found, sent)
        own = {name: kind for name, kind in found.items() if name in (*told, "row_hash")}
        self._totals = table.totals.text() if table.totals else totals_of(own).as_string()
        return list(sent.columns)

    def _read_held(self) -> int:
        """Let DuckDB know key and hash of the rows that the table holds; return how many bytes were told."""
        query = sql.SQL("COPY (SELECT {}, row_hash FROM {} AS t WHERE {}) TO STDOUT (FORMAT csv)")
        table = self.part.table
        statement = query.format(table.key_text, table.identifier, self.part.where())
        told, file = 0, self._shared.scratch / "held.csv"
        with file.open("wb") as handle, self._connection.cursor().copy(statement) as copy:
            for block in copy:
                told += handle.write(block)
        self._source.execute(_sql("postgres_held.sql"), {"file": str(file)})
        file.unlink()
        return told

    def _stamped(self, frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        for frame in frames:
            missing = {
                name: value for name, value in self._shared.stamps.items() if name not in frame.columns
            }
            yield frame.with_columns(pl.lit(value).alias(name) for name, value in missing.items())

    def _copy(self, target: sql.Identifier, frames: Iterator[pl.DataFrame]) -> int:
        """COPY frames of the same columns into a table; return the rows."""
        rows, first = 0, next(frames)
        columns = sql.SQL(", ").join(map(sql.Identifier, first.columns))
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(target, columns)
        with self._connection.cursor().copy(statement) as copy:
            for content, count in ahead((csv_bytes(frame), frame.height) for frame in _all(first, frames)):
                copy.write(content)
                rows += count
                if rows % ROWS_PER_MESSAGE < count:
                    log.info("%s: %s rows sent", self.part.name, f"{rows:,}")
        return rows

    def _upsert(self, columns: Sequence[str], frames: Iterator[pl.DataFrame]) -> int:
        table = self.part.table
        stamps = [name for name in self._shared.stamps if name not in columns]
        named = sql.SQL(", ").join(map(sql.Identifier, [*columns, *stamps]))
        make = sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} LIMIT 0")
        self._connection.execute(make.format(sql.Identifier(STAGING[-1]), named, table.identifier))
        rows = self._copy(sql.Identifier(*STAGING), self._stamped(frames))
        names = {"table": table.identifier, "columns": named, "staging": sql.Identifier(*STAGING)}
        self._remember(sql.SQL("SELECT {} FROM {staging} AS t").format(table.key_text, **names))
        changes = sql.SQL(", ").join(
            sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name))
            for name in (*columns, *stamps)
            if name not in table.key
        )
        upsert = sql.SQL(
            "INSERT INTO {table} ({columns}) SELECT {columns} FROM {staging} "
            "ON CONFLICT ({key}) DO UPDATE SET {changes}"
        )
        key = sql.SQL(", ").join(map(sql.Identifier, table.key))
        self._connection.execute(upsert.format(key=key, changes=changes, **names))
        self._connection.execute(sql.SQL("DROP TABLE {staging}").format(**names))
        return rows

    def _stage_keys(self, staged: pl.DataFrame) -> None:
        """Send keys to the table of keys, made anew."""
        keys = sql.Identifier(*KEYS)
        self._connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(keys))
        make = sql.SQL("CREATE TEMP TABLE {} (publish_key text PRIMARY KEY) ON COMMIT DROP")
        self._connection.execute(make.format(sql.Identifier(KEYS[-1])))
        self._copy(keys, staged.iter_slices(ROWS_PER_CHUNK))

    def _remember(self, keys: sql.Composable) -> None:
        """Copy the rows of these keys, which are about to be replaced, into the history table."""
        if not self._history:
            return
        table = self.part.table
        statement = sql.SQL("INSERT INTO {} SELECT t.*, {}, now() FROM {} AS t WHERE {} IN ({})").format(
            sql.Identifier(table.schema, f"{table.name}_history"),
            sql.Literal(self._shared.stamps["run_id"]),
            table.identifier,
            table.key_text,
            keys,
        )
        self._connection.execute(statement)


def _texts(columns: Sequence[str]) -> list[duckdb.Expression]:
    return [duckdb.ColumnExpression(name).cast("VARCHAR") for name in columns]


def _sql(name: str) -> str:
    return text(__package__ or "", name)


def _all(first: pl.DataFrame, rest: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    yield first
    yield from rest
