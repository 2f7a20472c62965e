"""Known identifiers of the note's own record go, in whatever form they are written."""

import polars as pl
import pytest

from riskflow.notes.redact.known import known_spans
from riskflow.notes.redact.record import Known, known_by_patient, readable, record_identifiers
from riskflow.notes.redact.text import canonical
from tests.unit.notes.notes_frames import PATIENT, source


@pytest.fixture(scope="module")
def known():
    identifiers = record_identifiers(*source("x").values())
    return known_by_patient(readable(identifiers))[PATIENT["patient_id"]]


def of_values(*rows: tuple[str, str, str]) -> Known:
    columns = ["patient_id", "kind", "part", "value"]
    table = pl.DataFrame([("1", *row) for row in rows], schema=columns, orient="row")
    return known_by_patient(readable(table))["1"]


def hidden(text: str, known) -> str:
    covered = set()
    for start, end, _, _ in known_spans(canonical(text), known):
        covered.update(range(start, end))
    return "".join(
        "#" if place in covered and character.isalnum() else character for place, character in enumerate(text)
    )


@pytest.mark.parametrize(
    "text",
    [
        "William de la Cruz",
        "de la Cruz, William",
        "DE LA CRUZ WILLIAM X.",
        "william",
        "Bill",
        "billy delacruz",
        "W. de la Cruz",
        "Xavier Cruz",
        "W.C.",
        "Rosalind",
        "okonkwo",
        "(555) 123-4567",
        "555.123.4567",
        "5551234567",
        "1 555 123 4567",
        "123-4567",
        "555 987 6543",
        "0012345",
        "12345",
        "999-16-9876",
        "999169876",
        "999 16 9876",
        "D1234567",
        "d-1234567",
        "568 Olson Landing Apt 2",
        "568 Olson",
        "olson landing",
        "Long Beach",
        "90804",
        "wdelacruz@example.com",
        "03/04/1950",
        "3-4-1950",
        "1950-03-04",
        "19500304",
        "enc-771",
        "Priya Raman",
        "raman",
        "LAKEVIEW CLINIC",
        "Wílliam dé la Crüz",
    ],
)
def test_every_form_of_a_known_identifier_goes(text, known):
    assert not any(c.isalnum() for c in hidden(f"{text} ", known).replace("#", ""))


def test_a_possessive_leaves_its_ending(known):
    assert hidden("Cruz's knee", known) == "####'s knee"


def test_other_numbers_and_words_stay(known):
    text = "He took 5551 units on 12 34 5 beds, long beach walks, code 0012346, at 90805."
    assert hidden(text, known) == text


def test_a_known_name_that_is_a_word_goes_only_as_a_name():
    known = of_values(("NAME", "given", "Will"), ("NAME", "family", "Long"))
    assert hidden("He will walk long distances.", known) == "He will walk long distances."
    assert hidden("Mr. Long will walk.", known) == "Mr. #### will walk."
    assert hidden("mr. long and will long", known) == "mr. #### and #### ####"


def test_initials_that_are_abbreviations_stay():
    known = of_values(("NAME", "given", "Carl"), ("NAME", "family", "Parker"))
    assert hidden("CP since noon. C.P. agrees.", known) == "CP since noon. #.#. agrees."


def test_identifiers_come_from_all_tables_with_their_kind():
    found = record_identifiers(*source("x").values())
    kinds = {(row["kind"], row["part"]) for row in found.iter_rows(named=True)}
    assert {
        ("NAME", "family"),
        ("NAME", "person"),
        ("MRN", "number"),
        ("DATE", "date"),
        ("GEO", "zip"),
    } <= kinds
    assert found.filter(found["value"] == "Priya Raman").height == 1
    assert set(found["patient_id"]) == {PATIENT["patient_id"]}


def test_offsets_are_right_after_unicode(known):
    text = "😀 naïve — Señor Cruz’s Ｆoto 🚑 (555) 123–4567"
    spans = {text[start:end] for start, end, _, _ in known_spans(canonical(text), known)}
    assert {"Cruz", "(555) 123–4567"} <= spans
