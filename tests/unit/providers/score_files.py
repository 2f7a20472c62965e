"""Run the scoring stages of the provider track on files, as the workflow does."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TypeVar

import polars as pl

from riskflow import artifacts
from riskflow.config.base import StageConfig, leaf_values
from riskflow.config.providers import (
    ExplainStage,
    MetricsStage,
    ProvidersConfig,
    RankStage,
    ReferenceStage,
    ScoreStage,
    ShardStage,
)
from riskflow.contracts.providers_sources import EXCLUSION_FACTS, FEATURES, PAYMENTS, REGISTRY
from riskflow.contracts.providers_universe import UNIVERSE
from riskflow.providers import explain, merge, metrics, percentiles, rank, reference, score, shard
from riskflow.receipts import Receipt
from tests.unit.providers.population import Population

PATH = ["provider", "holding", "owner"]


def write_inputs(population: Population, folder: Path) -> None:
    """Write what ingest, exclusions and universe would have written."""
    registry = population.registry.with_columns(
        pl.lit("individual").alias("entity_type"),
        pl.format("Provider {}", "npi").alias("display_name"),
        pl.lit(None, pl.Date).alias("updated_at"),
        pl.lit(True).alias("npi_luhn_ok"),
    )
    artifacts.write(registry.select(list(REGISTRY.schema)), folder / "registry.parquet", REGISTRY)
    payments = population.payments.cast({"year": pl.Int16}).unique()
    artifacts.write(payments, folder / "payments.parquet", PAYMENTS)
    owned = population.features.select("npi", is_owned=pl.col("ownership_risk").is_not_null())
    universe = registry.join(owned, on="npi").with_columns(
        in_registry=True, has_payments=True, in_exclusions=False
    )
    artifacts.write(universe.select(list(UNIVERSE.schema)), folder / "universe.parquet", UNIVERSE)
    facts = population.features.filter(pl.col("own_exclusion_active")).select(
        "npi",
        exclusion_id=pl.lit("X1"),
        excl_type=pl.lit("1128a1"),
        excl_date=pl.lit(dt.date(2022, 5, 1)),
        rein_date=pl.lit(None, pl.Date),
        active=pl.lit(True),
        exclusions=pl.lit(1, pl.Int64),
        payments_after_exclusion_cents=pl.lit(1_234_50, pl.Int64),
        payments_partial_year_cents=pl.lit(0, pl.Int64),
        years_paid_after=pl.lit([2023], pl.List(pl.Int16)),
    )
    artifacts.write(
        facts.select(list(EXCLUSION_FACTS.schema)), folder / "exclusion_facts.parquet", EXCLUSION_FACTS
    )


def graph_features(population: Population) -> pl.DataFrame:
    """Return features in the columns of the graph stage."""
    risky = pl.col("ownership_risk").fill_null(0.0) > 0
    return population.features.with_columns(
        pl.lit("0" * 64).alias("graph_hash"),
        pl.col("ownership_risk").fill_null(0.0),
        pl.when(risky).then(pl.lit(2, pl.Int64)).alias("nearest_exclusion_hops"),
        pl.when(risky).then(pl.lit(PATH)).alias("nearest_exclusion_path"),
    ).select(list(FEATURES.schema))


Stage = TypeVar("Stage", bound=StageConfig)


def part(settings: ProvidersConfig, kind: type[Stage]) -> Stage:
    """Return the part of the config that a stage reads."""
    return kind(**{name: getattr(settings, name) for name in kind.model_fields})


def run_stages(
    population: Population, folder: Path, settings: ProvidersConfig, *, stored: Path | None = None
) -> pl.DataFrame:
    """Run every scoring stage; return the published scores. `stored`: folder of the full run to score against."""
    write_inputs(population, folder)
    metrics.run(
        payments=folder / "payments.parquet",
        registry=folder / "registry.parquet",
        metrics=folder / "metrics.parquet",
        programs=folder / "programs.parquet",
        config=part(settings, MetricsStage),
    )
    reference.run(
        metrics=folder / "metrics.parquet",
        output=folder / "reference.parquet",
        stored=stored and stored / "reference.parquet",
        config=part(settings, ReferenceStage),
    )
    percentiles.run(
        metrics=folder / "metrics.parquet",
        reference=folder / "reference.parquet",
        output=folder / "percentiles.parquet",
        population=stored and stored / "metrics.parquet",
        config=part(settings, ReferenceStage),
    )
    shard.run(
        universe=folder / "universe.parquet",
        metrics=folder / "metrics.parquet",
        programs=folder / "programs.parquet",
        folder=str(folder / "shards"),
        manifest=folder / "plan.json",
        config=part(settings, ShardStage),
    )
    names = sorted(path.stem for path in (folder / "shards/universe").glob("*.parquet"))
    for name in names:
        score_one(population, folder, settings, name)
    merge.run(
        folder=folder / "scored",
        plan=folder / "plan.json",
        output=folder / "merged.parquet",
    )
    rank.run(
        merged=folder / "merged.parquet",
        percentiles=folder / "percentiles.parquet",
        output=folder / "ranks.parquet",
        distribution=folder / "distribution.parquet",
        stored=stored and stored / "distribution.parquet",
        config=part(settings, RankStage),
    )
    explain.run(
        merged=folder / "merged.parquet",
        ranks=folder / "ranks.parquet",
        features=folder / "features",
        plan=folder / "plan.json",
        exclusion_facts=folder / "exclusion_facts.parquet",
        universe=folder / "universe.parquet",
        output=folder / "scores.parquet",
        previous=stored and stored / "scores.parquet",
        config=part(settings, ExplainStage),
    )
    return pl.read_parquet(folder / "scores.parquet")


def write_score_receipt(settings: ProvidersConfig, path: Path) -> None:
    """Write the config into a receipt, as the program of the score stage does."""
    leaves = leaf_values(part(settings, ScoreStage).model_dump(mode="json"))
    Receipt(stage="providers.score", params={f"config.{key}": text for key, text in leaves.items()}).write(
        path
    )


def score_one(population: Population, folder: Path, settings: ProvidersConfig, name: str) -> None:
    """Write the graph features of a shard and score it."""
    mine = pl.read_parquet(folder / f"shards/universe/{name}.parquet").select("npi")
    features = graph_features(population).join(mine, on="npi", how="semi")
    artifacts.write(features, folder / f"features/{name}.parquet", FEATURES)
    score.run(
        universe=folder / f"shards/universe/{name}.parquet",
        metrics=folder / f"shards/metrics/{name}.parquet",
        programs=folder / f"shards/programs/{name}.parquet",
        features=folder / f"features/{name}.parquet",
        reference=folder / "reference.parquet",
        output=folder / f"scored/{name}.parquet",
        config=part(settings, ScoreStage),
    )
    write_score_receipt(settings, folder / f"receipts/score/{name}.json")
