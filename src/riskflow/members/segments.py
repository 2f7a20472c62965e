"""Segments of members: metal, age band and region, one of each per member."""

import polars as pl

AGE_BANDS = (
    (0, "00-01"),
    (2, "02-20"),
    (21, "21-34"),
    (35, "35-44"),
    (45, "45-54"),
    (55, "55-64"),
    (65, "65+"),
)
DIMENSIONS = ("metal", "age_band", "region")


def age_band(age: pl.Expr) -> pl.Expr:
    """Return the age band of an age in whole years; the first three are the ages of the CMS models."""
    bands = pl.lit(AGE_BANDS[0][1])
    for first, label in AGE_BANDS[1:]:
        bands = pl.when(age >= first).then(pl.lit(label)).otherwise(bands)
    return bands


def member_segments(spans: pl.DataFrame) -> pl.DataFrame:
    """Return member_id, metal, age_band and region: those of the span with the most member months.

    spans: member_id, span_id, metal, age_last, state, member_months; the last span_id breaks a tie.
    """
    alone = pl.col("member_id").is_unique()
    columns = ["member_id", "metal", "age_last", "state"]
    several = (
        spans.filter(~alone)
        .sort("member_id", "member_months", "span_id")
        .unique("member_id", keep="last", maintain_order=True)
    )
    return pl.concat([spans.filter(alone).select(columns), several.select(columns)]).select(
        "member_id",
        "metal",
        age_band(pl.col("age_last")).alias("age_band"),
        pl.when(pl.col("state") != "").then(pl.col("state")).alias("region"),
    )
