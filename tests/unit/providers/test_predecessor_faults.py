"""The predecessor's faults in the scoring mathematics, one by one: none may come back.

Numbers are those of the list of twelve in docs; faults 5 to 8 (graph and exclusions) have their own module.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from riskflow.contracts.providers_scores import COMPONENTS
from riskflow.errors import RiskflowError
from riskflow.providers.merge import merged_shards
from riskflow.providers.percentiles import billing_percentiles
from riskflow.providers.score import NO_PAYMENTS, NO_PEERS
from tests.unit.providers.population import (
    FIRST_NPI,
    REGISTRY,
    Population,
    clean_features,
    config,
    payments,
    random_population,
    scored,
)

BOTH = pytest.mark.parametrize("method", ["v1", "claidex"])


def alike(npis: list[int], rows: list[tuple[int, int, str, float, int, int | None]]) -> Population:
    """Providers of one taxonomy and state, nobody excluded."""
    places = [(npi, "207Q00000X", "TX") for npi in npis]
    return Population(
        payments(rows), pl.DataFrame(places, schema=REGISTRY, orient="row"), clean_features(npis)
    )


def steady(providers: int, years: tuple[int, ...] = (2022, 2023, 2024)) -> Population:
    """Providers whose payments per claim and growth differ a little from each other."""
    npis = list(range(FIRST_NPI, FIRST_NPI + providers))
    rows = [
        (npi, year, "Medicaid", 20_000 + 900 * i + 130 * i * (year - 2020), 200, 50 + i)
        for i, npi in enumerate(npis)
        for year in years
    ]
    return alike(npis, rows)


@BOTH
@pytest.mark.parametrize("shards", [1, 3, 16, 64, 90])
def test_fault_01_shard_count_and_row_order_change_no_bit(method, shards):
    population, settings = random_population(90, 1), config(scoring={"method": method})
    whole = scored(population, settings).scores
    assert_frame_equal(
        whole, scored(population.shuffled(7), settings, shards=shards).scores, check_exact=True
    )


@BOTH
def test_fault_02_ties_share_a_rank(method):
    npis = list(range(FIRST_NPI, FIRST_NPI + 10))
    population = alike(npis, [(n, year, "Medicaid", 5000, 200, 50) for n in npis for year in (2023, 2024)])
    varied = random_population(30, 2)
    moved = [
        frame.with_columns(pl.col("npi") + 100)
        for frame in (varied.payments, varied.registry, varied.features)
    ]
    mixed = Population(
        pl.concat([population.payments, moved[0]]),
        pl.concat([population.registry, moved[1]]),
        pl.concat([population.features, moved[2]]),
    )
    scores = scored(mixed, config(scoring={"method": method}, peers={"ladder": [["year"]]})).scores
    ten = scores.filter(pl.col("npi").is_in(npis))
    assert ten["risk_score"].null_count() == 0
    assert ten["risk_score"].n_unique() == ten["rank"].n_unique() == ten["risk_label"].n_unique() == 1


@BOTH
def test_fault_03_negative_totals_lone_groups_and_no_spread_give_no_nan_and_no_top_rank(method):
    population = steady(8).with_payments(
        [
            (FIRST_NPI + 8, 2023, "Medicaid", -5_000_000, 200, None),
            (FIRST_NPI + 8, 2024, "Medicaid", -9_000_000, 200, None),
            (FIRST_NPI + 9, 2024, "Medicaid", 7000, 200, 40),
        ]
    )
    extra = pl.DataFrame(
        [(FIRST_NPI + 8, "207Q00000X", "TX"), (FIRST_NPI + 9, "LONELY0000", "WY")],
        schema=REGISTRY,
        orient="row",
    )
    registry = pl.concat([population.registry, extra])
    run = scored(
        Population(population.payments, registry, clean_features(registry["npi"].to_list())),
        config(scoring={"method": method}),
    )
    floats = run.scores.select(pl.col(pl.Float64))
    assert floats.select(pl.all_horizontal(pl.all().is_finite().fill_null(True)).all()).item()
    assert run.row(FIRST_NPI + 8)["risk_label"] != "High"


def test_fault_03_a_group_without_spread_climbs_the_ladder():
    npis = list(range(FIRST_NPI, FIRST_NPI + 6))
    same = [(n, 2024, "Medicaid", 10_000, 200, 50) for n in npis[:3]]
    others = [(n + 100, 2024, "Medicaid", 10_000 + 3000 * i, 200, 50 + i) for i, n in enumerate(npis)]
    places = [(n, "FLATFLATFL", "TX") for n in npis[:3]] + [(n + 100, "OTHEROTHER", "NY") for n in npis]
    registry = pl.DataFrame(places, schema=REGISTRY, orient="row")
    run = scored(Population(payments(same + others), registry, clean_features(registry["npi"].to_list())))
    assert run.row(npis[0])["peer_basis"] == "year"
    assert run.row(npis[0])["peer_n"] == 9
    assert run.row(npis[0] + 100)["peer_basis"] == "taxonomy+state+year"
    assert run.row(npis[0] + 100)["peer_n"] == 6


def test_fault_03_without_any_usable_group_there_is_a_reason_and_no_score():
    npis = list(range(FIRST_NPI, FIRST_NPI + 6))
    run = scored(alike(npis, [(n, 2024, "Medicaid", 10_000, 200, 50) for n in npis]))
    assert run.scores["not_scored_reason"].to_list() == [NO_PEERS] * 6
    assert run.scores.select("r_raw", "risk_score", "rank", "risk_label").null_count().row(0) == (6, 6, 6, 6)


@BOTH
def test_fault_04_a_subset_against_stored_references_equals_the_full_run(method):
    population, settings = random_population(80, 4), config(scoring={"method": method})
    full = scored(population, settings)
    for chosen in ([FIRST_NPI + 3], list(range(FIRST_NPI + 10, FIRST_NPI + 25))):
        subset = scored(population.only(chosen), settings, stored=full)
        expected = full.scores.filter(pl.col("npi").is_in(chosen))
        assert_frame_equal(subset.scores, expected, check_exact=True)


def test_fault_04_percentiles_refuse_a_population_that_is_not_the_reference_s():
    population = random_population(80, 4)
    full = scored(population)
    from riskflow.providers.method import method_of

    settings = config()
    method = method_of(settings.scoring, settings.peers)
    other = full.metrics.filter(pl.col("year") == 2021)
    with pytest.raises(RiskflowError, match="peer reference and population differ"):
        billing_percentiles(full.metrics, other, full.reference, method)


def test_fault_05_a_shard_without_features_fails_instead_of_scoring_zeros():
    population = random_population(20, 5)
    bare = replace(population, features=population.features.head(19))
    with pytest.raises(RiskflowError, match="1 of 20 NPIs have no graph features"):
        scored(bare)


def test_fault_09_growth_is_between_consecutive_years_only():
    population = steady(8)
    kept = population.payments.filter((pl.col("npi") != FIRST_NPI) | (pl.col("year") != 2023))
    row = scored(replace(population, payments=kept)).row(FIRST_NPI)
    assert row["trajectory"] is None
    assert row["data_window_years"] == [2022, 2024]
    quirk = scored(replace(population, payments=kept), config(scoring={"method": "claidex"})).row(FIRST_NPI)
    assert quirk["trajectory"] > 0


def test_fault_09_a_missing_component_is_missing_and_the_weights_renormalise():
    population = steady(8)
    one_year = population.payments.filter((pl.col("npi") != FIRST_NPI + 7) | (pl.col("year") == 2024))
    row = scored(replace(population, payments=one_year)).row(FIRST_NPI + 7)
    present = {"billing": 0.30, "exclusion": 0.15}
    assert row["trajectory"] is None and row["ownership"] is None and row["concentration"] is None
    assert row["coverage"] == pytest.approx(sum(present.values()), abs=1e-12)
    expected = sum(w * row[name] for name, w in present.items()) / sum(present.values())
    assert row["r_raw"] == pytest.approx(expected, abs=1e-9)
    assert row["trajectory_contribution"] == row["ownership_contribution"] == 0.0


def test_fault_09_concentration_is_missing_where_the_data_cover_one_program_only():
    population = steady(8)
    assert scored(population).scores["concentration"].null_count() == 8
    second = population.with_payments([(FIRST_NPI, 2024, "Medicare", 1, 1, 1)])
    two = scored(second).scores
    assert two["concentration"].null_count() == 0
    assert two["concentration"].max() == 100.0
    assert (
        scored(population, config(scoring={"method": "claidex"})).scores["concentration"].to_list()
        == [100.0] * 8
    )


def test_fault_09_a_metric_with_a_null_input_is_left_out_not_zero():
    population = steady(8)
    bare = population.payments.with_columns(
        pl.when(pl.col("npi") != FIRST_NPI + 7).then("beneficiaries").alias("beneficiaries")
    )
    run = scored(replace(population, payments=bare), config(peers={"ladder": [["year"]]}))
    counted = run.reference.filter(pl.col("measure") == "claims_per_beneficiary")
    assert counted["n"].unique().to_list() == [7]
    assert counted["peers"].unique().to_list() == [8]
    assert run.row(FIRST_NPI + 7)["billing"] > 0


def test_fault_10_at_or_below_peers_is_zero_and_far_above_nears_hundred():
    population = steady(9).with_payments(
        [
            (FIRST_NPI + 9, year, "Medicaid", 9_000_000 * 40 ** (year - 2022), 200, 50)
            for year in (2022, 2023, 2024)
        ]
    )
    registry = pl.concat(
        [
            population.registry,
            pl.DataFrame([(FIRST_NPI + 9, "207Q00000X", "TX")], schema=REGISTRY, orient="row"),
        ]
    )
    run = scored(Population(population.payments, registry, clean_features(registry["npi"].to_list())))
    lowest = run.row(FIRST_NPI)
    assert lowest["trajectory"] == 0.0
    assert run.scores["billing"].min() < 10
    assert run.row(FIRST_NPI + 9)["billing"] == pytest.approx(84.83, abs=0.01)  # the z cap of 5
    assert run.row(FIRST_NPI + 9)["trajectory"] == pytest.approx(84.83, abs=0.01)
    uncapped = scored(
        Population(population.payments, registry, clean_features(registry["npi"].to_list())),
        config(components={"z_cap": 40}),
    )
    assert uncapped.row(FIRST_NPI + 9)["billing"] > 99


@BOTH
def test_fault_11_a_provider_without_payments_has_a_row_and_a_reason(method):
    population = steady(8)
    registry = pl.concat(
        [population.registry, pl.DataFrame([(FIRST_NPI + 50, None, None)], schema=REGISTRY, orient="row")]
    )
    features = clean_features(registry["npi"].to_list()).with_columns(
        own_exclusion_active=pl.col("npi") == FIRST_NPI + 50
    )
    run = scored(Population(population.payments, registry, features), config(scoring={"method": method}))
    row = run.row(FIRST_NPI + 50)
    assert row["not_scored_reason"] == NO_PAYMENTS
    assert row["exclusion"] == 100.0
    assert row["risk_score"] is None and row["r_raw"] is None
    assert all(row[f"{name}_contribution"] is None for name in COMPONENTS)


def test_fault_12_merge_asserts_shard_set_counts_and_uniqueness():
    shard = pl.DataFrame({"npi": [FIRST_NPI, FIRST_NPI + 1]})
    other = pl.DataFrame({"npi": [FIRST_NPI + 2]})
    assert merged_shards({"0": shard, "1": other}, {"0": 2, "1": 1})["npi"].to_list() == [
        FIRST_NPI + i for i in range(3)
    ]
    with pytest.raises(RiskflowError, match="missing: 1"):
        merged_shards({"0": shard}, {"0": 2, "1": 1})
    with pytest.raises(RiskflowError, match="not of this run: 1"):
        merged_shards({"0": shard, "1": other}, {"0": 2})
    with pytest.raises(RiskflowError, match="shard 1 has 1, the plan says 4"):
        merged_shards({"0": shard, "1": other}, {"0": 2, "1": 4})
    with pytest.raises(RiskflowError, match="1 NPIs come from more than one shard"):
        merged_shards({"0": shard, "1": shard.head(1)}, {"0": 2, "1": 1})
