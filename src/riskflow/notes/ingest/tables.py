"""Flat files: CSV and TSV, Parquet, and the CSV export of Synthea, one file per table.

A file belongs to the table its name begins with (patients.csv, encounters-2.csv.gz); its columns are those of
the table's contract. Lists are written with | between their items.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from riskflow.contracts.notes_sources import SOURCE_TABLES
from riskflow.errors import RiskflowError
from riskflow.notes.ingest.records import CHUNK_ROWS, Fault, RawChunk, RawTable

_LONGEST_CELL = 10 << 20
Columns = dict[str, list[Any]]

_SYNTHEA: dict[str, dict[str, str]] = {
    "patients": {
        "Id": "patient_id", "BIRTHDATE": "date_of_birth", "DEATHDATE": "deceased_date", "LAST": "family_name",
        "FIRST": "given_names", "PREFIX": "name_prefix", "SUFFIX": "name_suffix", "MARITAL": "marital_status",
        "GENDER": "gender", "ADDRESS": "address_lines", "CITY": "city", "STATE": "state", "ZIP": "postal_code",
    },
    "encounters": {
        "Id": "encounter_id", "START": "period_start", "STOP": "period_end", "PATIENT": "patient_id",
        "ORGANIZATION": "service_provider", "PROVIDER": "participant_name", "ENCOUNTERCLASS": "class_code",
        "DESCRIPTION": "type", "REASONDESCRIPTION": "reason_code", "CODE": "service_type",
    },
    "observations": {
        "DATE": "effective_date", "PATIENT": "patient_id", "ENCOUNTER": "encounter_id", "CATEGORY": "category",
        "CODE": "code", "VALUE": "value", "UNITS": "unit",
    },
}  # fmt: skip
"""Synthea's column → ours. SSN, driver's licence and passport become identifiers."""
_SYNTHEA_IDENTIFIERS = ("SSN", "DRIVERS", "PASSPORT")


def table_of(path: Path) -> str:
    """Return the table that a file holds, by the beginning of its name."""
    for table in SOURCE_TABLES:
        if path.name.lower().startswith(table):
            return table
    raise RiskflowError(
        f"{path.name}: no table is known by that name",
        "name the files patients.…, encounters.… and observations.…",
    )


def read_csv(handle: BinaryIO, source: str, table: str, delimiter: str = ",") -> Iterator[RawChunk]:
    """Yield the rows of a CSV or TSV file whose header has the names of the contract's columns."""
    return _read_delimited(handle, source, table, delimiter, lambda header: _named(header, table, source))


def read_synthea(handle: BinaryIO, source: str, table: str) -> Iterator[RawChunk]:
    """Yield the rows of a file of Synthea's CSV export; observations get the hash of their row as key."""
    return _read_delimited(handle, source, table, ",", lambda header: _synthea(header, table, source))


def read_parquet(path: Path, source: str, table: str) -> Iterator[RawChunk]:
    """Yield the rows of a Parquet file, a few row groups at a time."""
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise RiskflowError(
            f"{source}: not a readable Parquet file ({type(error).__name__})", "is it cut off?"
        ) from None
    with file:
        make = _named(file.schema_arrow.names, table, source)
        first = 1
        for batch in file.iter_batches(batch_size=CHUNK_ROWS):
            lines = list(range(first, first + batch.num_rows))
            first += batch.num_rows
            yield RawChunk(
                source, {table: RawTable(make([column.to_pylist() for column in batch.columns]), lines)}
            )


def _read_delimited(
    handle: BinaryIO, source: str, table: str, delimiter: str, columns_for: Callable[[Sequence[str]], Any]
) -> Iterator[RawChunk]:
    csv.field_size_limit(_LONGEST_CELL)
    text = io.TextIOWrapper(handle, encoding="utf-8-sig", errors="surrogateescape", newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    header = next(reader, None)
    if not header or not any(header):
        raise RiskflowError(f"{source}: the file is empty", "the first line names the columns")
    make = columns_for(header)
    while True:
        rows, lines, faults, ended = _some_rows(reader, len(header), table)
        columns = list(map(list, zip(*rows, strict=True))) if rows else [[] for _ in header]
        yield RawChunk(source, {table: RawTable(make(columns), lines)}, faults)
        if ended:
            return


def _some_rows(reader: Any, width: int, table: str) -> tuple[list[list[str]], list[int], list[Fault], bool]:
    """Return rows of the right width, their lines, the faults of others, and whether the file has ended."""
    rows: list[list[str]] = []
    lines: list[int] = []
    faults: list[Fault] = []
    ended = True
    try:
        for row in islice(reader, CHUNK_ROWS):
            ended = False
            line = reader.line_num
            if len(row) != width:
                if row:
                    faults.append(
                        Fault(
                            "wrong_width",
                            line,
                            f"line {line} has {len(row)} cells, the header {width}",
                            table,
                        )
                    )
            elif not "".join(row).isascii() and _has_bad_bytes(row):
                faults.append(Fault("unreadable", line, f"line {line} is not valid UTF-8", table))
            else:
                rows.append(row)
                lines.append(line)
    except csv.Error as error:
        reason = f"from line {reader.line_num} on the file cannot be read: {error}"
        return rows, lines, [*faults, Fault("unreadable", reader.line_num, reason, table)], True
    return rows, lines, faults, ended


def _has_bad_bytes(row: Sequence[str]) -> bool:
    return any("\udc80" <= character <= "\udcff" for cell in row for character in cell)


def _named(header: Sequence[str], table: str, source: str) -> Callable[[list[list[Any]]], Columns]:
    names = list(SOURCE_TABLES[table].columns)
    places = {name.strip().lower(): place for place, name in enumerate(header)}
    missing = [key for key in SOURCE_TABLES[table].key if key not in places]
    if missing or (table != "patients" and "patient_id" not in places):
        raise RiskflowError(
            f"{source}: the column {(missing or ['patient_id'])[0]} is not in the header",
            f"columns of {table} are: {', '.join(names)}",
        )
    return lambda cells: {name: cells[places[name]] for name in names if name in places}


def _synthea(header: Sequence[str], table: str, source: str) -> Callable[[list[list[str]]], Columns]:
    places = {name: place for place, name in enumerate(header)}
    missing = [name for name in _SYNTHEA[table] if name not in places]
    if missing:
        raise RiskflowError(
            f"{source}: Synthea's column {missing[0]} is not in the header", "export with CSV on"
        )

    def columns(cells: list[list[str]]) -> Columns:
        named: Columns = {ours: cells[places[theirs]] for theirs, ours in _SYNTHEA[table].items()}
        if table == "patients":
            named["given_names"] = ["|".join(first.split()) for first in cells[places["FIRST"]]]
            named["deceased"] = ["true" if day else "false" for day in cells[places["DEATHDATE"]]]
            ids = [cells[places[name]] for name in _SYNTHEA_IDENTIFIERS if name in places]
            named["identifiers"] = ["|".join(filter(None, row)) for row in zip(*ids, strict=True)]
        if table == "observations":
            named["observation_id"] = [_row_key(row) for row in zip(*cells, strict=True)]
        return named

    return columns


def _row_key(cells: Sequence[str]) -> str:
    return hashlib.sha256("\x1f".join(cells).encode("utf-8", "surrogateescape")).hexdigest()[:32]
