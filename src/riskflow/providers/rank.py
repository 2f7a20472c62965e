"""From r_raw to a place in the population: percentile score, rank, tier."""

from __future__ import annotations

import polars as pl

from riskflow.config.providers import TiersSection
from riskflow.providers.standing import places

TIERS = ("High", "Elevated", "Moderate", "Low")


def ranked(
    merged: pl.DataFrame, percentiles: pl.DataFrame, distribution: pl.DataFrame, tiers: TiersSection
) -> pl.DataFrame:
    """Return the merged scores with risk_score, rank, risk_label and billing_outlier_percentile.

    `distribution`: the run's own r_raw distribution, or the stored one of the full run when this is a subset.
    risk_score = 100 · (scored providers with a strictly smaller r_raw) / (n - 1), so ties share a score;
    rank = 1 + scored providers with a strictly larger r_raw. Both are null for a provider that is not scored.
    """
    is_scored = pl.col("r_raw").is_not_null()
    scored = merged.filter(is_scored).select("npi", "r_raw")
    below, above, total = places(scored["r_raw"], distribution)
    placed = scored.select(
        "npi",
        (100.0 * pl.Series(below) / max(total - 1, 1)).clip(0.0, 100.0).alias("risk_score"),
        (pl.Series(above) + 1).cast(pl.Int64).alias("rank"),
    )
    return (
        merged.join(placed, on="npi", how="left", maintain_order="left")
        .with_columns(tier(tiers))
        .join(percentiles, on="npi", how="left", maintain_order="left")
    )


def tier(tiers: TiersSection) -> pl.Expr:
    """Return risk_label of a risk_score; null when there is none."""
    score = pl.col("risk_score")
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
