"""Checksums and ranges against known numbers, and the mechanics of rules."""

import pytest

from riskflow.notes.redact.checksums import is_dea_number, is_npi, is_possible_ssn, is_vin, passes_luhn
from riskflow.notes.redact.detectors import rule_detector
from riskflow.notes.redact.replace import parsed_date
from riskflow.notes.redact.spans import KINDS, TIERS, merge_spans


def kinds(text: str) -> set[str]:
    return set(merge_spans(rule_detector().detect([text]).spans)["kind"])


@pytest.mark.parametrize("number", ["1234567893", "1679576722", "1003000126"])
def test_npis_of_the_registry_pass_and_their_neighbours_do_not(number):
    assert is_npi(number)
    assert not any(is_npi(number[:-1] + digit) for digit in "0123456789" if digit != number[-1])


@pytest.mark.parametrize(
    ("digits", "possible"),
    [
        ("123456789", True),
        ("000456789", False),
        ("666456789", False),
        ("900456789", False),
        ("123006789", False),
        ("123450000", False),
        ("12345678", False),
    ],
)
def test_ssn_ranges(digits, possible):
    assert is_possible_ssn(digits) is possible


def test_other_check_digits():
    assert passes_luhn("4111111111111111") and not passes_luhn("4111111111111112")
    assert is_vin("1HGCM82633A004352") and not is_vin("1HGCM82633A004353")
    assert is_dea_number("AB1234563") and not is_dea_number("AB1234564")


def test_every_rule_has_its_own_id_a_known_kind_and_a_known_tier():
    rules = rule_detector().rules
    assert len({rule.id for rule in rules}) == len(rules)
    assert {rule.kind for rule in rules} <= set(KINDS) | {"KEEP"}
    assert {rule.tier for rule in rules} <= set(TIERS)


def test_every_kind_has_a_rule():
    assert {rule.kind for rule in rule_detector().rules} >= set(KINDS)


def test_no_rule_finds_anything_in_an_empty_or_blank_text():
    assert rule_detector().detect(["", " ", "\n\t", "....", "😀"]).spans.is_empty()


def test_prefilters_let_through_all_that_their_rules_find():
    """A text where a rule finds something must meet the rule's cheap test, or the rule would be skipped."""
    from pathlib import Path

    import polars as pl

    from riskflow.notes.redact.rule import Rule
    from riskflow.notes.redact.text import canonical
    from riskflow.notes.templates.markup import parse

    lines = (Path(__file__).parent / "hard_sentences.txt").read_text(encoding="utf-8").splitlines()
    texts = [canonical(parse(line).text) for line in lines if line.strip() and not line.startswith("#")]
    for rule in (rule for rule in rule_detector().rules if isinstance(rule, Rule)):
        met = pl.Series(texts).str.contains(rule.needs).to_list()
        skipped = [
            text for text, meets in zip(texts, met, strict=True) if not meets and list(rule.find(text))
        ]
        assert skipped == [], rule.id


@pytest.mark.parametrize("mark", ["‐", "‑", "–", "—", "−", "-"])
def test_numbers_are_found_with_any_dash(mark):
    assert kinds(f"given 123{mark}45{mark}6789 today") == {"SSN"}


@pytest.mark.parametrize("text", ["１２３-４５-６７８９", "123\u00a045\u00a06789"])
def test_numbers_are_found_in_full_width_digits_and_with_no_break_spaces(text):
    assert kinds(f"given {text} today") == {"SSN"}


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("3/4/2020", "2020-03-04"),
        ("2020-03-04T10:15:00Z", "2020-03-04"),
        ("March 4th, 2020", "2020-03-04"),
        ("4 Mar 2020", "2020-03-04"),
        ("Monday, Mar. 4, 2019", "2019-03-04"),
        ("3/4", None),
        ("the third of May", None),
        ("May 2020", None),
    ],
)
def test_full_dates_are_read_and_parts_of_dates_are_not(text, day):
    found = parsed_date(text)
    assert (found.isoformat() if found else None) == day


def test_the_version_names_rules_and_lists():
    name, _, digest = rule_detector().version.partition("@")
    assert name == "rules" and len(digest) == 12
