"""Risk adjustment state transfers per plan, by the HHS state payment transfer formula.

T_i = [PLRS_i·IDF_i·GCF_i / Σ s_j·PLRS_j·IDF_j·GCF_j − AV_i·ARF_i·IDF_i·GCF_i / Σ s_j·AV_j·ARF_j·IDF_j·GCF_j] · P,
P = 0.86 × statewide average premium, s the share of billable member months. Source: HHS Notice of Benefit and
Payment Parameters for 2014, 78 FR 15430 (formula, IDF, AV), and for 2018, 81 FR 94097 (the factor 0.86).
A pool is a market of a state; catastrophic plans are a pool of their own. A plan enters the formula once per
rating area, as its GCF differs there. The high-cost risk pool is not part of this.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.config.members_runs import MembersTransferStage
from riskflow.contracts.members_runs import TRANSFER_POOLS, TRANSFERS
from riskflow.contracts.members_scores import SCORES
from riskflow.contracts.members_sources import SPANS
from riskflow.errors import RiskflowError
from riskflow.members.billable import with_billable_share
from riskflow.members.rating import age_factor
from riskflow.members.sums import grouped_sums
from riskflow.members.transfer_factors import cost_factors_of
from riskflow.receipts import Receipt

PREMIUM_SHARE = 0.86
INDUCED_DEMAND = {"catastrophic": 1.00, "bronze": 1.00, "silver": 1.03, "gold": 1.08, "platinum": 1.15}
ACTUARIAL_VALUE = {"catastrophic": 0.57, "bronze": 0.60, "silver": 0.70, "gold": 0.80, "platinum": 0.90}
BALANCE_TOLERANCE = 1e-9
POOL = ["state", "market", "pool"]
UNIT = [*POOL, "plan_id", "rating_area", "metal"]


@dataclass(frozen=True)
class Transfers:
    """plans: one row per plan and rating area; pools: one row per pool with the balance check."""

    plans: pl.DataFrame
    pools: pl.DataFrame


def transfers(
    spans: pl.DataFrame, scores: pl.DataFrame, score: str, factors: pl.DataFrame | None = None
) -> Transfers:
    """Return transfers per billable member month and in dollars (positive: the plan receives), and the pools.

    spans: SPANS contract with premium and rating_area; scores: member_id, span_id, member_months and `score`
    (the plan liability risk score); factors: state, market, pool, rating_area, gcf (see transfer_factors), or
    None to derive them from the premiums in the data.
    """
    rows = _member_rows(spans, scores, score)
    geographic = factors if factors is not None else geographic_cost_factors(rows)
    units = _units(rows, geographic)
    pools = _pools(units)
    plans = _plan_transfers(units, pools)
    return Transfers(plans, _with_balance(pools, plans))


def _member_rows(spans: pl.DataFrame, scores: pl.DataFrame, score: str) -> pl.DataFrame:
    if spans["premium"].null_count() or spans["rating_area"].null_count():
        raise RiskflowError(
            f"transfers: {spans['premium'].null_count()} spans have no premium and "
            f"{spans['rating_area'].null_count()} no rating_area",
            "map both columns under members.source.spans.columns, or switch transfers off",
        )
    joined = with_billable_share(spans).join(
        scores.select("member_id", "span_id", "member_months", pl.col(score).alias("score")),
        on=["member_id", "span_id"],
        how="inner",
        maintain_order="left",
    )
    if joined.height != scores.height:
        raise RiskflowError(
            f"transfers: {scores.height - joined.height} scored spans are not among the spans"
        )
    billable = pl.col("member_months") * pl.col("billable_share")
    pool = pl.when(pl.col("metal") == "catastrophic").then(pl.lit("catastrophic")).otherwise(pl.lit("metal"))
    return joined.with_columns(pool.alias("pool"), billable.alias("billable_months")).with_columns(
        (pl.col("score") * pl.col("member_months")).alias("score_months"),
        (age_factor(pl.col("age")) * pl.col("billable_months")).alias("age_months"),
        (pl.col("premium") * pl.col("billable_months")).alias("premium_dollars"),
    )


def geographic_cost_factors(rows: pl.DataFrame) -> pl.DataFrame:
    """Return gcf per pool and rating area from premiums: age-standardised, relative to the pool's average.

    Silver plans stand for the metal pool, catastrophic plans for theirs (78 FR 15433). An area without such
    plans has 1.0.
    """
    reference = (pl.col("metal") == "silver") | (pl.col("metal") == "catastrophic")
    standard = rows.filter(reference).with_columns(
        (pl.col("premium_dollars") / age_factor(pl.col("age"))).alias("standard_dollars")
    )
    values, order = ["standard_dollars", "billable_months"], ["member_id", "span_id"]
    average = pl.col("standard_dollars") / pl.col("billable_months")
    areas = grouped_sums(standard, [*POOL, "rating_area"], values, order).with_columns(average.alias("area"))
    whole = grouped_sums(standard, POOL, values, order).with_columns(average.alias("whole"))
    ratio = pl.col("area") / pl.col("whole")
    known = areas.join(whole, on=POOL, how="left").select(
        *POOL, "rating_area", pl.when(ratio.is_finite() & (ratio > 0)).then(ratio).alias("gcf")
    )
    return (
        rows.select(*POOL, "rating_area")
        .unique()
        .join(known, on=[*POOL, "rating_area"], how="left")
        .with_columns(pl.col("gcf").fill_null(1.0))
        .sort(*POOL, "rating_area")
    )


def _units(rows: pl.DataFrame, geographic: pl.DataFrame) -> pl.DataFrame:
    sums = ["member_months", "billable_months", "score_months", "age_months", "premium_dollars"]
    units = grouped_sums(rows, UNIT, sums, ["member_id", "span_id"])
    if units.filter(pl.col("billable_months") <= 0).height:
        raise RiskflowError(
            "transfers: a plan has no billable member months in a rating area, so its risk score does not exist",
            "check family_id and rating_area: children of a family share both with the policy holder",
        )
    placed = units.join(geographic, on=[*POOL, "rating_area"], how="left")
    if placed["gcf"].null_count():
        raise RiskflowError(
            f"transfers: {placed['gcf'].null_count()} plans lie in rating areas without a geographic cost factor",
            "give the file with the factors of every rating area of the benefit year, or none to derive them",
        )
    months = pl.col("billable_months")
    return placed.with_columns(
        (pl.col("score_months") / months).alias("plrs"),
        (pl.col("age_months") / months).alias("arf"),
        (pl.col("premium_dollars") / months).alias("average_premium"),
        pl.col("metal").replace_strict(INDUCED_DEMAND, return_dtype=pl.Float64).alias("idf"),
        pl.col("metal").replace_strict(ACTUARIAL_VALUE, return_dtype=pl.Float64).alias("av"),
    ).with_columns(
        (pl.col("plrs") * pl.col("idf") * pl.col("gcf")).alias("risk"),
        (pl.col("av") * pl.col("arf") * pl.col("idf") * pl.col("gcf")).alias("rating"),
    )


def _pools(units: pl.DataFrame) -> pl.DataFrame:
    """Return the pools' billable months, statewide averages and the premium P of the formula."""
    weighted = units.with_columns(
        (pl.col("risk") * pl.col("billable_months")).alias("risk_months"),
        (pl.col("rating") * pl.col("billable_months")).alias("rating_months"),
    )
    sums = ["billable_months", "risk_months", "rating_months", "premium_dollars", "score_months"]
    months = pl.col("billable_months")
    pools = grouped_sums(weighted, POOL, sums, ["plan_id", "rating_area", "metal"])
    return pools.select(
        *POOL,
        pl.col("rows").alias("plan_areas"),
        months,
        (pl.col("score_months") / months).alias("average_score"),
        (pl.col("risk_months") / months).alias("average_risk"),
        (pl.col("rating_months") / months).alias("average_rating"),
        (pl.col("premium_dollars") / months).alias("average_premium"),
        (PREMIUM_SHARE * pl.col("premium_dollars") / months).alias("transfer_premium"),
    )


