"""The five components of a score, 0..100 each, for both methods; null means that there is nothing to measure.

v1 gives 0 to a provider at or below its peers. The predecessor's shapes (`claidex`) are kept beside them:
its logistic gives 50 there.
"""

from __future__ import annotations

import polars as pl

from riskflow.config.providers import ComponentsSection
from riskflow.contracts.providers_scores import LEVEL_MEASURES
from riskflow.providers.arithmetic import quotient
from riskflow.providers.method import Method
from riskflow.providers.reference import robust_z

_UNITS = float(1 << 40)  # sums over years are taken in whole 2^-40 units: no order of rows can change them


def year_excess(rows: pl.DataFrame, method: Method, z_cap: float) -> pl.DataFrame:
    """Return rows (npi, year, with peers) plus `billing_z` and `growth_z`: how far above peers, 0 at or below.

    billing_z is the largest of the three level measures. v1: null when none can be compared;
    claidex: what cannot be compared counts as 0.
    """
    levels = pl.max_horizontal(robust_z(measure, z_cap) for measure in LEVEL_MEASURES).clip(lower_bound=0.0)
    growth = robust_z("growth", z_cap).clip(lower_bound=0.0)
    if method.name == "claidex":
        levels = levels.fill_null(0.0)
        growth = pl.when(pl.col("growth").is_not_null()).then(growth.fill_null(0.0))
    return rows.with_columns(levels.alias("billing_z"), growth.alias("growth_z"))


def decayed_means(excess: pl.DataFrame, *, last_year: int, year_decay: float) -> pl.DataFrame:
    """Return per NPI the means of billing_z and growth_z over years, a year weighing `year_decay` of the next.

    Weights are looked up, not computed per row: polars' power rounds otherwise in a frame of a single row.
    """
    years = excess["year"].unique().sort().to_list()
    powers = {year: year_decay ** (last_year - year) for year in years}
    weight = pl.col("year").replace_strict(powers, return_dtype=pl.Float64)
    return excess.lazy().group_by("npi").agg(_mean(z, weight) for z in ("billing_z", "growth_z")).collect()


def payment_components(means: pl.DataFrame, method: Method) -> pl.DataFrame:
    """Return npi, billing, trajectory from the decayed means."""
    shape = _logistic if method.name == "claidex" else _above_peers
    return means.select(
        "npi", shape(pl.col("billing_z")).alias("billing"), shape(pl.col("growth_z")).alias("trajectory")
    )


def concentration(components: ComponentsSection, method: Method) -> pl.Expr:
    """Return 0 up to the floor share of the top program, rising to 100 at one program only.

    v1: the share is of programs with positive payments; null without any, and null when the data cover one
    program only, where every share is 1 and says nothing. claidex: the share of the net total.
    """
    if method.name == "claidex":
        total, measurable = pl.col("net_cents"), pl.col("net_cents") > 0
    else:
        total = pl.col("positive_cents")
        measurable = (total > 0) & (pl.col("programs_in_data") > 1)
    share = pl.when(measurable).then(quotient(pl.col("top_cents"), total))
    floor = components.concentration_floor
    return quotient(100.0 * (share - floor), pl.lit(1.0 - floor)).clip(0.0, 100.0)


def ownership(method: Method) -> pl.Expr:
    """Return the graph's ownership risk (v1), or the share of excluded providers in the chain (claidex).

    v1: Σ over excluded nodes within the hops of share × decay^(hops - 1), null when no owner is listed (`is_owned`).
    """
    if method.name == "v1":
        return pl.when("is_owned").then(pl.col("ownership_risk").clip(0.0, 100.0))
    excluded, members = pl.col("chain_excluded_providers"), pl.col("chain_providers")
    return quotient(100.0 * excluded, members.clip(lower_bound=1)).clip(0.0, 100.0)


def exclusion() -> pl.Expr:
    """Return 100 for an own active exclusion, 80 for an excluded owner, 50 for one in the chain, else 0."""
    return (
        pl.when("own_exclusion_active")
        .then(100.0)
        .when("owner_excluded")
        .then(80.0)
        .when("chain_excluded")
        .then(50.0)
        .otherwise(0.0)
    )


def _mean(z: str, weight: pl.Expr) -> pl.Expr:
    present = pl.when(pl.col(z).is_not_null()).then(weight)
    total = present.pipe(_units).sum()
    mean = quotient((present * pl.col(z)).pipe(_units).sum(), total)
    return pl.when(total > 0).then(mean).alias(z)


def _units(expression: pl.Expr) -> pl.Expr:
    return (expression * _UNITS).round().cast(pl.Int64)


def _above_peers(z: pl.Expr) -> pl.Expr:
    return 100.0 * (2.0 / (1.0 + (-0.5 * z).exp()) - 1.0)


def _logistic(z: pl.Expr) -> pl.Expr:
    return 100.0 / (1.0 + (-0.5 * z).exp())
