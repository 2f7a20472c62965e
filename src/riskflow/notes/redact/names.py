"""Scanning for names of persons: what one word is evidence of, and where a run of name words begins and ends.

All functions read canonical text (see `text.canonical`), so patterns are ASCII.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import cache, lru_cache

from riskflow.notes.redact.text import (
    given_names,
    ordinary_words,
    surnames,
    word_list,
    word_set,
)

PARTICLES = (
    r"(?:de\s+las?|de\s+los|van\s+der|van\s+den|van\s+de|von\s+der|de|del|della|di|da|do|dos|das|du|van|von|der|den|ter|ten"
    r"|la|le|los|el|al|bin|ibn|abu|ben|san|santa|st\.|mac)"
)
WORD = r"(?:[A-Z][A-Za-z]*(?:['-]+[A-Za-z]+)*'?)"
TOKEN = re.compile(
    rf"(?P<particles>(?:(?i:{PARTICLES})\s+)*)(?P<dash>(?:al|el|d|l|de)[-'])?(?P<word>{WORD})(?P<dot>\.?)"
)
LOWER_TOKEN = re.compile(
    rf"(?P<particles>(?:{PARTICLES}\s+)*)(?P<dash>(?:al|el|d|l)[-'])?(?P<word>[a-z]+(?:['-]+[a-z]+)*)(?P<dot>)",
    re.I,
)
SUFFIX = re.compile(r",?\s+(?:Jr|Sr|JR|SR|jr|sr|II|III|IV)\b\.?")
_JOIN = re.compile(
    r"[ \t]{1,2}(?:\"[A-Za-z]+\"\s|\([A-Z][a-z]+\)\s|'[A-Z][a-z]+'\s)?|\s?-\s?|(?<=\.)|\s*\n?(?=\Z)"
)
CREDENTIALS = word_set("credentials")
_MONTHS = word_set("months")
_SHORT_CAPITALS = 3
MOST_WORDS = 6
TITLE_WORDS = word_set("title_words")


class Evidence(Enum):
    """What one word says: a listed name, a listed name that is also a word, a word only, or nothing known."""

    NAME = "name"
    NAME_OR_WORD = "name or word"
    WORD = "word"
    UNKNOWN = "unknown"


@cache
def protected() -> frozenset[str]:
    """Single words of eponyms that are no given name: never taken for a name by lists alone."""
    words = {line.lower() for line in word_list("eponyms.txt") if " " not in line and "-" not in line}
    return frozenset(words - set(given_names()))


@cache
def _part_evidence(part: str) -> Evidence:
    listed = part in given_names() or part in surnames()
    if part in ordinary_words():
        return Evidence.NAME_OR_WORD if listed else Evidence.WORD
    return Evidence.NAME if listed else Evidence.UNKNOWN


@lru_cache(maxsize=1 << 16)
def evidence(word: str) -> Evidence:
    """Return what a word, with hyphens and apostrophes, is evidence of; letter case does not matter."""
    plain = word.lower().removesuffix("'s").replace("'", "")
    found = [_part_evidence(part) for part in plain.split("-") if part]
    if not found or Evidence.NAME in found:
        return Evidence.NAME if found else Evidence.UNKNOWN
    if all(part is Evidence.WORD for part in found):
        return Evidence.WORD
    return Evidence.UNKNOWN if Evidence.UNKNOWN in found else Evidence.NAME_OR_WORD


@lru_cache(maxsize=1 << 16)
def is_given(word: str) -> bool:
    """Return whether the word is a given name that is no English word."""
    first = word.lower().removesuffix("'s").split("-")[0].replace("'", "")
    return first in given_names() and first not in ordinary_words()


@lru_cache(maxsize=1 << 16)
def is_any_given(word: str) -> bool:
    """Return whether the word is a given name, even one that is also an English word."""
    return word.lower().removesuffix("'s").replace("'", "") in given_names()


@lru_cache(maxsize=1 << 16)
def is_surname(word: str) -> bool:
    """Return whether any part of the word is a listed surname that is no English word."""
    return any(
        part in surnames() and part not in ordinary_words()
        for part in word.lower().removesuffix("'s").replace("'", "").split("-")
    )


def is_initial(match: re.Match[str]) -> bool:
    """Return whether a token is one capital letter, with a dot or without; `A` and `I` only with a dot."""
    word = match["word"]
    return len(word) == 1 and word.isupper() and (bool(match["dot"]) or word not in "AI")


def is_credential(word: str) -> bool:
    """Return whether the word is a professional credential such as MD or RN."""
    return word.lower() in CREDENTIALS and (word.isupper() or "-" in word or word[0].isupper())


def is_short_capitals(word: str, text: str) -> bool:
    """Return whether a word is an abbreviation by its looks: up to three capitals in a text of mixed case."""
    return len(word) <= _SHORT_CAPITALS and word.isupper() and not text.isupper()


def word_end(match: re.Match[str]) -> int:
    """End of a token without a possessive; the dot belongs to it only after an initial."""
    word, end = match["word"], match.end("word")
    if word.lower().endswith("'s"):
        return end - 2
    if word.endswith("'"):
        return end - 1
    return match.end() if is_initial(match) else end


def run_end(text: str, start: int, *, sure: bool, lower: bool = False) -> int | None:
    """Return where the run of name words that begins at `start` ends, or None where none begins.

    `sure`: the words before (a title, a label) say that a name follows, so that unknown words and names that
    are also words count. `lower`: words in lower case count too, when they are listed names.
    """
    end, position, words = None, start, 0
    while words < MOST_WORDS:
        token = _token_at(text, position, lower)
        after_initial = words > 0 and text[position - 2 : position] == ". "
        if token is None or not _continues(token, words, sure or after_initial, text):
            break
        words, end = words + 1, word_end(token)
        after = text[end : end + 1]
        if end != token.end() and after == "'":
            break
        if after and after != "-" and not after.isspace() and text[end - 1] != ".":
            break  # nothing joins here: most names end before a comma or a full stop
        join = _JOIN.match(text, end)
        if join is None or (join.end() == join.start() and text[end - 1 : end] != "."):
            break
        position = join.end()
    if end is None or (words == 1 and end - start <= 2 and not sure):
        return None
    suffix = SUFFIX.match(text, end) if text[end : end + 1] == "," or text[end : end + 1].isspace() else None
    return suffix.end() if suffix else end


def _token_at(text: str, position: int, lower: bool) -> re.Match[str] | None:
    token = TOKEN.match(text, position)
    if token is not None or not lower:
        return token
    token = LOWER_TOKEN.match(text, position)
    return token if token and evidence(token["word"]) in (Evidence.NAME,) else None


def _continues(token: re.Match[str], words: int, sure: bool, text: str) -> bool:
    """Whether a token goes on with (or begins) a run of names."""
    word = token["word"]
    if is_initial(token):
        return sure or words > 0 or initial_before_name(text, token)
    if word.lower() in TITLE_WORDS or (is_credential(word) and (words > 0 or word.isupper())):
        return False
    found = evidence(word)
    if found is Evidence.NAME:
        return not (words > 0 and word.lower() in _MONTHS)
    if found is Evidence.UNKNOWN:
        return (sure or words > 0) and not (word.isupper() and words > 0 and text.isupper()) and len(word) > 1
    if found is Evidence.NAME_OR_WORD:
        return (sure and words == 0) or (
            words > 0 and sure and not text.isupper() and _ends_name(text, token)
        )
    return False


def _ends_name(text: str, token: re.Match[str]) -> bool:
    """`John Young,` ends a name; `Dr. Smith Will call` does not: the word after must not be a verb of it."""
    return (
        re.match(
            r"\s+(?:call|see|be|follow|return|need|have|continue|require|discuss)\b",
            text[token.end() : token.end() + 12],
        )
        is None
    )


def initial_before_name(text: str, token: re.Match[str]) -> bool:
    """Return whether after an initial a surname stands, or another initial before one."""
    after = TOKEN.match(text, token.end() + (text[token.end() : token.end() + 1] == " "))
    return after is not None and (
        is_surname(after["word"]) or (is_initial(after) and initial_before_name(text, after))
    )


LAST_TOKEN = re.compile(
    rf"(?P<particles>(?:\b(?i:{PARTICLES})\s+)*)\b(?P<word>{WORD})(?P<dot>\.?)(?P<gap>[ \t]|-|)$"
)


PARTICLES_BEFORE = re.compile(rf"\b(?i:{PARTICLES})\s+$")
_PARTICLE_ENDS = frozenset(
    "las los der den de del della di da do dos das du van von ter ten la le el al bin "  # noqa: SIM905
    "ibn abu ben san santa st. mac".split()
)
"""Last words of the particles: before a name, a word in small letters that is none of them is no part of it."""


def run_start(text: str, start: int, *, sure: bool) -> int:
    """Return where the name begins whose known part begins at `start`: initials and names before it belong to it."""
    for _ in range(MOST_WORDS):
        before = text[max(0, start - 40) : start]
        word = before.rstrip(" \t").rpartition(" ")[2]
        if (not word or word.islower()) and word not in _PARTICLE_ENDS:
            return start
        token = last_token(before)
        particles = PARTICLES_BEFORE.search(before) if token is None and may_end_in_particle(before) else None
        if particles is not None and _is_particle(particles[0]):
            start -= len(before) - particles.start()
            continue
        if token is None or (not token["gap"] and not token["dot"]):
            return start
        if token["dot"] and not is_initial(token):
            return start
        if not _precedes(token, sure, text):
            return start
        start -= len(before) - token.start()
    return start


_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def last_token(before: str) -> re.Match[str] | None:
    """Return what `LAST_TOKEN` finds; where no particle stands before the last word, it is asked about that alone."""
    if before[-1:] == "\n":
        return LAST_TOKEN.search(before)
    last = before[:-1] if before[-1:] in (" ", "\t", "-") else before
    last = last[:-1] if last[-1:] == "." else last
    place = len(last.rstrip(_LETTERS + "'-"))
    if place == len(last) or last[place:].islower():
        return None
    ahead = place and before[place - 1].isspace() and may_end_in_particle(before[:place])
    return LAST_TOKEN.search(before, 0 if ahead else place)


def may_end_in_particle(text: str) -> bool:
    """Return whether a text can end in a particle and blanks."""
    words = text.rstrip()
    if len(words) == len(text):
        return False
    word = words[len(words.rstrip(_LETTERS)) :]
    return word.lower() in _PARTICLE_ENDS or words[-3:].lower() == "st."


def _is_particle(text: str) -> bool:
    return text.split()[0].lower() in (
        "de",
        "del",
        "della",
        "di",
        "da",
        "dos",
        "das",
        "du",
        "van",
        "von",
        "bin",
        "ibn",
        "abu",
        "al",
        "el",
        "st.",
    )


def _precedes(token: re.Match[str], sure: bool, text: str) -> bool:
    word = token["word"]
    if is_initial(token):
        return True
    if word.lower() in TITLE_WORDS or (is_credential(word) and word.isupper()):
        return False
    found = evidence(word)
    if found is Evidence.NAME:
        return not is_short_capitals(word, text)
    if found is Evidence.NAME_OR_WORD:
        return sure and is_any_given(word) and word.lower() not in _MONTHS
    return (
        found is Evidence.UNKNOWN and (sure or looks_like_a_name(word)) and not is_short_capitals(word, text)
    )


def looks_like_a_name(word: str) -> bool:
    """An unlisted word right before a surname (`Dmitri Ivanov`), not in capitals."""
    return len(word) > 2 and not word.isupper() and _WORD_ENDING.search(word) is None


_WORD_ENDING = re.compile(
    r"(?:ed|ing|ly|tion|sion|al|ic|ive|ous|ment|ness|ity|able|ible|ies|ology|itis|osis)$"
)


CAPITAL_WORD = re.compile(r"(?<![A-Za-z'-])[A-Z][A-Za-z]*(?:['-]+[A-Za-z]+)*'?")
