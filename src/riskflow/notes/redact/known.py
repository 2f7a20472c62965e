"""Exact removal of what the record itself knows: names, numbers, addresses and contacts of the note's own patient.

Matching is on canonical text, without regard to letter case, separators or the format of a number. A known
name that is also a word ("Will", "Long") goes only with a capital, after a title or beside another known name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import polars as pl

from riskflow.notes.redact.spans import span_frame
from riskflow.notes.redact.text import canonical, folded, nicknames, ordinary_words, word_set

IDENTIFIER_SCHEMA: dict[str, type[pl.DataType]] = {
    "patient_id": pl.String,
    "kind": pl.String,
    "part": pl.String,
    "value": pl.String,
}
_PATIENT_PARTS = {
    "patient_id": ("MRN", "number"),
    "identifiers": ("ID", "number"),
    "family_name": ("NAME", "family"),
    "given_names": ("NAME", "given"),
    "contact_name": ("NAME", "person"),
    "address_lines": ("GEO", "street"),
    "city": ("GEO", "place"),
    "postal_code": ("GEO", "zip"),
    "phone": ("PHONE", "telephone"),
    "fax": ("FAX", "telephone"),
    "contact_phone": ("PHONE", "telephone"),
    "email": ("EMAIL", "address"),
    "date_of_birth": ("DATE", "date"),
    "deceased_date": ("DATE", "date"),
    "managing_organization": ("GEO", "place"),
}
_ENCOUNTER_PARTS = {
    "encounter_id": ("ID", "number"),
    "participant_name": ("NAME", "person"),
    "facility_name": ("GEO", "place"),
    "service_provider": ("GEO", "place"),
    "location_address": ("GEO", "street"),
}
_OBSERVATION_PARTS = {"observation_id": ("ID", "number"), "performer_name": ("NAME", "person")}

_TOKEN = re.compile(r"[A-Za-z]+|\d+")
_DIGIT_RUN = re.compile(r"\d+(?:[\s().+/_-]{0,3}\d+)*")
_COMPACT = re.compile(r"(?=[A-Za-z0-9_/.:-]*\d)[A-Za-z0-9]+(?:[-_/.:][A-Za-z0-9]+)*")
_DIGITS = re.compile(r"\d+")
_NO_CODE = re.compile(r"[^a-z0-9]")
_DOTTED = re.compile(r"(?<![A-Za-z])[A-Z]\.\s?[A-Z](?![A-Za-z])")
_GAP = re.compile(r"[^A-Za-z0-9\n]{0,3}")
_TITLES = word_set("titles_before_known_names")
_PARTICLES = word_set("name_particles")
_NO_NAMES = word_set("no_name_words")
_STREET_FORMS = {
    "street": "st",
    "avenue": "ave",
    "road": "rd",
    "boulevard": "blvd",
    "drive": "dr",
    "lane": "ln",
    "court": "ct",
    "circle": "cir",
    "place": "pl",
    "terrace": "ter",
    "parkway": "pkwy",
    "highway": "hwy",
    "apartment": "apt",
    "suite": "ste",
    "north": "n",
    "south": "s",
    "east": "e",
    "west": "w",
}
_SHORTEST_NUMBER = 4
_SPACED_NUMBER = 7
"""Digits from which a number is also found with spaces in it."""
_COUNTRY_CODE = re.compile(r"(?:(?<!\d)\+?1[\s.-]?)?\(?$")
_INITIALS_THAT_ARE_WORDS = word_set("abbreviations_of_two_letters")


@dataclass
class Known:
    """What is known of one patient, ready to be looked up: name words, phrases of words, digits, compact codes."""

    words: dict[str, bool] = field(default_factory=dict)
    phrases: dict[str, list[tuple[tuple[str, ...], str]]] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    compact: dict[str, str] = field(default_factory=dict)
    initials: set[str] = field(default_factory=set)

    @cached_property
    def keys(self) -> frozenset[str]:
        """Words of which a text must have one to hold a known name or phrase."""
        return frozenset(self.words) | frozenset(self.phrases) | frozenset(self.initials)


class _Token(NamedTuple):
    start: int
    end: int
    word: str
    capital: bool


def record_identifiers(
    patients: pl.DataFrame, encounters: pl.DataFrame | None = None, observations: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return one row per known identifier: patient_id, kind, part (how to read the value), value.

    Input: the source tables (or the columns of them that hold identifiers), each with `patient_id`.
    """
    tables = ((patients, _PATIENT_PARTS), (encounters, _ENCOUNTER_PARTS), (observations, _OBSERVATION_PARTS))
    parts = [
        _column_values(table, column, *kind)
        for table, columns in tables
        if table is not None
        for column, kind in columns.items()
        if column in table.columns
    ]
    return (
        pl.concat(parts)
        .filter(pl.col("value").str.strip_chars() != "")
        .unique()
        .sort(list(IDENTIFIER_SCHEMA))
    )


