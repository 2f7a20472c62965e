"""A query of PostgreSQL to parquet: the server streams a COPY, pyarrow reads it block by block, memory stays flat."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from psycopg import sql

from riskflow.errors import RiskflowError

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


def copy_to_parquet(
    connection: psycopg.Connection, query: sql.Composed, order: Sequence[str], output: Path
) -> int:
    """Stream the answer of a query, ordered by some of its columns, into a parquet file; return its rows.

    Texts are ordered by their bytes. Raises RiskflowError, without the value, where one does not fit its type.
    """
    schema = _schema(connection, query)
    ordered = sql.SQL("SELECT * FROM ({}) AS t ORDER BY {}").format(
        query, sql.SQL(", ").join(_ordered(name, schema) for name in order)
    )
    rows = 0
    with (
        pyarrow.parquet.ParquetWriter(output, schema, compression="zstd") as writer,
        connection.cursor().copy(sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(ordered)) as copy,
    ):
        for group in row_groups(_batches(copy, schema), schema):
            writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
            rows += group.num_rows
    return rows


def row_groups(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Cut a stream into groups of the same size, wherever its batches ended."""
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


def _ordered(name: str, schema: pa.Schema) -> sql.Composable:
    column = sql.Identifier(name)
    return (
        sql.SQL('{}::text COLLATE "C"').format(column) if schema.field(name).type == pa.string() else column
    )


def _schema(connection: psycopg.Connection, query: sql.Composed) -> pa.Schema:
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
    return pa.schema(fields)


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

    def is_empty(self) -> bool:
        """Return whether nothing comes."""
        self._rest = self.read(1) + self._rest
        return not self._rest

    def close(self) -> None:
        """Forget the rest."""
        self.closed = True


def _batches(copy: psycopg.Copy, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    stream = _CopyStream(copy)
    if stream.is_empty():
        return
    try:
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
    except pa.ArrowInvalid as error:
        raise _unreadable(str(error), schema) from None


def _unreadable(message: str, schema: pa.Schema) -> RiskflowError:
    """Name the column that pyarrow could not read; its message holds the value."""
    found = re.search(r"CSV column #(\d+)", message)
    field = schema.field(int(found[1])) if found and int(found[1]) < len(schema) else None
    where = f"column {field.name}: a value is no {field.type}" if field else "a row cannot be read"
    return RiskflowError(
        f"{where}, such as an infinite date or one before the year 1, or a cell of more than 4 MB",
        "give a view that casts the column to text, as `table`",
    )
