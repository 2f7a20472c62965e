"""Billable days: under 45 CFR 147.102(c)(1) at most the three oldest covered children under 21 of a family count."""

from __future__ import annotations

import polars as pl

from riskflow.members.rating import age_on

BILLABLE_CHILDREN = 3
ADULT_AGE = 21


def with_billable_share(spans: pl.DataFrame) -> pl.DataFrame:
    """Add age (on the first day of the span) and billable_share, the share of the span's days that are billable.

    spans: member_id, span_id, family_id, plan_id, date_of_birth, enrolment_start, enrolment_end. A policy is
    one family in one plan; on each day its children under 21 beyond the three oldest are not billable.
    """
    aged = spans.with_columns(
        age_on(pl.col("enrolment_start"), pl.col("date_of_birth"))
        .cast(pl.Int64)
        .clip(lower_bound=0)
        .alias("age")
    )
    unbilled = _unbilled_days(aged)
    days = (pl.col("enrolment_end") - pl.col("enrolment_start")).dt.total_days() + 1
    return (
        aged.join(unbilled, on=["member_id", "span_id"], how="left", maintain_order="left")
        .with_columns((1 - pl.col("unbilled_days").fill_null(0) / days).alias("billable_share"))
        .drop("unbilled_days")
    )


def _unbilled_days(aged: pl.DataFrame) -> pl.DataFrame:
    """Return member_id, span_id and unbilled_days of the children in policies with more than three of them."""
    policy = ["family_id", "plan_id"]
    children = aged.filter(pl.col("age") < ADULT_AGE)
    large = children.group_by(policy).agg(pl.col("member_id").n_unique().alias("count"))
    crowded = children.join(large.filter(pl.col("count") > BILLABLE_CHILDREN), on=policy, how="semi")
    daily = crowded.select(
        *policy,
        "member_id",
        "span_id",
        "date_of_birth",
        pl.date_ranges("enrolment_start", "enrolment_end").alias("day"),
    ).explode("day")
    place = pl.int_range(pl.len()).over([*policy, "day"])
    return (
        daily.sort([*policy, "day", "date_of_birth", "member_id", "span_id"])
        .filter(place >= BILLABLE_CHILDREN)
        .group_by("member_id", "span_id")
        .agg(pl.len().cast(pl.Int64).alias("unbilled_days"))
    )
