"""The blocks that a page is built from: plain data, no markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import polars as pl

from riskflow.errors import RiskflowError

Kind = Literal[
    "text", "code", "number", "percent", "money", "tag", "list", "meter", "stack", "signed", "lines"
]
NUMERIC: frozenset[str] = frozenset({"number", "percent", "money", "signed"})
NOTHING = "–"


@dataclass(frozen=True)
class Number:
    """One large number. `value` is shown as it is when text, else with thousands separators."""

    label: str
    value: int | float | str
    note: str = ""
    meaning: str = ""
    tone: str = ""

    @property
    def text(self) -> str:
        """The value as it is shown."""
        if isinstance(self.value, str):
            return self.value
        return f"{self.value:,.0f}" if isinstance(self.value, int) else f"{self.value:,.2f}"


@dataclass(frozen=True)
class Headline:
    """A row of large numbers."""

    numbers: Sequence[Number]
    kind: ClassVar[str] = "headline"


@dataclass(frozen=True)
class Prose:
    """A paragraph of plain text."""

    text: str
    kind: ClassVar[str] = "prose"


@dataclass(frozen=True)
class Callout:
    """A boxed remark."""

    text: str
    tone: Literal["info", "warning", "good"] = "info"
    kind: ClassVar[str] = "callout"


@dataclass(frozen=True)
class Definitions:
    """Terms and what they mean."""

    items: Sequence[tuple[str, str]]
    kind: ClassVar[str] = "definitions"


@dataclass(frozen=True)
class Legend:
    """What the colours of stacked cells mean: label → tone."""

    tones: Mapping[str, str]
    kind: ClassVar[str] = "legend"


@dataclass(frozen=True)
class Chart:
    """A chart with its title, and `alt`: what it shows, in words."""

    title: str
    svg: str
    alt: str
    note: str = ""
    meaning: str = ""
    wide: bool = False
    kind: ClassVar[str] = "chart"


@dataclass(frozen=True)
class Column:
    """A column of a table; see the package's description for the kinds."""

    name: str
    heading: str
    kind: Kind = "text"
    digits: int = 0
    meaning: str = ""
    tones: Mapping[str, str] = field(default_factory=dict)
    scale: float = 100.0

    @property
    def is_numeric(self) -> bool:
        """Whether the column is set flush right."""
        return self.kind in NUMERIC


@dataclass(frozen=True)
class Cell:
    """A cell ready for the template: its column, its text, and the parts of a bar or a list."""

    column: Column
    text: str = ""
    items: Sequence[str] = ()
    parts: Sequence[tuple[str, str, float]] = ()
    tone: str = ""


@dataclass(frozen=True)
class Table:
    """A table with a caption. Rows are a polars frame or mappings from column name to value."""

    title: str
    rows: pl.DataFrame | Sequence[Mapping[str, Any]]
    columns: Sequence[Column]
    note: str = ""
    filterable: bool = False
    cards: bool = False
    collapsed: bool = False
    half: bool = False
    kind: ClassVar[str] = "table"

    @property
    def cells(self) -> list[list[Cell]]:
        """The cells of each row, formatted."""
        rows = self.rows.to_dicts() if isinstance(self.rows, pl.DataFrame) else self.rows
        missing = [c.name for c in self.columns if rows and c.name not in rows[0]]
        if missing:
            raise RiskflowError(f"table {self.title!r}: no such column in its rows: {', '.join(missing)}")
        return [[cell(column, row[column.name]) for column in self.columns] for row in rows]


Block = Headline | Prose | Callout | Definitions | Legend | Chart | Table


@dataclass(frozen=True)
class Section:
    """A titled part of a page; its title is in the navigation."""

    title: str
    intro: str = ""
    blocks: Sequence[Block] = ()

    @property
    def anchor(self) -> str:
        """The section's id in the page."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.title.lower()).split())


def cell(column: Column, value: Any) -> Cell:
    """Return a value formatted as its column says; null is a dash."""
    if value is None:
        return Cell(column, NOTHING)
    match column.kind:
        case "list" | "lines":
            return Cell(column, NOTHING if not value else "", items=[str(item) for item in value])
        case "stack":
            return Cell(column, parts=_stack_parts(column, value))
        case "meter":
            width = 100.0 * min(max(float(value) / column.scale, 0.0), 1.0)
            return Cell(column, f"{value:,.{column.digits}f}", parts=[("", "tone1", width)])
        case "tag":
            return Cell(column, str(value), tone=column.tones.get(str(value), "muted"))
        case _:
            return Cell(column, _formatted(column, value))


def _formatted(column: Column, value: Any) -> str:
    match column.kind:
        case "number":
            return f"{value:,.{column.digits}f}"
        case "signed":
            return f"{value:+,.{column.digits}f}".replace("-", "−")
        case "percent":
            return f"{100 * value:,.{column.digits}f}%"
        case "money":
            return f"${value:,.{column.digits}f}"
        case _:
            return str(value)


def _stack_parts(column: Column, values: Mapping[str, float | None]) -> list[tuple[str, str, float]]:
    """Return (label and value, tone, width in percent of the scale) of each part above 0."""
    shown = [(label, amount) for label, amount in values.items() if amount is not None and amount > 0]
    return [
        (
            f"{label} {amount:,.{max(column.digits, 1)}f}",
            column.tones.get(label, "muted"),
            100.0 * amount / column.scale,
        )
        for label, amount in shown
    ]
