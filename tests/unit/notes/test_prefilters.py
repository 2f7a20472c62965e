"""What is asked before a rule looks: where it says no, the rule by itself finds nothing either."""

import hmac
import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskflow.notes import pseudonym
from riskflow.notes.demo import demo_records
from riskflow.notes.ner import sentences
from riskflow.notes.redact import known, listed_names, names, relations
from riskflow.notes.redact.detectors import rule_detector
from riskflow.notes.redact.index import Runs, WordIndex, first_part
from riskflow.notes.redact.record import Known, known_by_patient, mentioned, readable
from riskflow.notes.redact.rule import Rule, WordRule, word_spans
from riskflow.notes.redact.text import canonical, given_names, ordinary_words, surnames

BESIDE = [rule for rule in rule_detector().rules if isinstance(rule, WordRule) and rule.beside]
WORDS = """
Anna Will Grace Hope May Smith Nguyen Young Xander Xqz Bob's O'Neil Smith-Jones JOHN RN MD A I J de
la van St Dr wife son daughter-in-law husband's named is name mr. nurse patient Patient Name:
Surname NAME Attending signed by From CC re with per via told informed overinformed met saw reports
denies says c/o was seen admitted has had lives will call follow and the of Parkinson disease test
lab BP 12 555 .
""".split()  # noqa: SIM905
GAPS = [
    *[" "] * 6,
    *("  ", "\n", "\t", ", ", ",", ": ", ":", " - ", "-", "'", "'s ", ". ", ".", " (", "/", "=", "#", ""),
    *("é", "я", "\x1c"),
]
TEXTS = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(GAPS)), max_size=12).map(
    lambda parts: canonical("".join(word + gap for word, gap in parts))
)


@pytest.mark.parametrize("rule", BESIDE, ids=lambda rule: rule.id)
@settings(deadline=None, max_examples=150)
@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_what_stands_beside_a_word_leaves_out_nothing_that_is_found(rule, texts):
    index = WordIndex.of(pl.Series("text", texts, dtype=pl.String))
    everywhere = replace(rule, beside=None)
    assert list(word_spans(rule, texts, index)) == list(word_spans(everywhere, texts, index))


@pytest.mark.parametrize("rule", BESIDE, ids=lambda rule: rule.id)
def test_what_stands_beside_a_word_leaves_out_nothing_in_notes_but_most_places(rule):
    texts = [canonical(note.text) for item in demo_records(60, seed=8) for note in item.notes.values()]
    index = WordIndex.of(pl.Series("text", texts, dtype=pl.String))
    found = list(word_spans(rule, texts, index))
    assert found and found == list(word_spans(replace(rule, beside=None), texts, index))
    asked, all_places = (
        sum(len(starts) for _, starts in index.places(rule.anchor, beside)) for beside in (rule.beside, None)
    )
    assert asked < all_places / 2


@given(st.from_regex(listed_names.PERSON_VERBS))
def test_every_verb_of_a_person_is_known_by_its_first_word(text):
    said = listed_names.PERSON_VERBS.search(text)
    word = re.search(r"[A-Za-z]+(?:['-]+[A-Za-z]+)*'?", canonical(said[0]))
    assert first_part(word[0]).lower() in listed_names._VERBS


@given(st.text(alphabet="aBé1 .'-\n\x1cяＡ2", max_size=30).map(canonical))
def test_runs_of_letters_and_digits_are_where_a_pattern_finds_them(text):
    runs = Runs(pl.Series("text", ["x1", text, ""], dtype=pl.String))
    found = list(re.finditer(r"[A-Za-z]+|[0-9]+", text))
    assert runs.of(1) == ([match[0].lower() for match in found], [match.span() for match in found])
    assert (runs.of(0), runs.of(2)) == ((["x", "1"], [(0, 1), (1, 2)]), ([], []))
    asked = [(7, code) for word, code in runs.words.items() if word in ("ab", "1")]
    places = [at for at, match in enumerate(found) if match[0].lower() in ("ab", "1")]
    assert runs.places(np.array([3, 7, 3]), asked) == [[], places, []]


PIECES = ["de ", "la ", "van", "St.", "st. ", "mac ", "De ", "al-", "Bob", "X", "x", "O'Neil", "'s", "5", "я"]
PIECES += [" ", "\n", "\t", "-", "'", ".", "(", ":", "_", "\x1c"]
BEFORE = st.lists(st.sampled_from(PIECES), max_size=9).map(lambda parts: "".join(parts)[-40:])


@settings(max_examples=1000)
@given(BEFORE)
def test_the_last_word_before_a_place_is_found_as_by_a_search_through_all(before):
    expected, found = names.LAST_TOKEN.search(before), names.last_token(before)
    assert (expected and (expected.span(), expected.groupdict())) == (
        found and (found.span(), found.groupdict())
    )
    assert names.PARTICLES_BEFORE.search(before) is None or names.may_end_in_particle(before)


BEFORE_NAMES = [
    "wife",
    "husband's",
    "mother-in-law",
    "son's",
    "patient's",
    "pt",
    "aide",
    "ex-wife",
    "is",
    "named",
]
BEFORE_NAMES += ["called", "name", "Mr.", "dr", "his", "of"]
RELATED = st.lists(
    st.tuples(
        st.sampled_from(BEFORE_NAMES), st.sampled_from([" ", "  ", ", ", " (", "' ", "-", "\n", "'s "])
    ),
    max_size=5,
).map(lambda parts: "".join(map("".join, parts)))


