"""Writing the redacted text: typed markers, keyed pseudonyms or shifted dates in place of spans."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable

from riskflow.contracts.notes_redacted import KINDS, PSEUDONYM_LENGTH, PSEUDONYM_LETTERS
from riskflow.notes import pseudonym
from riskflow.notes.redact.text import folded

Replacement = Callable[[str, str], str]
"""(kind, text of the span) → what stands in its place."""

MARKER = re.compile(rf"\[(?:{'|'.join(KINDS)})(?::[{PSEUDONYM_LETTERS}]{{{PSEUDONYM_LENGTH}}})?\]")
"""A marker as this module writes it. Nothing in one can be clear text: no vowel, no digit, one fixed length."""

_DATE_FORMS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%m/%d/%Y",
    "%m-%d-%Y",
    "%m.%d.%Y",
    "%d/%m/%Y",
    "%d.%m.%Y",
    "%m/%d/%y",
    "%m-%d-%y",
    "%Y%m%d",
    "%B %d %Y",
    "%b %d %Y",
    "%d %B %Y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
)


def marker(kind: str, payload: str = "") -> str:
    """Return `[KIND]` or `[KIND:payload]`."""
    return f"[{kind}:{payload}]" if payload else f"[{kind}]"


def replacement(style: str, shift_dates: bool, key: bytes, patient_id: str) -> Replacement:
    """Return what replaces the identifiers in the notes of one patient.

    `markers`: `[NAME]`. `pseudonyms`: `[NAME:bcdf…]`, the same for the same value of the same patient.
    `shift_dates`: `[DATE:2021-03-14]` for a full date, moved by the patient's shift; `[DATE]` for another.
    """

    def replace(kind: str, text: str) -> str:
        if kind == "DATE" and shift_dates:
            day = parsed_date(text)
            return marker(kind, pseudonym.shifted(key, patient_id, day).isoformat()) if day else marker(kind)
        if style == "pseudonyms":
            return marker(kind, pseudonym.pseudonym(key, "value", patient_id, kind, plain_value(text)))
        return marker(kind)

    return replace


def plain_value(text: str) -> str:
    """Return a value in the one form that equal values share: no accents, case, possessive or separators."""
    return re.sub(r"[^a-z0-9]+", "", re.sub(r"'s$", "", folded(text)))


def parsed_date(text: str) -> dt.date | None:
    """Return the day of a full date with a year from 1850 to 2100 in one of the usual forms, else None."""
    plain = re.sub(
        r"(?<=\d)(?:st|nd|rd|th)\b|,|\.(?=\s)|\bof\b",
        " ",
        folded(text).split("t")[0] if re.match(r"\d{4}-\d\d-\d\dt", folded(text)) else folded(text),
    )
    plain = re.sub(
        r"^(?:mon|tues?|wednes|thurs?|fri|satur|sun)(?:day)?\s+", "", re.sub(r"\s+", " ", plain).strip()
    )
    plain = plain.replace("sept ", "sep ")
    for form in _DATE_FORMS:
        if ("%B" in form or "%b" in form) != any(c.isalpha() for c in plain):
            continue
        try:
            day = dt.datetime.strptime(plain, form).date()
        except ValueError:
            continue
        return day if 1850 <= day.year <= 2100 else None
    return None


def replaced(text: str, spans: Iterable[tuple[int, int, str]], replace: Replacement) -> str:
    """Return the text with each (start, end, kind) replaced; spans are disjoint and in order."""
    parts: list[str] = []
    position = 0
    for start, end, kind in spans:
        parts += (text[position:start], replace(kind, text[start:end]))
        position = end
    parts.append(text[position:])
    return "".join(parts)
