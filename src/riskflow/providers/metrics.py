"""Yearly totals per provider, and the share of each program: all that the scores are made of.

Money is summed as whole cents, so that no row order and no thread count can change a sum. The totals are
independent of the scoring method; `measures` turns them into the logarithms that a method compares.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import polars as pl

from riskflow import artifacts
from riskflow.config.providers import MetricsStage
from riskflow.contracts.providers_scores import MEASURES, METRICS, PROGRAMS
from riskflow.contracts.providers_sources import PAYMENTS, REGISTRY
from riskflow.providers.arithmetic import quotient
from riskflow.receipts import Receipt

Growth = Literal["log", "relative"]
_TAXONOMY_CODE_LENGTH = 10  # NUCC provider taxonomy codes have ten characters


def yearly_metrics(
    payments: pl.LazyFrame, registry: pl.LazyFrame, *, last_year: int, window_years: int
) -> pl.DataFrame:
    """Return one row per NPI and year of the window, with the provider's taxonomy and state.

    `payments`: npi, year, program, payments_cents, claims, beneficiaries (null: not reported);
    `registry`: npi, taxonomy, state (a provider that is not in it has nulls).
    Columns: npi, year, taxonomy, state, payments_cents, claims (null when a program did not report them),
    beneficiaries (null when no program reported them) and covered_claims, the claims of the programs that did.
    """
    reported = pl.col("beneficiaries").is_not_null()
    totals = (
        payments.filter(_in_window(last_year, window_years))
        .group_by("npi", "year")
        .agg(
            pl.col("payments_cents").sum(),
            pl.when(pl.col("claims").is_not_null().all()).then(pl.col("claims").sum()).alias("claims"),
            pl.col("beneficiaries").sum(),
            pl.col("claims").filter(reported).sum().alias("covered_claims"),
            reported.any().alias("any_reported"),
        )
        .with_columns(pl.when("any_reported").then("beneficiaries").alias("beneficiaries"))
    )
    places = registry.select("npi", "taxonomy", "state")
    columns = [
        "npi",
        "year",
        "taxonomy",
        "state",
        "payments_cents",
        "claims",
        "beneficiaries",
        "covered_claims",
    ]
    return (
        totals.join(places, on="npi", how="left", validate="m:1")
        .select(columns)
        .cast({"year": pl.Int32})
        .sort("npi", "year")
        .collect(engine="streaming")
    )


def program_totals(
    payments: pl.LazyFrame,
    *,
    last_year: int,
    window_years: int,
    newest_years: int,
    programs_in_data: int | None = None,
) -> pl.DataFrame:
    """Return per NPI the largest program of the provider's own newest years, and the totals it is a share of.

    Columns: npi, top_program (ties: first by name), top_cents, net_cents (all programs, refunds deducted),
    positive_cents (programs with payments above 0 only), programs_in_data (how many programs the payments of
    the window cover; given when `payments` are those of a subset).
    """
    seen = payments.filter(_in_window(last_year, window_years))
    newest = seen.group_by("npi").agg(pl.col("year").max().alias("newest"))
    per_program = (
        seen.join(newest, on="npi", how="inner")
        .filter(pl.col("year") > pl.col("newest") - newest_years)
        .group_by("npi", "program")
        .agg(pl.col("payments_cents").sum().alias("cents"))
    )
    per_provider = per_program.group_by("npi").agg(
        pl.col("cents").max().alias("top_cents"),
        pl.col("cents").sum().alias("net_cents"),
        pl.col("cents").clip(lower_bound=0).sum().alias("positive_cents"),
    )
    top = (
        per_program.join(per_provider, on="npi")
        .filter(pl.col("cents") == pl.col("top_cents"))
        .group_by("npi")
        .agg(pl.col("program").min().alias("top_program"))
    )
    if programs_in_data is None:
        programs_in_data = seen.select(pl.col("program").n_unique()).collect(engine="streaming").item()
    return (
        per_provider.join(top, on="npi")
        .with_columns(pl.lit(programs_in_data, pl.Int64).alias("programs_in_data"))
        .select(list(PROGRAMS.schema))
        .sort("npi")
        .collect(engine="streaming")
    )


def measures(
    metrics: pl.DataFrame, *, growth: Growth, covered_claims_only: bool, whole_taxonomy: bool
) -> pl.DataFrame:
    """Return npi, year, taxonomy, state, claims and the four MEASURES of each row of `yearly_metrics`.

    m1 = payments / max(claims, 1), m2 = claims / max(beneficiaries, 1), m3 = payments, each as ln(m + 1).
    What cannot be measured is null: m2 without reported beneficiaries, m1 and m3 of a negative total.
    `covered_claims_only`: m2 counts only claims of programs that report beneficiaries.
    `growth`: log = x3 minus x3 of the year before, null after a gap; relative = (P - P_before) / max(P_before, 1)
    against the provider's row before, however long ago.
    """
    ordered = metrics if _is_ordered(metrics) else metrics.sort("npi", "year")
    payments = quotient(pl.col("payments_cents"), pl.lit(100.0))
    covered = pl.col("covered_claims" if covered_claims_only else "claims")
    kept = pl.when(pl.col("payments_cents") >= 0)
    taxonomy = (
        pl.col("taxonomy") if whole_taxonomy else pl.col("taxonomy").str.slice(0, _TAXONOMY_CODE_LENGTH)
    )
    logs = ordered.select(
        "npi",
        "year",
        taxonomy.cast(pl.Categorical),
        pl.col("state").cast(pl.Categorical),
        "claims",
        "payments_cents",
        kept.then((quotient(payments, pl.col("claims").clip(lower_bound=1)) + 1.0).log()).alias(MEASURES[0]),
        (quotient(covered, pl.col("beneficiaries").clip(lower_bound=1)) + 1.0).log().alias(MEASURES[1]),
        kept.then((payments + 1.0).log()).alias(MEASURES[2]),
    )
    return logs.with_columns(_growth(growth).alias(MEASURES[3])).drop("payments_cents")


def run(*, payments: Path, registry: Path, metrics: Path, programs: Path, config: MetricsStage) -> Receipt:
    """Write the yearly metrics and the program totals of the whole population."""
    last_year, window_years = config.scoring.date.year, config.components.window_years
    paid, places = artifacts.scan(payments, PAYMENTS), artifacts.scan(registry, REGISTRY)
    yearly = yearly_metrics(paid, places, last_year=last_year, window_years=window_years)
    artifacts.write(yearly, metrics, METRICS)
    years = yearly.height
    del yearly
    newest_years = config.components.concentration_years
    totals = program_totals(paid, last_year=last_year, window_years=window_years, newest_years=newest_years)
    artifacts.write(totals, programs, PROGRAMS)
    return Receipt(counts={"provider_years": years, "providers": totals.height})


def _growth(kind: Growth) -> pl.Expr:
    same = pl.col("npi") == pl.col("npi").shift(1)
    if kind == "log":
        consecutive = same & (pl.col("year") == pl.col("year").shift(1) + 1)
        return pl.when(consecutive).then(pl.col("payments") - pl.col("payments").shift(1))
    now = quotient(pl.col("payments_cents"), pl.lit(100.0))
    return pl.when(same).then(quotient(now - now.shift(1), now.shift(1).clip(lower_bound=1.0)))


def _in_window(last_year: int, window_years: int) -> pl.Expr:
    return pl.col("year").is_between(last_year - window_years + 1, last_year)


def _is_ordered(metrics: pl.DataFrame) -> bool:
    npi, year = pl.col("npi"), pl.col("year")
    before = (npi.shift(1) < npi) | ((npi.shift(1) == npi) & (year.shift(1) < year))
    return bool(metrics.select(before.fill_null(True).all()).item())
