"""The change between two runs, split exactly over data, peers, method and weights."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from riskflow.config.providers import ProvidersConfig, TiersSection
from riskflow.contracts.providers_scores import CHANGES, FACTORS, GROUP_CHANGES
from riskflow.providers.decompose import MEASURED, RunInputs, changed_factors, decomposed, recorded_config
from riskflow.providers.group_changes import group_changes
from riskflow.providers.metrics import program_totals
from riskflow.receipts import Receipt
from tests.unit.providers.population import (
    FIRST_NPI,
    Population,
    config,
    random_population,
    score_stage,
    scored,
)

HEAVY_GROWTH = {"weights": {"billing": 0.1, "trajectory": 0.6}}


def inputs(population: Population, settings: ProvidersConfig) -> RunInputs:
    run = scored(population, settings)
    totals = program_totals(population.payments.lazy(), last_year=2024, window_years=6, newest_years=3)
    owned = population.features.select("npi", is_owned=pl.col("ownership_risk").is_not_null())
    return RunInputs(
        metrics=run.metrics,
        programs=totals,
        features=population.features.with_columns(pl.col("ownership_risk").fill_null(0.0)),
        universe=population.registry.join(owned, on="npi").sort("npi"),
        reference=run.reference,
        config=score_stage(settings),
    )


def dearer(population: Population, npi: int, factor: int) -> Population:
    raised = pl.when(pl.col("npi") == npi).then(pl.col("payments_cents") * factor).otherwise("payments_cents")
    return replace(population, payments=population.payments.with_columns(raised.alias("payments_cents")))


def test_equal_runs_have_no_changed_factor_and_no_change():
    run = inputs(random_population(40, 1), config())
    assert changed_factors(run, run) == ()
    both = CHANGES.validate(decomposed(run, run)).filter(pl.col("status") == "both")
    assert both.height > 20
    assert both.select(pl.col(f"r_raw_{f}" for f in FACTORS).abs().max()).row(0) == (0.0,) * 4


def test_only_weights_changed_so_all_of_the_change_is_weights():
    population = random_population(40, 1)
    before, after = inputs(population, config()), inputs(population, config(**HEAVY_GROWTH))
    assert changed_factors(before, after) == ("weights",)
    both = decomposed(before, after).filter(pl.col("status") == "both")
    assert_frame_equal(
        both.select(r=pl.col("r_raw_weights")), both.select(r=pl.col("r_raw_change")), abs_tol=1e-9
    )
    assert both["r_raw_change"].abs().max() > 1


def test_before_and_after_are_the_scores_of_the_two_runs():
    old, new = random_population(40, 1), dearer(random_population(40, 1), FIRST_NPI + 3, 30)
    changes = decomposed(inputs(old, config()), inputs(new, config(**HEAVY_GROWTH)))
    for when, population, setting in (("before", old, config()), ("after", new, config(**HEAVY_GROWTH))):
        scores = scored(population, setting).scores.sort("npi")
        for measure in MEASURED:
            assert changes[f"{measure}_{when}"].equals(scores[measure], null_equal=True)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 1000),
    methods=st.tuples(st.sampled_from(["v1", "claidex"]), st.sampled_from(["v1", "claidex"])),
    factor=st.integers(1, 50),
    weights=st.floats(0.01, 1),
    decay=st.floats(0.3, 1),
)
def test_effects_add_up_to_the_change_whatever_changed(seed, methods, factor, weights, decay):
    population = random_population(30, seed)
    before = inputs(population, config(scoring={"method": methods[0]}))
    after = inputs(
        dearer(population, FIRST_NPI + 1, factor),
        config(
            scoring={"method": methods[1]}, weights={"billing": weights}, components={"year_decay": decay}
        ),
    )
    changes = CHANGES.validate(decomposed(before, after))
    for measure in MEASURED:
        total = pl.sum_horizontal(f"{measure}_{f}" for f in FACTORS)
        gap = changes.select(
            (total - (pl.col(f"{measure}_after") - pl.col(f"{measure}_before"))).abs().max()
        ).item()
        assert gap is None or gap <= 1e-9
    groups = GROUP_CHANGES.validate(group_changes(changes, before.universe, after.universe, TiersSection()))
    everybody = groups.filter(pl.col("grouping") == "all")
    for measure in MEASURED:
        parts = (*FACTORS, "membership")
        total = everybody.select(pl.sum_horizontal(f"{measure}_{part}" for part in parts)).item()
        assert total == pytest.approx(everybody[f"{measure}_change"].item(), abs=1e-8)


def test_a_neighbour_s_change_moves_a_provider_through_peers_only():
    population = random_population(40, 1)
    raised = population.payments.with_columns(
        pl.when(pl.col("npi") >= FIRST_NPI + 5)
        .then(pl.col("payments_cents") * 3)
        .otherwise("payments_cents")
        .alias("payments_cents")
    )
    before, after = inputs(population, config()), inputs(replace(population, payments=raised), config())
    assert changed_factors(before, after) == ("data", "peers")
    untouched = decomposed(before, after).filter(pl.col("npi") < FIRST_NPI + 5, pl.col("status") == "both")
    assert untouched["r_raw_data"].abs().max() == 0.0
    assert untouched["r_raw_peers"].abs().max() > 0.0


def test_who_enters_and_leaves_has_no_effects_but_counts_as_membership():
    population = random_population(40, 1)
    fewer = population.only(list(range(FIRST_NPI + 4, FIRST_NPI + 40)))
    before, after = inputs(fewer, config()), inputs(population, config())
    changes = decomposed(before, after)
    entered = changes.filter(pl.col("status") == "entered")
    scored_now = scored(population).scores.filter(
        pl.col("npi") < FIRST_NPI + 4, pl.col("r_raw").is_not_null()
    )
    assert set(scored_now["npi"]) <= set(entered["npi"])
    assert entered["r_raw_data"].null_count() == entered.height
    groups = group_changes(changes, before.universe, after.universe, TiersSection())
    everybody = groups.row(by_predicate=pl.col("grouping") == "all", named=True)
    assert everybody["providers_after"] == everybody["providers_before"] + entered.height
    assert everybody["r_raw_membership"] != 0.0


def test_the_config_of_the_earlier_run_comes_from_its_receipt():
    from riskflow.config.base import leaf_values

    stage = score_stage(config(**HEAVY_GROWTH, scoring={"method": "claidex"}))
    params = {f"config.{key}": text for key, text in leaf_values(stage.model_dump(mode="json")).items()}
    assert recorded_config(Receipt(params=params | {"code.riskflow": "1"})) == stage