def _column_values(table: pl.DataFrame, column: str, kind: str, part: str) -> pl.DataFrame:
    rows = table.select("patient_id", pl.col(column).alias("value")).drop_nulls()
    if isinstance(rows["value"].dtype, pl.List):
        rows = rows.explode("value").drop_nulls()
    return rows.select(
        pl.col("patient_id").cast(pl.String),
        pl.lit(kind).alias("kind"),
        pl.lit(part).alias("part"),
        pl.col("value").cast(pl.String),
    )


def compiled(values: Iterable[tuple[str, str, str]]) -> Known:
    """Return the look-up of one patient's (kind, part, value) rows."""
    known, given, family = Known(), list[str](), list[str]()
    for kind, part, value in values:
        text = folded(value)
        words = _TOKEN.findall(text)
        if part in ("family", "given", "person"):
            letters = [w for w in words if not w.isdigit() and w not in _NO_NAMES]
            _add_names(known, letters, text)
            if part == "family":
                family += letters
            elif part == "given":
                given += letters
            else:
                _add_initials(known, letters[:-1], letters[-1:])
        elif part == "street":
            _add_street(known, kind, words)
        elif part == "date":
            _add_date(known, value)
        elif words:
            _add_phrase(known, kind, words)
            _add_number(known, kind, part, text)
    _add_initials(known, given, [w for w in family if w not in _PARTICLES])
    return known


def _add_names(known: Known, words: list[str], text: str) -> None:
    names = [w for w in words if len(w) > 1 and (w not in _PARTICLES or len(words) == 1)]
    for word in names:
        for form in {word} | set(nicknames().get(word, ())):
            known.words[form] = known.words.get(form, True) and (form in ordinary_words() or len(form) < 3)
    joined = "".join(words)
    if len(words) > 1 and ("'" in text or "-" in text or words[0] in _PARTICLES):
        known.words[joined] = False
    if len(words) > 1 and any(w in _PARTICLES or len(w) == 1 for w in words):
        _add_phrase(known, "NAME", words)


def _add_initials(known: Known, given: list[str], family: list[str]) -> None:
    if not given or not family:
        return
    first, last = given[0][0], family[-1][0]
    middle = [name[0] for name in given[1:2]]
    for letters in ((first, last), (first, *middle, last)):
        known.initials.add("".join(letters))


def _add_street(known: Known, kind: str, words: list[str]) -> None:
    if not words:
        return
    short = [_STREET_FORMS.get(w, w) for w in words]
    for form in (words, short):
        _add_phrase(known, kind, form)
        if form[0].isdigit() and len(form) > 1:
            _add_phrase(known, kind, form[:3])
            if len(form[1]) > 3 and form[1] not in ordinary_words():
                _add_phrase(known, kind, form[:2])
            if len(form) > 2 and not form[1].isdigit():
                _add_phrase(known, kind, form[1:3] if len(form[1]) > 1 else form[1:4])


