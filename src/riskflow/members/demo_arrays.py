"""Small building blocks of the demo generator over numpy arrays and polars columns."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

IntArray = NDArray[np.int64]


def days(year: int, month: int, day: int = 1) -> int:
    """Return a date as days since 1970-01-01."""
    return (date(year, month, day) - date(1970, 1, 1)).days


def picked(rng: np.random.Generator, size: int, weights: ArrayLike) -> IntArray:
    """Return `size` indices drawn by weight."""
    steps = np.cumsum(np.asarray(weights, dtype=np.float64))
    found: IntArray = np.searchsorted(steps, rng.random(size) * steps[-1], side="right")
    return np.minimum(found, len(steps) - 1)


def member_ids(number: pl.Expr) -> pl.Expr:
    """Return member ids as text: M and nine digits."""
    return pl.concat_str(pl.lit("M"), number.cast(pl.String).str.zfill(9))


def labelled(index: pl.Expr, labels: Sequence[str]) -> pl.Expr:
    """Return the label at each index."""
    return index.replace_strict(dict(enumerate(labels)), return_dtype=pl.String)


def gathered(values: pl.Series, index: IntArray) -> pl.Series:
    """Return the values at the indices."""
    return values.gather(pl.Series(index))
