"""PostgreSQL as a source: tables to parquet in one snapshot, with flat memory, whole or by what changed.

The server streams a COPY, pyarrow reads it block by block, and parquet is written as it comes. All tables of
an export are of one repeatable-read snapshot. With `updated_column`, the newest time seen is kept as a watermark,
and the next export reads the rows from `overlap_minutes` before it (equal times included) and lays them over the
earlier file by key. Rows that were deleted on the server stay until an export without a watermark.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from psycopg import sql

from riskflow import duck
from riskflow.config.postgres import PostgresSource
from riskflow.errors import RiskflowError
from riskflow.files import replacing, write_text
from riskflow.publish.postgres import connected, retried

log = logging.getLogger("riskflow")

ROW_GROUP_ROWS = 131_072
BLOCK_BYTES = 4 << 20
_ARROW_TYPES = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
}
"""PostgreSQL type → Arrow type; every other type is exported as its text."""


@dataclass(frozen=True)
class Export:
    """One table to export: its name there (`schema.table`), our column → theirs, our key columns, and the file."""

    table: str
    columns: Mapping[str, str]
    key: Sequence[str]
    output: Path


@dataclass
class Exported:
    """Rows read now, rows in the file, and the newest time of change seen (empty without one)."""

    read: int = 0
    rows: int = 0
    watermark: str = ""


@dataclass
class Watermarks:
    """Newest time of change per table, kept as an artifact beside the files."""

    values: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Watermarks:
        """Return what a file holds; none when it is not there."""
        return cls(json.loads(path.read_text(encoding="utf-8")) if path.exists() else {})

    def write(self, path: Path) -> None:
        """Write them as JSON."""
        write_text(json.dumps(self.values, indent=1, sort_keys=True) + "\n", path)


def export(section: PostgresSource, tables: Sequence[Export], watermarks: Path) -> dict[str, Exported]:
    """Write every table's file as of one snapshot and return what was done, by table.

    The same rows give the same bytes, whether they came at once or in increments. A table without a file, or
    without a watermark, is read whole. Raises RiskflowError; then no file has changed but whole new ones.
    """
    return retried(lambda: _export_once(section, tables, watermarks), section, "exporting")


def _export_once(section: PostgresSource, tables: Sequence[Export], watermarks: Path) -> dict[str, Exported]:
    known = Watermarks.load(watermarks) if section.updated_column else Watermarks()
    done: dict[str, Exported] = {}
    with connected(section) as connection, tempfile.TemporaryDirectory() as scratch:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute("SET LOCAL TIME ZONE 'UTC'")
        connection.execute("SET LOCAL DateStyle TO 'ISO, YMD'")
        connection.execute("SET LOCAL client_encoding TO 'UTF8'")
        for table in tables:
            since = known.values.get(table.table, "") if table.output.exists() else ""
            done[table.table] = _export_table(connection, section, table, since, Path(scratch))
            log.info(
                "%s: %s rows read, %s in the file",
                table.table,
                done[table.table].read,
                done[table.table].rows,
            )
    known.values |= {name: exported.watermark for name, exported in done.items() if exported.watermark}
    known.write(watermarks)
    return done


def _export_table(
    connection: psycopg.Connection, section: PostgresSource, table: Export, since: str, scratch: Path
) -> Exported:
    newest = _newest(connection, section, table)
    if not since:
        with replacing(table.output) as temporary:
            rows = _copy_to_parquet(connection, table, sql.SQL(""), temporary)
        return Exported(rows, rows, newest)
    condition = sql.SQL(" WHERE {} >= CAST({} AS timestamptz) - make_interval(mins => {})").format(
        sql.Identifier(section.updated_column), sql.Literal(since), sql.Literal(section.overlap_minutes)
    )
    changed = scratch / "changed.parquet"
    rows = _copy_to_parquet(connection, table, condition, changed)
    return Exported(rows, _laid_over(table, changed, scratch), newest)


def _newest(connection: psycopg.Connection, section: PostgresSource, table: Export) -> str:
    if not section.updated_column:
        return ""
    query = sql.SQL("SELECT max({})::text FROM {}").format(
        sql.Identifier(section.updated_column), _named(table)
    )
    found = connection.execute(query).fetchone()
    return str(found[0]) if found and found[0] is not None else ""


def _named(table: Export) -> sql.Identifier:
    return sql.Identifier(*table.table.split(".", 1))


def _copy_to_parquet(
    connection: psycopg.Connection, table: Export, condition: sql.Composable, output: Path
) -> int:
    """Stream the rows of a table, in order of its key, into a parquet file; return how many."""
    renamed, identifier = sql.SQL("{} AS {}"), sql.Identifier
    columns = [renamed.format(identifier(theirs), identifier(ours)) for ours, theirs in table.columns.items()]
    query = sql.SQL("SELECT {} FROM {}{}").format(sql.SQL(", ").join(columns), _named(table), condition)
    schema = _schema(connection, table, query)
    order = sql.SQL(", ").join(
        sql.SQL('{} COLLATE "C"' if schema.field(name).type == pa.string() else "{}").format(
            sql.Identifier(name)
        )
        for name in table.key
    )
    ordered = sql.SQL("SELECT * FROM ({}) AS t ORDER BY {}").format(query, order)
    writer = pyarrow.parquet.ParquetWriter(output, schema, compression="zstd")
    rows = 0
    with (
        writer,
        connection.cursor().copy(sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(ordered)) as copy,
    ):
        for group in _row_groups(_batches(copy, schema), schema):
            writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
            rows += group.num_rows
    return rows


def _schema(connection: psycopg.Connection, table: Export, query: sql.Composed) -> pa.Schema:
    """Return the Arrow schema of a query's answer."""
    cursor = connection.execute(sql.SQL("{} LIMIT 0").format(query))
    types = connection.adapters.types
    fields = []
    for described in cursor.description or []:
        known = types.get(described.type_code)
        name = known.name if known else ""
        precise = name == "numeric" and described.precision and described.precision <= 38
        decimal = pa.decimal128(described.precision, described.scale or 0) if precise else pa.string()
        fields.append(pa.field(described.name, _ARROW_TYPES.get(name, decimal)))
    schema = pa.schema(fields)
    missing = [name for name in table.key if name not in schema.names]
    if missing:
        raise RiskflowError(
            f"{table.table}: the key needs the columns {', '.join(missing)}", "map them in columns"
        )
    return schema


