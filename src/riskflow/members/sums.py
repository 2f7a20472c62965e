"""Group sums of floats that give the same bytes at any thread count and row order."""

from collections.abc import Sequence

import numpy as np
import polars as pl


def grouped_sums(
    frame: pl.DataFrame, keys: Sequence[str], values: Sequence[str], order: Sequence[str]
) -> pl.DataFrame:
    """Return `keys`, the sum of each of `values`, and `rows`, sorted by the keys.

    Rows are added one after the other in the order of `keys` then `order`, which should make rows unique.
    """
    ordered = frame.sort([*keys, *order])
    group = ordered.select(pl.struct(keys).rle_id().cast(pl.Int64)).to_series().to_numpy()
    first = ordered.select(keys).filter(pl.Series(np.diff(group, prepend=-1) > 0))
    sums = {name: np.bincount(group, ordered[name].cast(pl.Float64).to_numpy()) for name in values}
    return first.with_columns(
        *[pl.Series(name, column) for name, column in sums.items()],
        pl.Series("rows", np.bincount(group).astype(np.int64)),
    )
