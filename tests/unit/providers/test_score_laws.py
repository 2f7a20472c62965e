"""Laws of the score that hold for every population."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from riskflow.contracts.providers_scores import COMPONENTS
from tests.unit.providers.population import FIRST_NPI, Population, config, random_population, scored

METHODS = st.sampled_from(["v1", "claidex"])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), method=METHODS, data=st.data())
def test_no_partition_and_no_row_order_changes_a_bit(seed, method, data):
    population = random_population(40, seed)
    npis = population.registry["npi"].to_list()
    places = data.draw(st.lists(st.integers(0, 7), min_size=len(npis), max_size=len(npis)))
    setting = config(scoring={"method": method})
    whole = scored(population, setting)
    cut = scored(population.shuffled(seed), setting, bucket=dict(zip(npis, places, strict=True)))
    assert_frame_equal(whole.scores, cut.scores, check_exact=True)
    assert_frame_equal(whole.reference, cut.reference, check_exact=True)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), method=METHODS)
def test_contributions_add_up_and_every_number_is_finite(seed, method):
    scores = scored(random_population(40, seed), config(scoring={"method": method})).scores
    named = [f"{name}_contribution" for name in COMPONENTS]
    gap = scores.select((pl.sum_horizontal(named) - pl.col("r_raw")).abs().max()).item()
    assert gap is None or gap <= 1e-9
    numbers = scores.select(pl.col(pl.Float64))
    assert numbers.select(pl.all_horizontal(pl.all().is_finite().fill_null(True)).all()).item()
    assert scores.select(pl.col("r_raw").is_null().eq(pl.col("not_scored_reason").is_not_null()).all()).item()
    for name in (*COMPONENTS, "risk_score", "billing_outlier_percentile"):
        values = scores[name].drop_nulls()
        assert ((values >= 0) & (values <= 100)).all()
    assert scores["coverage"].is_between(0, 1).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), method=METHODS)
def test_a_population_twice_over_scores_each_provider_the_same(seed, method):
    population = random_population(30, seed)
    twin = [
        frame.with_columns(pl.col("npi") + 500)
        for frame in (population.payments, population.registry, population.features)
    ]
    setting = config(scoring={"method": method}, peers={"minimum": 2})
    doubled = Population(
        pl.concat([population.payments, twin[0]]),
        pl.concat([population.registry, twin[1]]),
        pl.concat([population.features, twin[2]]),
    )
    double = scored(doubled, setting).scores
    first = double.filter(pl.col("npi") < FIRST_NPI + 500)
    second = double.filter(pl.col("npi") >= FIRST_NPI + 500)
    assert_frame_equal(first.drop("npi"), second.drop("npi"), check_exact=True)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), factor=st.floats(0.1, 10))
def test_weights_count_only_relative_to_each_other(seed, factor):
    population = random_population(30, seed)
    weights = {"billing": 0.3, "ownership": 0.25, "trajectory": 0.2, "exclusion": 0.15, "concentration": 0.1}
    plain = scored(population, config(weights=weights)).scores["r_raw"]
    scaled = scored(population, config(weights={k: v * factor for k, v in weights.items()})).scores["r_raw"]
    assert ((plain - scaled).abs().max() or 0.0) <= 1e-9


@pytest.mark.parametrize("method", ["v1", "claidex"])
def test_higher_payments_never_lower_the_billing_component(method):
    population = random_population(60, 3)
    run = scored(population, config(scoring={"method": method}))
    npi = run.scores.filter(pl.col("billing") > 0)["npi"][0]
    own = pl.col("npi") == npi
    raised = population.payments.with_columns(
        pl.when(own & (pl.col("payments_cents") > 0))
        .then(pl.col("payments_cents") * 10)
        .otherwise("payments_cents")
        .alias("payments_cents")
    )
    more = scored(
        Population(raised, population.registry, population.features),
        config(scoring={"method": method}),
        stored=run,
    )
    assert more.row(npi)["billing"] >= run.row(npi)["billing"]