class _CopyStream:
    """The bytes of a COPY as a file that pyarrow can read."""

    def __init__(self, copy: psycopg.Copy) -> None:
        self._blocks: Iterator[Any] = iter(copy)
        self._rest = b""
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes; none at the end."""
        parts, held = [self._rest], len(self._rest)
        while held < size or size < 0:
            block = next(self._blocks, None)
            if block is None:
                break
            parts.append(bytes(block))
            held += len(block)
        content = b"".join(parts)
        cut = len(content) if size < 0 else size
        self._rest = content[cut:]
        return content[:cut]

    def close(self) -> None:
        """Forget the rest."""
        self.closed = True


def _batches(copy: psycopg.Copy, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    stream = _CopyStream(copy)
    head = stream.read(1)
    if not head:
        return
    stream._rest = head + stream._rest
    with pyarrow.csv.open_csv(
        pa.PythonFile(stream, mode="r"),
        read_options=pyarrow.csv.ReadOptions(column_names=schema.names, block_size=BLOCK_BYTES),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=schema,
            null_values=[""],
            true_values=["t"],
            false_values=["f"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    ) as reader:
        yield from reader


def _row_groups(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Cut the stream into groups of the same size, wherever the server's blocks ended."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        while rows >= ROW_GROUP_ROWS:
            whole = pa.Table.from_batches(held, schema)
            yield whole.slice(0, ROW_GROUP_ROWS)
            held = whole.slice(ROW_GROUP_ROWS).to_batches()
            rows -= ROW_GROUP_ROWS
    if rows:
        yield pa.Table.from_batches(held, schema)


def _laid_over(table: Export, changed: Path, scratch: Path) -> int:
    """Replace the file by itself with the changed rows laid over it by key; return its rows."""
    ours, spill = duckdb.ColumnExpression, str(scratch / "spill")
    with duck.connect(temp_directory=spill, memory_limit="1GB") as connection:
        new = connection.read_parquet(str(changed)).set_alias("n")
        old = connection.read_parquet(str(table.output)).set_alias("o")
        if old.columns != new.columns or old.types != new.types:
            raise RiskflowError(
                f"{table.table}: its columns are no longer those of {table.output}",
                "delete the file: the table will be read whole",
            )
        same: Any = None
        for name in table.key:
            equal = ours("o", name) == ours("n", name)
            same = equal if same is None else same & equal
        merged = new.union(old.join(new, same, how="anti")).sort(*[ours(name) for name in table.key])
        arrow = merged.to_arrow_reader(ROW_GROUP_ROWS)
        schema = pyarrow.parquet.read_schema(changed)
        rows = 0
        with (
            replacing(table.output) as temporary,
            pyarrow.parquet.ParquetWriter(temporary, schema, compression="zstd") as writer,
        ):
            for group in _row_groups((batch.cast(schema) for batch in arrow), schema):
                writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
                rows += group.num_rows
    return rows
