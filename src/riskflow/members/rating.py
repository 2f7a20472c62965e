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
    had_birthday = (day.dt.month() * 100 + day.dt.day().cast(pl.Int32)) >= (
        birth.dt.month() * 100 + birth.dt.day().cast(pl.Int32)
    )
    return day.dt.year() - birth.dt.year() - pl.when(had_birthday).then(0).otherwise(1)
