"""Reading raw provider tables: CSV (also .gz and cp1252), parquet or DuckDB, in batches, under our column names."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from glob import glob
from pathlib import Path

import polars as pl
import polars.exceptions

from riskflow import duck
from riskflow.config.providers import TableSource
from riskflow.errors import RiskflowError

BATCH_ROWS = 1_000_000
SOURCE, LINE = "source", "line"
SEPARATOR = "|"  # between alternative names of one column, where releases differ
_TEXT_ENDINGS = (".csv", ".csv.gz", ".txt", ".txt.gz", ".tsv", ".tsv.gz")


def files(table: TableSource, name: str) -> list[Path]:
    """Return the files of one raw table, sorted by name; `path` may be a glob."""
    found = sorted(Path(path) for path in glob(table.path))  # noqa: PTH207 (patterns may be absolute)
    if not found:
        raise RiskflowError(
            f"source.{name}.path: no file matches {table.path}",
            "give a path relative to the repository; * stands for any text, for several releases",
        )
    return found


def batches(
    paths: Sequence[Path], table: TableSource, name: str, required: Sequence[str], optional: Sequence[str]
) -> Iterator[pl.DataFrame]:
    """Yield raw rows of the files `paths`: `required` + `optional` columns (null where absent), source, line.

    `line` is the record's number in the file: the header of a text file is line 1, so its first record is
    line 2 (a line break inside quotes does not start a record); parquet and DuckDB rows begin at 1.
    Letter case of column names never matters. Raises RiskflowError when a required or a mapped column is
    missing, or a text file cannot be read.
    """
    for path in paths:
        frame = _scan(path, table, name)
        names = column_names(path, frame.collect_schema().names(), table.columns, name, required, optional)
        picked = [
            (pl.col(names[ours]) if ours in names else pl.lit(None, pl.String)).alias(ours)
            for ours in [*required, *optional]
        ]
        lazy = frame.select(pl.lit(path.name).alias(SOURCE), pl.col(LINE).cast(pl.UInt32), *picked)
        try:
            yield from lazy.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True)
        except polars.exceptions.ComputeError as error:
            raise _unreadable(path, name, "utf-8" in str(error)) from None


def _scan(path: Path, table: TableSource, name: str) -> pl.LazyFrame:
    if path.suffix == ".parquet":
        return pl.scan_parquet(path, glob=False, row_index_name=LINE, row_index_offset=1)
    if path.suffix == ".duckdb":
        return _duckdb_table(path, table, name)
    if not path.name.lower().endswith(_TEXT_ENDINGS):
        raise RiskflowError(
            f"source.{name}.path: {path.name} is of no known kind",
            "name it .csv, .csv.gz, .parquet or .duckdb",
        )
    content: Path | bytes = path
    if table.encoding == "cp1252":
        packed = path.read_bytes()
        plain = gzip.decompress(packed) if path.suffix == ".gz" else packed
        content = plain.decode("cp1252", errors="replace").encode()
    return pl.scan_csv(
        content,
        separator=table.delimiter,
        infer_schema=False,
        glob=False,
        row_index_name=LINE,
        row_index_offset=2,
    )


def _duckdb_table(path: Path, table: TableSource, name: str) -> pl.LazyFrame:
    import duckdb

    try:
        with duck.connect(path, read_only=True) as connection:
            rows: pl.DataFrame = connection.table(table.table).pl()
            return rows.with_row_index(LINE, offset=1).lazy()
    except duckdb.Error:
        raise RiskflowError(
            f"source.{name}: {path.name} has no readable table {table.table!r}",
            f"write source.{name}.table: the name of a table or view in that file",
        ) from None


def column_names(
    path: Path,
    found: Sequence[str],
    mapping: Mapping[str, str],
    table: str,
    required: Sequence[str],
    optional: Sequence[str],
) -> dict[str, str]:
    """Return our column name → the file's, for the columns that the file has."""
    unknown = sorted(set(mapping) - set(required) - set(optional))
    if unknown:
        raise RiskflowError(
            f"source.{table}.columns: {', '.join(unknown)} is no column of {table}",
            f"columns of {table}: {', '.join([*required, *optional])}",
        )
    by_lower = {column.strip().lower(): column for column in found}
    names, missing = {}, []
    for ours in [*required, *optional]:
        asked = [part.strip().lower() for part in mapping.get(ours, ours).split(SEPARATOR)]
        match = next((by_lower[part] for part in asked if part in by_lower), None)
        if match is not None:
            names[ours] = match
        elif ours in required or ours in mapping:
            missing.append(f"{ours} (looked for {' or '.join(asked)})")
    if missing:
        raise RiskflowError(
            f"source.{table}: {path.name} lacks the column of {'; '.join(missing)}",
            f"it has: {', '.join(column for column in found if column != LINE)}; "
            f"write source.{table}.columns: {{ {missing[0].split()[0]}: its name there }}",
        )
    return names


def _unreadable(path: Path, table: str, encoding: bool) -> RiskflowError:
    if encoding:
        return RiskflowError(
            f"source.{table}: {path.name} is not UTF-8 text", f"write source.{table}.encoding: cp1252"
        )
    return RiskflowError(
        f"source.{table}: {path.name} has a record with more fields than its header, or an unclosed quote",
        f"mend that record, or check source.{table}.delimiter",
    )
