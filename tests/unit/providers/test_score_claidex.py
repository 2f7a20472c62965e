"""Preset claidex against the predecessor's formulas, computed here by hand with the math module."""

from __future__ import annotations

from math import exp, log

import polars as pl
import pytest

from tests.unit.providers.population import (
    FIRST_NPI,
    REGISTRY,
    Population,
    clean_features,
    config,
    payments,
    scored,
)

CLAIDEX = {"scoring": {"method": "claidex"}}
TARGET = FIRST_NPI + 4


def five_providers() -> Population:
    """Five providers of one taxonomy and state; payments per claim 10, 20, 30, 40 and 200 dollars in 2024."""
    npis = list(range(FIRST_NPI, FIRST_NPI + 5))
    rows = [
        (n, 2024, "Medicaid", 200.0 * per, 200, 50)
        for n, per in zip(npis, (10, 20, 30, 40, 200), strict=True)
    ]
    rows += [
        (n, 2023, "Medicaid", 200.0 * per, 200, 50) for n, per in zip(npis, (10, 20, 30, 40, 50), strict=True)
    ]
    places = [(n, "207Q00000X-suffix", "TX") for n in npis]
    return Population(
        payments(rows), pl.DataFrame(places, schema=REGISTRY, orient="row"), clean_features(npis)
    )


def logistic(z: float) -> float:
    return 100 / (1 + exp(-z / 2))


def median(values: list[float]) -> float:
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def z(value: float, values: list[float]) -> float:
    centre = median(values)
    mad = median([abs(v - centre) for v in values])
    return max(-5.0, min(5.0, (value - centre) / (1.4826 * max(mad, 1e-9))))


def test_billing_is_the_decayed_mean_of_the_largest_positive_z():
    now = [log(per + 1) for per in (10, 20, 30, 40, 200)]
    total_now = [log(200 * per + 1) for per in (10, 20, 30, 40, 200)]
    before = [log(per + 1) for per in (10, 20, 30, 40, 50)]
    total_before = [log(200 * per + 1) for per in (10, 20, 30, 40, 50)]
    excess_now = max(z(now[4], now), z(total_now[4], total_now), 0)
    excess_before = max(z(before[4], before), z(total_before[4], total_before), 0)
    mean = (excess_now + 0.7 * excess_before) / 1.7
    row = scored(five_providers(), config(**CLAIDEX)).row(TARGET)
    assert row["billing"] == pytest.approx(logistic(mean), abs=1e-9)
    assert row["billing_contribution"] == pytest.approx(0.30 * logistic(mean), abs=1e-9)


def test_trajectory_is_relative_growth_against_peers():
    growths = [0.0, 0.0, 0.0, 0.0, (40_000 - 10_000) / 10_000]
    row = scored(five_providers(), config(**CLAIDEX)).row(TARGET)
    assert z(growths[4], growths) == 5.0
    assert row["trajectory"] == pytest.approx(logistic(5.0), abs=1e-9)


def test_r_raw_is_the_weighted_sum_with_missing_as_zero():
    row = scored(five_providers(), config(**CLAIDEX)).row(FIRST_NPI)
    # at or below the peers everywhere: the logistic gives 50; one program only: concentration 100
    assert row["billing"] == pytest.approx(50.0, abs=1e-9)
    assert row["trajectory"] == pytest.approx(50.0, abs=1e-9)
    assert row["r_raw"] == pytest.approx(0.30 * 50 + 0.25 * 0 + 0.20 * 50 + 0.15 * 0 + 0.10 * 100, abs=1e-9)


def test_one_year_of_data_gives_no_trajectory():
    population = five_providers().with_payments([(FIRST_NPI + 5, 2024, "Medicaid", 1000, 200, 50)])
    registry = pl.concat(
        [
            population.registry,
            pl.DataFrame([(FIRST_NPI + 5, "207Q00000X", "TX")], schema=REGISTRY, orient="row"),
        ]
    )
    features = clean_features(registry["npi"].to_list())
    row = scored(Population(population.payments, registry, features), config(**CLAIDEX)).row(FIRST_NPI + 5)
    assert row["trajectory"] == 0.0
    assert row["r_raw"] == pytest.approx(0.30 * row["billing"] + 0.10 * 100, abs=1e-9)


