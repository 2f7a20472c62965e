"""Canonical text and word lists: what the detectors look at and look up.

`canonical` maps every code point to exactly one ASCII character where it can, so that one set of patterns
reads curly quotes, accents, no-break spaces and full-width digits, and offsets stay those of the original.
"""

from __future__ import annotations

import json
import re
import unicodedata
from functools import cache
from importlib.resources import files

import polars as pl

_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
_APOSTROPHES = "\u2018\u2019\u201b\u02bc\u02bb\u00b4\u0060\u2032\uff07"
_QUOTES = "\u201c\u201d\u201f\u2033\u00ab\u00bb"
_SPECIAL = {
    "ß": "s",
    "ø": "o",
    "Ø": "O",
    "ł": "l",
    "Ł": "L",
    "đ": "d",
    "Đ": "D",
    "æ": "a",
    "Æ": "A",
    "œ": "o",
}
_SPECIAL |= {
    "Œ": "O",
    "ð": "d",
    "Ð": "D",
    "þ": "t",
    "Þ": "T",
    "ı": "i",
    "\u00ad": "'",
    "\u200b": "'",
    "\ufeff": "'",
}


def _ascii(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if character in _DASHES:
        return "-"
    if character in _APOSTROPHES or unicodedata.combining(character):
        return "'"
    if character in _QUOTES:
        return '"'
    if character.isspace():
        return " "
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    base = unicodedata.normalize("NFKD", character)[0]
    return base if base.isascii() and base.isprintable() else character


class _Ascii(dict[int, str]):
    """Code point → its one ASCII character, worked out the first time that it is met."""

    def __missing__(self, code: int) -> str:
        self[code] = chr(code) if code < 128 else _ascii(chr(code))
        return self[code]


_TABLE = _Ascii()


def canonical(text: str) -> str:
    """Return the text with accents, dashes, quotes, spaces and digits as ASCII, of the same length."""
    return text if text.isascii() else text.translate(_TABLE)


def folded(text: str) -> str:
    """Return canonical text in lower case, of the same length."""
    return canonical(text).lower()


def canonical_series(texts: pl.Series) -> pl.Series:
    """Return canonical texts; only those that are not ASCII leave the columnar path."""
    foreign = texts.str.len_bytes() != texts.str.len_chars()
    if not foreign.any():
        return texts
    mended = texts.filter(foreign).map_elements(canonical, return_dtype=pl.String)
    return texts.scatter(foreign.arg_true(), mended)


@cache
def word_list(name: str) -> tuple[str, ...]:
    """Return the lines of a list in the package's data folder; lines that begin with # are remarks."""
    lines = (files(__package__) / "data" / name).read_text(encoding="utf-8").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))


@cache
def word_set(name: str) -> frozenset[str]:
    """Return a set of short words of `data/word_sets.json`, for example `credentials`; all in lower case."""
    sets = json.loads((files(__package__) / "data" / "word_sets.json").read_text(encoding="utf-8"))
    return frozenset(sets[name].split())


@cache
def given_names() -> dict[str, int]:
    """Return US given names → rank, of the 1990 Census list in the PyPI package `names`."""
    male, female = _census("dist.male.first"), _census("dist.female.first")
    return {name: min(male.get(name, 10**6), female.get(name, 10**6)) for name in male | female}


@cache
def surnames() -> dict[str, int]:
    """Return US surnames → rank, of the 1990 Census list in the PyPI package `names`."""
    return _census("dist.all.last")


def _census(name: str) -> dict[str, int]:
    cells = (files("names") / name).read_text(encoding="ascii").lower().split()
    return dict(zip(cells[::4], map(int, cells[3::4]), strict=True))  # name, share, cumulated share, rank


@cache
def ordinary_words() -> frozenset[str]:
    """Return words that alone are no evidence of a name: ordinary and clinical English, drugs, cities."""
    words = set(word_list("ordinary_words.txt"))
    words.update(folded(drug) for drug in word_list("drugs.txt"))
    return frozenset(words)


@cache
def lower_case_given_names() -> frozenset[str]:
    """Return common given names that are no English word: evidence of a name even in lower case."""
    common = {n for n, rank in given_names().items() if rank <= 1000 and len(n) > 2}
    return frozenset(common - ordinary_words() - word_set("given_names_not_in_lower_case"))


def spelled_out(pattern: str) -> frozenset[str]:
    """Return the words of a pattern such as `colou?r|grey`, with what may be left out and without."""
    words = [""]
    for part in re.split(r"(\w\?|\|)", pattern):
        words[-1] += f"\0{part[0]}" if part.endswith("?") else part if part != "|" else ""
        words += [""] if part == "|" else []
    with_all = {word.replace("\0", "") for word in words}
    return frozenset(with_all | {re.sub("\0.", "", word) for word in words})


@cache
def nicknames() -> dict[str, frozenset[str]]:
    """Return given name → all names that stand for it, from the package's list."""
    table: dict[str, set[str]] = {}
    for line in word_list("nicknames.txt"):
        names = [folded(name) for name in line.split()]
        table.setdefault(names[0], set()).update(names)
        for short in names[1:]:
            table.setdefault(short, {short}).add(names[0])
    return {name: frozenset(others) for name, others in table.items()}
