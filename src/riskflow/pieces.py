"""Frames as they lie in memory: in pieces, that polars copies into one whenever it works on several columns at once.

The copy costs more than most of what is then asked, so large frames are asked piece by piece.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

import polars as pl

MOST_ROWS = 1 << 18
"""Rows asked at a time: what they need in between stays small."""
LEAST_ROWS = 1 << 12
"""Smaller pieces are asked together with the next: copying them costs less than asking each."""


def bounds(frame: pl.DataFrame) -> Iterator[tuple[int, int]]:
    """Yield first row and length of the parts of a frame that lie in one piece, about MOST_ROWS at most, in order."""
    seams = {frame.height, *range(0, frame.height, MOST_ROWS)}
    for column in frame.get_columns():
        seams.update(accumulate(column.chunk_lengths()))
    start = 0
    for seam in sorted(seams):
        if seam - start >= LEAST_ROWS or start < seam == frame.height:
            yield start, seam - start
            start = seam


def pieces(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield the parts of a frame that `bounds` tells; an empty frame is one piece."""
    for start, length in bounds(frame) if frame.height else [(0, 0)]:
        yield frame.slice(start, length)


def columns(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Return some columns of a frame as they lie, which `select` does not promise."""
    return pl.DataFrame([frame[name] for name in names])
