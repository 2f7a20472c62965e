"""Words as the name model reads them: cut from canonical text, and what the model is told of each.

All of it is a function of the word alone, so that a word is worked out once however often it is read.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from riskflow.notes.ner.lexicon import CLASSES, word_class

Ints = npt.NDArray[np.int64]

ROWS = (3000, 3000, len(CLASSES), 800, 400)
"""Rows of the embedding tables: the word in small letters (two hashes), its class on the lists, ending, shape."""

_PIECE = re.compile(r"[^\W\d_]+(?:'(?![sS]\b)[^\W\d_]+)*|\d+|\n|[^\S\n]+|'[sS]\b|.", re.DOTALL)
_ASCII_PIECE = re.compile(r"[A-Za-z]+(?:'(?![sS]\b)[A-Za-z]+)*|[0-9]+|\n|[^\S\n]+|'[sS]\b|.", re.DOTALL)
"""Every character is in one piece: a run of letters (with apostrophes), of digits, of blanks, or itself."""

_RUN = re.compile(r"(.)\1{3,}")
_SHAPE = str.maketrans(
    {**dict.fromkeys(map(chr, range(65, 91)), "X"), **dict.fromkeys(map(chr, range(97, 123)), "x")}
    | dict.fromkeys("0123456789", "d")
)


@dataclass(frozen=True)
class WordTable:
    """The words of many sentences, one after the other, without blanks.

    `words`: the different words. `ids`: which of them each word is. `starts`, `ends`: its offsets in its sentence.
    `first`: where each sentence begins in `ids`, and at the end where the last one ends.
    """

    words: list[str]
    ids: Ints
    starts: Ints
    ends: Ints
    first: Ints


def word_table(sentences: Sequence[str]) -> WordTable:
    """Return the words of sentences of canonical text."""
    joined = "\n".join(sentences)
    if joined.count("\n") != max(0, len(sentences) - 1):
        joined = "\n".join(sentence.replace("\n", " ") for sentence in sentences)
    pieces = (_ASCII_PIECE if joined.isascii() else _PIECE).findall(joined)
    index = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    codes = np.fromiter(map(index.__getitem__, pieces), np.int64, len(pieces))
    unique = list(index)
    lengths = np.fromiter(map(len, unique), np.int64, len(unique))
    ends = np.cumsum(lengths[codes])
    blank = np.fromiter((piece.isspace() for piece in unique), bool, len(unique))
    breaks = np.flatnonzero(codes == index.get("\n", -1))
    begins = np.concatenate([[0], ends[breaks]]) if len(sentences) else np.zeros(0, np.int64)
    kept = np.flatnonzero(~blank[codes]) if len(codes) else np.zeros(0, np.int64)
    sentence = np.searchsorted(breaks, kept)
    stops = ends[kept] - begins[sentence] if len(kept) else kept
    return WordTable(
        unique,
        codes[kept],
        stops - lengths[codes[kept]],
        stops,
        np.searchsorted(sentence, np.arange(len(sentences) + 1)),
    )


def word_rows(word: str) -> tuple[int, ...]:
    """Return the row of each embedding table of ROWS for a word."""
    lower = word.lower()
    told = lower.encode()
    return (
        zlib.crc32(told) % ROWS[0],
        zlib.crc32(b"2" + told) % ROWS[1],
        CLASSES[word_class(word)],
        zlib.crc32(lower[-3:].encode()) % ROWS[3],
        zlib.crc32(shape(word).encode()) % ROWS[4],
    )


def shape(word: str) -> str:
    """Return the word with letters as X and x, digits as d, and runs of more than four cut."""
    return _RUN.sub(lambda run: run[1] * 4, word.translate(_SHAPE))