@settings(max_examples=1000)
@given(RELATED)
def test_the_relation_before_a_name_is_found_as_by_a_search_through_all(before):
    word = listed_names.preceding_word(before, len(before))
    if word in relations.KIN | relations.STAFF | relations.LINKS:
        expected, found = relations.RELATION.search(before), relations.relation_before(before, word)
        assert (expected and (expected.span(), expected["kin"])) == (found and (found.span(), found["kin"]))


def test_words_of_letters_are_told_as_words_of_parts_are():
    listed = [*given_names(), *surnames(), *ordinary_words(), "dr", "mother", "a", "syndrome"]
    words = [
        form for word in listed[::7] for form in (word, word.capitalize(), word.upper()) if form.isalpha()
    ]
    assert [sentences._told(word) for word in words] == [sentences.told_of_parts(word) for word in words]


STREET_WORDS = st.sampled_from(
    ["12", "5", "main", "oak", "n", "North", "street", "St", "ave", "5th", "apt", "200", "suite", "de", "e"]
)
STREETS = st.lists(STREET_WORDS, min_size=1, max_size=5)


@settings(deadline=None, max_examples=300)
@given(STREETS, st.lists(st.tuples(STREET_WORDS, st.sampled_from([" ", ", ", ". ", "\n", ""])), max_size=8))
def test_streets_that_are_not_asked_for_are_in_no_note(street, text):
    """The parts of a street that are looked for are two words of it at least, which follow each other."""
    values = pl.DataFrame(
        {"patient_id": ["p"], "kind": ["GEO"], "part": ["street"], "value": [" ".join(street)]}
    )
    notes = pl.DataFrame({"patient_id": ["p"], "text": ["".join(word + gap for word, gap in text)]})
    every, asked = known_by_patient(readable(values)), known_by_patient(mentioned(readable(values), notes))
    expected = list(known.known_spans(notes["text"][0], every["p"]))
    assert list(known.known_spans(notes["text"][0], asked.get("p", Known()))) == expected


@settings(max_examples=500)
@given(
    st.text(alphabet="012 -.()a", max_size=24),
    st.lists(st.text(alphabet="012", min_size=2, max_size=8), min_size=1, max_size=3),
)
def test_numbers_are_found_as_by_trying_all_groups_of_digits(text, numbers):
    table = Known(numbers=dict.fromkeys(numbers, "ID"))
    assert list(known._number_spans(text, table)) == list(_tried_groups(text, table))


def _tried_groups(text, table):
    for run in known._DIGIT_RUN.finditer(text):
        groups = [(run.start() + m.start(), run.start() + m.end()) for m in known._DIGITS.finditer(run[0])]
        for first, (start, _) in enumerate(groups):
            for last in range(first, len(groups)):
                end = groups[last][1]
                digits = "".join(text[a:b] for a, b in groups[first : last + 1])
                if digits in table.numbers and (len(digits) >= 7 or " " not in text[start:end]):
                    opened = known._COUNTRY_CODE.search(text, max(0, start - 5), start)
                    yield (opened.start() if opened else start), end, "ID", "known:number"


@settings(max_examples=500)
@given(TEXTS, st.sets(st.sampled_from(["smith", "anna", "will", "o", "neil", "jones"]), max_size=3))
def test_names_are_found_as_by_asking_every_word(text, named):
    table = Known(words=dict.fromkeys(named, False), initials={"as", "jm", "ai"})
    words = known._Words(
        text,
        known._LOWER_TOKEN.findall(text.lower()),
        [match.span() for match in known._TOKEN.finditer(text)],
    )
    expected = list(known._name_spans(words, range(len(words.words)), table))
    assert [span for span in known.known_spans(text, table) if span[3] != "known:number"] == expected


@given(st.binary(min_size=1, max_size=150), st.lists(st.text(max_size=20), max_size=4))
def test_keyed_hashes_are_the_hmac_of_their_parts(key, parts):
    parts = [part.encode("utf-8", "replace").decode() for part in parts]
    message = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
    assert pseudonym._mac(key, *parts) == hmac.digest(key, message, "sha256")


COUNTED = [rule for rule in rule_detector().rules if isinstance(rule, Rule) and rule.digits]
LABELS = """
fax fx facsimile npi national provider identifier dob birth date dos ext. extension pager xxx xx *** SSN last four zip
TX Austin, IMG_ MRN # no is : - . / ( ) + on at 20 May the of
""".split()  # noqa: SIM905


@settings(deadline=None, max_examples=1000)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.sampled_from(LABELS), st.text("0123456789", min_size=1, max_size=4)),
            st.sampled_from(["", " ", " "]),
        ),
        max_size=10,
    )
)
def test_a_rule_finds_nothing_in_texts_of_fewer_digits(parts):
    text = canonical("".join(map("".join, parts)))
    count = sum(c in "0123456789" for c in text)
    assert not [rule.id for rule in COUNTED if count < rule.digits and list(rule.find(text))]


@pytest.mark.parametrize("rule", COUNTED, ids=lambda rule: rule.id)
@settings(deadline=None, max_examples=8)
@given(st.data())
def test_what_a_rule_needs_has_its_digits(rule, data):
    """A rule is asked only about texts in which its `needs` is met; one whose `find` needs more is told above."""
    text = canonical(data.draw(st.from_regex(rule.needs)))
    assert sum(c in "0123456789" for c in text) >= rule.digits or not list(rule.find(text))


def test_rules_find_in_notes_what_they_find_without_counting_digits():
    texts = [canonical(note.text) for item in demo_records(60, seed=8) for note in item.notes.values()]
    found = {rule.id: [text for text in texts if list(rule.find(text))] for rule in COUNTED}
    assert sum(map(bool, found.values())) > 25
    for rule in COUNTED:
        assert all(sum(c in "0123456789" for c in text) >= rule.digits for text in found[rule.id])
