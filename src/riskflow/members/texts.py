"""Text columns as numbers: a claim file has millions of cells and few different ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from riskflow.errors import RiskflowError
from riskflow.members.parallel import each

Ints = npt.NDArray[np.signedinteger[Any]]
MISSING = -1


@dataclass(frozen=True)
class Coded:
    """A text column: its distinct texts, and per row the place of its text among them, -1 where there is none."""

    texts: pl.Series
    place: Ints

    def asked(self, passes: pl.Expr) -> npt.NDArray[np.bool_]:
        """Return per row whether its text passes; a missing text is asked as null."""
        told = pl.DataFrame([self.texts.extend_constant(None, 1)]).select(passes.fill_null(False))
        answers: npt.NDArray[np.bool_] = told.to_series().to_numpy()
        if answers[:-1].all() and (answers[-1] or not (self.place == MISSING).any()):
            return np.broadcast_to(np.True_, len(self.place))
        return answers[self.place]  # -1 is the last, the missing one

    def chosen(self, rows: Ints) -> Coded:
        """Return some of the rows."""
        return Coded(self.texts, _missing(len(rows)) if self.texts.is_empty() else self.place[rows])

    def between(self, start: int, stop: int) -> Coded:
        """Return the rows from `start` to before `stop`, not copied."""
        return Coded(self.texts, self.place[start:stop])

    def is_trimmed(self) -> bool:
        """Whether no text is blank or has white space around it."""
        return tidied(self.texts) is self.texts

    def ranked(self, cleaned: Callable[[pl.Expr], pl.Expr]) -> Coded:
        """Return the column with its texts cleaned, distinct again, and in order."""
        if self.texts.is_empty():
            return self
        cleaner = self.texts.to_frame().select(cleaned(pl.col(self.texts.name))).to_series()
        texts = cleaner.drop_nulls().unique().sort()
        place = np.append(numbers(cleaner, texts), np.int32(MISSING))
        return Coded(texts, place[self.place])

    def column(self) -> pl.Series:
        """Return the texts of all rows."""
        place = pl.Series(self.place)
        return self.texts.gather(place.set(place == MISSING, None) if (place == MISSING).any() else place)


def alike(columns: Sequence[Coded]) -> list[Coded]:
    """Return the columns, each of distinct texts in order, by the same texts: those that any of them has."""
    if all(column.texts.equals(columns[0].texts) for column in columns):
        return list(columns)
    texts = pl.concat([column.texts for column in columns]).unique().sort()

    def renumbered(column: Coded) -> Coded:
        place = np.append(numbers(column.texts, texts), np.int32(MISSING))
        return Coded(texts, place[column.place])

    return each(renumbered, columns)


def joined(columns: Sequence[Coded]) -> Coded:
    """Return the rows of columns by the same texts, one after another."""
    texts = columns[0].texts
    if texts.is_empty():
        return Coded(texts, _missing(sum(len(column.place) for column in columns)))
    return Coded(texts, np.concatenate([column.place for column in columns]))


def trimmed(text: pl.Expr) -> pl.Expr:
    """Return the text without white space around it, or null where nothing is left."""
    inner = text.str.strip_chars()
    return pl.when(inner.str.len_bytes() > 0).then(inner)


def tidied(column: pl.Series) -> pl.Series:
    """Return a text column trimmed; one that is so already, as most are, stays as it is."""
    cell = pl.col(column.name)
    tidy = column.to_frame().select(trimmed(cell).eq_missing(cell).all()).item()
    return column if tidy else column.to_frame().select(trimmed(cell)).to_series()


def rewritten(column: pl.Series, cleaned: Callable[[pl.Expr], pl.Expr]) -> pl.Series:
    """Return a column of few texts with each of them cleaned, asked once; it stays as it is where all are clean."""
    cells = coded(column)
    texts = cells.texts.to_frame().select(cleaned(pl.first()).alias(column.name)).to_series()
    return column if texts.equals(cells.texts) else Coded(texts, cells.place).column()


def _missing(rows: int) -> Ints:
    """Return the places of a column without texts: one number in memory, however many rows."""
    return np.broadcast_to(np.int32(MISSING), rows)


def coded(column: pl.Series) -> Coded:
    """Return a text column as numbers: polars' categories, which know each text by the number of its first row."""
    if column.null_count() == len(column):
        return Coded(column.clear(), _missing(len(column)))
    kind = pl.Categorical(pl.Categories.random())
    categories = column.cast(kind)  # kept: polars forgets them with the last column that has them
    place = categories.to_physical()
    every = pl.Series(np.arange(int(place.max()) + 1, dtype=np.uint32))  # type: ignore[arg-type]
    texts = pl.select(pl.lit(every).cat.to(kind).cast(pl.String).alias(column.name)).to_series()
    return Coded(texts, place.cast(pl.Int32).fill_null(MISSING).to_numpy())


def numbers(texts: pl.Series, names: pl.Series) -> Ints:
    """Return each text's place in `names` (distinct), -1 for others and nulls."""
    if names.is_empty() or texts.null_count() == len(texts):
        return _missing(len(texts))
    places = texts.cast(pl.Enum(names), strict=False).to_physical().cast(pl.Int32).fill_null(MISSING)
    found: Ints = places.to_numpy()
    return found


def strictly_ascending(texts: pl.Series) -> bool:
    """Return whether each text is greater than the one before: none is missing, and none is there twice."""
    after, before = texts.slice(1), texts.slice(0, max(len(texts) - 1, 0))
    return not texts.null_count() and bool((after > before).all())


def distinct_in_order(texts: pl.Series) -> pl.Series:
    """Return the distinct texts in order; the column itself where it is that already."""
    return texts if strictly_ascending(texts) else texts.unique().sort()


def member_numbers(
    ids: pl.Series, members: pl.Series, cleaned: Callable[[pl.Expr], pl.Expr] | None = None
) -> Ints:
    """Return each id's place in `members` (distinct and in order), -1 for an unknown one.

    Only the first id of each run of equal ids is cleaned, if asked for, and looked up: artifacts are sorted by member.
    """
    if ids.dtype != members.dtype and len(members):
        raise RiskflowError(f"member_id is {ids.dtype} in one table and {members.dtype} in the spans")
    if members.is_empty():
        return np.full(len(ids), MISSING, np.int32)
    changed = ids.ne_missing(ids.shift(1)).fill_null(True)
    if len(changed):
        changed[0] = True
    heads = ids.filter(changed)
    if cleaned is not None:
        heads = heads.to_frame().select(cleaned(pl.first())).to_series()
    place = members.search_sorted(heads).clip(upper_bound=len(members) - 1)
    same = (members.gather(place) == heads).fill_null(False).to_numpy()
    numbered: Ints = np.where(same, place.to_numpy(), MISSING).astype(np.int32)
    if len(heads) == len(ids):
        return numbered
    by_run: Ints = numbered[np.cumsum(changed.to_numpy(), dtype=np.int32) - 1]
    return by_run


def packed(columns: Sequence[Ints]) -> Ints:
    """Return one whole number per row that sorts as the columns do, the first of them first."""
    key, size = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:
        low, high = (int(column.min()), int(column.max())) if len(column) else (0, 0)
        width = high - low + 1
        if size * width >= 2**62:
            distinct, key = np.unique(key, return_inverse=True)
            size = len(distinct)
        if width > 1:
            key *= width
            key += column
            key -= low
        size *= width
    return key
