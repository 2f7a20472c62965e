"""Cost-sharing reduction indicators: which fit which metal in a benefit year, and what they mean.

Source: csr_meanings.csv says in one word what each indicator of the CSR tables of the HHS-HCC programs 2021-2026
stands for; a test holds its pairs of indicator and metal against those tables. Factors and HIOS variants (DIY
Table 13, since 2025) are in the CMS sets alone.
"""

from __future__ import annotations

from functools import cache
from io import StringIO

import polars as pl

from riskflow import resources


@cache
def _table() -> pl.DataFrame:
    return pl.read_csv(StringIO(resources.text("riskflow.members", "csr_meanings.csv")))


def meanings(year: int) -> pl.DataFrame:
    """Return csr_indicator, metal and meaning of the pairs that exist in a benefit year."""
    rows = _table().filter(pl.lit(year).is_between(pl.col("first_year"), pl.col("last_year")))
    return rows.select("csr_indicator", "metal", "meaning")


def fits(year: int, indicator: pl.Expr, metal: pl.Expr) -> pl.Expr:
    """Return whether an indicator and a metal go together in the benefit year; null or false when one is missing."""
    indicators: dict[str, list[int]] = {}
    for number, name, _ in meanings(year).iter_rows():
        indicators.setdefault(name, []).append(number)
    return pl.any_horizontal([(metal == name) & indicator.is_in(its) for name, its in indicators.items()])


def indicator_of_variant(variants: pl.DataFrame, variant: pl.Expr, metal: pl.Expr) -> pl.Expr:
    """Return the indicator of a HIOS plan variant number and metal, or null.

    `variants`: hios_variant, metal (null: any) and csr_indicator of a CMS set.
    """
    any_metal = variants.filter(pl.col("metal").is_null()).select("hios_variant", "csr_indicator")
    of_metal = variants.drop_nulls("metal").select(
        pl.concat_str("hios_variant", "metal", separator="|"), pl.col("csr_indicator").cast(pl.Int64)
    )
    pair = pl.concat_str(variant, metal, separator="|")
    return pl.coalesce(
        pair.replace_strict(dict(of_metal.rows()), default=None, return_dtype=pl.Int64),
        variant.replace_strict(dict(any_metal.rows()), default=None, return_dtype=pl.Int64),
    )


def crossed_factors(factors: pl.DataFrame, from_year: int, to_year: int) -> pl.DataFrame:
    """Return csr_indicator and metal as numbered in `from_year`, with the factor that `to_year` gives them.

    `factors` is the CSR table of `to_year` (csr_indicator, metal, factor). Indicators were numbered anew in 2023
    and 2025, so they are matched by what they mean: none, standard (87/94 % or state subsidy), zero or limited
    cost sharing. 2023-24 has one indicator per metal for all kinds of cost sharing.
    """
    there = meanings(to_year).join(factors, on=["csr_indicator", "metal"], how="left")
    known = there.select("metal", "meaning", pl.col("factor").fill_null(1.0)).unique(
        ["metal", "meaning"], keep="first", maintain_order=True
    )
    any_kind = (
        known.filter(pl.col("meaning") != "none")
        .unique("metal", keep="first", maintain_order=True)
        .select("metal", pl.col("factor").alias("any_factor"))
    )
    crossed = (
        meanings(from_year)
        .join(known, on=["metal", "meaning"], how="left", maintain_order="left")
        .join(any_kind, on="metal", how="left", maintain_order="left")
    )
    factor = (
        pl.when(pl.col("meaning") == "none")
        .then(1.0)
        .otherwise(pl.coalesce("factor", "any_factor", pl.lit(1.0)))
    )
    return crossed.select("csr_indicator", "metal", factor.alias("factor"))
