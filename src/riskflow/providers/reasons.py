"""Flags and reasons: what made a score what it is, in sentences with the numbers in them."""

from __future__ import annotations

import polars as pl

from riskflow.config.providers import FlagsSection, ScoringSection
from riskflow.contracts.providers_scores import COMPONENTS

MEASURE_NAMES = {
    "payment_per_claim": "payment per claim (dollars)",
    "claims_per_beneficiary": "claims per beneficiary",
    "payments": "yearly payments (dollars)",
}


def flags(thresholds: FlagsSection) -> pl.Expr:
    """Return the flags as a JSON list of {flag, value, threshold}; flags with two values have two of each."""
    percentile, paid_after = "billing_outlier_percentile", "payments_after_exclusion_cents"
    raised = [
        _flag("billing_outlier", percentile, thresholds.billing_percentile),
        _both("billing_and_growth", {"billing": thresholds.billing, "trajectory": thresholds.trajectory}),
        _flag("excluded_ownership", "ownership", thresholds.ownership),
        _flag("program_concentration", "concentration", thresholds.concentration),
        _flag("exclusion", "exclusion", thresholds.exclusion),
        pl.when(pl.col(paid_after) > 0).then(
            _json_flag("paid_after_exclusion", (pl.col(paid_after) / 100).cast(pl.String), "0")
        ),
    ]
    joined = pl.concat_str(raised, separator=",", ignore_nulls=True)
    return pl.concat_str(pl.lit("["), joined, pl.lit("]")).alias("flags")


def reasons(scoring: ScoringSection) -> pl.Expr:
    """Return the sentences of each row as a list, the largest contribution first (ties: the order of COMPONENTS).

    Payments after an exclusion come before everything.
    """
    texts = {
        "billing": _billing(),
        "ownership": _ownership(scoring),
        "trajectory": _trajectory(scoring),
        "exclusion": _exclusion(),
        "concentration": pl.format(
            "{}% of recent payments came from {}", _rounded("top_share"), "top_program"
        ),
    }
    sentences = pl.concat_list(_paid_after(), *(_with_points(name, texts[name]) for name in COMPONENTS))
    return sentences.list.gather(_order()).list.drop_nulls().alias("reasons")


def _order() -> pl.Expr:
    """Return the places of the sentences as a list: the first stays, then that of the largest contribution."""
    ranks = [_rank(name) for name in COMPONENTS]
    ordered = [
        pl.sum_horizontal(
            (rank == wanted).cast(pl.UInt32) * place for place, rank in enumerate(ranks, start=1)
        )
        for wanted in range(len(COMPONENTS))
    ]
    return pl.concat_list(pl.lit(0, pl.UInt32), *ordered)


def _rank(name: str) -> pl.Expr:
    """Return how many components contribute more than this one, or as much and come before it; none twice.

    A component that is missing counts as one that contributes nothing.
    """
    points = {other: pl.col(f"{other}_contribution").fill_null(0.0) for other in COMPONENTS}
    earlier = COMPONENTS[: COMPONENTS.index(name)]
    more = [points[other] > points[name] for other in COMPONENTS if other != name]
    as_much = [points[other] == points[name] for other in earlier]
    return pl.sum_horizontal(*(condition.cast(pl.Int8) for condition in (*more, *as_much)))


def _flag(name: str, column: str, threshold: float) -> pl.Expr:
    value = _rounded(column, 2).cast(pl.String)
    return pl.when(pl.col(column) >= threshold).then(_json_flag(name, value, f"{threshold:g}"))


def _both(name: str, thresholds: dict[str, float]) -> pl.Expr:
    values = pl.format("[{},{}]", *(_rounded(column, 2) for column in thresholds))
    limits = ",".join(f"{threshold:g}" for threshold in thresholds.values())
    raised = pl.all_horizontal(pl.col(column) >= threshold for column, threshold in thresholds.items())
    return pl.when(raised).then(_json_flag(name, values, f"[{limits}]"))


def _json_flag(name: str, value: pl.Expr, threshold: str) -> pl.Expr:
    before, after = f'{{"flag":"{name}","value":', f',"threshold":{threshold}}}'
    return pl.concat_str(pl.lit(before), value, pl.lit(after))


def _with_points(name: str, text: pl.Expr) -> pl.Expr:
    points = pl.col(f"{name}_contribution")
    return pl.when(points > 0).then(pl.format(f"+{{}} points from {name}: {{}}", points.round(1), text))


def _billing() -> pl.Expr:
    return pl.format(
        "{} was {} in {} against a median of {} among {} peers ({} robust deviations above)",
        pl.col("billing_measure").replace(MEASURE_NAMES),
        grouped(pl.col("billing_value")),
        "billing_year",
        grouped(pl.col("billing_median")),
        grouped(pl.col("billing_peers")),
        _rounded("billing_top_z", 2),
    )


def _trajectory(scoring: ScoringSection) -> pl.Expr:
    def percent(column: str) -> pl.Expr:
        share = pl.col(column) if scoring.method == "claidex" else pl.col(column).exp() - 1.0
        return (100.0 * share).round(1)

    return pl.format(
        "payments changed by {}% in {} against a peer median of {}%",
        percent("growth_value"),
        "growth_year",
        percent("growth_median"),
    )


def _ownership(scoring: ScoringSection) -> pl.Expr:
    if scoring.method == "claidex":
        chain = ("chain_excluded_providers", "chain_providers")
        return pl.format("{} of {} providers in the ownership chain are excluded", *chain)
    path = pl.col("nearest_exclusion_path").list.join(" → ")
    return pl.format("the nearest excluded owner is {} hops up ({})", "nearest_exclusion_hops", path)


def _exclusion() -> pl.Expr:
    return (
        pl.when(pl.col("exclusion") >= 100.0)
        .then(pl.lit("it is itself excluded at the scoring date"))
        .when(pl.col("exclusion") >= 80.0)
        .then(pl.lit("a direct owner is excluded at the scoring date"))
        .otherwise(pl.lit("a member of its ownership chain is excluded at the scoring date"))
    )


def _paid_after() -> pl.Expr:
    cents = pl.col("payments_after_exclusion_cents")
    return pl.when(cents > 0).then(
        pl.format("{} dollars were paid after its exclusion", grouped(cents / 100))
    )


def grouped(number: pl.Expr) -> pl.Expr:
    """Return a number of 0 or more as a person writes it: 0.25, 999.4, 12,345 (from a thousand on without cents)."""
    whole = number.round(0).cast(pl.Int64)
    text = number.round(2).cast(pl.String).str.strip_suffix(".0")
    for digits, below in ((3, 1_000_000), (6, 1_000_000_000), (9, 1_000_000_000_000)):
        groups = [(whole // 10**place) % 1000 for place in range(digits - 3, -1, -3)]
        padded = [pl.lit(",") + group.cast(pl.String).str.zfill(3) for group in groups]
        long = pl.concat_str((whole // 10**digits).cast(pl.String), *padded)
        text = pl.when(whole.is_between(10**digits, below - 1)).then(long).otherwise(text)
    return text


def _rounded(column: str, digits: int = 1) -> pl.Expr:
    return pl.col(column).round(digits)
