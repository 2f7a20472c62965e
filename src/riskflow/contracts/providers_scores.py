"""Contracts of the scoring artifacts of the provider track: what metrics, reference, score, rank and explain write."""

from __future__ import annotations

import polars as pl

from riskflow.contracts.base import (
    Check,
    Column,
    Contract,
    FrameCheck,
    at_least,
    column,
    finite,
    in_range,
    not_empty,
    npi,
    npi_text,
    one_of,
)

COMPONENTS = ("billing", "ownership", "trajectory", "exclusion", "concentration")
LEVEL_MEASURES = ("payment_per_claim", "claims_per_beneficiary", "payments")
MEASURES = (*LEVEL_MEASURES, "growth")
FACTORS = ("data", "peers", "method", "weights")
TIERS = ("High", "Elevated", "Moderate", "Low")

_NPI = column(pl.Int64, "National Provider Identifier", npi())
_PERCENT = in_range(0, 100)
_YEAR = in_range(1990, 2100)


def _optional(dtype: type[pl.DataType], description: str, *checks: Check) -> Column:
    return column(dtype, description, *checks, nullable=True)


METRICS = Contract(
    name="providers_metrics",
    version=1,
    title="One row per provider and year of the window: totals over programs",
    key=("npi", "year"),
    columns={
        "npi": _NPI,
        "year": column(pl.Int32, "Calendar year", _YEAR),
        "taxonomy": _optional(pl.String, "Taxonomy code of the provider, where registered"),
        "state": _optional(pl.String, "State of the provider, where registered"),
        "payments_cents": column(pl.Int64, "Payments in cents, refunds deducted"),
        "claims": _optional(pl.Int64, "Claims; null when a program did not report them", at_least(0)),
        "beneficiaries": _optional(
            pl.Int64, "Beneficiaries; null when no program reported them", at_least(0)
        ),
        "covered_claims": column(pl.Int64, "Claims of the programs that reported beneficiaries", at_least(0)),
    },
)

PROGRAMS = Contract(
    name="providers_programs",
    version=2,
    title="One row per provider: the largest program of its newest years, and the totals it is a share of",
    key=("npi",),
    columns={
        "npi": _NPI,
        "top_program": column(
            pl.String, "Program with the largest payments (ties: first by name)", not_empty()
        ),
        "top_cents": column(pl.Int64, "Payments of that program, in cents"),
        "net_cents": column(pl.Int64, "Payments of all programs, refunds deducted, in cents"),
        "positive_cents": column(pl.Int64, "Payments of programs above 0, in cents", at_least(0)),
        "programs_in_data": column(
            pl.Int64, "How many programs the payments of the window cover", at_least(1)
        ),
    },
)

REFERENCE = Contract(
    name="providers_reference",
    version=1,
    title="One row per peer group and measure: global statistics, computed once",
    key=("basis", "taxonomy", "state", "year", "measure"),
    columns={
        "basis": column(pl.String, "Keys of the group, joined by +", not_empty()),
        "taxonomy": _optional(pl.String, "Taxonomy of the group; null where the basis does not use it"),
        "state": _optional(pl.String, "State of the group; null where the basis does not use it"),
        "year": _optional(pl.Int32, "Year of the group; null where the basis does not use it", _YEAR),
        "measure": column(
            pl.String, "What is compared, as ln(m + 1); growth by the method", one_of(MEASURES)
        ),
        "n": column(pl.Int64, "Peers that have the measure", at_least(1)),
        "peers": column(pl.Int64, "All peer rows of the group", at_least(1)),
        "median": column(pl.Float64, "Median of the measure", finite()),
        "mad": column(pl.Float64, "Median absolute deviation of the measure", at_least(0), finite()),
    },
    checks=(FrameCheck("n_within_peers", "no more values than peers", pl.col("n") <= pl.col("peers")),),
)

PERCENTILES = Contract(
    name="providers_percentiles",
    version=1,
    title="One row per provider with a year that can be ranked among peers",
    key=("npi",),
    columns={
        "npi": _NPI,
        "billing_outlier_percentile": column(
            pl.Float64, "Mean over years of the percent rank of payment per claim among peers", _PERCENT
        ),
    },
)

DISTRIBUTION = Contract(
    name="providers_distribution",
    version=1,
    title="The rank reference: distribution of r_raw over the scored providers",
    key=("r_raw",),
    columns={
        "r_raw": column(pl.Float64, "Value of r_raw", at_least(0), finite()),
        "providers": column(pl.Int64, "Providers with exactly this value", at_least(1)),
        "below": column(pl.Int64, "Providers with a smaller value", at_least(0)),
    },
)

