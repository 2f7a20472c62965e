"""What readers yield: raw rows of the three tables, column by column, and units that could not be read.

A unit is what a file is made of: an element of a JSON array, a line, a resource. A fault is a unit (or a row)
that cannot be used; it tells where and why and never holds a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from riskflow.contracts.notes_sources import SOURCE_TABLES

CHUNK_ROWS = 20_000
CHUNK_BYTES = 32 << 20


@dataclass(frozen=True)
class Fault:
    """A unit that could not be read: rule, 1-based number of the unit in its file, reason with position."""

    rule: str
    number: int
    reason: str
    unit: str = "records"


@dataclass
class RawTable:
    """Raw rows of one table: cells by column, and the 1-based number of each row within its source."""

    columns: Mapping[str, Sequence[Any]]
    lines: list[int]


@dataclass
class RawChunk:
    """Some rows of each table of one source, and the faults met on the way."""

    source: str
    tables: dict[str, RawTable] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


class Collector:
    """Collects rows as dictionaries until a chunk is full, counted by rows of all tables, not by patients."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.units = 0
        self._seen = dict.fromkeys(SOURCE_TABLES, 0)
        self._clear()

    def _clear(self) -> None:
        self._rows: dict[str, list[dict[str, Any]]] = {table: [] for table in SOURCE_TABLES}
        self._faults: list[Fault] = []
        self._bytes = 0

    def add(self, table: str, row: dict[str, Any]) -> None:
        """Add a row."""
        self._rows[table].append(row)

    def fault(self, rule: str, reason: str, number: int | None = None, unit: str = "records") -> None:
        """Add a fault, of the unit being read where no number is given."""
        self._faults.append(Fault(rule, self.units if number is None else number, reason, unit))

    def row_fault(self, table: str, rule: str, reason: str) -> None:
        """Add a fault in the place of a row of a table."""
        self._rows[table].append({_FAULT: (rule, reason)})

    def weigh(self, size: int) -> None:
        """Count the bytes of a unit."""
        self._bytes += size

    @property
    def full(self) -> bool:
        """Whether the chunk is big enough to hand over."""
        return sum(map(len, self._rows.values())) >= CHUNK_ROWS or self._bytes >= CHUNK_BYTES

    def take(self) -> RawChunk:
        """Return what was collected, and begin anew."""
        tables = {table: self._columns(table, rows) for table, rows in self._rows.items() if rows}
        chunk = RawChunk(self.source, tables, self._faults)
        self._clear()
        return chunk

    def _columns(self, table: str, rows: Sequence[dict[str, Any]]) -> RawTable:
        first = self._seen[table] + 1
        self._seen[table] += len(rows)
        good: list[dict[str, Any]] = []
        lines: list[int] = []
        for line, row in enumerate(rows, first):
            if _FAULT in row:
                rule, reason = row[_FAULT]
                self._faults.append(Fault(rule, line, reason, table))
            else:
                good.append(row)
                lines.append(line)
        return RawTable(_by_column(list(SOURCE_TABLES[table].columns), good), lines)


def _by_column(names: Sequence[str], rows: Sequence[dict[str, Any]]) -> dict[str, Sequence[Any]]:
    """Return the cells of rows by column, None where a row lacks one."""
    try:
        cells = zip(*map(itemgetter(*names), rows), strict=True)  # in most files every row has every column
        return dict(zip(names, cells, strict=True)) if rows else dict.fromkeys(names, ())
    except KeyError:
        return {name: [row.get(name) for row in rows] for name in names}


_FAULT = "\0fault"


def chunked(collector: Collector, units: Iterator[None]) -> Iterator[RawChunk]:
    """Drive a reader, which fills the collector unit by unit, and yield full chunks and the rest."""
    for _ in units:
        if collector.full:
            yield collector.take()
    yield collector.take()
