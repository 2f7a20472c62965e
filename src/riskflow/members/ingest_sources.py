"""Read raw member tables from CSV, parquet or DuckDB views, by column mapping, without losing a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from riskflow.errors import RiskflowError
from riskflow.members.texts import trimmed

BATCH_ROWS = 1 << 20
SPAN_COLUMNS: dict[str, pl.DataType] = {
    "member_id": pl.String(),
    "sex": pl.String(),
    "date_of_birth": pl.Date(),
    "plan_id": pl.String(),
    "metal": pl.String(),
    "enrolment_start": pl.Date(),
    "enrolment_end": pl.Date(),
    "csr_indicator": pl.Int64(),
    "hios_variant": pl.Int64(),
    "span_id": pl.String(),
    "family_id": pl.String(),
    "issuer": pl.String(),
    "market": pl.String(),
    "state": pl.String(),
    "rating_area": pl.Int64(),
    "premium": pl.Float64(),
}
DIAGNOSIS_COLUMNS: dict[str, pl.DataType] = {
    "member_id": pl.String(),
    "code": pl.String(),
    "service_date": pl.Date(),
    "bill_type": pl.String(),
    "procedure": pl.String(),
    "claim_kind": pl.String(),
}
DRUG_COLUMNS: dict[str, pl.DataType] = {
    "member_id": pl.String(),
    "service_date": pl.Date(),
    "ndc": pl.String(),
    "hcpcs": pl.String(),
}


@dataclass(frozen=True)
class TableSource:
    """One raw table: a file, the table or view in it (DuckDB), and its names for our columns."""

    path: Path
    table: str = ""
    columns: Mapping[str, str] | None = None


@dataclass(frozen=True)
class TableShape:
    """A kind of raw table: its name, our columns with types, and the groups of which one column must be there."""

    name: str
    columns: Mapping[str, pl.DataType]
    required: tuple[tuple[str, ...], ...]


SPANS_SHAPE = TableShape(
    "spans",
    SPAN_COLUMNS,
    (
        ("member_id",),
        ("sex",),
        ("date_of_birth",),
        ("plan_id",),
        ("metal",),
        ("enrolment_start",),
        ("enrolment_end",),
        ("csr_indicator", "hios_variant"),
    ),
)
DIAGNOSES_SHAPE = TableShape("diagnoses", DIAGNOSIS_COLUMNS, (("member_id",), ("code",), ("service_date",)))
DRUGS_SHAPE = TableShape("drugs", DRUG_COLUMNS, (("member_id",), ("service_date",), ("ndc", "hcpcs")))


def read_table(source: TableSource, shape: TableShape) -> pl.DataFrame:
    """Return our columns (typed; absent optional ones null), `unreadable`, `source` and `line` of every raw row.

    `unreadable` marks rows with a cell that is not the date (YYYY-MM-DD) or number it should be. Texts are as written,
    white space around them included: a check trims them, a large table's only where it has to.
    """
    return pl.concat(read_batches(source, shape))


def read_batches(source: TableSource, shape: TableShape) -> Iterator[pl.DataFrame]:
    """Yield the rows of `read_table` in their order, at most BATCH_ROWS at a time: a table need not fit in memory."""
    names = {ours: theirs for ours, theirs in (source.columns or {}).items() if theirs}
    line = 2 if _is_csv(source.path) else 1
    told = f"{shape.name}: {source.path.name}"
    for number, raw in enumerate(_raw(source, shape.name)):
        if number == 0:
            _check_columns(raw, names, shape, source.path)
        yield typed(raw, names, shape, told, first_line=line)
        line += raw.height


def typed(
    raw: pl.DataFrame, names: Mapping[str, str], shape: TableShape, source: str, first_line: int = 1
) -> pl.DataFrame:
    """Return a raw frame in our columns and types, with `unreadable`, `source` and `line`."""
    columns, unreadable = [], [pl.lit(False)]
    for name, kind in shape.columns.items():
        theirs = names.get(name, name)
        if theirs not in raw.columns:
            columns.append(pl.lit(None, kind).alias(name))
            continue
        have, cell = raw.schema[theirs], pl.col(theirs)
        if have == kind:
            columns.append(cell.alias(name))
            continue
        cell = trimmed(cell) if have == pl.String else cell
        value = _cast(cell, have, kind)
        columns.append(value.alias(name))
        unreadable.append(cell.is_not_null() & value.is_null())
    return raw.select(
        *columns,
        pl.any_horizontal(unreadable).alias("unreadable"),
        pl.lit(source, pl.Enum([source])).alias("source"),
        pl.int_range(first_line, pl.len() + first_line, dtype=pl.Int64).alias("line"),
    )


def _raw(source: TableSource, name: str) -> Iterator[pl.DataFrame]:
    """Yield the file's rows in batches; one without rows for a table that has none."""
    path = source.path
    if not path.is_file():
        raise RiskflowError(
            f"members.source.{name}.path: no such file: {path}", "give a .csv, .parquet or .duckdb file"
        )
    if _is_csv(path):
        yield from _batches(pl.scan_csv(path, infer_schema=False, glob=False))
    elif path.suffix == ".parquet":
        yield from _batches(pl.scan_parquet(path, glob=False))
    elif path.suffix in (".duckdb", ".db"):
        yield from _from_duckdb(source, name)
    else:
        raise RiskflowError(
            f"members.source.{name}.path: cannot read {path.suffix or 'a file without suffix'}",
            "give a .csv, .csv.gz, .parquet or .duckdb file",
        )