_SCORED: dict[str, Column] = {
    "peer_taxonomy": _optional(pl.String, "Taxonomy code, where registered"),
    "peer_state": _optional(pl.String, "State, where registered"),
    "peer_basis": _optional(pl.String, "Keys of the peer group of the newest comparable year", not_empty()),
    "peer_n": _optional(pl.Int64, "Peers in that group", at_least(1)),
    "data_window_years": _optional(pl.List(pl.Int32), "Years with payments in the window"),  # type: ignore[arg-type]
    "r_raw": _optional(pl.Float64, "Weighted sum of the components; null when not scored", _PERCENT),
    "coverage": column(pl.Float64, "Share of the weights whose component could be measured", in_range(0, 1)),
    **{
        name: _optional(pl.Float64, f"Component {name}, 0 to 100; null: nothing to measure", _PERCENT)
        for name in COMPONENTS
    },
    **{
        f"{name}_contribution": _optional(
            pl.Float64, f"What {name} adds to r_raw; null when not scored", _PERCENT
        )
        for name in COMPONENTS
    },
    "billing_year": _optional(pl.Int32, "Year in which billing stood out most", _YEAR),
    "billing_measure": _optional(pl.String, "Measure that stood out most", one_of(LEVEL_MEASURES)),
    "billing_value": _optional(pl.Float64, "Its value, in dollars or claims", at_least(0), finite()),
    "billing_median": _optional(pl.Float64, "The peers' median, in the same unit", finite()),
    "billing_top_z": _optional(
        pl.Float64, "Robust deviations above the peers, cut at the cap", at_least(0), finite()
    ),
    "billing_peers": _optional(pl.Int64, "Peers in that comparison", at_least(1)),
    "growth_year": _optional(pl.Int32, "Year in which growth stood out most", _YEAR),
    "growth_value": _optional(
        pl.Float64, "Its growth (v1: difference of logarithms; claidex: share)", finite()
    ),
    "growth_median": _optional(pl.Float64, "The peers' median growth, in the same unit", finite()),
    "growth_top_z": _optional(
        pl.Float64, "Robust deviations above the peers, cut at the cap", at_least(0), finite()
    ),
    "top_program": _optional(pl.String, "Largest program of the newest years", not_empty()),
    "top_share": _optional(pl.Float64, "Its share of positive payments, in percent", _PERCENT),
    "not_scored_reason": _optional(pl.String, "Why there is no score; null when there is one", not_empty()),
}

_ADDS_UP = FrameCheck(
    "contributions_add_up",
    "the five contributions add up to r_raw within 1e-9",
    (pl.sum_horizontal(f"{name}_contribution" for name in COMPONENTS) - pl.col("r_raw")).abs() <= 1e-9,
)
_SCORED_OR_REASON = FrameCheck(
    "scored_or_reason",
    "either r_raw or not_scored_reason is there, never both",
    pl.col("r_raw").is_null() == pl.col("not_scored_reason").is_not_null(),
)

SHARD_SCORES = Contract(
    name="providers_shard_scores",
    version=1,
    title="One row per provider: components, contributions and evidence, before any ranking",
    key=("npi",),
    columns={"npi": _NPI, **_SCORED},
    checks=(_ADDS_UP, _SCORED_OR_REASON),
)

MERGED = Contract(
    name="providers_merged",
    version=1,
    title="The scores of all shards",
    key=("npi",),
    columns={"npi": _NPI, **_SCORED},
    checks=(_ADDS_UP, _SCORED_OR_REASON),
)

_PLACE: dict[str, Column] = {
    "risk_score": _optional(
        pl.Float64, "Percent of the other scored providers with a smaller r_raw", _PERCENT
    ),
    "rank": _optional(pl.Int64, "1 + scored providers with a larger r_raw", at_least(1)),
    "risk_label": _optional(pl.String, "Tier of the risk score", one_of(TIERS)),
    "billing_outlier_percentile": _optional(
        pl.Float64, "Mean over years of the percent rank of payment per claim among peers", _PERCENT
    ),
}

RANKS = Contract(
    name="providers_ranks",
    version=1,
    title="One row per provider: its place in the population",
    key=("npi",),
    columns={"npi": _NPI, **_PLACE},
    checks=(
        FrameCheck(
            "score_rank_and_tier_together",
            "risk_score, rank and risk_label are there together or not at all",
            (pl.col("risk_score").is_null() == pl.col("rank").is_null())
            & (pl.col("risk_score").is_null() == pl.col("risk_label").is_null()),
        ),
    ),
)