def _plan_transfers(units: pl.DataFrame, pools: pl.DataFrame) -> pl.DataFrame:
    averages = pools.select(*POOL, "average_risk", "average_rating", "transfer_premium")
    difference = pl.col("risk") / pl.col("average_risk") - pl.col("rating") / pl.col("average_rating")
    return (
        units.join(averages, on=POOL, how="left")
        .with_columns((difference * pl.col("transfer_premium")).alias("transfer_per_month"))
        .with_columns((pl.col("transfer_per_month") * pl.col("billable_months")).alias("transfer"))
        .select(
            *UNIT,
            "member_months",
            "billable_months",
            "plrs",
            "arf",
            "av",
            "idf",
            "gcf",
            "average_premium",
            "transfer_per_month",
            "transfer",
        )
        .sort(UNIT)
    )


def _with_balance(pools: pl.DataFrame, plans: pl.DataFrame) -> pl.DataFrame:
    """Add Σ of the pool's transfers in dollars, which must be zero, and raise when it is not."""
    moved = plans.with_columns(pl.col("transfer").abs().alias("paid"))
    sums = grouped_sums(moved, POOL, ["transfer", "paid"], ["plan_id", "rating_area", "metal"])
    scale = pl.max_horizontal(pl.col("average_premium") * pl.col("billable_months"), pl.lit(1.0))
    checked = pools.join(
        sums.select(*POOL, pl.col("transfer").alias("balance"), (pl.col("paid") / 2).alias("transferred")),
        on=POOL,
        how="left",
    ).with_columns((pl.col("balance").abs() <= BALANCE_TOLERANCE * scale).alias("balanced"))
    if not checked["balanced"].all():
        raise RiskflowError(
            f"transfers of {checked.filter(~pl.col('balanced')).height} pools do not add up to zero",
            "this is a fault of riskflow, not of your data: please report it with the receipt",
        )
    return checked.sort(POOL)


def run(
    *,
    spans: Path,
    scores: Path,
    plans: Path,
    pools: Path,
    config: MembersTransferStage,
    cost_factors: Path | None = None,
) -> Receipt:
    """Write the transfers of every plan and pool; `cost_factors` is the file of the config's cost_factors, if any."""
    chosen = cost_factors or (Path(config.transfers.cost_factors) if config.transfers.cost_factors else None)
    factors = cost_factors_of(chosen, config.transfers.cost_factor_year) if chosen else None
    people = artifacts.read(spans, SPANS)
    rated = artifacts.read(scores, SCORES, ["member_id", "span_id", "member_months", "csr_adjusted_score"])
    result = transfers(people, rated, "csr_adjusted_score", factors)
    artifacts.write(result.plans, plans, TRANSFERS)
    artifacts.write(result.pools, pools, TRANSFER_POOLS)
    return Receipt(
        counts={"plans": result.plans.height, "pools": result.pools.height},
        facts={
            "cost_factors": f"of {config.transfers.cost_factor_year}"
            if chosen
            else "derived from the premiums",
            "largest_imbalance_dollars": float(result.pools["balance"].abs().max() or 0.0),  # type: ignore[arg-type]
        },
    )