def _add_date(known: Known, value: str) -> None:
    day = date.fromisoformat(value[:10])
    forms = {day.strftime(form) for form in ("%Y%m%d", "%m%d%Y", "%d%m%Y", "%m%d%y", "%y%m%d")}
    forms.add(f"{day.month}{day.day}{day.year}")
    known.numbers.update({digits: "DATE" for digits in forms if len(digits) > 5})


def _add_phrase(known: Known, kind: str, words: list[str]) -> None:
    entry = (tuple(words), kind)
    entries = known.phrases.setdefault(words[0], [])
    if (len(words) > 1 or len(words[0]) > 2) and entry not in entries:
        entries.append(entry)


def _add_number(known: Known, kind: str, part: str, text: str) -> None:
    digits, compact = re.sub(r"\D", "", text), re.sub(r"[^a-z0-9]", "", text)
    if len(compact) > len(digits) > 0 and part == "number":
        known.compact[compact] = kind
    if part == "zip":
        known.numbers[digits[:5]] = kind
    if len(digits) < _SHORTEST_NUMBER or (part == "number" and len(compact) > 2 * len(digits)):
        return
    known.numbers[digits] = kind
    if part == "number" and digits.lstrip("0") != digits and len(digits.lstrip("0")) >= _SHORTEST_NUMBER:
        known.numbers[digits.lstrip("0")] = kind
    if part == "telephone" and len(digits) >= 10:
        known.numbers[digits[-10:]] = kind
        known.numbers[digits[-7:]] = kind


def known_spans(text: str, known: Known) -> Iterator[tuple[int, int, str, str]]:
    """Yield (start, end, kind, source) of every known identifier in a text."""
    plain = canonical(text)
    words = _TOKEN.findall(plain.lower())
    if not known.keys.isdisjoint(words) or _DOTTED.search(plain):
        tokens = [_Token(m.start(), m.end(), m[0].lower(), m[0][0].isupper()) for m in _TOKEN.finditer(plain)]
        yield from _phrase_spans(plain, tokens, known)
        yield from _name_spans(plain, tokens, known)
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


def _phrase_spans(text: str, tokens: list[_Token], known: Known) -> Iterator[tuple[int, int, str, str]]:
    for place, token in enumerate(tokens):
        for words, kind in known.phrases.get(token.word, ()):
            found = tokens[place : place + len(words)]
            if tuple(t.word for t in found) != words or not _close(text, found):
                continue
            if not any(t.capital for t in found) and all(w in ordinary_words() for w in words):
                continue
            yield token.start, found[-1].end, kind, "known:phrase"


def _close(text: str, tokens: list[_Token]) -> bool:
    return all(_GAP.fullmatch(text[a.end : b.start]) for a, b in pairwise(tokens))


def _name_spans(text: str, tokens: list[_Token], known: Known) -> Iterator[tuple[int, int, str, str]]:
    hits = [
        token.word in known.words and _is_name(tokens, place, known) for place, token in enumerate(tokens)
    ]
    place = 0
    while place < len(tokens):
        if not hits[place]:
            token = tokens[place]
            if token.capital and (token.end - token.start == 1 or token.word in known.initials):
                yield from _initial_spans(text, tokens, place, known)
            place += 1
            continue
        first = _before_name(text, tokens, place)
        last = _after_name(text, tokens, hits, place)
        yield tokens[first].start, tokens[last].end, "NAME", "known:name"
        place = last + 1


def _is_name(tokens: list[_Token], place: int, known: Known) -> bool:
    token = tokens[place]
    needs_capital = known.words.get(token.word)
    if needs_capital is None:
        return False
    if not needs_capital or token.capital:
        return True
    beside = [tokens[at] for at in (place - 1, place + 1) if 0 <= at < len(tokens)]
    titled = place > 0 and tokens[place - 1].word in _TITLES
    return titled or any(other.word in known.words and not other.capital for other in beside)