def _batches(rows: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    empty = True
    for batch in rows.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True):
        empty = False
        yield batch
    if empty:
        yield pl.DataFrame(schema=rows.collect_schema())


def _is_csv(path: Path) -> bool:
    return path.name.endswith((".csv", ".csv.gz"))


def _from_duckdb(source: TableSource, name: str) -> Iterator[pl.DataFrame]:
    if not source.table:
        raise RiskflowError(
            f"members.source.{name}.table is empty", f"name the table or view inside {source.path.name}"
        )
    import duckdb  # most sources are files, and importing it takes as long as reading a small one

    from riskflow import duck

    with duck.connect(source.path, read_only=True) as connection:
        try:
            table = connection.table(source.table)
        except duckdb.CatalogException:
            raise RiskflowError(
                f"members.source.{name}.table: {source.path.name} has no table or view {source.table}",
                "write it as schema.name, as `SHOW ALL TABLES` tells it",
            ) from None
        reader = table.to_arrow_reader(BATCH_ROWS)
        yield pl.DataFrame(pl.from_arrow(reader.schema.empty_table()))
        for batch in reader:
            yield pl.DataFrame(pl.from_arrow(batch))


def _check_columns(raw: pl.DataFrame, names: Mapping[str, str], shape: TableShape, path: Path) -> None:
    faults = [
        f"members.source.{shape.name}.columns.{ours}: riskflow knows no such column"
        for ours in names
        if ours not in shape.columns
    ]
    faults += [
        f"{path.name} has no column {theirs}, which members.source.{shape.name}.columns.{ours} names"
        for ours, theirs in names.items()
        if ours in shape.columns and theirs not in raw.columns
    ]
    for group in shape.required:
        if not any(names.get(name, name) in raw.columns for name in group):
            faults.append(f"{path.name} has no column {' or '.join(group)}")
    if faults:
        raise RiskflowError(
            "; ".join(faults),
            f"map it under members.source.{shape.name}.columns; the file has: {', '.join(raw.columns)}",
        )


def _cast(cell: pl.Expr, have: pl.DataType, want: pl.DataType) -> pl.Expr:
    if want == pl.Date and have == pl.String:
        return cell.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    if want == pl.Int64 and have == pl.String:
        return cell.cast(pl.Float64, strict=False).cast(pl.Int64, strict=False)
    return cell.cast(want, strict=False)
