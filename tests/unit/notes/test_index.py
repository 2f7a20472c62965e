"""The index of words, and what asks it: every word at its place, and nothing lost by asking less."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskflow.notes.demo import demo_records
from riskflow.notes.redact.detectors import rule_detector, sparing_detector
from riskflow.notes.redact.index import WordIndex
from riskflow.notes.redact.known import detect_known, known_spans
from riskflow.notes.redact.name_rules import extend_names
from riskflow.notes.redact.record import known_by_patient, readable, record_identifiers
from riskflow.notes.redact.spans import merge_spans
from riskflow.notes.redact.text import canonical, canonical_series, spelled_out
from tests.unit.notes.ingest_files import load_json


@settings(deadline=None)
@given(st.lists(st.text(alphabet="aBs'’- 1.\n\u2028é😀(я", max_size=40), max_size=6))
def test_every_word_is_at_its_place(texts):
    plain = [canonical(text) for text in texts]
    index = WordIndex.of(pl.Series("text", plain, dtype=pl.String))
    words = [index.words[code] for code in index.codes]
    assert all(
        plain[row][start : start + len(word)] == word
        for word, row, start in zip(words, index.rows, index.starts, strict=True)
    )
    letters = sum(c.isascii() and c.isalpha() for text in plain for c in text)
    assert letters == sum(c.isalpha() for word in words for c in word)
    everywhere = [(row, start) for row, starts in index.places(lambda word: True) for start in starts]
    assert everywhere == list(zip(index.rows.tolist(), index.starts.tolist(), strict=True))


def test_rules_find_in_many_texts_what_they_find_in_each_alone():
    texts = [note.text for item in demo_records(8, seed=9) for note in item.notes.values()]
    together = rule_detector().detect(texts).spans
    for number, text in enumerate(texts):
        alone = rule_detector().detect([text]).spans.drop("text_id")
        mine = together.filter(pl.col("text_id") == number).drop("text_id")
        assert mine.sort(mine.columns).equals(alone.sort(alone.columns))


def test_identifiers_that_are_not_asked_for_are_in_no_note(tmp_path):
    """What is left out before the look-up is made would have found nothing."""
    tables, *_ = load_json(tmp_path, [item.record for item in demo_records(25, seed=4)])
    identifiers = record_identifiers(*tables.values())
    notes = tables["observations"].select("patient_id", text="notes")
    every = known_by_patient(readable(identifiers))
    texts = zip(notes["patient_id"], canonical_series(notes["text"]), strict=True)
    expected = [(n, *span) for n, (who, text) in enumerate(texts) for span in known_spans(text, every[who])]
    assert sorted(detect_known(notes, identifiers).iter_rows()) == sorted(expected)
    assert len(expected) > 60


@pytest.mark.parametrize(
    ("pattern", "words"),
    [("a|b", {"a", "b"}), ("colou?r|grey", {"color", "colour", "grey"}), ("tests?", {"test", "tests"})],
)
def test_patterns_of_words_are_spelled_out(pattern, words):
    assert spelled_out(pattern) == words


def test_protecting_rules_lose_nothing_when_asked_only_where_something_is_found():
    records = [item.record for item in demo_records(60, seed=5, observations=300)]
    notes = [row["notes"] for record in records for row in record["observations"] if row["notes"]]
    texts = pl.Series("text", [*notes, "Crohn disease.", "Dr. Ana Crohn, Parkinson disease and Bell palsy."])
    every, fewer = (
        detector().detect(texts.to_list()).spans for detector in (rule_detector, sparing_detector)
    )
    assert merge_spans(extend_names(texts, fewer)).equals(merge_spans(extend_names(texts, every)))
    kept = [spans.filter(kind="KEEP").height for spans in (fewer, every)]
    assert 0 < kept[0] < kept[1]
