"""What is known of a word from lists: first name, last name, city, common word. A token feature and a prefilter.

The lists are resources of the model, like its weights: names of both halves are on them. What the evaluation
half holds back is that the model ever saw these names, or the sentences around them, in training.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache

from riskflow.notes.templates.vocabulary import all_cities, census, lexicon_words, vocabulary

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_COMMON_LAST_RANK = 3000
_COMMON_FIRST_RANK = 400
_PLACE_LISTS = ("saint", "street_name", "facility_kind", "street_kind")
_SAFE_LISTS = (
    "problem",
    "symptom",
    "drug",
    "dose",
    "eponym",
    "eponymdx",
    "credential",
    "nursing",
    "specialty",
    "relation",
)


def word_class(word: str) -> str:
    """Return the class of a word as four letters: first name, last name, place, common word.

    `.` is on no list, `r` rare, `c` common; a small share of the common words is held back by hash, so that
    the model does not learn that a capitalised word on no list is always a name.
    """
    upper = word.upper().removesuffix("'S").removesuffix("’S")
    first, last = _first_names().get(upper, "."), _last_names().get(upper, ".")
    place = "p" if upper in _place_words() else "."
    lower = upper.lower()
    known = lower in safe_words() and not _held_back(lower)
    return f"{first}{last}{place}{'s' if known else '.'}"


def is_listed_name(word: str) -> bool:
    """Whether a word is on a list of first or last names."""
    upper = word.upper()
    return upper in _first_names() or upper in _last_names()


@cache
def safe_words() -> frozenset[str]:
    """Return the words, in small letters, of the training half's prose and frames and of the clinical lists."""
    half = vocabulary("train")
    plain = (re.sub(r"\{[^}]*\}", " ", frame) for frame in (*half.prose, *half.frames))
    listed = (entry for name in _SAFE_LISTS for entry in lexicon_words(name))
    return frozenset(word.lower() for text in (*plain, *listed) for word in WORD.findall(text))


def _held_back(lower: str) -> bool:
    return hashlib.sha256(lower.encode()).digest()[0] < 77


@cache
def _first_names() -> dict[str, str]:
    ranks: dict[str, str] = {}
    for name in ("female.first", "male.first"):
        for rank, (word, _) in enumerate(census(name)):
            ranks[word] = "c" if rank < _COMMON_FIRST_RANK or ranks.get(word) == "c" else "r"
    return ranks


@cache
def _last_names() -> dict[str, str]:
    return {
        word: "c" if rank < _COMMON_LAST_RANK else "r" for rank, (word, _) in enumerate(census("all.last"))
    }


@cache
def _place_words() -> frozenset[str]:
    names = [city.name for city in all_cities()] + [entry for n in _PLACE_LISTS for entry in lexicon_words(n)]
    return frozenset(word.upper() for name in names for word in WORD.findall(name) if len(word) > 1)
