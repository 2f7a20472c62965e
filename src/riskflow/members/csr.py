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
