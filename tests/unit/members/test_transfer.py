from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskflow.errors import RiskflowError
from riskflow.members.billable import with_billable_share
from riskflow.members.demo import DemoSpec, generate
from riskflow.members.ingest import validated_spans
from riskflow.members.ingest_sources import SPANS_SHAPE, typed
from riskflow.members.rating import age_on
from riskflow.members.sums import grouped_sums
from riskflow.members.transfer import transfers
from riskflow.members.transfer_factors import cost_factors_of
from tests.paths import shared_data

METALS = ["bronze", "silver", "gold", "platinum", "catastrophic"]


def span(member, **change):
    return {
        "member_id": member,
        "span_id": "1",
        "family_id": member,
        "date_of_birth": date(2004, 1, 1),
        "plan_id": "P1",
        "market": "individual",
        "state": "TX",
        "rating_area": 1,
        "metal": "silver",
        "enrolment_start": date(2025, 1, 1),
        "enrolment_end": date(2025, 12, 31),
        "premium": 100.0,
    } | change


def scored(rows, scores, months=None):
    return pl.DataFrame(
        {
            "member_id": [r["member_id"] for r in rows],
            "span_id": [r["span_id"] for r in rows],
            "member_months": months or [12.0] * len(rows),
            "score": scores,
        }
    )


def test_two_plans_by_hand():
    rows = [span("a"), span("b", plan_id="P2", metal="gold", premium=200.0, date_of_birth=date(1979, 6, 1))]
    factors = pl.DataFrame(
        [("TX", "individual", "metal", 1, 1.0)],
        schema=["state", "market", "pool", "rating_area", "gcf"],
        orient="row",
    )
    result = transfers(pl.DataFrame(rows), scored(rows, [1.0, 3.0]), "score", factors)
    risk = np.array([1.0 * 1.03, 3.0 * 1.08])
    rating = np.array([0.70 * 1.0 * 1.03, 0.80 * 1.444 * 1.08])  # ages 21 and 45 on the federal curve
    premium = 0.86 * 150.0
    expected = (risk / risk.mean() - rating / rating.mean()) * premium
    assert result.plans["transfer_per_month"].to_list() == pytest.approx(expected.tolist(), abs=1e-9)
    assert result.plans["transfer"].to_list() == pytest.approx((12 * expected).tolist())
    assert result.pools["transfer_premium"].item() == pytest.approx(129.0)
    assert result.pools["balanced"].all()


def test_catastrophic_plans_are_a_pool_of_their_own():
    rows = [span("a"), span("b", plan_id="P2", metal="catastrophic")]
    result = transfers(pl.DataFrame(rows), scored(rows, [1.0, 9.0]), "score")
    assert result.plans["transfer"].to_list() == pytest.approx([0.0, 0.0])
    assert result.pools["pool"].to_list() == ["catastrophic", "metal"]


def test_plan_scores_count_all_members_over_billable_months():
    children = [span(f"k{i}", family_id="F", date_of_birth=date(2010 + i, 1, 1)) for i in range(5)]
    result = transfers(pl.DataFrame(children), scored(children, [1.0] * 5), "score")
    assert result.plans["billable_months"].item() == pytest.approx(36.0)
    assert result.plans["member_months"].item() == 60.0
    assert result.plans["plrs"].item() == pytest.approx(5 / 3)


def shares(rows):
    frame = with_billable_share(pl.DataFrame(rows))
    return dict(zip(frame["member_id"], frame["billable_share"], strict=True))


def test_only_the_three_oldest_under_21_are_billable():
    rows = [span("parent", family_id="F", date_of_birth=date(1980, 1, 1)), span("adult", family_id="F")]
    rows += [span(f"k{i}", family_id="F", date_of_birth=date(2010 + i, 1, 1)) for i in range(5)]
    assert shares(rows) == {"parent": 1, "adult": 1, "k0": 1, "k1": 1, "k2": 1, "k3": 0, "k4": 0}


def test_a_fourth_child_is_billable_while_an_older_one_is_away():
    rows = [span(f"k{i}", family_id="F", date_of_birth=date(2010 + i, 1, 1)) for i in range(4)]
    rows[0]["enrolment_end"] = date(2025, 1, 31)
    assert shares(rows)["k3"] == pytest.approx((365 - 31) / 365)


def test_children_of_other_plans_do_not_count():
    rows = [
        span(f"k{i}", family_id="F", plan_id=f"P{i}", date_of_birth=date(2010 + i, 1, 1)) for i in range(5)
    ]
    assert set(shares(rows).values()) == {1.0}


