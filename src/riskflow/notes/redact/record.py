"""What a patient's own record knows: its identifiers, made ready to be looked up in the patient's notes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import cache, cached_property
from typing import NamedTuple

import polars as pl

from riskflow.notes.redact.text import canonical_series, nicknames, ordinary_words, word_set

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

PARTICLES = word_set("name_particles")
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
_DATE_FORMS = ("%Y%m%d", "%m%d%Y", "%d%m%Y", "%m%d%y", "%y%m%d")
_SHORTEST_NUMBER = 4
SPACED_NUMBER = 7
"""Digits from which a number is also found with spaces in it."""


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
        return frozenset({*self.words, *self.phrases, *self.initials})

    @cached_property
    def shortest_number(self) -> int:
        """Digits of the shortest of the numbers."""
        return min(map(len, self.numbers), default=0)


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


class _Value(NamedTuple):
    """An identifier, and what is made of it: folded, its words, its digits, its letters and digits."""

    kind: str
    part: str
    value: str
    text: str
    words: list[str]
    digits: str
    compact: str


def compiled(values: Iterable[_Value]) -> Known:
    """Return the look-up of one patient's identifiers."""
    known, given, family = Known(), list[str](), list[str]()
    for kind, part, value, text, words, digits, compact in values:
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
            _add_number(known, kind, part, digits, compact)
    _add_initials(known, given, [w for w in family if w not in PARTICLES])
    return known


def _add_names(known: Known, words: list[str], text: str) -> None:
    names = [w for w in words if len(w) > 1 and (w not in PARTICLES or len(words) == 1)]
    for word in names:
        for form, needs_capital in _name_forms(word):
            known.words[form] = needs_capital and known.words.get(form, True)
    joined = "".join(words)
    if len(words) > 1 and ("'" in text or "-" in text or words[0] in PARTICLES):
        known.words[joined] = False
    if len(words) > 1 and any(w in PARTICLES or len(w) == 1 for w in words):
        _add_phrase(known, "NAME", words)


@cache
def _name_forms(word: str) -> tuple[tuple[str, bool], ...]:
    """Return a name and what stands for it, each with whether it is a word as well, so that it needs a capital."""
    forms = {word, *nicknames().get(word, ())}
    return tuple((form, form in ordinary_words() or len(form) < 3) for form in forms)


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
    forms = {day.strftime(form) for form in _DATE_FORMS}
    forms.add(f"{day.month}{day.day}{day.year}")
    known.numbers.update({digits: "DATE" for digits in forms if len(digits) > 5})


def _add_phrase(known: Known, kind: str, words: list[str]) -> None:
    entry = (tuple(words), kind)
    entries = known.phrases.setdefault(words[0], [])
    if (len(words) > 1 or len(words[0]) > 2) and entry not in entries:
        entries.append(entry)


def _add_number(known: Known, kind: str, part: str, digits: str, compact: str) -> None:
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


def known_by_patient(readable: pl.DataFrame) -> dict[str, Known]:
    """Return patient_id → look-up, of the rows of `readable`."""
    grouped: dict[str, list[_Value]] = {}
    for patient_id, *value in readable.select("patient_id", *_Value._fields).iter_rows():
        grouped.setdefault(patient_id, []).append(_Value(*value))
    return {patient_id: compiled(values) for patient_id, values in grouped.items()}


def readable(identifiers: pl.DataFrame) -> pl.DataFrame:
    """Return patient_id and the fields of `_Value`: what can be worked out for all values at once."""
    lower = canonical_series(identifiers["value"]).str.to_lowercase()
    return identifiers.select("patient_id", "kind", "part", "value").with_columns(
        lower.alias("text"),
        lower.str.extract_all(r"[a-z]+|\d+").alias("words"),
        lower.str.replace_all("[^0-9]+", "").alias("digits"),
        lower.str.replace_all("[^a-z0-9]+", "").alias("compact"),
    )


def mentioned(values: pl.DataFrame, notes: pl.DataFrame) -> pl.DataFrame:
    """Return the values without numbers, contacts and dates that cannot be in any note of their patient.

    Whatever way they are written, without what separates them they are in the text without what separates it.
    """
    hay = pl.col("text").str.join("\n").str.to_lowercase().str.replace_all("[^a-z0-9]+", "").alias("hay")
    held = values.with_row_index("row").join(notes.group_by("patient_id").agg(hay), on="patient_id")
    digits = pl.col("digits")
    bare = digits.str.strip_chars_start("0")
    number = _is_in_hay(pl.col("compact")) | (
        (bare.str.len_chars() >= _SHORTEST_NUMBER - 1) & _is_in_hay(bare)
    )
    day = pl.col("value").str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    forms = pl.any_horizontal(_is_in_hay(day.dt.to_string(form)) for form in (*_DATE_FORMS, "%-m%-d%Y"))
    first, second, third = (pl.col("words").list.get(n, null_on_oob=True) for n in range(3))
    neighbours = [first + second, first.replace(_STREET_FORMS) + second]
    neighbours += [second + third, second + third.replace(_STREET_FORMS)]
    street = pl.any_horizontal(map(_is_in_hay, neighbours))
    tests = {
        ("number", "address", "place"): number,
        ("telephone",): _is_in_hay(digits.str.tail(SPACED_NUMBER)),
        ("zip",): _is_in_hay(digits.str.head(5)),
        ("date",): forms,
        ("street",): second.is_null() | second.is_in(list(_STREET_FORMS)) | street,
        ("family", "given", "person"): pl.lit(True),
    }
    kept = [held.filter(pl.col("part").is_in(parts)).filter(test) for parts, test in tests.items()]
    return pl.concat(kept).sort("row")


def _is_in_hay(needle: pl.Expr) -> pl.Expr:
    return pl.col("hay").str.contains(needle, literal=True)
