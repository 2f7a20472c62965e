"""Exact removal of what the record itself knows: names, numbers, addresses and contacts of the note's own patient.

Matching is on canonical text, without regard to letter case, separators or the format of a number. A known
name that is also a word ("Will", "Long") goes only with a capital, after a title or beside another known name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from riskflow.notes.redact.index import Runs
from riskflow.notes.redact.record import (
    PARTICLES,
    SPACED_NUMBER,
    Known,
    known_by_patient,
    mentioned,
    readable,
)
from riskflow.notes.redact.record import record_identifiers as record_identifiers
from riskflow.notes.redact.spans import span_frame
from riskflow.notes.redact.text import canonical_series, ordinary_words, word_set

_TOKEN = re.compile(r"[A-Za-z]+|\d+")
_LOWER_TOKEN = re.compile(r"[a-z]+|\d+")
_DIGIT_RUN = re.compile(r"\d+(?:[\s().+/_-]{0,3}\d+)*")
_COMPACT = re.compile(r"(?=[A-Za-z0-9_/.:-]*\d)[A-Za-z0-9]+(?:[-_/.:][A-Za-z0-9]+)*")
_DIGITS = re.compile(r"\d+")
_NO_DIGITS = re.compile(r"[^0-9]+")
_NO_CODE = re.compile(r"[^a-z0-9]")
_DOTTED = re.compile(r"(?<![A-Za-z])[A-Z]\.\s?[A-Z](?![A-Za-z])")
_MAYBE_DOTTED = r"[A-Z]\.\s?[A-Z]"
_GAP = re.compile(r"[^A-Za-z0-9\n]{0,3}")
_TITLES = word_set("titles_before_known_names")
_COUNTRY_CODE = re.compile(r"(?:(?<!\d)\+?1[\s.-]?)?\(?$")
_INITIALS_THAT_ARE_WORDS = word_set("abbreviations_of_two_letters")


class _Words(NamedTuple):
    """The words of a text: in lower case, and where they stand."""

    text: str
    words: list[str]
    spans: list[tuple[int, int]]

    def capital(self, place: int) -> bool:
        """Return whether the word at a place begins with a capital."""
        return self.text[self.spans[place][0]].isupper()

    def initial(self, place: int) -> bool:
        """Return whether the word at a place is one capital letter."""
        return len(self.words[place]) == 1 and self.capital(place)

    def gap(self, place: int) -> str:
        """Return what stands between the word at a place and the next one."""
        return self.text[self.spans[place][1] : self.spans[place + 1][0]]


def known_spans(plain: str, known: Known) -> Iterator[tuple[int, int, str, str]]:
    """Yield (start, end, kind, source) of every known identifier in a canonical text."""
    words = _Words(plain, _LOWER_TOKEN.findall(plain.lower()), [m.span() for m in _TOKEN.finditer(plain)])
    places = [at for at, word in enumerate(words.words) if word in known.keys]
    yield from _word_spans(words, places, known)
    yield from _code_spans(plain, known)


def _word_spans(words: _Words, places: Sequence[int], known: Known) -> Iterator[tuple[int, int, str, str]]:
    """Known names and phrases; `places` are those of the words that are keys."""
    yield from _phrase_spans(words, places, known)
    # single letters can be known initials only with dots between them
    if _DOTTED.search(words.text):
        places = [at for at, word in enumerate(words.words) if len(word) == 1 or word in known.keys]
    yield from _name_spans(words, places, known)


def _code_spans(plain: str, known: Known) -> Iterator[tuple[int, int, str, str]]:
    if known.numbers:
        yield from _number_spans(plain, known)
    if known.compact:
        yield from _compact_spans(plain, known)


def _compact_spans(text: str, known: Known) -> Iterator[tuple[int, int, str, str]]:
    """Codes of letters and digits, whatever separates them."""
    for match in _COMPACT.finditer(text):
        kind = known.compact.get(_NO_CODE.sub("", match[0].lower()))
        if kind:
            yield match.start(), match.end(), kind, "known:number"


def _phrase_spans(words: _Words, places: Sequence[int], known: Known) -> Iterator[tuple[int, int, str, str]]:
    for place in places:
        for phrase, kind in known.phrases.get(words.words[place], ()):
            end = place + len(phrase)
            if tuple(words.words[place:end]) != phrase:
                continue
            if not all(_GAP.fullmatch(words.gap(at)) for at in range(place, end - 1)):
                continue
            plain = not any(words.capital(at) for at in range(place, end))
            if plain and all(w in ordinary_words() for w in phrase):
                continue
            yield words.spans[place][0], words.spans[end - 1][1], kind, "known:phrase"


def _name_spans(words: _Words, places: Sequence[int], known: Known) -> Iterator[tuple[int, int, str, str]]:
    named, initials = known.words, known.initials
    reached = 0
    for place in places:
        word = words.words[place]
        if place < reached or not (word in named or word in initials or len(word) == 1):
            continue
        if _is_name(words, place, known):
            first, last = _before_name(words, place), _after_name(words, place, known)
            yield words.spans[first][0], words.spans[last][1], "NAME", "known:name"
            reached = last + 1
        elif words.capital(place):
            yield from _initial_spans(words, place, known)


def _is_name(words: _Words, place: int, known: Known) -> bool:
    needs_capital = known.words.get(words.words[place])
    if needs_capital is None:
        return False
    if not needs_capital or words.capital(place):
        return True
    beside = [at for at in (place - 1, place + 1) if 0 <= at < len(words.words)]
    titled = place > 0 and words.words[place - 1] in _TITLES
    return titled or any(words.words[at] in known.words and not words.capital(at) for at in beside)


def _before_name(words: _Words, place: int) -> int:
    """Initials and particles that stand right before a known name belong to it."""
    while place > 0:
        before = place - 1
        word, end = words.words[before], words.spans[before][1]
        initial = words.initial(before) and (word not in "ai" or words.text[end : end + 1] == ".")
        if not (initial or word in PARTICLES) or not _BEFORE_GAP.fullmatch(words.gap(before)):
            return place
        place = before
    return place


def _after_name(words: _Words, place: int, known: Known) -> int:
    """Further known names, initials and particles up to the last of them."""
    last = step = place
    while step + 1 < len(words.words) and _AFTER_GAP.fullmatch(words.gap(step)):
        step += 1
        middle, end = words.initial(step), words.spans[step][1]
        dotted = middle and words.text[end : end + 1] == "." and words.text[words.spans[step - 1][1]] == " "
        if dotted or _is_name(words, step, known):
            last = step
        elif not (middle or words.words[step] in PARTICLES):
            break
    return last


def _initial_spans(words: _Words, place: int, known: Known) -> Iterator[tuple[int, int, str, str]]:
    word, (start, end) = words.words[place], words.spans[place]
    if (
        word in known.initials
        and words.text[start:end].isupper()
        and word not in _INITIALS_THAT_ARE_WORDS
        and not words.text.isupper()
    ):
        if word not in ordinary_words():
            yield start, end, "NAME", "known:initials"
        return
    for length in (3, 2):
        letters = "".join(words.words[place : place + length])
        places = range(place, min(place + length, len(words.words)))
        if letters in known.initials and all(words.initial(at) for at in places):
            end = words.spans[places[-1]][1]
            between = words.text[words.spans[place][1] : words.spans[places[-1]][0]]
            if "." in between and _DOTS.fullmatch(between):
                yield start, end + (words.text[end : end + 1] == "."), "NAME", "known:initials"
                return


_BEFORE_GAP = re.compile(r"[.'\s-]{0,2}")
_AFTER_GAP = re.compile(r"[.,'\s-]{0,2}")
_DOTS = re.compile(r"(?:\.\s?[A-Z]?)+")


def _number_spans(text: str, known: Known) -> Iterator[tuple[int, int, str, str]]:
    for run in _DIGIT_RUN.finditer(text):
        if run.end() - run.start() < known.shortest_number:
            continue
        digits = _NO_DIGITS.sub("", run[0])
        if not any(number in digits for number in known.numbers):
            continue
        groups = [(run.start() + m.start(), run.start() + m.end()) for m in _DIGITS.finditer(run[0])]
        for first, (start, _) in enumerate(groups):
            digits = ""
            for group_start, group_end in groups[first:]:
                digits += text[group_start:group_end]
                kind = known.numbers.get(digits)
                if kind and (len(digits) >= SPACED_NUMBER or " " not in text[start:group_end]):
                    opened = _COUNTRY_CODE.search(text, max(0, start - 5), start)
                    yield (opened.start() if opened else start), group_end, kind, "known:number"


def detect_known(notes: pl.DataFrame, identifiers: pl.DataFrame) -> pl.DataFrame:
    """Return spans of each note's own known identifiers; `text_id` is the row of the note.

    Input columns: patient_id, text. Identifiers: see `record_identifiers`.
    """
    plain = notes.select("patient_id", canonical_series(notes["text"]).alias("text"))
    known = known_by_patient(mentioned(readable(identifiers), plain))
    return span_frame(_spans_of_all(plain, known))


def _spans_of_all(plain: pl.DataFrame, known: dict[str, Known]) -> Iterator[tuple[int, int, int, str, str]]:
    """Yield row and `known_spans` of every note; only notes with a key of their patient are read word by word."""
    runs, numbers = Runs(plain["text"]), {patient_id: number for number, patient_id in enumerate(known)}
    patients = np.array([numbers.get(patient_id, -1) for patient_id in plain["patient_id"]], np.int64)
    keys = (
        (number, code)
        for number, look_up in enumerate(known.values())
        for key in look_up.keys
        if (code := runs.words.get(key)) is not None
    )
    dotted = plain["text"].str.contains(_MAYBE_DOTTED).to_list()
    rows = zip(runs.places(patients, keys), dotted, plain.iter_rows(), strict=True)
    for row, (places, has_dots, (patient_id, text)) in enumerate(rows):
        if patient_id not in known:
            continue
        if places or (has_dots and _DOTTED.search(text)):
            for span in _word_spans(_Words(text, *runs.of(row)), places, known[patient_id]):
                yield row, *span
        for span in _code_spans(text, known[patient_id]):
            yield row, *span
