"""From r_raw to a place in the population: percentile score, rank, tier."""

from __future__ import annotations

import numpy as np
import polars as pl

from riskflow.config.providers import TiersSection
from riskflow.providers.standing import places

TIERS = ("High", "Elevated", "Moderate", "Low")


def placed(
    merged: pl.DataFrame, percentiles: pl.DataFrame, distribution: pl.DataFrame, tiers: TiersSection
) -> pl.DataFrame:
    """Return npi, risk_score, rank, risk_label and billing_outlier_percentile of every merged provider.

    `merged`: npi, r_raw; `distribution`: the run's own distribution of r_raw, or the stored one of the full run
    when this is a subset. risk_score = 100 · (scored providers with a strictly smaller r_raw) / (n - 1), so ties
    share a score; rank = 1 + scored providers with a strictly larger r_raw. Both are null when not scored.
    """
    scored = merged.filter(pl.col("r_raw").is_not_null()).select("npi", "r_raw")
    below, above, total = places(scored["r_raw"], distribution)
    ranks = scored.select(
        "npi",
        pl.Series("risk_score", np.minimum(100.0 * below / max(total - 1, 1), 100.0)),
        pl.Series("rank", above + 1, dtype=pl.Int64),
    )
    return (
        merged.select("npi")
        .join(ranks, on="npi", how="left", maintain_order="left")
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
