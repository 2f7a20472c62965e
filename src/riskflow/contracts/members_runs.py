"""Contracts of what the members track says about runs: identity, comparison, decomposition, transfers."""

import polars as pl

from riskflow.contracts.base import Contract, at_least, column, finite, not_empty, one_of
from riskflow.contracts.members_sources import METALS

MATCH_STATUS = ("matched", "a_only", "b_only")
POPULATION_MODES = ("intersection", "union", "a_only", "b_only")
METHODS = ("sequential", "marginal", "factorial", "turnover", "grid")
POOLS = ("metal", "catastrophic")

RUN = Contract(
    name="members_run",
    version=1,
    title="Identity of one run: what its id is made of",
    key=("run_id",),
    columns={
        "run_id": column(pl.String, "Id of the run: a digest of the rest", not_empty()),
        "analysis_type": column(pl.String, "Kind of run", one_of(("scoring", "comparison", "decomposition"))),
        "calculator": column(pl.String, "Module that computes", not_empty()),
        "model_version": column(pl.String, "HHS-HCC classification version", not_empty()),
        "benefit_year": column(pl.Int64, "Benefit year", at_least(2021)),
        "data_effective": column(pl.Date, "Latest service date in the data", nullable=True),
        "config": column(pl.String, "Config snapshot, JSON", not_empty()),
        "inputs": column(pl.String, "Digests of data and code, JSON", not_empty()),
    },
)

COMPARISON = Contract(
    name="members_comparison",
    version=1,
    title="Scores of two runs, member by member",
    key=("member_id",),
    columns={
        "member_id": column(pl.String, "Member", not_empty()),
        "score_a": column(
            pl.Float64, "Score in run A, over the member's spans by member months", finite(), nullable=True
        ),
        "score_b": column(pl.Float64, "Score in run B", finite(), nullable=True),
        "score_diff": column(pl.Float64, "score_b − score_a; null unless matched", finite(), nullable=True),
        "member_months_a": column(pl.Float64, "Member months in run A", at_least(0), nullable=True),
        "member_months_b": column(pl.Float64, "Member months in run B", at_least(0), nullable=True),
        "match_status": column(pl.String, "Which of the runs has the member", one_of(MATCH_STATUS)),
    },
)

_DIFFERENCES = (
    "mean_diff",
    "sd_diff",
    "min_diff",
    "p01_diff",
    "p05_diff",
    "p25_diff",
    "p50_diff",
    "p75_diff",
)
COMPARISON_SUMMARY = Contract(
    name="members_comparison_summary",
    version=1,
    title="Distribution of the score differences between two runs",
    key=(),
    columns={
        name: column(pl.Int64, f"Members: {name}", at_least(0))
        for name in ("members", "matched", "a_only", "b_only", "increased", "decreased", "unchanged")
    }
    | {
        name: column(pl.Float64, f"{name} of the scores", nullable=True)
        for name in ("mean_a", "mean_b", *_DIFFERENCES, "p95_diff", "p99_diff", "max_diff")
    },
)

COMPARISON_BINS = Contract(
    name="members_comparison_bins",
    version=1,
    title="Histogram of the score differences between two runs",
    key=("bin",),
    columns={
        "bin": column(pl.Int64, "Number of the bin", at_least(1)),
        "low": column(pl.Float64, "Lower edge, within; null: no bound", nullable=True),
        "high": column(pl.Float64, "Upper edge, without; null: no bound", nullable=True),
        "members": column(pl.Int64, "Matched members in the bin", at_least(0)),
    },
)

MOVED_VARIABLES = Contract(
    name="members_moved_variables",
    version=1,
    title="Variables that matched members have in one run and not in the other",
    key=("variable",),
    columns={
        "variable": column(pl.String, "Variable of the model", not_empty()),
        "kept": column(pl.Int64, "Members with it in both runs", at_least(0)),
        "gained": column(pl.Int64, "Members with it in run B alone", at_least(0)),
        "lost": column(pl.Int64, "Members with it in run A alone", at_least(0)),
        "net": column(pl.Int64, "gained − lost"),
        "mean_diff": column(pl.Float64, "Mean score_diff of those who gained or lost it", nullable=True),
    },
)

DECOMPOSITION = Contract(
    name="members_decomposition",
    version=1,
    title="Effects that a change of scores is decomposed into",
    key=("name", "view", "dimension", "segment", "position"),
    columns={
        "name": column(pl.String, "Decomposition, from the definitions file", not_empty()),
        "view": column(pl.String, "Method, or path of a waterfall", not_empty()),
        "dimension": column(pl.String, "all, metal, age_band or region", not_empty()),
        "segment": column(pl.String, "Segment of the dimension", not_empty()),
        "position": column(pl.Int64, "Place of the effect in its list", at_least(1)),
        "effect": column(pl.String, "Name of the effect", not_empty()),
        "value": column(
            pl.Float64, "Effect on the metric; null where a run has no members of the segment", nullable=True
        ),
        "low": column(pl.Float64, "Lower end of the bootstrap interval", nullable=True),
        "high": column(pl.Float64, "Upper end of the bootstrap interval", nullable=True),
        "total": column(pl.Float64, "True change from baseline to actual", nullable=True),
        "residual": column(pl.Float64, "total − Σ named effects", nullable=True),
        "identity_gap": column(pl.Float64, "total − Σ effects, interaction included", nullable=True),
        "identity_holds": column(pl.Boolean, "Whether the gap is rounding only", nullable=True),
    },
)

