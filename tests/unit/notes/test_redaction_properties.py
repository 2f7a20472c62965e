"""Laws of redaction over many texts: idempotent, nothing else changes, offsets hold, keys rule the surrogates."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riskflow.contracts.notes_redacted import KINDS
from riskflow.notes.policy import Policy
from riskflow.notes.redact.replace import MARKER
from riskflow.notes.redact.text import canonical
from tests.unit.notes.notes_frames import KEY, OTHER_KEY, redacted, texts_of

_PIECES = st.sampled_from(
    [
        "Dr. John Smith",
        "de la Cruz",
        "Will Nguyen",
        "anna",
        "O’Brien-Smith, MD",
        "(555) 123-4567",
        "123 45 6789",
        "3/4/2020",
        "March 4th, 2020",
        "92-year-old",
        "MRN: 0012345",
        "a.b@example.com",
        "https://x.example.org/a?b=1",
        "123 Main Street",
        "Springfield, IL 62704",
        "Parkinson's disease",
        "Foley",
        "lab value 123456789 copies/mL",
        "1234567893",
        "[NAME]",
        "[DATE]",
        "Name:",
        "seen by",
        "and",
        ",",
        "😀",
        "naïve café",
        "José\u0301",
        "\n",
        "５５５-１２３-４５６７",
        "2001:db8::1",
        "x" * 3,
    ]
)
_TEXTS = st.lists(st.one_of(_PIECES, st.text(max_size=8)), min_size=1, max_size=9).map(" ".join)
_BATCHES = st.lists(_TEXTS, min_size=1, max_size=25)
_MANY = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@_MANY
@given(_BATCHES, st.sampled_from(["markers", "pseudonyms"]))
def test_redacting_twice_changes_nothing_more(texts, style):
    policy = Policy(style)
    once = [text for text in texts_of(redacted(*texts, policy=policy)) if text is not None]
    assert texts_of(redacted(*once, policy=policy)) == once


@_MANY
@given(_BATCHES)
def test_text_outside_spans_is_unchanged_and_offsets_are_right(texts):
    outcome = redacted(*texts)
    spans = outcome.audit.partition_by("note_id", as_dict=True)
    for (note_id, status, new), text in zip(
        outcome.notes.select("note_id", "status", "text").iter_rows(), texts, strict=True
    ):
        rows = spans[(note_id,)].sort("start") if (note_id,) in spans else outcome.audit.clear()
        rebuilt, position = "", 0
        for start, end, kind in rows.select("start", "end", "kind").iter_rows():
            assert position <= start < end <= len(text)
            rebuilt, position = rebuilt + text[position:start] + f"[{kind}]", end
        assert status == "withheld" or rebuilt + text[position:] == new


@given(st.text(max_size=60))
def test_canonical_text_keeps_every_offset(text):
    assert len(canonical(text)) == len(text)
    assert canonical(canonical(text)) == canonical(text)


@_MANY
@given(_BATCHES, st.randoms())
def test_notes_do_not_depend_on_each_other(texts, random):
    order = list(range(len(texts)))
    random.shuffle(order)
    together = texts_of(redacted(*texts))
    shuffled = texts_of(redacted(*(texts[place] for place in order)))
    assert [together[place] for place in order] == shuffled


_PSEUDONYM = re.compile(r"\[[A-Z]+:([^\]]+)\]")


def test_two_keys_share_no_pseudonym_and_one_key_repeats_itself():
    text = "Dr. John Smith saw Maria Lopez and john smith's son at 123 Main Street."
    policy = Policy("pseudonyms")
    first, again, other = (
        texts_of(redacted(text, policy=policy, key=key))[0] for key in (KEY, KEY, OTHER_KEY)
    )
    assert first == again
    ours, theirs = set(_PSEUDONYM.findall(first)), set(_PSEUDONYM.findall(other))
    assert len(ours) == 3 and not ours & theirs


def test_one_value_has_one_pseudonym_in_all_notes_of_a_patient():
    outcome = redacted("Seen by Dr. Anna Smith.", "ANNA SMITH called.", policy=Policy("pseudonyms"))
    assert len({name for text in texts_of(outcome) for name in _PSEUDONYM.findall(text)}) == 1


def test_shifted_dates_keep_their_interval():
    policy = Policy("markers", shift_dates=True)
    first, second = texts_of(redacted("Seen 2020-03-04.", "Seen on March 14th, 2020.", policy=policy))
    days = [re.search(r"\[DATE:(\d{4})-(\d\d)-(\d\d)\]", text) for text in (first, second)]
    import datetime as dt

    a, b = (dt.date(*map(int, day.groups())) for day in days if day)
    assert (b - a).days == 10 and a != dt.date(2020, 3, 4)


def test_a_date_without_year_is_not_shifted_but_removed():
    assert texts_of(redacted("Seen on 3/4.", policy=Policy(shift_dates=True))) == ["Seen on [DATE]."]


def test_the_deny_list_goes_and_the_allow_list_stays_but_not_for_the_own_record():
    policy = Policy(allow=("Mercy Hospital", "Cruz"), deny=("project bluebird",))
    text = "Mercy Hospital took Cruz into Project Bluebird."
    assert texts_of(redacted(text, policy=policy)) == ["Mercy Hospital took [NAME] into [ID]."]


def test_a_clear_text_in_a_markers_shape_is_not_passed():
    assert texts_of(redacted("[NAME:John Smith] and [DATE:2020-03-04]")) == [
        "[NAME:[NAME]] and [DATE:[DATE]]"
    ]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_markers_are_recognised(kind):
    assert MARKER.fullmatch(f"[{kind}]") and MARKER.fullmatch(f"[{kind}:bcdfghjklmnpqrst]")
    assert not MARKER.fullmatch(f"[{kind}:John]")
