"""The scoring stages on files: same bytes at any shard count, deltas, explanations, changes between runs."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from riskflow.config.providers import DecomposeStage, ProvidersConfig
from riskflow.contracts.providers_scores import CHANGES, COMPONENTS, GROUP_CHANGES, SCORES
from riskflow.errors import RiskflowError
from riskflow.providers import decompose, merge
from riskflow.providers.reasons import grouped
from tests.unit.providers.population import FIRST_NPI, config, random_population
from tests.unit.providers.score_files import part, run_stages

POPULATION = random_population(90, 11)


def with_shards(count: int, **sections: dict[str, object]) -> ProvidersConfig:
    return config(shards={"count": count}, **sections)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("full")
    run_stages(POPULATION, folder, with_shards(3))
    return folder


@pytest.mark.parametrize("count", [1, 16, 64])
def test_the_number_of_shards_changes_no_byte_of_what_is_merged(full, tmp_path, count):
    run_stages(POPULATION.shuffled(count), tmp_path, with_shards(count))
    for name in ("merged", "ranks", "distribution", "reference", "percentiles", "scores"):
        assert (tmp_path / f"{name}.parquet").read_bytes() == (full / f"{name}.parquet").read_bytes(), name


def test_a_delta_run_equals_the_full_run_for_the_npis_it_touches(full, tmp_path):
    only = [FIRST_NPI + 5, FIRST_NPI + 17, FIRST_NPI + 40]
    scores = run_stages(POPULATION, tmp_path, with_shards(2, delta={"only": only}), stored=full)
    assert scores["npi"].to_list() == [str(npi) for npi in only]
    expected = pl.read_parquet(full / "scores.parquet").filter(pl.col("npi").is_in(scores["npi"].to_list()))
    compared = ["previous_risk_score", "score_change", "previous_rank", "rank_change"]
    assert_frame_equal(scores.drop(compared), expected.drop(compared), check_exact=True)
    assert scores["previous_rank"].equals(expected["rank"], null_equal=True)
    assert set(scores["rank_change"].drop_nulls()) <= {0}


def test_merge_refuses_a_missing_shard_and_writes_nothing(full, tmp_path):
    copied = tmp_path / "scored"
    copied.mkdir()
    for path in sorted((full / "scored").glob("*.parquet"))[:2]:
        (copied / path.name).write_bytes(path.read_bytes())
    with pytest.raises(RiskflowError, match="providers_shard_scores is not there"):
        merge.run(folder=copied, plan=full / "plan.json", output=tmp_path / "merged.parquet")
    assert not (tmp_path / "merged.parquet").exists()


def test_flags_are_json_with_the_numbers_that_raised_them(full):
    scores = pl.read_parquet(full / "scores.parquet")
    flags = {
        npi: {f["flag"]: f for f in json.loads(text)}
        for npi, text in scores.select("npi", "flags").iter_rows()
    }
    for row in scores.iter_rows(named=True):
        mine = flags[row["npi"]]
        assert ("exclusion" in mine) == ((row["exclusion"] or 0) >= 80)
        assert ("program_concentration" in mine) == ((row["concentration"] or 0) >= 60)
        assert ("billing_outlier" in mine) == ((row["billing_outlier_percentile"] or 0) >= 95)
        assert ("paid_after_exclusion" in mine) == ((row["payments_after_exclusion_cents"] or 0) > 0)
        if "exclusion" in mine:
            assert mine["exclusion"] == {"flag": "exclusion", "value": row["exclusion"], "threshold": 80}
        if "paid_after_exclusion" in mine:
            assert mine["paid_after_exclusion"]["value"] == 1234.5
    assert {"exclusion", "program_concentration", "paid_after_exclusion"} <= {
        f for m in flags.values() for f in m
    }


def test_reasons_name_every_positive_contribution_the_largest_first(full):
    for row in pl.read_parquet(full / "scores.parquet").iter_rows(named=True):
        told = [reason for reason in row["reasons"] if reason.startswith("+")]
        positive = {
            name: row[f"{name}_contribution"] for name in COMPONENTS if (row[f"{name}_contribution"] or 0) > 0
        }
        assert len(told) == len(positive)
        points = [float(reason.split()[0]) for reason in told]
        assert points == sorted(points, reverse=True)
        for name, value in positive.items():
            assert any(
                f"points from {name}:" in reason and reason.startswith(f"+{round(value, 1)}")
                for reason in told
            )
        if positive.get("ownership"):
            assert any("2 hops up (provider → holding → owner)" in reason for reason in told)
        if row["payments_after_exclusion_cents"]:
            assert row["reasons"][0] == "1,234 dollars were paid after its exclusion"


def test_published_rows_keep_the_contract_and_npis_are_text(full):
    scores = pl.read_parquet(full / "scores.parquet")
    assert SCORES.validate(scores).height == 90
    assert scores["npi"].dtype == pl.String
    assert set(scores["method_version"]) == {"v1.0"}


def test_decompose_reads_the_earlier_run_s_config_from_its_receipt(full, tmp_path):
    later = with_shards(3, weights={"billing": 0.9})
    run_stages(POPULATION, tmp_path, later)
    receipt = decompose.run(
        metrics=tmp_path / "metrics.parquet",
        programs=tmp_path / "programs.parquet",
        features=tmp_path / "features",
        plan=tmp_path / "plan.json",
        universe=tmp_path / "universe.parquet",
        reference=tmp_path / "reference.parquet",
        before=full,
        changes=tmp_path / "changes.parquet",
        groups=tmp_path / "groups.parquet",
        config=part(later, DecomposeStage),
    )
    assert receipt.facts == {"changed": ["weights"]}
    changes = CHANGES.validate(pl.read_parquet(tmp_path / "changes.parquet"))
    before = pl.read_parquet(full / "scores.parquet")
    assert changes["risk_score_before"].equals(before["risk_score"], null_equal=True)
    groups = GROUP_CHANGES.validate(pl.read_parquet(tmp_path / "groups.parquet"))
    assert set(groups["grouping"]) == {"all", "state", "taxonomy", "tier"}


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.25, "0.25"),
        (0.0, "0"),
        (999.4, "999.4"),
        (999.6, "1,000"),
        (12_345.6, "12,346"),
        (999_999.4, "999,999"),
        (1_002_003.0, "1,002,003"),
        (3_000_000_000.0, "3,000,000,000"),
        (None, None),
    ],
)
def test_reasons_write_numbers_as_a_person_does(number, text):
    assert pl.select(grouped(pl.lit(number, pl.Float64))).item() == text