DEFINITIONS = Contract(
    name="members_decomposition_definitions",
    version=1,
    title="Decompositions as they were asked for",
    key=("name",),
    columns={
        "name": column(pl.String, "Decomposition", not_empty()),
        "description": column(pl.String, "What it is for"),
        "method": column(pl.String, "Method", one_of(METHODS)),
        "metric": column(pl.String, "What is measured", one_of(("mean", "sum"))),
        "weight": column(pl.String, "What a member counts", one_of(("members", "member_months"))),
        "population": column(pl.String, "Population of the total", not_empty()),
        "baseline": column(pl.String, "Scenario at the start", not_empty()),
        "actual": column(pl.String, "Scenario at the end", not_empty()),
        "definition": column(pl.String, "The whole definition, JSON", not_empty()),
    },
)

SCENARIOS = Contract(
    name="members_decomposition_scenarios",
    version=1,
    title="Scenario runs of the decompositions",
    key=("name", "position"),
    columns={
        "name": column(pl.String, "Decomposition", not_empty()),
        "position": column(pl.Int64, "Place of the scenario in the decomposition", at_least(0)),
        "scenario": column(pl.String, "Name of the scenario", not_empty()),
        "scenario_run_id": column(pl.String, "Run that it stands for", not_empty()),
        "settings": column(pl.String, "What the run was made with, JSON", not_empty()),
        "members": column(pl.Int64, "Members scored", at_least(0)),
        "member_months": column(pl.Float64, "Their member months", at_least(0)),
        "value": column(pl.Float64, "The metric of the run", finite()),
    },
)

TRANSFERS = Contract(
    name="members_transfers",
    version=1,
    title="Risk adjustment state transfers per plan and rating area",
    key=("state", "market", "pool", "plan_id", "rating_area", "metal"),
    columns={
        "state": column(pl.String, "State"),
        "market": column(pl.String, "Market", not_empty()),
        "pool": column(pl.String, "Risk pool within the market", one_of(POOLS)),
        "plan_id": column(pl.String, "Plan", not_empty()),
        "rating_area": column(pl.Int64, "Rating area number in the state", at_least(0)),
        "metal": column(pl.String, "Metal level", one_of(METALS)),
        "member_months": column(pl.Float64, "Member months of all members", at_least(0)),
        "billable_months": column(pl.Float64, "Billable member months", at_least(0)),
        "plrs": column(pl.Float64, "Plan liability risk score over billable member months", finite()),
        "arf": column(pl.Float64, "Allowable rating factor", finite()),
        "av": column(pl.Float64, "Metal actuarial value", finite()),
        "idf": column(pl.Float64, "Induced demand factor", finite()),
        "gcf": column(pl.Float64, "Geographic cost factor", finite()),
        "average_premium": column(pl.Float64, "Dollars per billable member month", at_least(0)),
        "transfer_per_month": column(
            pl.Float64, "Dollars per billable member month; positive: received", finite()
        ),
        "transfer": column(pl.Float64, "Dollars; positive: received", finite()),
    },
)

TRANSFER_POOLS = Contract(
    name="members_transfer_pools",
    version=1,
    title="Statewide averages and balance of each transfer pool",
    key=("state", "market", "pool"),
    columns={
        "state": column(pl.String, "State"),
        "market": column(pl.String, "Market", not_empty()),
        "pool": column(pl.String, "Risk pool within the market", one_of(POOLS)),
        "plan_areas": column(pl.Int64, "Plans, once per rating area", at_least(1)),
        "billable_months": column(pl.Float64, "Billable member months", at_least(0)),
        "average_score": column(pl.Float64, "Statewide plan liability risk score", finite()),
        "average_risk": column(pl.Float64, "Σ s·PLRS·IDF·GCF", finite()),
        "average_rating": column(pl.Float64, "Σ s·AV·ARF·IDF·GCF", finite()),
        "average_premium": column(pl.Float64, "Statewide average premium, dollars a month", at_least(0)),
        "transfer_premium": column(pl.Float64, "P of the formula: 0.86 of the average premium", at_least(0)),
        "balance": column(pl.Float64, "Σ of all transfers, dollars: zero but for rounding", finite()),
        "transferred": column(pl.Float64, "Dollars that change hands", at_least(0)),
        "balanced": column(pl.Boolean, "Whether the balance is zero but for rounding"),
    },
)
