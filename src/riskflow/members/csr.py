"""Cost-sharing reduction indicators: which fit which metal in a benefit year, and HIOS variants.

Sources: csr_variants.csv from the CSR tables of the HHS-HCC programs 2021-2026 (CMS DIY Table 13 since 2025);
hios_variants.csv from DIY Table 13 of 2025.
"""

from __future__ import annotations

from functools import cache
from io import StringIO

import polars as pl

from riskflow import resources

HIOS_VARIANTS_FROM = 2025


@cache
def _table(name: str) -> pl.DataFrame:
    return pl.read_csv(StringIO(resources.text("riskflow.members", name)))


def fitting(year: int) -> pl.DataFrame:
    """Return the csr_indicator and metal pairs that exist in a benefit year."""
    rows = _table("csr_variants.csv").filter(
        pl.lit(year).is_between(pl.col("first_year"), pl.col("last_year"))
    )
    return rows.select("csr_indicator", "metal")


def fits(year: int, indicator: pl.Expr, metal: pl.Expr) -> pl.Expr:
    """Return whether an indicator and a metal go together in the benefit year; null when one is missing."""
    pairs = fitting(year).select(pl.concat_str("csr_indicator", "metal", separator="|")).to_series()
    return pl.concat_str(indicator, metal, separator="|").is_in(pairs.implode())


def indicator_of_variant(variant: pl.Expr, metal: pl.Expr) -> pl.Expr:
    """Return the indicator (2025 numbering) of a HIOS plan variant number and metal, or null."""
    rows = _table("hios_variants.csv").select(
        pl.concat_str("hios_variant", "metal", separator="|").alias("pair"), "csr_indicator"
    )
    pair = pl.concat_str(variant, metal, separator="|")
    return pair.replace_strict(dict(rows.rows()), default=None, return_dtype=pl.Int64)


def crossed_factors(factors: pl.DataFrame, from_year: int, to_year: int) -> pl.DataFrame:
    """Return csr_indicator and metal as numbered in `from_year`, with the factor that `to_year` gives them.

    `factors` is the CSR table of `to_year` (csr_indicator, metal, factor). Indicators were numbered anew in 2023
    and 2025, so they are matched by what they mean: none, standard (87/94 % or state subsidy), zero or limited
    cost sharing. 2023-24 has one indicator per metal for all kinds of cost sharing.
    """
    there = _meanings(to_year).join(factors, on=["csr_indicator", "metal"], how="left")
    known = there.select("metal", "meaning", pl.col("factor").fill_null(1.0)).unique(
        ["metal", "meaning"], keep="first", maintain_order=True
    )
    any_kind = (
        known.filter(pl.col("meaning") != "none")
        .unique("metal", keep="first", maintain_order=True)
        .select("metal", pl.col("factor").alias("any_factor"))
    )
    crossed = (
        _meanings(from_year)
        .join(known, on=["metal", "meaning"], how="left", maintain_order="left")
        .join(any_kind, on="metal", how="left", maintain_order="left")
    )
    factor = (
        pl.when(pl.col("meaning") == "none")
        .then(1.0)
        .otherwise(pl.coalesce("factor", "any_factor", pl.lit(1.0)))
    )
    return crossed.select("csr_indicator", "metal", factor.alias("factor"))


def _meanings(year: int) -> pl.DataFrame:
    rows = _table("csr_variants.csv").filter(
        pl.lit(year).is_between(pl.col("first_year"), pl.col("last_year"))
    )
    return rows.select("csr_indicator", "metal", "meaning")
