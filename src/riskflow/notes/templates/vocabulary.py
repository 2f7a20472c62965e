"""Words to compose notes from, in two halves that share nothing: one to train, one to evaluate.

First and last names are the US Census Bureau's 1990 lists (with frequencies) from the package `names`; cities are
real. Every name, city, street, sentence frame and decoration belongs to one half by its sha256, for all time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import accumulate
from typing import Literal

Half = Literal["train", "evaluation"]
EVALUATION_SHARE = 0.2
_SPLIT_LISTS = ("unlisted_first", "unlisted_last", "saint", "street_name")
"""Lists of the lexicon whose entries identify; the others (drugs, findings) are common to both halves."""
_RARE_SLOTS = (
    "age90", "email", "ssn", "mrn", "plan", "account", "license", "vehicle", "device", "url", "ip", "photo", "npi",
    "fax",
)  # fmt: skip
"""Slots of identifiers that few frames hold: these frames are split slot by slot."""


@dataclass(frozen=True)
class Weighted:
    """Words and the cumulative weights by which they are drawn."""

    words: tuple[str, ...]
    cumulative: tuple[float, ...]


@dataclass(frozen=True)
class City:
    """A US city with its state, a ZIP prefix and its county."""

    name: str
    state: str
    zip3: str
    county: str


@dataclass(frozen=True)
class Vocabulary:
    """Everything that a composer draws from; disjoint between halves where it identifies."""

    half: Half
    female: Weighted
    male: Weighted
    last: Weighted
    rare_last: tuple[str, ...]
    cities: tuple[City, ...]
    frames: tuple[str, ...]
    prose: tuple[str, ...]
    decorations: dict[str, tuple[str, ...]]
    lexicon: dict[str, tuple[str, ...]]


def half_of(text: str) -> Half:
    """Return the half a name or sentence belongs to: by its sha256, so that it never changes."""
    share = int.from_bytes(hashlib.sha256(text.strip().upper().encode()).digest()[:4], "big") / 2**32
    return "evaluation" if share < EVALUATION_SHARE else "train"


@cache
def vocabulary(half: Half) -> Vocabulary:
    """Return the vocabulary of one half."""
    lexicon = _lexicon()
    last = [(n, w) for n, w in census("all.last") if half_of(n) == half]
    return Vocabulary(
        half=half,
        female=_weighted([(n, w) for n, w in census("female.first") if half_of(n) == half]),
        male=_weighted([(n, w) for n, w in census("male.first") if half_of(n) == half]),
        last=_weighted(last),
        rare_last=tuple(name for name, _ in last[3000:]),
        cities=tuple(city for city in _cities() if half_of(city.name) == half),
        frames=_frames(half),
        prose=_half(_lines("prose.txt"), half),
        decorations={slot: _ranked_half(forms, half) for slot, forms in _json("decorations.json").items()},
        lexicon={
            k: _half(words, half) if k in _SPLIT_LISTS else tuple(words) for k, words in lexicon.items()
        },
    )


@cache
def census(name: str) -> tuple[tuple[str, float], ...]:
    """Return (name in upper case, percent of the population) of a list: all.last, female.first, male.first."""
    text = (files("names") / f"dist.{name}").read_text(encoding="utf-8")
    rows = (line.split() for line in text.splitlines() if line.strip())
    return tuple((row[0], float(row[1])) for row in rows)


def cased(name: str) -> str:
    """Return an upper-case census name as written: Smith, McDonald, O'Brien stay readable."""
    plain = name.capitalize()
    if plain.startswith("Mc") and len(plain) > 4:
        return "Mc" + plain[2:].capitalize()
    return plain


def lexicon_words(name: str) -> tuple[str, ...]:
    """Return a whole list of the lexicon, both halves."""
    return tuple(_lexicon()[name])


def all_cities() -> tuple[City, ...]:
    """Return every city, both halves."""
    return _cities()


def sentence_frames(half: Half) -> tuple[str, ...]:
    """Return the frames of sentences of a half, with identifiers and without."""
    return _half(_lines("prose.txt"), half) + _frames(half)


def _half(words: Sequence[str], half: Half) -> tuple[str, ...]:
    return tuple(word for word in words if half_of(word) == half)


def _frames(half: Half) -> tuple[str, ...]:
    """Split the frames so that every kind of number has its share of frames in each half."""
    groups: dict[str, list[str]] = {}
    for frame in _lines("frames.txt"):
        groups.setdefault(next((slot for slot in _RARE_SLOTS if f"{{{slot}}}" in frame), ""), []).append(
            frame
        )
    common = _half(groups.pop(""), half)
    return common + tuple(frame for slot in sorted(groups) for frame in _ranked_half(groups[slot], half, 2))


def _ranked_half(words: Sequence[str], half: Half, least: int = 3) -> tuple[str, ...]:
    """Split a short list by the rank of its hashes, so that each half has its share of every slot."""
    ranked = sorted(words, key=lambda word: hashlib.sha256(word.encode()).digest())
    cut = max(least, round(len(ranked) * EVALUATION_SHARE))
    return tuple(ranked[:cut] if half == "evaluation" else ranked[cut:])


def _weighted(pairs: Sequence[tuple[str, float]]) -> Weighted:
    return Weighted(tuple(cased(n) for n, _ in pairs), tuple(accumulate(max(w, 0.0005) for _, w in pairs)))


@cache
def _cities() -> tuple[City, ...]:
    return tuple(City(*line.split(",")) for line in _lines("cities.csv")[1:])


@cache
def _lines(name: str) -> tuple[str, ...]:
    text = (files(__package__) / name).read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


@cache
def _lexicon() -> dict[str, list[str]]:
    return _json("lexicon.json")


def _json(name: str) -> dict[str, list[str]]:
    loaded: dict[str, list[str]] = json.loads((files(__package__) / name).read_text(encoding="utf-8"))
    return loaded