@pytest.mark.parametrize(
    ("birth", "day", "age"),
    [
        (date(2004, 1, 1), date(2025, 1, 1), 21),
        (date(2004, 1, 2), date(2025, 1, 1), 20),
        (date(2004, 2, 29), date(2025, 2, 28), 20),
        (date(2004, 2, 29), date(2025, 3, 1), 21),
        (date(2025, 5, 1), date(2025, 5, 1), 0),
        (date(1979, 6, 1), date(2025, 1, 1), 45),
        (date(1979, 12, 31), date(2025, 12, 30), 45),
    ],
)
def test_age_in_whole_years(birth, day, age):
    frame = pl.DataFrame({"b": [birth], "d": [day]})
    assert frame.select(age_on(pl.col("d"), pl.col("b"))).item() == age


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(METALS),
            st.integers(0, 3),
            st.integers(1, 3),
            st.sampled_from(["TX", "FL"]),
            st.floats(0.01, 40),
            st.floats(50, 900),
            st.floats(0.5, 12),
            st.integers(0, 64),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_transfers_of_every_pool_add_up_to_zero(people):
    rows = [
        span(
            f"m{i}",
            plan_id=f"{metal}{plan}",
            metal=metal,
            rating_area=area,
            state=state,
            premium=premium,
            date_of_birth=date(2024 - age, 6, 1),
        )
        for i, (metal, plan, area, state, _score, premium, _months, age) in enumerate(people)
    ]
    result = transfers(
        pl.DataFrame(rows), scored(rows, [p[4] for p in people], [p[6] for p in people]), "score"
    )
    total = result.plans.group_by("state", "pool").agg(pl.col("transfer").sum())
    paid = sum(p[5] * p[6] for p in people)
    assert total["transfer"].abs().max() <= 1e-9 * max(paid, 1)
    assert result.pools["balanced"].all()
    assert result.plans["billable_months"].sum() == pytest.approx(sum(p[6] for p in people))


def demo_result(seed=1, shuffle=None):
    spans = validated_spans(
        typed(generate(DemoSpec(2000, seed, 2025)).spans, {}, SPANS_SHAPE, "s"), 2025
    ).kept
    rng = np.random.default_rng(5)
    scores = spans.select("member_id", "span_id").with_columns(
        pl.lit(12.0).alias("member_months"), pl.Series("score", rng.gamma(1.0, 1.5, spans.height))
    )
    if shuffle is not None:
        spans, scores = (f.sample(fraction=1, shuffle=True, seed=shuffle) for f in (spans, scores))
    return transfers(spans, scores, "score")


def test_demo_transfers_balance_and_do_not_depend_on_row_order():
    result = demo_result()
    assert result.pools.height >= 6
    assert result.pools["transferred"].min() >= 0
    mixed = demo_result(shuffle=3)
    assert mixed.plans.equals(result.plans)
    assert mixed.pools.equals(result.pools)


def test_derived_geographic_factors_average_to_one():
    rows = [span("a", premium=90.0), span("b", premium=110.0, rating_area=2, plan_id="P2")]
    result = transfers(pl.DataFrame(rows), scored(rows, [1.0, 1.0]), "score")
    assert result.plans["gcf"].to_list() == pytest.approx([0.9, 1.1])


def test_cms_factor_file_is_read():
    factors = cost_factors_of(shared_data("hhs_hcc") / "transfer" / "gcf.csv", 2024)
    assert factors.filter((pl.col("state") == "TX") & (pl.col("market") == "individual")).height > 20
    assert set(factors["pool"]) == {"metal", "catastrophic"}


def test_missing_factors_premiums_and_years_are_said(tmp_path):
    rows = [span("a", rating_area=7)]
    factors = pl.DataFrame(
        [("TX", "individual", "metal", 1, 1.0)],
        schema=["state", "market", "pool", "rating_area", "gcf"],
        orient="row",
    )
    with pytest.raises(RiskflowError, match="1 plans lie in rating areas without"):
        transfers(pl.DataFrame(rows), scored(rows, [1.0]), "score", factors)
    with pytest.raises(RiskflowError, match="1 spans have no premium"):
        transfers(
            pl.DataFrame([span("a", premium=None)], schema_overrides={"premium": pl.Float64}),
            scored(rows, [1.0]),
            "score",
        )
    (tmp_path / "gcf.csv").write_text("State,Rating_Area,GCF,Year,Market\nTX,1,1.0,2024,1\n")
    with pytest.raises(RiskflowError, match="no factors of 2030"):
        cost_factors_of(tmp_path / "gcf.csv", 2030)
    (tmp_path / "bad.csv").write_text("State,GCF\nTX,1.0\n")
    with pytest.raises(RiskflowError, match="no column Rating_Area, Year, Market"):
        cost_factors_of(tmp_path / "bad.csv", 2024)


def test_group_sums_add_in_key_order():
    frame = pl.DataFrame({"g": ["b", "a", "b"], "k": [2, 1, 1], "v": [0.1, 1.0, 0.2]})
    result = grouped_sums(frame, ["g"], ["v"], ["k"])
    assert result.rows() == [("a", 1.0, 1), ("b", 0.2 + 0.1, 2)]