def test_risk_score_is_hundred_times_rank_over_n_minus_one():
    run = scored(five_providers(), config(**CLAIDEX))
    by_raw = run.scores.sort("r_raw")
    # the first four differ in nothing that counts above peers except the fourth
    assert by_raw["risk_score"].to_list()[-1] == 100.0
    assert set(by_raw["risk_score"].to_list()) <= {0.0, 25.0, 50.0, 75.0, 100.0}
    assert run.row(TARGET)["risk_label"] == "High"


def test_taxonomy_is_cut_to_ten_characters_and_small_groups_fall_back_to_taxonomy_and_year():
    population = five_providers()
    run = scored(population, config(peers={"minimum": 50}, **CLAIDEX))
    assert run.row(TARGET)["peer_basis"] == "taxonomy+year"
    assert run.row(TARGET)["peer_n"] == 5
    assert set(run.reference["taxonomy"].drop_nulls()) == {"207Q00000X"}


def test_rows_under_hundred_claims_are_nobodys_peer_but_are_scored():
    population = five_providers().with_payments([(FIRST_NPI + 5, 2024, "Medicaid", 99_000, 99, 50)])
    registry = pl.concat(
        [
            population.registry,
            pl.DataFrame([(FIRST_NPI + 5, "207Q00000X", "TX")], schema=REGISTRY, orient="row"),
        ]
    )
    run = scored(
        Population(population.payments, registry, clean_features(registry["npi"].to_list())),
        config(**CLAIDEX),
    )
    group = run.reference.filter(pl.col("basis") == "taxonomy+state+year", pl.col("year") == 2024)
    assert group.filter(pl.col("measure") == "payments")["peers"].item() == 5
    assert run.row(FIRST_NPI + 5)["billing"] == pytest.approx(logistic(5.0), abs=1e-9)


def test_concentration_ownership_and_exclusion():
    population = five_providers().with_payments([(TARGET, 2024, "Medicare", 12_500, 200, 50)])
    features = population.features.with_columns(
        chain_providers=pl.lit(8, dtype=pl.Int64),
        chain_excluded_providers=pl.lit(3, dtype=pl.Int64),
        owner_excluded=pl.col("npi") == TARGET,
    )
    row = scored(Population(population.payments, population.registry, features), config(**CLAIDEX)).row(
        TARGET
    )
    share = 50_000 / 62_500  # Medicaid 10,000 in 2023 and 40,000 in 2024
    assert row["concentration"] == pytest.approx(200 * (share - 0.5), abs=1e-9)
    assert row["ownership"] == pytest.approx(100 * 3 / 8, abs=1e-9)
    assert row["exclusion"] == 80.0


def test_claims_per_beneficiary_counts_all_claims_over_known_beneficiaries():
    from riskflow.config.providers import PeersSection, ScoringSection
    from riskflow.providers.method import method_of
    from riskflow.providers.metrics import yearly_metrics

    rows = payments(
        [(FIRST_NPI, 2024, "Medicaid", 100, 200, 50), (FIRST_NPI, 2024, "MedicarePartD", 50, 100, None)]
    )
    registry = pl.DataFrame([(FIRST_NPI, "207Q00000X", "TX")], schema=REGISTRY, orient="row")
    metrics = yearly_metrics(rows.lazy(), registry.lazy(), last_year=2024, window_years=6)

    def per_beneficiary(name: str) -> float:
        method = method_of(ScoringSection.model_validate({"method": name}), PeersSection())
        return float(method.measures(metrics)["claims_per_beneficiary"].item())

    assert per_beneficiary("claidex") == pytest.approx(log(300 / 50 + 1), abs=1e-12)
    assert per_beneficiary("v1") == pytest.approx(log(200 / 50 + 1), abs=1e-12)