def _before_name(text: str, tokens: list[_Token], place: int) -> int:
    """Initials and particles that stand right before a known name belong to it."""
    while place > 0:
        token = tokens[place - 1]
        initial = (token.end - token.start == 1 and token.capital and token.word not in "ai") or (
            token.end - token.start == 1 and token.capital and text[token.end : token.end + 1] == "."
        )
        if not (initial or token.word in _PARTICLES) or not re.fullmatch(
            r"[.'\s-]{0,2}", text[token.end : tokens[place].start]
        ):
            return place
        place -= 1
    return place


def _after_name(text: str, tokens: list[_Token], hits: list[bool], place: int) -> int:
    """Further known names, initials and particles up to the last of them."""
    last = step = place
    while step + 1 < len(tokens) and re.fullmatch(
        r"[.,'\s-]{0,2}", text[tokens[step].end : tokens[step + 1].start]
    ):
        step += 1
        token = tokens[step]
        middle = token.end - token.start == 1 and token.capital
        dotted = middle and text[token.end : token.end + 1] == "." and text[tokens[step - 1].end] == " "
        if hits[step] or dotted:
            last = step
        elif not (middle or token.word in _PARTICLES):
            break
    return last


def _initial_spans(
    text: str, tokens: list[_Token], place: int, known: Known
) -> Iterator[tuple[int, int, str, str]]:
    token = tokens[place]
    raw = text[token.start : token.end]
    if (
        raw.isupper()
        and token.word in known.initials
        and token.word not in _INITIALS_THAT_ARE_WORDS
        and not text.isupper()
    ):
        if token.word not in ordinary_words():
            yield token.start, token.end, "NAME", "known:initials"
        return
    for length in (3, 2):
        found = tokens[place : place + length]
        letters = "".join(t.word for t in found)
        if letters in known.initials and all(len(t.word) == 1 and t.capital for t in found):
            between = text[found[0].end : found[-1].start]
            if "." in between and re.fullmatch(r"(?:\.\s?[A-Z]?)+", between):
                end = found[-1].end
                yield token.start, end + (text[end : end + 1] == "."), "NAME", "known:initials"
                return


def _number_spans(text: str, known: Known) -> Iterator[tuple[int, int, str, str]]:
    for run in _DIGIT_RUN.finditer(text):
        groups = [(run.start() + m.start(), run.start() + m.end()) for m in _DIGITS.finditer(run[0])]
        for first, (start, _) in enumerate(groups):
            digits = ""
            for group_start, group_end in groups[first:]:
                digits += text[group_start:group_end]
                kind = known.numbers.get(digits)
                if kind and (len(digits) >= _SPACED_NUMBER or " " not in text[start:group_end]):
                    opened = _COUNTRY_CODE.search(text, max(0, start - 5), start)
                    yield (opened.start() if opened else start), group_end, kind, "known:number"


def known_by_patient(identifiers: pl.DataFrame) -> dict[str, Known]:
    """Return patient_id → look-up, of the rows of `record_identifiers`."""
    grouped: dict[str, list[tuple[str, str, str]]] = {}
    for patient_id, kind, part, value in identifiers.select(list(IDENTIFIER_SCHEMA)).iter_rows():
        grouped.setdefault(patient_id, []).append((kind, part, value))
    return {patient_id: compiled(values) for patient_id, values in grouped.items()}


def detect_known(notes: pl.DataFrame, identifiers: pl.DataFrame) -> pl.DataFrame:
    """Return spans of each note's own known identifiers; `text_id` is the row of the note.

    Input columns: patient_id, text. Identifiers: see `record_identifiers`.
    """
    wanted = identifiers.join(notes.select("patient_id").unique(), on="patient_id", how="semi")
    known = known_by_patient(wanted)
    return span_frame(
        (row, *span)
        for row, (patient_id, text) in enumerate(notes.select("patient_id", "text").iter_rows())
        if patient_id in known
        for span in known_spans(text, known[patient_id])
    )
