"""What is read back before a commit: totals that PostgreSQL and DuckDB compute by the same words, exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import psycopg
from psycopg import sql

from riskflow.errors import RiskflowError
from riskflow.resources import text

_LISTS = "[]"
_TYPES = {
    "VARCHAR": "text",
    "JSON": "jsonb",
    "BOOLEAN": "boolean",
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "UINTEGER": "bigint",
    "BIGINT": "bigint",
    "DOUBLE": "double precision",
    "DATE": "date",
    "TIMESTAMP": "timestamp without time zone",
}
"""Type of a column in DuckDB → its type in PostgreSQL."""

_WHOLE = "sum({column})"
_CONTENT: dict[str, str] = {
    "text": "sum(CAST(translate(substr(md5({column}), 1, 15), 'abcdef', '123456') AS bigint))",
    "boolean": "count(*) FILTER (WHERE {column})",
    "smallint": _WHOLE,
    "integer": _WHOLE,
    "bigint": _WHOLE,
    "numeric": _WHOLE,
    # products with a power of two and floors of them are the same bits everywhere; sums of floats are not
    "double precision": "sum(CAST(floor({column} * 1024) AS bigint)) FILTER (WHERE abs({column}) < 1e12)",
    "date": "sum({column} - DATE '2000-01-01')",
}
"""Type → a number that follows from all values of a column, in words that both servers understand."""


def postgres_type(kind: str) -> str:
    """Return PostgreSQL's name of a DuckDB type."""
    if kind.endswith(_LISTS):
        return postgres_type(kind.removesuffix(_LISTS)) + _LISTS
    if kind.startswith("DECIMAL"):
        return "numeric" + kind.removeprefix("DECIMAL")
    return _TYPES[kind]


def shape(connection: psycopg.Connection, schema: str, table: str) -> dict[str, str]:
    """Return column → type of a table; nothing where there is none."""
    query = text(__package__ or "", "postgres_shape.sql")
    return dict(connection.execute(query, {"schema": schema, "table": table}).fetchall())


def check_shape(table: str, found: Mapping[str, str], rows: duckdb.DuckDBPyRelation) -> None:
    """Raise with the columns that a table lacks, or has in another type than the rows to publish."""
    wanted = {name: postgres_type(str(kind)) for name, kind in zip(rows.columns, rows.types, strict=True)}
    missing = [name for name in wanted if name not in found]
    faults = [f"missing columns: {', '.join(missing)}"] * bool(missing)
    faults += [
        f"{name} is {found[name]}, not {kind}"
        for name, kind in wanted.items()
        if found.get(name, kind) != kind
    ]
    if faults and found:
        raise RiskflowError(
            f"the table {table} was changed: {'; '.join(faults)}",
            "put it back, or drop the schema and publish again: riskflow makes the table",
        )


def totals_of(columns: Mapping[str, str]) -> sql.Composed:
    """Return a SELECT without FROM of exact totals over columns (name → PostgreSQL's type), the count of rows first."""
    parts: list[sql.Composable] = [sql.SQL("count(*)")]
    for name, kind in columns.items():
        column = sql.Identifier(name)
        parts.append(sql.SQL("count({})").format(column))
        content = _CONTENT.get(kind.partition("(")[0])
        if content and not kind.endswith(_LISTS):
            parts.append(sql.SQL(content).format(column=column))
    return sql.SQL("SELECT {}").format(sql.SQL(", ").join(parts))


def exact(values: Sequence[Any]) -> tuple[int, ...]:
    """Return exact numbers of up to four decimal places as integers; the first, the count of rows, as it is."""
    return (int(values[0]), *(int((value or 0) * 10_000) for value in values[1:]))
