"""Frames as they lie in memory: in pieces, that polars copies into one whenever it works on several columns at once.

The copy costs more than most of what is then asked, so large frames are asked piece by piece.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

import polars as pl

MOST_ROWS = 1 << 18
"""Rows asked at a time: what they need in between stays small."""


def bounds(frame: pl.DataFrame) -> Iterator[tuple[int, int]]:
    """Yield first row and length of the parts of a frame that lie in one piece, at most MOST_ROWS, in order."""
    seams = {0, frame.height, *range(0, frame.height, MOST_ROWS)}
    for column in frame.get_columns():
        seams.update(accumulate(column.chunk_lengths()))
    for start, stop in pairwise(sorted(seams)):
        yield start, stop - start


def pieces(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield the parts of a frame that lie in one piece, at most MOST_ROWS, in order; an empty frame is one piece."""
    for start, length in bounds(frame) if frame.height else [(0, 0)]:
        yield frame.slice(start, length)


def columns(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Return some columns of a frame as they lie, which `select` does not promise."""
    return pl.DataFrame([frame[name] for name in names])