SCORES = Contract(
    name="providers_scores",
    version=1,
    title="The published scores: one explained row per provider",
    key=("npi",),
    columns={
        "npi": column(pl.String, "National Provider Identifier, ten digits", npi_text()),
        "display_name": _optional(pl.String, "Name as registered"),
        "entity_type": _optional(pl.String, "Individual or organization, as registered"),
        **_PLACE,
        **_SCORED,
        "flags": column(pl.String, "JSON list of raised flags: flag, value, threshold", not_empty()),
        "reasons": column(pl.List(pl.String), "Sentences with numbers, the largest contribution first"),
        "nearest_exclusion_hops": _optional(pl.Int64, "Hops to the nearest excluded owner", at_least(0)),
        "nearest_exclusion_path": _optional(pl.List(pl.String), "Names on the way to it"),  # type: ignore[arg-type]
        "chain_providers": _optional(pl.Int64, "Other providers under the same owners", at_least(0)),
        "chain_excluded_providers": _optional(pl.Int64, "Excluded ones among them", at_least(0)),
        "payments_after_exclusion_cents": _optional(
            pl.Int64, "Paid while excluded, in cents; null: never excluded"
        ),
        "previous_risk_score": _optional(pl.Float64, "risk_score of the earlier run", _PERCENT),
        "score_change": _optional(
            pl.Float64, "risk_score minus that of the earlier run", in_range(-100, 100)
        ),
        "previous_rank": _optional(pl.Int64, "Rank in the earlier run", at_least(1)),
        "rank_change": _optional(pl.Int64, "Places moved towards the top since the earlier run"),
        "method": column(pl.String, "Scoring method", one_of(("v1", "claidex"))),
        "method_version": column(pl.String, "Version of its formulas", not_empty()),
    },
    checks=(_ADDS_UP, _SCORED_OR_REASON),
)

_SCALE = {"r_raw": "r_raw", "risk_score": "risk_score (percentile)"}


def _change_columns(measure: str, what: str) -> dict[str, Column]:
    points = in_range(-100, 100)
    named = {
        f"{measure}_before": _optional(pl.Float64, f"{what} in the earlier run", _PERCENT),
        f"{measure}_after": _optional(pl.Float64, f"{what} in the later run", _PERCENT),
        f"{measure}_change": _optional(pl.Float64, "later minus earlier, where comparable", points),
    }
    return named | {
        f"{measure}_{factor}": _optional(pl.Float64, f"How much of it comes from {factor}", finite())
        for factor in FACTORS
    }


def _effects_add_up(measure: str, factors: tuple[str, ...], tolerance: float) -> FrameCheck:
    total = pl.sum_horizontal(f"{measure}_{factor}" for factor in factors)
    return FrameCheck(
        f"{measure}_effects_add_up",
        f"the effects add up to the change of {measure} within {tolerance:g}",
        (total - pl.col(f"{measure}_change")).abs() <= tolerance,
    )


CHANGES = Contract(
    name="providers_changes",
    version=1,
    title="One row per provider of two runs: what made its score change",
    key=("npi",),
    columns={
        "npi": _NPI,
        "status": column(
            pl.String,
            "both: scored in both runs and between",
            one_of(("both", "entered", "left", "not comparable")),
        ),
        **{name: c for measure, what in _SCALE.items() for name, c in _change_columns(measure, what).items()},
    },
    checks=tuple(_effects_add_up(measure, FACTORS, 1e-9) for measure in _SCALE),
)

GROUPINGS = ("all", "state", "taxonomy", "tier")

GROUP_CHANGES = Contract(
    name="providers_group_changes",
    version=1,
    title="One row per group of providers: what made its mean score change between two runs",
    key=("grouping", "group"),
    columns={
        "grouping": column(pl.String, "What the groups are by", one_of(GROUPINGS)),
        "group": column(pl.String, "The group; `unknown` where the provider has none", not_empty()),
        "providers_before": column(pl.Int64, "Scored providers of the group in the earlier run", at_least(0)),
        "providers_after": column(pl.Int64, "Scored providers of the group in the later run", at_least(0)),
        "providers_both": column(pl.Int64, "Comparable providers in the group in both runs", at_least(0)),
        **{
            name: c
            for measure, what in _SCALE.items()
            for name, c in {
                **_change_columns(measure, f"mean {what}"),
                f"{measure}_membership": _optional(
                    pl.Float64, "How much of it comes from providers joining and leaving the group", finite()
                ),
            }.items()
        },
    },
    checks=tuple(_effects_add_up(measure, (*FACTORS, "membership"), 1e-8) for measure in _SCALE),
)
