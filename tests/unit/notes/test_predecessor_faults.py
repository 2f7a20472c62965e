"""The predecessor's faults in redaction, each by name."""

import logging

import pytest

from riskflow.contracts.notes_redacted import REDACTED_NOTES
from riskflow.errors import RiskflowError
from riskflow.notes.policy import Policy
from riskflow.notes.redact.spans import Detection, empty_spans, span_frame
from riskflow.notes.redact.stage import load_detectors, redacted_artifacts
from tests.unit.notes.notes_frames import KEY, OTHER_KEY, PATIENT, redacted, texts_of


class Broken:
    """A model that fails on some texts."""

    version = "ner:broken@1"

    def __init__(self, word: str) -> None:
        self.word = word

    def detect(self, texts):
        if any(self.word in text for text in texts):
            raise ValueError(f"cannot read {texts[0]}")
        return Detection(span_frame((place, 0, 3, "NAME", self.version) for place in range(len(texts))))


class Reporting:
    """A model that reports the texts that it could not read."""

    version = "ner:reporting@1"

    def detect(self, texts):
        return Detection(empty_spans(), {n: "no sentence" for n, text in enumerate(texts) if "odd" in text})


def test_ner_was_off_by_default():
    from riskflow.config.notes import NotesNerSection

    with pytest.raises(RiskflowError, match="needs the trained model"):
        load_detectors(None, NotesNerSection())


def test_an_error_returned_the_text_unchanged(caplog):
    with caplog.at_level(logging.WARNING):
        outcome = redacted("Abe one", "Abe bad two", "Abe three", detectors=(Broken("bad"),))
    assert texts_of(outcome) == ["[NAME] one", None, "[NAME] three"]
    assert outcome.notes["status"].to_list() == ["redacted", "withheld", "redacted"]
    assert outcome.notes["reason"][1] == "detector failed: ValueError"
    assert outcome.counts["withheld"] == 1 and outcome.counts["redacted"] == 2
    assert "bad two" not in caplog.text
    assert outcome.audit.filter(outcome.audit["note_id"] == "obs-1").is_empty()


def test_one_failing_note_withholds_that_note_and_all_with_its_text():
    outcome = redacted("odd note", "fine", "odd note", detectors=(Reporting(),))
    assert outcome.notes["status"].to_list() == ["withheld", "redacted", "withheld"]
    artifact, _ = redacted_artifacts(outcome, Policy(), KEY, (Reporting(),))
    REDACTED_NOTES.validate(artifact)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Spoke with de la Cruz today.", "Spoke with [NAME] today."),
        ("Maria de la Cruz was seen.", "[NAME] was seen."),
        ("john was seen.", "[NAME] was seen."),
        ("Dr. John Smith called.", "Dr. [NAME] called."),
        ("Juan Carlos Garcia Lopez was seen.", "[NAME] was seen."),
    ],
)
def test_names_were_missed(text, wanted):
    assert texts_of(redacted(text)) == [wanted]


def test_a_bracket_of_a_telephone_number_was_left():
    assert texts_of(redacted("Call (212) 555-0147 now")) == ["Call [PHONE] now"]


def test_a_spaced_ssn_was_kept():
    assert texts_of(redacted("given as 123 45 6789 at intake")) == ["given as [SSN] at intake"]


def test_an_npi_became_a_telephone_number():
    assert texts_of(redacted("Billed by 1234567893.", "NPI 1679576722")) == ["Billed by [NPI].", "NPI [NPI]"]


def test_a_lab_value_of_nine_digits_became_an_ssn():
    text = "HIV viral load 123456789 copies/mL, platelets 250000000 /L."
    assert texts_of(redacted(text)) == [text]


def test_the_hash_of_a_birth_day_was_unsalted():
    text = "Born 03/04/1950."
    first, again, other = (redacted(text, key=key).audit["value_hash"][0] for key in (KEY, KEY, OTHER_KEY))
    assert first == again != other


def test_equal_values_of_two_patients_have_unlike_hashes_and_pseudonyms():
    from riskflow.notes.redact.replace import replacement

    mine, yours = (replacement("pseudonyms", False, KEY, who) for who in (PATIENT["patient_id"], "another"))
    assert mine("NAME", "John") != yours("NAME", "John")
