"""Where the words of many texts are: found once for all rules, so that a rule looks only where its words stand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

_PIECE = r"[A-Za-z]+(?:['-]+[A-Za-z]+)*'?|[^A-Za-z]+"
"""A word with its hyphens and apostrophes, or all up to the next word: every character is in one piece."""

Anchor = frozenset[str] | Callable[[str], bool]
"""The words at which a rule looks: their first letters up to a hyphen or apostrophe, in lower case; or a test."""


def first_part(word: str) -> str:
    """Return the letters of a word up to its first hyphen or apostrophe."""
    return word.partition("-")[0].partition("'")[0]


def _numbered(pieces: pl.Series) -> tuple[npt.NDArray[np.int64], pl.Series]:
    """Return the number of each piece, and the piece of each number."""
    coded = pieces.cast(pl.Categorical).to_physical().to_numpy()
    place = np.full(int(coded.max()) + 1, -1, np.int64)
    place[coded] = np.arange(len(coded))
    met = np.flatnonzero(place >= 0)
    number = np.zeros(len(place), np.int64)
    number[met] = np.arange(len(met))
    return number[coded], pieces.gather(place[met])


@dataclass(frozen=True)
class WordIndex:
    """The words of texts of canonical text: `words`, the different ones; where each stands by row and offset.

    `codes` is the place in `words` of each word that stands somewhere, `rows` the number of its text, `starts` its
    offset there; in order of row and offset.
    """

    words: list[str]
    codes: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, texts: pl.Series) -> WordIndex:
        """Return the index of texts (no nulls)."""
        pieces = texts.str.extract_all(_PIECE)
        counts = pieces.list.len().to_numpy().astype(np.int64)
        flat = pieces.explode().drop_nulls()
        if flat.is_empty():
            nothing = np.zeros(0, np.int64)
            return cls([], nothing, nothing, nothing)
        sizes = flat.str.len_chars().to_numpy().astype(np.int64)
        rows = np.repeat(np.arange(len(texts)), counts)
        ends = np.cumsum(sizes)
        before = np.concatenate([[0], ends])[np.cumsum(counts) - counts]
        starts = ends - sizes - before[rows]
        codes, unique = _numbered(flat)
        is_word = unique.str.contains("^[A-Za-z]").to_numpy()
        kept = is_word[codes]
        return cls(unique.to_list(), codes[kept], rows[kept], starts[kept])

    @cached_property
    def lower_firsts(self) -> list[str]:
        """The letters of each word up to its first hyphen or apostrophe, in lower case."""
        return [word.lower() if word.isalpha() else first_part(word).lower() for word in self.words]

    def only(self, rows: Collection[int]) -> WordIndex:
        """Return the index of some of the texts, which keep their numbers."""
        kept = np.isin(self.rows, np.fromiter(rows, np.int64, len(rows)))
        return WordIndex(self.words, self.codes[kept], self.rows[kept], self.starts[kept])

    def places(self, anchor: Anchor) -> Iterator[tuple[int, list[int]]]:
        """Yield (row, offsets) of every text with words that the anchor accepts."""
        if isinstance(anchor, frozenset):
            said = [word in anchor for word in self.lower_firsts]
        else:
            said = [anchor(word) for word in self.words]
        wanted = np.array(said, bool)
        found = np.flatnonzero(wanted[self.codes])
        if not len(found):
            return
        rows, starts = self.rows[found], self.starts[found].tolist()
        borders = [0, *(np.flatnonzero(np.diff(rows)) + 1).tolist(), len(rows)]
        for first, last in pairwise(borders):
            yield int(rows[first]), starts[first:last]
