"""The columnar engine against the literal scorer, on random members of every year and vintage."""

import random
from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest

from riskflow.members.engine.score import score
from riskflow.members.tables import load
from tests.unit.members.literal_scorer import DATA, facts, score_member
from tests.unit.members.member_frames import frames

SETS = [(int(path.name[:4]), path.name[5:]) for path in sorted(DATA.iterdir())]
FEW, MANY = 1500, 20_000


def random_people(year, vintage, count, seed):
    """Members of all ages with 0-12 diagnoses, most of them of payment HCCs, some on odd dates, and drugs."""
    rng = random.Random(seed)
    codes, splits, drugs, _ = facts(year, vintage)
    by_hcc = {}
    for code, rows in splits.items():
        for row in rows:
            by_hcc.setdefault(row["variable"], []).append(code)
    hcc_names, newborn = sorted(by_hcc), [f"HHS_HCC{n}" for n in range(242, 250)]
    split = sorted(code for code, rows in splits.items() if any(r["age_low"] or r["sex"] for r in rows))
    edited = sorted(
        c for c, row in codes.items() if row["mce_sex"] or row["mce_age_low"] or not row["valid_from"]
    )
    new = sorted(c for c, row in codes.items() if row["valid_from"] and row["valid_from"].month > 1)
    drug_codes = sorted(drugs)
    people = {}
    for number in range(count):
        first = date(year, 1, 1) + timedelta(rng.choice([0, 0, 0, rng.randrange(0, 300)]))
        last = min(date(year, 12, 31), first + timedelta(rng.choice([400, 400, rng.randrange(0, 365)])))
        age_days = rng.choice([rng.randrange(0, 730), rng.randrange(0, 22 * 365), rng.randrange(0, 80 * 365)])
        born = max(last - timedelta(age_days), date(1900, 1, 1))
        middle = first + (last - first) // 2
        metals = ["platinum", "gold", "silver", "bronze", "catastrophic"]
        spans = [("1", rng.choice(metals), rng.randrange(0, 14), first, last)]
        if rng.random() < 0.15 and middle > first:
            spans = [
                ("1", rng.choice(metals), rng.randrange(0, 14), first, middle),
                ("2", rng.choice(metals), rng.randrange(0, 14), middle - timedelta(1), last),
            ]
        diagnoses = []
        for _ in range(rng.choice([0, 0, 1, 2, 3, 5, 8, 12])):
            kind = rng.random()
            if age_days < 730 and kind < 0.3:
                code = rng.choice(by_hcc[rng.choice(newborn)])
            elif kind < 0.7:
                code = rng.choice(by_hcc[rng.choice(hcc_names)])
            elif kind < 0.8:
                code = rng.choice(split)
            elif kind < 0.9:
                code = rng.choice(edited or split)
            elif kind < 0.95:
                code = rng.choice(new or split)
            else:
                code = rng.choice(["Z0000", "E11", "XXXXX"])
            day = date(year, 1, 1) + timedelta(rng.randrange(0, 365))
            if rng.random() < 0.04:
                day = rng.choice([day.replace(year=year - 1, day=1), day.replace(year=year + 1, day=1), born])
            diagnoses.append((code, day))
        rx = [rng.choice([*drug_codes, "99999999999"]) for _ in range(rng.choice([0, 0, 0, 1, 2, 4]))]
        people[f"{number:06d}"] = {
            "sex": rng.choice("MF"),
            "born": born,
            "spans": spans,
            "diagnoses": diagnoses,
            "drugs": rx,
        }
    return people


def differences(year, vintage, people, tables=None):
    """Return the (member, span) whose engine score is not the literal one, and how many were compared."""
    scored = score(*frames(people), tables or load.load(load.folder(year, vintage))).scores
    engine = {
        (row["member_id"], row["span_id"]): (row["raw_score"], row["csr_adjusted_score"], row["variables"])
        for row in scored.iter_rows(named=True)
    }
    literal = {
        (name, span): found
        for name, one in people.items()
        for span, found in score_member(one, year, vintage).items()
    }
    assert engine.keys() == literal.keys()
    wrong = [
        key
        for key, (raw, adjusted, variables) in literal.items()
        if abs(raw - engine[key][0]) > 1e-9
        or abs(adjusted - engine[key][1]) > 1e-9
        or variables != engine[key][2]
    ]
    return wrong, len(literal)


@pytest.mark.parametrize(("year", "vintage"), SETS)
def test_the_engine_scores_random_members_as_the_literal_scorer_does(year, vintage):
    people = random_people(year, vintage, FEW, seed=year)
    wrong, compared = differences(year, vintage, people)
    assert compared >= FEW
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize(("year", "vintage"), SETS)
def test_twenty_thousand_random_members_of_each_set(year, vintage):
    wrong, compared = differences(year, vintage, random_people(year, vintage, MANY, seed=year * 7 + 1))
    assert compared >= MANY
    assert wrong == []


def test_random_members_reach_every_model_and_most_variables():
    people = random_people(2025, "alt", 6000, seed=3)
    scored = score(*frames(people), load.load(load.folder(2025, "alt"))).scores
    assert set(scored["model"]) == {"adult", "child", "infant"}
    seen = set(scored["variables"].explode())
    paid = set(
        load.load(load.folder(2025, "alt")).coefficients.filter(pl.col("coefficient") != 0)["variable"]
    )
    assert len(paid & seen) / len(paid) > 0.95


PHASES = [
    (2022, "hierarchy"),
    (2022, "rxc_hierarchy"),
    (2022, "rxc_interaction"),
    (2022, "severe_v3"),
    (2022, "duration"),
    (2024, "group"),
    (2024, "count"),
    (2024, "severity"),
    (2024, "maturity"),
    (2024, "interaction"),
    (2025, "demographic"),
    (2026, "acf"),
]


@pytest.mark.parametrize(("year", "phase"), PHASES)
def test_the_comparison_notices_a_step_that_is_left_out(year, phase):
    """All but the exclusions: no table pays an excluded HCC, so leaving them out changes no score."""
    tables = load.load(load.folder(year))
    idle = (pl.col("phase") == phase) & (pl.col("part") == "then")
    lost = pl.col("phase") == "count" if phase == "count" else idle & (pl.col("low") == 0)
    kept = tables.statements.filter(~lost)
    broken = replace(
        tables, statements=kept.with_columns(low=pl.when(idle).then(0).otherwise("low").cast(pl.Int16))
    )
    people = random_people(year, tables.vintage, 2500, seed=9)
    wrong, _ = differences(year, tables.vintage, people, broken)
    assert wrong


def test_the_comparison_notices_interactions_after_grouping():
    """RXC interactions must see HCCs before they are grouped."""
    tables = load.load(load.folder(2025))
    late = pl.when(pl.col("phase") == "rxc_interaction").then(pl.col("position") + 1000).otherwise("position")
    broken = replace(tables, statements=tables.statements.with_columns(position=late).sort("position"))
    wrong, _ = differences(2025, "alt", random_people(2025, "alt", 2500, seed=9), broken)
    assert wrong
