"""What is known of a word from lists: first name, last name, place, common word. A token feature and a prefilter.

The lists are resources of the model, like its weights: names of both halves are on them. What the evaluation
half holds back is that the model ever saw these names, or the sentences around them, in training.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache, lru_cache
from itertools import product

from riskflow.notes.redact.text import given_names, ordinary_words, surnames, word_list
from riskflow.notes.templates.vocabulary import all_cities, lexicon_words, sentence_frames

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_COMMON_LAST_RANK = 3000
_COMMON_FIRST_RANK = 400
_STRONG_LAST_RANK = 800
_PLACE_LISTS = ("saint", "street_name", "facility_kind", "street_kind")
_SAFE_LISTS = (
    "problem", "symptom", "drug", "dose", "eponym", "eponymdx", "credential", "nursing", "specialty", "relation",
)  # fmt: skip
_HELD_BACK_OF_256 = 77
CLASSES = {"".join(letters): place for place, letters in enumerate(product(".rc", ".rc", ".p", ".s"))}
"""Every class that `word_class` may return → its number."""


@lru_cache(maxsize=200_000)
def word_class(word: str) -> str:
    """Return the class of a word as four letters: first name, last name, place, common word.

    `.` is on no list, `r` rare, `c` common; a small share of the common words is held back by hash, so that
    the model does not learn that a capitalised word on no list is always a name.
    """
    upper = word.upper().removesuffix("'S").removesuffix("’S")
    first = _rank_letter(given_names().get(upper.lower()), _COMMON_FIRST_RANK)
    last = _rank_letter(surnames().get(upper.lower()), _COMMON_LAST_RANK)
    place = "p" if upper in _place_words() else "."
    lower = upper.lower()
    return f"{first}{last}{place}{'s' if lower in safe_words() and not _held_back(lower) else '.'}"


def is_listed_name(lower: str) -> bool:
    """Whether a word in small letters is on a list of first or last names."""
    return lower in given_names() or lower in surnames()


def is_common_name(lower: str) -> bool:
    """Whether a word in small letters is so common a name that it says something even if it is a word as well."""
    return (
        given_names().get(lower, _COMMON_FIRST_RANK) < _COMMON_FIRST_RANK
        or surnames().get(lower, _STRONG_LAST_RANK) < _STRONG_LAST_RANK
    )


@cache
def safe_words() -> frozenset[str]:
    """Return words, in small letters, of ordinary and clinical English: lists, and the training half's prose."""
    plain = (re.sub(r"\{[^}]*\}", " ", frame) for frame in sentence_frames("train"))
    listed = [entry for name in _SAFE_LISTS for entry in lexicon_words(name)]
    listed += [entry for name in ("drugs.txt", "eponyms.txt") for entry in word_list(name)]
    found = frozenset(word.lower() for text in (*plain, *listed) for word in WORD.findall(text))
    return found | ordinary_words()


@cache
def eponyms() -> frozenset[str]:
    """Return the names, in small letters, after which diseases, signs, scores and instruments are called."""
    entries = (*lexicon_words("eponym"), *word_list("eponyms.txt"))
    return frozenset(word.lower() for entry in entries for word in WORD.findall(entry) if len(word) > 2)


def _rank_letter(rank: int | None, common: int) -> str:
    return "." if rank is None else "c" if rank < common else "r"


def _held_back(lower: str) -> bool:
    return hashlib.sha256(lower.encode()).digest()[0] < _HELD_BACK_OF_256


@cache
def _place_words() -> frozenset[str]:
    names = [city.name for city in all_cities()] + [entry for n in _PLACE_LISTS for entry in lexicon_words(n)]
    return frozenset(word.upper() for name in names for word in WORD.findall(name) if len(word) > 1)
