"""Typed values from raw cells: each function takes a raw column of any type and gives null where it cannot tell."""

from __future__ import annotations

import polars as pl

LARGEST_CENTS = 9_000_000_000_000_000  # above this a 64-bit float no longer holds every cent
NO_DATES = ("00000000", "0", "00/00/0000", "0000-00-00")


def text(column: str) -> pl.Expr:
    """Return text without blanks around it; empty is null."""
    stripped = pl.col(column).cast(pl.String).str.strip_chars()
    return pl.when(stripped.str.len_bytes() > 0).then(stripped)


def npi(column: str, kind: pl.DataType) -> pl.Expr:
    """Return ten-digit NPIs that do not begin with 0 as Int64, else null."""
    if kind.is_integer():
        number = pl.col(column).cast(pl.Int64)
    else:
        written = pl.col(column).cast(pl.String).str.strip_chars()
        number = pl.when(written.str.len_bytes() == 10).then(written.cast(pl.Int64, strict=False))
    return pl.when(number.is_between(1_000_000_000, 9_999_999_999)).then(number)


def cents(column: str, kind: pl.DataType) -> pl.Expr:
    """Return money in cents (Int64), rounded half away from zero; null where it is no finite number."""
    dollars = _number(column, kind)
    scaled = (dollars * 100).round(0, mode="half_away_from_zero")
    return (
        pl.when(scaled.is_finite() & (scaled.abs() <= LARGEST_CENTS))
        .then(scaled)
        .cast(pl.Int64, strict=False)
    )


def whole(column: str, kind: pl.DataType) -> pl.Expr:
    """Return whole numbers as Int64 ("93480.0" is one); null where it is none."""
    if kind.is_integer():
        return pl.col(column).cast(pl.Int64)
    number = _number(column, kind)
    return (
        pl.when(number.is_finite() & (number == number.floor()) & (number.abs() < 2**53))
        .then(number)
        .cast(pl.Int64, strict=False)
    )


def percentage(column: str, kind: pl.DataType) -> pl.Expr:
    """Return 0..100 as Float64; null where it is no such number."""
    number = _number(column, kind)
    return pl.when(number.is_between(0, 100)).then(number)


def date(column: str, kind: pl.DataType, form: str) -> pl.Expr:
    """Return dates; null where there is none (also 00000000). A month without a day is its last day."""
    if kind.is_temporal():
        return pl.col(column).cast(pl.Date)
    written = text(column)
    if "%d" in form:
        return written.str.to_date(form, strict=False)
    return pl.concat_str(pl.lit("01/"), written).str.to_date(f"%d/{form}", strict=False).dt.month_end()


def has_date_text(column: str) -> pl.Expr:
    """Return whether something other than "no date" is written."""
    written = text(column)
    return (written.is_not_null() & ~written.is_in(NO_DATES)).fill_null(False)


def state(column: str) -> pl.Expr:
    """Return two-letter codes of states and territories; anything else is null."""
    code = text(column).str.to_uppercase()
    return pl.when(code.str.contains(r"^[A-Z]{2}$")).then(code)


def truth(column: str) -> pl.Expr:
    """Return whether the cell says yes."""
    return text(column).str.to_lowercase().is_in(["y", "yes", "true", "t", "1"]).fill_null(False)


def exact_name(column: str) -> pl.Expr:
    """Return a name as an exact key: capitals, single spaces, no punctuation; empty is null."""
    plain = text(column).str.to_uppercase().str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars()
    return pl.when(plain.str.len_bytes() > 0).then(plain)


def _number(column: str, kind: pl.DataType) -> pl.Expr:
    if kind.is_numeric():
        return pl.col(column).cast(pl.Float64)
    return pl.col(column).cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False)
