"""Names found by lists alone: given names and what follows them, surnames before a person's verb, small letters.

All functions read canonical text (see `text.canonical`), so patterns are ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from riskflow.notes.redact.index import Bools, Ints, WordIndex, first_part
from riskflow.notes.redact.names import (
    CAPITAL_WORD,
    PARTICLES,
    TITLE_WORDS,
    TOKEN,
    Evidence,
    evidence,
    initial_before_name,
    is_any_given,
    is_given,
    is_initial,
    is_short_capitals,
    is_surname,
    protected,
    run_end,
    run_start,
)
from riskflow.notes.redact.text import (
    given_names,
    lower_case_given_names,
    ordinary_words,
    surnames,
)

_COMMA = re.compile(r",\s?")
_BESIDE = frozenset(
    {
        "with",
        "per",
        "by",
        "via",
        "told",
        "informed",
        "notified",
        "called",
        "asked",
        "paged",
        "met",
        "saw",
        "thanked",
    }
    | {"examined", "from", "to"}
)
_BESIDE_ENDS = tuple(sorted(_BESIDE))
_COMMON_SURNAME = 20_000
_VERBS = frozenset(
    "report reports reported denies denied state states stated says said complain complains complained present "  # noqa: SIM905
    "presents presented endorses notes noted c was is has lives called returns returned will agrees agreed understands "
    "verbalized underwent tolerated requests requested refuses refused took takes came arrived walks recommended "
    "recommends performed ordered signed reviewed examined".split()
)
"""First words of `PERSON_VERBS`."""
PERSON_VERBS = re.compile(
    r"\s+(?i:reports?|reported|denies|denied|states?|stated|says|said|complains?|complained|presents?|presented|endorses"
    r"|notes|noted|c/o|was\s+(?:seen|admitted|discharged|given|started|brought|referred|evaluated|born|found|told)"
    r"|is\s+(?:a|an|here|doing|\d+)|has\s+(?:a|been|had|no)|lives|called|returns|returned|will\s+(?:follow|return|call|see)"
    r"|agrees|agreed|understands|verbalized|underwent|tolerated|requests|requested|refuses|refused|took|takes|came|arrived"
    r"|walks|recommended|recommends|performed|ordered|signed|reviewed|examined)\b"
)


def may_be_listed(word: str) -> bool:
    """Whether `listed_runs` could find a name at a word: what it asks of the word alone."""
    if not word[0].isupper():
        return False
    listed = _listed(word)
    return not listed.title and (len(word) == 1 or any(listed))


def may_run(index: WordIndex, found: Ints) -> Bools:
    """Whether `listed_runs` could find a name at words by what stands beside them: see `_may_begin`, `_listed_end`."""
    codes = index.codes[found]
    single = index.told(codes, lambda word: len(word) == 1)
    given = index.told(codes, lambda word: _listed(word).given)
    surname = index.told(codes, lambda word: _listed(word).surname)
    pair = index.told(codes, lambda word: _listed(word).any_given) & index.adjoining(found)
    pair[pair] = index.told(index.ahead(found[pair]), _may_follow_given)
    verb = surname & index.told(index.ahead(found), lambda word: first_part(word).lower() in _VERBS)
    beside = surname & index.told(index.behind(found), lambda word: word.lower().endswith(_BESIDE_ENDS))
    several = given | pair | verb | beside | index.followed_by(found, b",")
    return np.where(single, index.followed_by(found, b"."), several)


def _may_follow_given(word: str) -> bool:
    return word[0].isupper() and (is_surname(word) or evidence(word) is Evidence.NAME_OR_WORD)


def listed_runs(text: str, anchors: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield names found by lists alone: a given name and what follows it, `Surname, Given`, `Will Nguyen`, and
    a common surname before the verb of a person or after a word such as `with`.
    """
    reached = 0
    for anchor in anchors:
        capital = CAPITAL_WORD.match(text, anchor) if anchor >= reached else None
        if capital is None or not _may_begin(text, capital):
            continue
        end = _listed_end(text, capital)
        if end is not None:
            yield run_start(text, capital.start(), sure=False), end
            reached = end


class _Listed(NamedTuple):
    """What the lists say of a word, asked once for each."""

    title: bool
    given: bool
    any_given: bool
    surname: bool
    opens: bool


