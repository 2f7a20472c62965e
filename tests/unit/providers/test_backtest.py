"""Backtest: metrics against literal definitions, intervals by seed, nothing of the future in the past."""

import datetime as dt
import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskflow.contracts.providers_sources import BACKTEST
from riskflow.providers import backtest
from riskflow.providers.past import payments_known_on
from tests.unit.providers.test_exclusions import A, B, exclusions, payments

DAY = dt.date(2022, 12, 31)
cases = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=12)


def frames(case: list[tuple[int, bool]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    npi = [A + place for place in range(len(case))]
    scores = pl.DataFrame({"npi": npi, "score": [float(score) for score, _ in case]})
    return scores, pl.DataFrame({"npi": npi, "excluded_later": [later for _, later in case]})


def values(case: list[tuple[int, bool]], k: int) -> dict[str, float | None]:
    found = backtest.evaluate(*frames(case), top=[k], resamples=20, seed=1)
    BACKTEST.validate(found)
    return {f"{metric}": value for metric, value in found.select("metric", "value").rows()}


def literal_roc(case: list[tuple[int, bool]]) -> float | None:
    pairs = [(p, n) for p, yes in case if yes for n, no in case if not no]
    return sum(1.0 if p > n else 0.5 if p == n else 0.0 for p, n in pairs) / len(pairs) if pairs else None


def literal_precision(case: list[tuple[int, bool]], k: int) -> float:
    """Average over every order that the scores allow."""
    orders = [
        order
        for order in itertools.permutations(range(len(case)))
        if all(case[one][0] >= case[two][0] for one, two in itertools.pairwise(order))
    ]
    return sum(sum(case[place][1] for place in order[:k]) / k for order in orders) / len(orders)


@settings(max_examples=60, deadline=None)
@given(cases)
def test_roc_auc_is_the_chance_that_a_positive_is_above(case: list[tuple[int, bool]]) -> None:
    assert values(case, 1)["roc_auc"] == pytest.approx(literal_roc(case))


@settings(max_examples=40, deadline=None)
@given(cases.filter(lambda case: len(case) <= 6), st.integers(1, 6))
def test_precision_at_k_is_the_mean_over_orders_of_ties(case: list[tuple[int, bool]], k: int) -> None:
    found = values(case, k)
    if k > len(case):
        assert "precision_at_k" not in found
        return
    assert found["precision_at_k"] == pytest.approx(literal_precision(case, k))
    positives = sum(later for _, later in case)
    if positives:
        assert found["lift_at_k"] == pytest.approx(literal_precision(case, k) * len(case) / positives)
        assert found["recall_at_k"] == pytest.approx(literal_precision(case, k) * k / positives)


def test_average_precision_by_hand() -> None:
    assert values([(4, True), (3, False), (2, True), (1, False)], 1)["pr_auc"] == pytest.approx(
        (1 + 2 / 3) / 2
    )
    assert values([(2, True), (2, False), (1, True)], 1)["pr_auc"] == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_nothing_is_defined_without_positives() -> None:
    found = values([(1, False), (2, False)], 1)
    assert (found["roc_auc"], found["pr_auc"], found["lift_at_k"], found["precision_at_k"]) == (
        None,
        None,
        None,
        0,
    )


def test_missing_score_ranks_last() -> None:
    scores, later = frames([(1, False), (0, True)])
    scores = scores.with_columns(score=pl.Series([-5.0, None]))
    found = backtest.evaluate(scores, later, top=[1], resamples=20, seed=1)
    assert found.filter(pl.col("metric") == "roc_auc")["value"].item() == 0


def test_intervals_are_those_of_a_plain_bootstrap_and_repeat_with_the_seed() -> None:
    rng = np.random.default_rng(5)
    case = [(int(rng.integers(0, 50)) + 8 * bool(later), bool(later)) for later in rng.random(400) < 0.2]
    found = backtest.evaluate(*frames(case), top=[40], resamples=400, seed=3)
    assert found.equals(backtest.evaluate(*frames(case), top=[40], resamples=400, seed=3))
    assert not found.equals(backtest.evaluate(*frames(case), top=[40], resamples=400, seed=4))
    drawn = [literal_roc([case[place] for place in rng.integers(0, 400, 400)]) for _ in range(200)]
    row = found.row(by_predicate=pl.col("metric") == "roc_auc", named=True)
    low, high = np.quantile([value for value in drawn if value is not None], (0.025, 0.975))
    assert row["low"] == pytest.approx(low, abs=0.02) and row["high"] == pytest.approx(high, abs=0.02)
    assert row["low"] < row["value"] < row["high"]


def test_row_order_changes_nothing() -> None:
    scores, later = frames([(place % 5, place % 3 == 0) for place in range(30)])
    one = backtest.evaluate(scores, later, top=[5], resamples=30, seed=1)
    assert one.equals(backtest.evaluate(scores.reverse(), later.reverse(), top=[5], resamples=30, seed=1))


def test_outcomes_are_later_exclusions_of_those_not_yet_excluded() -> None:
    scored = pl.DataFrame({"npi": [A + place for place in range(6)]})
    listed = exclusions(
        {"npi": A, "excl_date": dt.date(2021, 1, 1)},
        {"npi": A + 1, "excl_date": dt.date(2023, 1, 1)},
        {"npi": A + 2, "excl_date": dt.date(2024, 12, 31)},
        {"npi": A + 3, "excl_date": dt.date(2025, 1, 1)},
        {"npi": A + 4, "excl_date": dt.date(2020, 1, 1), "rein_date": dt.date(2022, 1, 1)},
        {"npi": A + 5, "excl_date": dt.date(2020, 1, 1), "rein_date": dt.date(2023, 6, 1)},
    )
    found = backtest.outcomes(scored, listed, DAY, 24)
    assert found.rows() == [(A + 1, True), (A + 2, True), (A + 3, False), (A + 4, False)]


def test_baselines_know_only_the_past() -> None:
    scored = pl.DataFrame({"npi": [A, B]})
    paid = payments((A, 2021, 5), (A, 2022, 6), (A, 2023, 100))
    listed = exclusions(
        {"excl_date": dt.date(2020, 1, 1), "rein_date": dt.date(2021, 1, 1)},
        {"npi": B, "excl_date": dt.date(2023, 1, 1)},
    )
    assert backtest.baselines(scored, paid, listed, DAY).rows() == [(A, 11.0, 1.0), (B, 0.0, 0.0)]
    assert payments_known_on(paid, dt.date(2022, 6, 30)).collect()["year"].to_list() == [2021]
    assert backtest.horizon_end(dt.date(2022, 11, 30), 3) == dt.date(2023, 2, 28)
