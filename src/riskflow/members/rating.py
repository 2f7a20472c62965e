"""Federal rating rules: the age curve (45 CFR 147.102(e); CMS Default Federal Standard Age Curve of 2018)."""

from __future__ import annotations

from functools import cache
from io import StringIO

import polars as pl

from riskflow import resources

OLDEST_BAND = 64


@cache
def _age_curve() -> dict[int, float]:
    rows = pl.read_csv(StringIO(resources.text("riskflow.members", "age_curve.csv"))).rows()
    return {int(age): float(factor) for age, factor in rows}


def age_factor(age: pl.Expr) -> pl.Expr:
    """Return the age rating factor of ages in whole years: 0.765 to age 14, 1.000 at 21, 3.000 from 64."""
    return age.clip(0, OLDEST_BAND).replace_strict(_age_curve(), return_dtype=pl.Float64)


def age_on(day: pl.Expr, birth: pl.Expr) -> pl.Expr:
    """Return the age in whole years on a day; who is born on 29 February turns a year older on 1 March."""
    had_birthday = _month_and_day(day) >= _month_and_day(birth)
    return day.dt.year() - birth.dt.year() - pl.when(had_birthday).then(0).otherwise(1)


def _month_and_day(date: pl.Expr) -> pl.Expr:
    """Return 100 × month + day, in 32 bits: polars counts months in 8."""
    return date.dt.month().cast(pl.Int32) * 100 + date.dt.day().cast(pl.Int32)
