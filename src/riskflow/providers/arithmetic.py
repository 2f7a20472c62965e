"""Arithmetic that gives the same bits in a frame of one row as in a frame of a million."""

from __future__ import annotations

import polars as pl


def quotient(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """Return numerator / denominator, taken as numerator · (1 / denominator).

    Where a column is a single value, as every column of a one-row shard can be, polars multiplies by the
    reciprocal instead of dividing, which may round the last bit otherwise. Doing that always makes a score
    independent of how the population is cut. Nothing may divide column by column except through here.
    """
    return numerator.cast(pl.Float64) * (1.0 / denominator.cast(pl.Float64))
