"""The numbers behind the reasons: in which year and measure a provider stood out most, against what median."""

from __future__ import annotations

import polars as pl

from riskflow.contracts.providers_scores import LEVEL_MEASURES
from riskflow.providers.reference import robust_z


def billing_evidence(excess: pl.DataFrame) -> pl.DataFrame:
    """Return per NPI the level measure that stands out most over its peers (ties: newest year, first measure).

    Columns: npi, billing_year, billing_measure, billing_value and billing_median (dollars, or claims),
    billing_top_z (cut at the cap), billing_peers. NPIs at or below their peers everywhere have no row.
    """
    peak = _peak(excess, "billing_z")
    zs = {measure: robust_z(measure, float("inf")) for measure in LEVEL_MEASURES}
    top = pl.max_horizontal(zs.values())

    def of_top(column: str) -> pl.Expr:
        return pl.coalesce(pl.when(z >= top).then(pl.col(column.format(m))) for m, z in zs.items())

    return peak.select(
        "npi",
        pl.col("year").alias("billing_year"),
        pl.coalesce(pl.when(z >= top).then(pl.lit(m)) for m, z in zs.items()).alias("billing_measure"),
        (of_top("{}").exp() - 1.0).alias("billing_value"),
        (of_top("{}_median").exp() - 1.0).alias("billing_median"),
        pl.col("billing_z").alias("billing_top_z"),
        of_top("{}_n").alias("billing_peers"),
    )


def growth_evidence(excess: pl.DataFrame) -> pl.DataFrame:
    """Return per NPI the year whose growth stands out most over its peers (ties: the newest).

    Columns: npi, growth_year, growth_value, growth_median, growth_top_z. Value and median are in the method's
    own unit (v1: difference of logarithms; claidex: share of the year before).
    """
    return _peak(excess, "growth_z").select(
        "npi",
        pl.col("year").alias("growth_year"),
        pl.col("growth").alias("growth_value"),
        "growth_median",
        pl.col("growth_z").alias("growth_top_z"),
    )


def _peak(excess: pl.DataFrame, z: str) -> pl.DataFrame:
    """Return the newest row of each NPI where `z` is the NPI's largest and above 0."""
    best = excess.filter(pl.col(z) > 0).filter(pl.col(z) == pl.col(z).max().over("npi"))
    return best.filter(pl.col("year") == pl.col("year").max().over("npi"))
