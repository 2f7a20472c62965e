"""Read a file of geographic cost factors, in the columns that CMS's state transfer data has."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from riskflow.errors import RiskflowError

# Market codes of the CMS files: individual, small group, individual catastrophic, merged.
_MARKETS = {
    1: ("individual", "metal"),
    2: ("small_group", "metal"),
    3: ("individual", "catastrophic"),
    4: ("merged", "metal"),
}
_COLUMNS = ("State", "Rating_Area", "GCF", "Year", "Market")


def cost_factors_of(path: Path, year: int) -> pl.DataFrame:
    """Return state, market, pool, rating_area and gcf of one benefit year.

    The CSV has State, Rating_Area, GCF, Year and Market (1 individual, 2 small group, 3 catastrophic, 4 merged).
    """
    if not path.is_file():
        raise RiskflowError(
            f"members.transfers.cost_factors: no such file: {path}", "leave it empty to derive the factors"
        )
    raw = pl.read_csv(path, infer_schema_length=None)
    missing = [name for name in _COLUMNS if name not in raw.columns]
    if missing:
        raise RiskflowError(
            f"{path.name} has no column {', '.join(missing)}", f"it needs {', '.join(_COLUMNS)}"
        )
    rows = raw.filter((pl.col("Year") == year) & pl.col("Market").is_in(list(_MARKETS)) & (pl.col("GCF") > 0))
    if rows.is_empty():
        years = ", ".join(str(y) for y in sorted(raw["Year"].drop_nulls().unique()))
        raise RiskflowError(
            f"{path.name} has no factors of {year}", f"it has {years}; choose one as cost_factor_year"
        )
    code = pl.col("Market")
    return rows.select(
        pl.col("State").alias("state"),
        code.replace_strict({k: v[0] for k, v in _MARKETS.items()}, return_dtype=pl.String).alias("market"),
        code.replace_strict({k: v[1] for k, v in _MARKETS.items()}, return_dtype=pl.String).alias("pool"),
        pl.col("Rating_Area").cast(pl.Int64).alias("rating_area"),
        pl.col("GCF").cast(pl.Float64).alias("gcf"),
    ).unique(["state", "market", "pool", "rating_area"], keep="first", maintain_order=True)
