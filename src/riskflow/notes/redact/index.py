"""Where the words of many texts are: found once for all rules, so that a rule looks only where its words stand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

_LETTERS, _JOINERS = np.zeros(256, bool), np.zeros(256, bool)
_LETTERS[[*range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1)]] = True
_JOINERS[[ord("'"), ord("-")]] = True
_KINDS = _LETTERS.astype(np.uint8)
_DIGIT = 2
_KINDS[ord("0") : ord("9") + 1] = _DIGIT

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Anchor = frozenset[str] | Callable[[str], bool]
"""The words at which a rule looks: their first letters up to a hyphen or apostrophe, in lower case; or a test."""


def first_part(word: str) -> str:
    """Return the letters of a word up to its first hyphen or apostrophe."""
    return word.partition("-")[0].partition("'")[0]


def _numbered(words: pl.Series) -> tuple[Ints, list[str]]:
    """Return the number of each word, and the word of each number."""
    coded = words.cast(pl.Categorical).to_physical().to_numpy()
    place = np.full(int(coded.max()) + 1, -1, np.int64)
    place[coded] = np.arange(len(coded))
    met = np.flatnonzero(place >= 0)
    number = np.zeros(len(place), np.int64)
    number[met] = np.arange(len(met))
    return number[coded], words.gather(place[met]).to_list()


def _borders(data: bytes, raw: npt.NDArray[np.uint8]) -> tuple[Ints, Ints]:
    """Return where words begin and end: letters, what joins them (hyphens, apostrophes), an apostrophe after them.

    That is `[A-Za-z]+(?:['-]+[A-Za-z]+)*'?`; the last byte is no letter.
    """
    letter = _LETTERS[raw]
    edges = np.flatnonzero(letter[1:] != letter[:-1]) + 1
    edges = np.concatenate([[0], edges]) if letter[0] else edges
    first, last = edges[::2], edges[1::2]
    if not len(first):
        return first, last
    joined = _JOINERS[raw[last[:-1]]] & _JOINERS[raw[first[1:] - 1]]
    for place in np.flatnonzero(joined & (first[1:] - last[:-1] > 2)).tolist():
        joined[place] = not data[last[place] : first[place + 1]].strip(b"'-")
    whole = np.concatenate([[True], ~joined, [True]])
    ends = last[whole[1:]]
    return first[whole[:-1]], ends + (raw[ends] == ord("'"))


def _in_characters(data: bytes, raw: npt.NDArray[np.uint8], *places: Ints) -> tuple[Ints, ...]:
    """Return places in UTF-8 as numbers of characters."""
    if data.isascii():
        return places
    before = np.cumsum(raw & 0xC0 != 0x80) - 1
    return tuple(before[place] for place in places)


def _row_begins(texts: pl.Series) -> Ints:
    """Return where each text begins in all of them with a line feed after each, in bytes."""
    sizes: Ints = texts.str.len_bytes().to_numpy().astype(np.int64) + 1
    return np.cumsum(sizes) - sizes


def _sliced(data: bytes, starts: Ints, ends: Ints) -> pl.Series:
    """Return the texts between starts and ends, which follow each other in valid UTF-8."""
    offsets = np.empty(2 * len(starts), np.int64)
    offsets[::2], offsets[1::2] = starts, ends
    buffers = (pa.py_buffer(offsets), pa.py_buffer(data))
    return pl.Series(pa.LargeStringArray.from_buffers(len(offsets) - 1, *buffers)).gather_every(2)


@dataclass(frozen=True)
class WordIndex:
    """The words of texts of canonical text: `words`, the different ones; where each stands by row and offset.

    `codes` is the place in `words` of each word that stands somewhere, `rows` the number of its text, `starts` its
    offset there; in order of row and offset. `after` is the byte after it in UTF-8, a line feed at the end of a text.
    `digits` is how many digits each text has.
    """

    words: list[str]
    codes: Ints
    rows: Ints
    starts: Ints
    after: npt.NDArray[np.uint8]
    digits: Ints

    @classmethod
    def of(cls, texts: pl.Series) -> WordIndex:
        """Return the index of texts (no nulls)."""
        data = "\n".join(texts.to_list()).encode() + b"\n"
        raw = np.frombuffer(data, np.uint8)
        begins = _row_begins(texts)
        digits = np.add.reduceat(_KINDS[raw] == _DIGIT, begins, dtype=np.int64) if len(begins) else begins
        starts, ends = _borders(data, raw)
        if not len(starts):
            nothing = np.zeros(0, np.int64)
            return cls([], nothing, nothing, nothing, raw[:0], digits)
        codes, words = _numbered(_sliced(data, starts, ends))
        rows = np.searchsorted(begins, starts, side="right") - 1
        after = raw[ends]
        starts, begins = _in_characters(data, raw, starts, begins)
        return cls(words, codes, rows, starts - begins[rows], after, digits)

    @cached_property
    def lower_firsts(self) -> list[str]:
        """The letters of each word up to its first hyphen or apostrophe, in lower case."""
        return [word.lower() if word.isalpha() else first_part(word).lower() for word in self.words]

    def only(self, rows: Collection[int]) -> WordIndex:
        """Return the index of some of the texts, which keep their numbers."""
        kept = np.isin(self.rows, np.fromiter(rows, np.int64, len(rows)))
        of_words = (self.codes[kept], self.rows[kept], self.starts[kept], self.after[kept])
        return WordIndex(self.words, *of_words, self.digits)

    @cached_property
    def lengths(self) -> Ints:
        """The length of each word."""
        return np.fromiter(map(len, self.words), np.int64, len(self.words))

    def ahead(self, found: Ints) -> Ints:
        """Return the code of the word after each of the found ones in its text, -1 where there is none."""
        later = np.minimum(found + 1, len(self.codes) - 1)
        return np.where((later > found) & (self.rows[later] == self.rows[found]), self.codes[later], -1)

    def behind(self, found: Ints) -> Ints:
        """Return the code of the word before each of the found ones in its text, -1 where there is none."""
        earlier = np.maximum(found - 1, 0)
        return np.where((earlier < found) & (self.rows[earlier] == self.rows[found]), self.codes[earlier], -1)

    def adjoining(self, found: Ints) -> Bools:
        """Return whether one blank alone stands between each of the found words and the next one."""
        later = np.minimum(found + 1, len(self.codes) - 1)
        gap = self.starts[later] - self.starts[found] - self.lengths[self.codes[found]]
        alone: Bools = (self.after[found] == ord(" ")) & (self.ahead(found) >= 0) & (gap == 1)
        return alone

    def followed_by(self, found: Ints, characters: bytes) -> Bools:
        """Return whether one of some ASCII characters stands right after each of the found words."""
        standing: Bools = np.isin(self.after[found], np.frombuffer(characters, np.uint8))
        return standing

    def told(self, codes: Ints, test: Callable[[str], bool]) -> Bools:
        """Return what a test says of the word of each code, asked once for each; no to -1."""
        met = np.zeros(len(self.words) + 1, bool)
        met[codes] = True
        met[-1] = False
        which = np.flatnonzero(met)
        met[which] = [test(self.words[code]) for code in which.tolist()]
        return met[codes]

    def places(self, anchor: Anchor, beside: Beside | None = None) -> Iterator[tuple[int, list[int]]]:
        """Yield (row, offsets) of every text with words that the anchor accepts, and then what stands beside them."""
        if isinstance(anchor, frozenset):
            said = [word in anchor for word in self.lower_firsts]
        else:
            said = [anchor(word) for word in self.words]
        wanted = np.array(said, bool)
        found = np.flatnonzero(wanted[self.codes])
        found = found[beside(self, found)] if beside and len(found) else found
        if not len(found):
            return
        rows, starts = self.rows[found], self.starts[found].tolist()
        borders = [0, *(np.flatnonzero(np.diff(rows)) + 1).tolist(), len(rows)]
        for first, last in pairwise(borders):
            yield int(rows[first]), starts[first:last]


Beside = Callable[[WordIndex, Ints], Bools]
"""Whether a rule may find anything at words that its anchor accepts: (index, numbers of the words) → yes or no."""


class Runs:
    """The runs of letters and of digits in many texts of canonical text: `[A-Za-z]+|[0-9]+`.

    `words`: the different ones in lower case, each with its number.
    """

    def __init__(self, texts: pl.Series) -> None:
        data = "\n".join(texts.to_list()).encode() + b"\n"
        raw = np.frombuffer(data, np.uint8)
        kinds = _KINDS[raw]
        edges = np.concatenate([[0], np.flatnonzero(kinds[1:] != kinds[:-1]) + 1])
        runs = np.flatnonzero(kinds[edges])
        starts, ends = edges[runs], edges[runs + 1]  # the last edge is of a line feed
        begins = _row_begins(texts)
        self._first: Ints = np.append(np.searchsorted(starts, begins), len(starts))
        words: list[str] = []
        self._codes = np.zeros(0, np.int64)
        if len(starts):
            self._codes, words = _numbered(_sliced(data.lower(), starts, ends))
        self.words = {word: code for code, word in enumerate(words)}
        self._vocabulary = words
        self._starts, self._ends, self._begins = _in_characters(data, raw, starts, ends, begins)

    def of(self, row: int) -> tuple[list[str], list[tuple[int, int]]]:
        """Return the runs of a text in lower case, and (start, end) of each."""
        some, begin = slice(self._first[row], self._first[row + 1]), self._begins[row]
        starts, ends = self._starts[some] - begin, self._ends[some] - begin
        words = [self._vocabulary[code] for code in self._codes[some].tolist()]
        return words, list(zip(starts.tolist(), ends.tolist(), strict=True))

    def places(self, groups: Ints, asked: Iterable[tuple[int, int]]) -> list[list[int]]:
        """Return for each text which of its runs are asked for, as (group of the text, number of the word)."""
        size = len(self._vocabulary) + 1
        wanted = np.array([group * size + code for group, code in asked], np.int64)
        counts = np.diff(self._first)
        met = np.flatnonzero(np.isin(np.repeat(groups, counts) * size + self._codes, wanted))
        rows = np.repeat(np.arange(len(counts)), counts)[met]
        within = (met - self._first[rows]).tolist()
        borders = np.searchsorted(rows, np.arange(len(counts) + 1)).tolist()
        return [within[first:last] for first, last in pairwise(borders)]
