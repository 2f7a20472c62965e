"""Exclusions at a date: which are active, and what was paid while they were.

An exclusion (42 U.S.C. 1320a-7) is active on a day when it began on or before it, reinstatement has not come
on or before it, and, unless `waivers_count`, no waiver had been granted on or before it. A waiver without a
date counts as granted.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.config.providers import ExclusionsStage
from riskflow.contracts.providers_sources import EXCLUSION_FACTS, EXCLUSIONS, PAYMENTS
from riskflow.receipts import Receipt


def is_active(as_of: dt.date, waivers_count: bool = False) -> pl.Expr:
    """Return whether exclusions (contract EXCLUSIONS) are active on a day."""
    begun = pl.col("excl_date") <= as_of
    ended = (pl.col("rein_date") <= as_of).fill_null(False)
    waived = pl.col("waived") & (pl.col("waiver_date") <= as_of).fill_null(True)
    return begun & ~ended & (pl.lit(waivers_count) | ~waived)


def newest_active(exclusions: pl.DataFrame, as_of: dt.date, waivers_count: bool = False) -> pl.DataFrame:
    """Return npi, exclusion_id, excl_date of the newest active exclusion of each NPI, sorted by npi."""
    active = exclusions.filter(is_active(as_of, waivers_count), pl.col("npi").is_not_null())
    return (
        active.select("npi", "exclusion_id", "excl_date")
        .sort("npi", -pl.col("excl_date").cast(pl.Int64), "exclusion_id")
        .unique("npi", keep="first", maintain_order=True)
    )


def known_on(exclusions: pl.DataFrame, as_of: dt.date) -> pl.DataFrame:
    """Return the exclusions as they were known on a past day: later ones, reinstatements and waivers unknown."""
    later_waiver = pl.col("waiver_date") > as_of
    return exclusions.filter(pl.col("excl_date") <= as_of).with_columns(
        rein_date=pl.when(pl.col("rein_date") <= as_of).then("rein_date"),
        waived=pl.col("waived") & ~later_waiver.fill_null(False),
        waiver_date=pl.when(~later_waiver).then("waiver_date"),
        waiver_state=pl.when(~later_waiver.fill_null(False)).then("waiver_state"),
    )


def exclusion_facts(
    exclusions: pl.DataFrame, payments: pl.LazyFrame, as_of: dt.date, waivers_count: bool = False
) -> pl.DataFrame:
    """Return one row per NPI with a begun exclusion (contract EXCLUSION_FACTS).

    A year counts whole when the provider was excluded on each of its days, and partly otherwise: payments have
    no day, so the partial amount is an estimate, floor(payments · days excluded / days of the year).
    Days count from the exclusion's first day to the day before reinstatement or waiver, or to `as_of`, and
    years only from the one of the exclusion on. Of several exclusions, each year takes the one that covers
    most of its days, so that no day is counted twice.
    """
    begun = exclusions.filter(pl.col("npi").is_not_null(), pl.col("excl_date") <= as_of)
    state = _newest_state(begun, as_of, waivers_count)
    paid = _paid_under_exclusion(begun, payments, as_of, waivers_count)
    return (
        state.join(paid, on="npi", how="left")
        .with_columns(
            pl.col("payments_after_exclusion_cents", "payments_partial_year_cents").fill_null(0),
            pl.col("years_paid_after").fill_null([]),
        )
        .select(list(EXCLUSION_FACTS.columns))
        .sort("npi")
    )


def _newest_state(begun: pl.DataFrame, as_of: dt.date, waivers_count: bool) -> pl.DataFrame:
    marked = begun.with_columns(active=is_active(as_of, waivers_count))
    counted = pl.len().over("npi").cast(pl.Int64).alias("exclusions")
    return (
        marked.with_columns(counted)
        .sort("npi", ~pl.col("active"), -pl.col("excl_date").cast(pl.Int64), "exclusion_id")
        .unique("npi", keep="first", maintain_order=True)
        .select("npi", "exclusion_id", "excl_type", "excl_date", "rein_date", "active", "exclusions")
    )


def _paid_under_exclusion(
    begun: pl.DataFrame, payments: pl.LazyFrame, as_of: dt.date, waivers_count: bool
) -> pl.DataFrame:
    waived = pl.col("waiver_date") if not waivers_count else pl.lit(None, pl.Date)
    last = pl.min_horizontal(
        pl.col("rein_date") - pl.duration(days=1), waived - pl.duration(days=1), pl.lit(as_of)
    )
    undated = pl.col("waived") & pl.col("waiver_date").is_null() & pl.lit(not waivers_count)
    spans = begun.filter(~undated).select("npi", pl.col("excl_date").alias("first"), last.alias("last"))
    yearly = (
        payments.join(spans.lazy().select("npi").unique(), on="npi", how="semi")
        .group_by("npi", "year")
        .agg(pl.col("payments_cents").sum())
        .collect()
    )
    january, december = pl.date(pl.col("year"), 1, 1), pl.date(pl.col("year"), 12, 31)
    overlap = pl.min_horizontal("last", december) - pl.max_horizontal("first", january)
    days_of_year = (december - january).dt.total_days() + 1
    covered = (
        yearly.join(spans, on="npi")
        .with_columns(days=(overlap.dt.total_days() + 1).clip(0), days_of_year=days_of_year)
        .group_by("npi", "year")
        .agg(pl.col("days").max(), pl.col("payments_cents", "days_of_year").first())
        .sort("npi", "year")
    )
    whole = pl.col("days") == pl.col("days_of_year")
    share = pl.col("payments_cents") * pl.col("days") // pl.col("days_of_year")
    return covered.group_by("npi").agg(
        pl.col("payments_cents").filter(whole).sum().alias("payments_after_exclusion_cents"),
        share.filter(~whole).sum().alias("payments_partial_year_cents"),
        pl.col("year").filter(whole & (pl.col("payments_cents") > 0)).sort().alias("years_paid_after"),
    )


def run(*, exclusions: Path, payments: Path, output: Path, config: ExclusionsStage) -> Receipt:
    """Say of each excluded NPI whether it is active at the scoring date, and what it was paid while excluded."""
    facts = exclusion_facts(
        artifacts.read(exclusions, EXCLUSIONS),
        artifacts.scan(payments, PAYMENTS),
        config.scoring.date,
        config.exclusions.waivers_count,
    )
    artifacts.write(facts, output, EXCLUSION_FACTS)
    paid = facts.filter(pl.col("payments_after_exclusion_cents") > 0)
    counts = {"excluded_npis": facts.height, "active": int(facts["active"].sum()), "paid_after": paid.height}
    return Receipt(counts=counts)
