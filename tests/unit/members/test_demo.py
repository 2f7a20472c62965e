import polars as pl
import pytest
from polars.testing import assert_frame_equal

from riskflow.contracts.members_sources import METALS, RAW_DIAGNOSES, RAW_DRUGS, RAW_SPANS
from riskflow.members import demo
from riskflow.members.demo import DemoSpec, generate

CLEAN = DemoSpec(members=3000, seed=11, year=2025)
DIRTY = DemoSpec(members=3000, seed=11, year=2025, dirt=0.02)


@pytest.fixture(scope="module")
def clean():
    return generate(CLEAN)


@pytest.fixture(scope="module")
def dirty():
    return generate(DIRTY)


def test_same_seed_same_rows(clean):
    again = generate(CLEAN)
    for ours, theirs in zip(vars(clean).values(), vars(again).values(), strict=True):
        assert_frame_equal(ours, theirs)


def test_other_seed_other_rows(clean):
    assert not generate(DemoSpec(members=3000, seed=12, year=2025)).spans.equals(clean.spans)


def test_frames_keep_the_raw_contracts(dirty):
    RAW_SPANS.validate(dirty.spans)
    RAW_DIAGNOSES.validate(dirty.diagnoses)
    RAW_DRUGS.validate(dirty.drugs)


def test_about_the_requested_number_of_members(clean):
    assert clean.spans["member_id"].n_unique() == pytest.approx(3000, rel=0.05)


def test_clean_spans_are_ordered_within_the_year(clean):
    spans = clean.spans
    assert spans.filter(pl.col("enrolment_start") > pl.col("enrolment_end")).is_empty()
    assert spans.filter(pl.col("enrolment_start").dt.year() != 2025).is_empty()
    assert spans.filter(pl.col("date_of_birth") > pl.col("enrolment_start")).is_empty()
    assert set(spans["metal"]) == set(METALS)


def test_clean_claims_lie_within_enrolment(clean):
    bounds = clean.spans.group_by("member_id").agg(pl.min("enrolment_start"), pl.max("enrolment_end"))
    for table in (clean.diagnoses, clean.drugs):
        joined = table.join(bounds, on="member_id", how="left")
        inside = pl.col("service_date").is_between(pl.col("enrolment_start"), pl.col("enrolment_end"))
        assert joined.select(inside.all()).item()


def test_catastrophic_plans_are_for_people_under_30(clean):
    born = clean.spans.filter(pl.col("metal") == "catastrophic")["date_of_birth"].min()
    assert born.year >= 1994


def test_there_are_newborns_with_maturity_codes_and_plan_changes(clean):
    assert clean.spans.filter(pl.col("date_of_birth").dt.year() == 2025).height > 5
    assert (
        clean.diagnoses.filter(
            pl.col("code").str.replace(".", "", literal=True).is_in(["Z3800", "Z3801"])
        ).height
        > 0
    )
    assert clean.spans.height > clean.spans["member_id"].n_unique()


def test_years_share_most_members_and_both_lose_and_win_some(clean):
    before = set(generate(DemoSpec(members=3000, seed=11, year=2024)).spans["member_id"])
    now = set(clean.spans["member_id"])
    assert len(before & now) > 0.8 * len(now)
    assert before - now
    assert now - before


def test_a_member_is_the_same_person_in_both_years(clean):
    before = generate(DemoSpec(members=3000, seed=11, year=2024)).spans
    facts = ["member_id", "sex", "date_of_birth", "family_id"]
    both = before.select(facts).unique().join(clean.spans.select(facts).unique(), on="member_id")
    assert both.filter(pl.col("sex") != pl.col("sex_right")).is_empty()
    assert both.filter(pl.col("date_of_birth") != pl.col("date_of_birth_right")).is_empty()


def test_pieces_make_the_same_population_as_one(monkeypatch):
    spec = DemoSpec(members=900, seed=3, year=2025, dirt=0.01)
    monkeypatch.setattr(demo, "CHUNK", 250)
    pieces = list(demo.generate_chunks(spec))
    assert len(pieces) > 3
    assert_frame_equal(pl.concat([piece.spans for piece in pieces]), generate(spec).spans)


def test_dirt_is_there(dirty, clean):
    assert dirty.spans["sex"].null_count() > 0
    assert dirty.spans.filter(pl.col("enrolment_start") > pl.col("enrolment_end")).height > 0
    assert dirty.spans.is_duplicated().sum() > 0
    assert dirty.drugs.filter(pl.col("ndc").str.contains(r"^\d{10}$")).height > 0
    assert clean.drugs.filter(pl.col("ndc").str.contains("-")).height > 0
    assert clean.diagnoses.filter(pl.col("code").str.contains(r"[a-z.]")).height > 0
