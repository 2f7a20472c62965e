"""Hand-written hard sentences: what must go goes with its kind, what must stay stays, by the rules alone."""

from pathlib import Path

import polars as pl
import pytest

from riskflow.notes.policy import Policy
from riskflow.notes.redact.pipeline import redact
from riskflow.notes.redact.record import IDENTIFIER_SCHEMA
from riskflow.notes.templates.markup import Labelled, parse

LINES = [
    line.replace("\\u0301", "\u0301")
    for line in (Path(__file__).parent / "hard_sentences.txt").read_text(encoding="utf-8").splitlines()
    if line.strip() and not line.startswith("#")
]
KEY = b"a key for tests only"


def audit_of(texts: list[str]) -> pl.DataFrame:
    notes = pl.DataFrame({"note_id": [str(i) for i in range(len(texts))], "patient_id": "p", "text": texts})
    return redact(notes, pl.DataFrame(schema=IDENTIFIER_SCHEMA), Policy(), KEY).audit


@pytest.fixture(scope="module")
def found() -> dict[int, list[tuple[int, int, str]]]:
    audit = audit_of([parse(line).text for line in LINES])
    spans: dict[int, list[tuple[int, int, str]]] = {}
    for note_id, start, end, kind in audit.select("note_id", "start", "end", "kind").iter_rows():
        spans.setdefault(int(note_id), []).append((start, end, kind))
    return spans


def test_there_are_enough_of_them():
    assert len(set(LINES)) == len(LINES) >= 300


@pytest.mark.parametrize("number", range(len(LINES)), ids=lambda n: LINES[n])
def test_what_must_go_goes_and_the_rest_stays(number: int, found: dict[int, list[tuple[int, int, str]]]):
    wanted: Labelled = parse(LINES[number])
    spans = found.get(number, [])
    assert words(wanted.text, spans) == words(wanted.text, list(wanted.spans))
    for start, end, kind in wanted.spans:
        assert [k for s, e, k in spans if s < end and start < e] == [kind]


def words(text: str, spans: list[tuple[int, int, str]]) -> list[str]:
    """The words, letters and digits only, that the spans cover."""
    return ["".join(c for c in text[start:end] if c.isalnum()) for start, end, _ in sorted(spans)]
