"""Contracts: what every artifact promises, as data, held by pandera at the moment of writing.

A contract is light (no pandera import) so that readers and the Snakefile can name it; the pandera schema
is built when a frame is validated. Check messages are sentences and never hold a cell value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from riskflow.errors import RiskflowError
from riskflow.pieces import pieces

if TYPE_CHECKING:
    import pandera.polars as pa

DataType = pl.DataType | type[pl.DataType]


@dataclass(frozen=True)
class Check:
    """A named promise: `passes` gives a boolean expression; null counts as passed (nullability is its own)."""

    name: str
    sentence: str
    passes: Callable[[pl.Expr], pl.Expr]


@dataclass(frozen=True)
class FrameCheck:
    """A named promise over several columns of a row."""

    name: str
    sentence: str
    passes: pl.Expr


@dataclass(frozen=True)
class Column:
    """One column of an artifact."""

    dtype: DataType
    description: str
    checks: tuple[Check, ...] = ()
    nullable: bool = False


def column(dtype: DataType, description: str, *checks: Check, nullable: bool = False) -> Column:
    """Return a column of a contract; the description says unit and meaning."""
    return Column(dtype, description, checks, nullable)


def in_range(low: float, high: float) -> Check:
    """Values lie in [low, high]; NaN does not."""
    return Check(
        f"in_range_{low:g}_{high:g}",
        f"is between {low:g} and {high:g}",
        lambda c: c.is_between(low, high) & ~_is_nan(c),
    )


def at_least(low: float) -> Check:
    """Values are `low` or more; NaN is not."""
    return Check(f"at_least_{low:g}", f"is {low:g} or more", lambda c: (c >= low) & ~_is_nan(c))


def finite() -> Check:
    """Neither NaN nor infinite."""
    return Check("finite", "is a finite number", lambda c: c.is_finite())


def one_of(values: Iterable[str]) -> Check:
    """Values belong to a closed list."""
    allowed = sorted(values)
    return Check("one_of", f"is one of {', '.join(allowed)}", lambda c: c.cast(pl.String).is_in(allowed))


def matches(pattern: str, meaning: str) -> Check:
    """Text matches a pattern; `meaning` says the pattern in words."""
    return Check("matches", meaning, lambda c: c.str.contains(pattern))


def not_empty() -> Check:
    """Text has at least one character."""
    return Check("not_empty", "is not an empty text", lambda c: c.str.len_bytes() > 0)


def npi() -> Check:
    """National Provider Identifier: ten digits, first digit not 0 (45 CFR 162.406)."""
    return Check(
        "npi_ten_digits",
        "is an NPI of ten digits that does not begin with 0",
        lambda c: c.is_between(1_000_000_000, 9_999_999_999),
    )


def npi_text() -> Check:
    """National Provider Identifier as text: ten digits, first digit not 0 (45 CFR 162.406)."""
    return matches(r"^[1-9]\d{9}$", "is an NPI of ten digits that does not begin with 0")


def _is_nan(expression: pl.Expr) -> pl.Expr:
    return expression.cast(pl.Float64).is_nan()


@dataclass(frozen=True)
class Contract:
    """The promise of one artifact: its columns in order, its key (unique, and the order of its rows)."""

    name: str
    version: int
    title: str
    key: tuple[str, ...]
    columns: Mapping[str, Column]
    checks: tuple[FrameCheck, ...] = field(default=())

    @property
    def schema(self) -> dict[str, DataType]:
        """Column name → polars type, in the order of the artifact."""
        return {name: col.dtype for name, col in self.columns.items()}

    def empty(self) -> pl.DataFrame:
        """Return a frame of this contract without rows."""
        return pl.DataFrame(schema=self.schema)

    @cached_property
    def pandera(self) -> pa.DataFrameSchema:
        """The pandera schema, strict and ordered, with this contract's named checks."""
        import pandera.polars as pa

        return pa.DataFrameSchema(
            {name: _pandera_column(col) for name, col in self.columns.items()},
            checks=[_pandera_frame_check(check) for check in self.checks],
            strict=True,
            ordered=True,
            name=self.name,
        )

    def validate(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the frame if it keeps every promise, else raise a RiskflowError that names all broken ones.

        The promises are tried in one pass of polars. Only when one is broken is pandera, built from the same
        promises, asked which and where: importing it costs more than most shards' work.
        """
        self._check_schema(frame)
        if not self.holds(frame):
            self._raise_broken(frame)
        return frame

    def holds(self, frame: pl.DataFrame) -> bool:
        """Whether a frame with this contract's columns keeps every promise; one that cannot be tried is broken."""
        try:
            return not self._kept or all(all(piece.select(self._kept).row(0)) for piece in pieces(frame))
        except pl.exceptions.PolarsError:
            return False

    @cached_property
    def _kept(self) -> list[pl.Expr]:
        """One boolean per promise: nullability and checks of the columns, checks of the rows."""
        kept = [_has_no_null(name, col.dtype) for name, col in self.columns.items() if not col.nullable]
        kept += [c.passes(pl.col(name)) for name, col in self.columns.items() for c in col.checks]
        kept += [check.passes for check in self.checks]
        return [promise.fill_null(True).all().alias(str(number)) for number, promise in enumerate(kept)]

    def _raise_broken(self, frame: pl.DataFrame) -> None:
        import pandera.errors

        try:
            self.pandera.validate(frame, lazy=True)
        except pandera.errors.SchemaErrors as errors:
            broken = sorted({_sentence(error) for error in errors.schema_errors})
        else:
            broken = ["a promise that pandera does not name"]
        raise RiskflowError(
            f"artifact {self.name} v{self.version}: " + "; ".join(broken),
            "the stage that wrote it has a fault, or its input passed a check that it should not have",
        ) from None

    def _check_schema(self, frame: pl.DataFrame) -> None:
        expected, found = dict(self.schema), dict(frame.schema)
        if list(expected) == list(found) and all(found[name] == kind for name, kind in expected.items()):
            return
        missing = [name for name in expected if name not in found]
        extra = [name for name in found if name not in expected]
        wrong = [f"{n} is {found[n]}, not {k}" for n, k in expected.items() if n in found and found[n] != k]
        faults = [f"missing columns: {', '.join(missing)}"] * bool(missing)
        faults += [f"unknown columns: {', '.join(extra)}"] * bool(extra) + wrong
        raise RiskflowError(
            f"artifact {self.name} v{self.version}: " + "; ".join(faults or ["columns are in another order"]),
            f"expected, in this order: {', '.join(expected)}",
        )


def _has_no_null(name: str, dtype: DataType) -> pl.Expr:
    """Neither null nor, as pandera has it, NaN."""
    known = pl.col(name).is_not_null()
    return known & pl.col(name).is_not_nan() if dtype in (pl.Float32, pl.Float64) else known


def _pandera_column(col: Column) -> Any:
    import pandera.polars as pa

    checks = [
        pa.Check(
            lambda data, p=c.passes: data.lazyframe.select(p(pl.col(data.key))), name=c.name, error=c.sentence
        )
        for c in col.checks
    ]
    return pa.Column(col.dtype, checks=checks, nullable=col.nullable, description=col.description)


def _pandera_frame_check(check: FrameCheck) -> Any:
    import pandera.polars as pa

    return pa.Check(lambda data: data.lazyframe.select(check.passes), name=check.name, error=check.sentence)


def _sentence(error: Any) -> str:
    """Say column, check, count and first row of a pandera error; never a value."""
    where = error.schema.name or "row"
    rows = _broken_rows(error.check_output)
    if error.reason_code is not None and error.reason_code.name == "SERIES_CONTAINS_NULLS":
        return f"column {where} has nulls (or NaN) and may not{rows}"
    promise = getattr(error.check, "error", None) or str(error.reason_code)
    return f"broken promise: {where} {promise}{rows}"


def _broken_rows(passed: Any) -> str:
    if not isinstance(passed, pl.DataFrame) or passed.is_empty():
        return ""
    broken = (~passed.to_series().fill_null(True)).arg_true()
    return f" ({broken.len()} rows, first at row {broken[0]})" if broken.len() else ""
