"""Scores worked by hand from the CMS tables: check_values.tsv.

Each row: a member, the variables that the rules give (derived by hand; `why` says how) with their coefficients
as Table 9 of the year prints them, and the CSR factor. The first and some other rows are published values.
"""

import csv
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from riskflow.members.engine.score import score
from riskflow.members.tables import load
from tests.unit.members.member_frames import frames, person

CASES = list(
    csv.DictReader((Path(__file__).parent / "check_values.tsv").open(encoding="utf-8"), delimiter="\t")
)
FACTS = {
    "fact: 2025 silver M45 E11.65 is 0.336": 0.336,
    "fact: term newborn boy 2025 silver is 1.674": 1.674,
    "fact: BY2026 silver M45 E1169 with insulin is 1.834": 1.834,
    "fact: 2021 silver M45 without diagnosis is 0.122": 0.122,
    "fact: with E1165 (CC21, in group G01) 0.432": 0.432,
}


@cache
def scored(year, vintage):
    """Score all cases of a set in one run: case number → row of the scores."""
    people = {
        f"{number:04d}": member(case)
        for number, case in enumerate(CASES)
        if (case["year"], case["vintage"]) == (year, vintage)
    }
    scores = score(*frames(people), load.load(load.folder(int(year), vintage))).scores
    return {row["member_id"]: row for row in scores.iter_rows(named=True)}


def day(text, otherwise):
    return date.fromisoformat(text) if text else otherwise


def member(case):
    year = int(case["year"])
    diagnoses = []
    for text in case["diagnoses"].split():
        code, _, when = text.partition("@")
        diagnoses.append((code, day(when, date(year, 6, 1))))
    return person(
        case["sex"],
        date.fromisoformat(case["born"]),
        year,
        case["metal"],
        int(case["csr"]),
        day(case["first"], None),
        day(case["last"], None),
        diagnoses,
        case["drugs"].split(),
    )


@pytest.mark.parametrize(
    "number", range(len(CASES)), ids=[f"{c['year']}_{c['vintage']}: {c['why']}" for c in CASES]
)
def test_a_score_worked_by_hand(number):
    case = CASES[number]
    row = scored(case["year"], case["vintage"])[f"{number:04d}"]
    terms = {name: float(value) for name, value in (term.split("=") for term in case["terms"].split())}
    assert dict(zip(row["variables"], row["coefficients"], strict=True)) == pytest.approx(terms, abs=1e-12)
    assert row["raw_score"] == pytest.approx(sum(terms.values()), abs=1e-9)
    assert row["csr_factor"] == float(case["factor"])
    assert row["csr_adjusted_score"] == pytest.approx(sum(terms.values()) * float(case["factor"]), abs=1e-9)


def test_the_published_values_are_among_them():
    found = {case["why"]: sum(float(t.split("=")[1]) for t in case["terms"].split()) for case in CASES}
    assert {why: found[why] for why in FACTS} == pytest.approx(FACTS, abs=1e-9)
    assert len(CASES) >= 65
    assert {case["year"] for case in CASES} == {str(year) for year in range(2021, 2027)}