@lru_cache(maxsize=1 << 16)
def _listed(word: str) -> _Listed:
    lower = word.lower()
    if word.isalpha():
        given, surname, plain = lower in given_names(), lower in surnames(), lower in ordinary_words()
        return _Listed(
            lower in TITLE_WORDS,
            given and not plain and lower not in protected(),
            given,
            surname and not plain,
            plain and (given or surname),
        )
    return _Listed(
        lower in TITLE_WORDS,
        is_given(word) and lower not in protected(),
        is_any_given(word),
        is_surname(word),
        evidence(word) is Evidence.NAME_OR_WORD,
    )


def _may_begin(text: str, capital: re.Match[str]) -> bool:
    """Whether a name may begin at a word: a word that is a surname as well must have a comma after it."""
    word = capital[0]
    if len(word) == 1:
        return text[capital.end() : capital.end() + 1] == "."
    listed = _listed(word)
    if not (listed.given or listed.any_given or listed.surname):
        return text[capital.end() : capital.end() + 1] == ","
    return not is_short_capitals(word, text)


def _listed_end(text: str, capital: re.Match[str]) -> int | None:
    word, end = capital[0], capital.end()
    listed = _listed(word)
    if listed.title:
        return None
    if len(word) == 1:
        token = TOKEN.match(text, capital.start()) if text[end : end + 1] == "." else None
        dotted = token is not None and is_initial(token) and initial_before_name(text, token)
        return run_end(text, capital.start(), sure=False) if dotted else None
    if listed.given:
        return run_end(text, capital.start(), sure=False)
    if listed.any_given and (pair := _ambiguous_pair_end(text, capital)) is not None:
        return pair
    if not listed.surname and not (listed.opens and _opens(text, capital.start())):
        return None
    end -= 2 if word.endswith("'s") else 0
    given = CAPITAL_WORD.match(text, comma.end()) if (comma := _COMMA.match(text, end)) else None
    if given is not None and is_given(given[0]) and not is_short_capitals(given[0], text):
        return run_end(text, given.start(), sure=False)
    if listed.surname and (PERSON_VERBS.match(text, end) or _is_beside_word(text, capital.start(), word)):
        return run_end(text, capital.start(), sure=False)
    return None


def _opens(text: str, start: int) -> bool:
    """Whether a word is the first of a text, a line or a clause."""
    before = text[max(0, start - 24) : start].rstrip(" ")
    return before[-1] in ":\n(;" if before else not text[:start].strip(" ")


def _ambiguous_pair_end(text: str, capital: re.Match[str]) -> int | None:
    """`Will Nguyen` is a name; `Grace Hope` only where a person's verb follows."""
    if text[capital.end() : capital.end() + 1] != " ":
        return None
    after = CAPITAL_WORD.match(text, capital.end() + 1)
    if after is None or after[0].lower() in protected() or is_short_capitals(after[0], text):
        return None
    if is_surname(after[0]):
        return run_end(text, after.start(), sure=False)
    two_words = evidence(after[0]) is Evidence.NAME_OR_WORD and PERSON_VERBS.match(text, after.end())
    return after.end() if two_words and after[0].lower() in surnames() else None


def _is_beside_word(text: str, start: int, word: str) -> bool:
    before = text[max(0, start - 12) : start].rstrip(" ").rpartition(" ")[2].lower()
    rank = surnames().get(word.lower().removesuffix("'s").replace("'", ""), _COMMON_SURNAME)
    return before in _BESIDE and rank < _COMMON_SURNAME and is_surname(word)


def preceding_word(text: str, start: int) -> str:
    """Return the word before a place, in lower case, without the punctuation around it."""
    return text[max(0, start - 24) : start].rstrip(" ,(:\n").rpartition(" ")[2].strip("(\"'").lower()


_LOWER_SURNAME = re.compile(rf"\s(?:{PARTICLES}\s)*(?P<word>[a-z]+(?:['-][a-z]+)*)")
_LOWER_WORD = re.compile(r"(?<![\w.@/'-])[a-z]{3,}(?:-[a-z]+)?(?![\w@/]|\.\w|-)")


def lower_case_runs(text: str, anchors: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield common given names in lower case, with a surname in lower case after them (`john smith`)."""
    names, last = lower_case_given_names(), surnames()
    for anchor in anchors:
        match = _LOWER_WORD.match(text, anchor)
        if match is None or match[0] not in names:
            continue
        end = match.end()
        after = _LOWER_SURNAME.match(text, end)
        if after is not None:
            plain = after["word"].removesuffix("'s").replace("'", "")
            if last.get(plain, 10**6) <= 20_000 and plain not in ordinary_words():
                end = after.end() - (2 if after["word"].endswith("'s") else 0)
        yield match.start(), end
