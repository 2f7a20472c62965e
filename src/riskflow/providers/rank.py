"""From r_raw to a place in the population: percentile score, rank, tier.

A place is a function of one r_raw and a distribution of r_raw, which is kept beside the scores: a subset of
providers in a later run is placed in the full run's. Ties share a place.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from riskflow import artifacts
from riskflow.config.providers import RankStage, TiersSection
from riskflow.contracts.providers_scores import DISTRIBUTION, MERGED, PERCENTILES, RANKS, TIERS
from riskflow.receipts import Receipt

IntArray = NDArray[np.int64]


def placed(
    merged: pl.DataFrame, percentiles: pl.DataFrame, distribution: pl.DataFrame, tiers: TiersSection
) -> pl.DataFrame:
    """Return npi, risk_score, rank, risk_label and billing_outlier_percentile of every merged provider.

    `merged`: npi, r_raw; `distribution`: the run's own distribution of r_raw, or the stored one of the full run
    when this is a subset. risk_score = 100 · (scored providers with a strictly smaller r_raw) / (n - 1), so ties
    share a score; rank = 1 + scored providers with a strictly larger r_raw. Both are null when not scored.
    """
    ranks = risk_scores(merged, distribution)
    return (
        merged.select("npi")
        .join(ranks, on="npi", how="left", maintain_order="left")
        .with_columns(tier(tiers, pl.col("risk_score")))
        .join(percentiles, on="npi", how="left", maintain_order="left")
    )


def risk_scores(raw: pl.DataFrame, distribution: pl.DataFrame) -> pl.DataFrame:
    """Return npi, risk_score and rank of the rows (npi, r_raw) that have an r_raw."""
    scored = raw.filter(pl.col("r_raw").is_not_null()).select("npi", "r_raw")
    below, above, total = places(scored["r_raw"], distribution)
    return scored.select(
        "npi",
        pl.Series("risk_score", np.minimum(100.0 * below / max(total - 1, 1), 100.0)),
        pl.Series("rank", above + 1, dtype=pl.Int64),
    )


def score_distribution(scores: pl.DataFrame) -> pl.DataFrame:
    """Return the distribution of r_raw over the scored providers: r_raw ascending, providers, below.

    It is the rank reference: kept beside the scores, it gives a subset of a later run its place.
    """
    counts = (
        scores.lazy().filter(pl.col("r_raw").is_not_null()).group_by("r_raw").agg(pl.len().alias("providers"))
    )
    cumulative = pl.col("providers").cum_sum() - pl.col("providers")
    return (
        counts.sort("r_raw")
        .with_columns(pl.col("providers").cast(pl.Int64), cumulative.cast(pl.Int64).alias("below"))
        .collect()
    )


def places(r_raw: pl.Series, distribution: pl.DataFrame) -> tuple[IntArray, IntArray, int]:
    """Return how many of the distribution are strictly below and strictly above each value, and how many there are."""
    values = distribution["r_raw"].to_numpy()
    below = np.append(distribution["below"].to_numpy(), int(distribution["providers"].sum()))
    asked = r_raw.to_numpy()
    total = int(below[-1])
    return (
        below[np.searchsorted(values, asked, "left")],
        total - below[np.searchsorted(values, asked, "right")],
        total,
    )


def run(
    *,
    merged: Path,
    percentiles: Path,
    output: Path,
    distribution: Path,
    stored: Path | None = None,
    config: RankStage,
) -> Receipt:
    """Write ranks, and the distribution they were read from; `stored`: that of the full run, for a subset."""
    scores = artifacts.read(merged, MERGED, columns=["npi", "r_raw"])
    population = score_distribution(scores) if stored is None else artifacts.read(stored, DISTRIBUTION)
    ranks = placed(scores, artifacts.read(percentiles, PERCENTILES), population, config.tiers)
    artifacts.write(ranks, output, RANKS)
    artifacts.write(population, distribution, DISTRIBUTION)
    tiers = {name.lower(): int((ranks["risk_label"] == name).sum()) for name in TIERS}
    counts = {"providers": ranks.height, "not_scored": ranks["rank"].null_count(), **tiers}
    return Receipt(
        counts=counts, facts={"stored": stored is not None, "population": int(population["providers"].sum())}
    )


def tier(tiers: TiersSection, score: pl.Expr) -> pl.Expr:
    """Return risk_label of a risk_score; null when there is none."""
    return (
        pl.when(score.is_null())
        .then(None)
        .when(score >= tiers.high)
        .then(pl.lit(TIERS[0]))
        .when(score >= tiers.elevated)
        .then(pl.lit(TIERS[1]))
        .when(score >= tiers.moderate)
        .then(pl.lit(TIERS[2]))
        .otherwise(pl.lit(TIERS[3]))
        .alias("risk_label")
    )
