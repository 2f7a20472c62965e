"""Compare the scores of two runs: member by member, as a distribution, and by the variables that moved."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import polars as pl

from riskflow import artifacts
from riskflow.config.members_runs import MembersCompareStage
from riskflow.contracts.members_runs import (
    COMPARISON,
    COMPARISON_BINS,
    COMPARISON_SUMMARY,
    MOVED_VARIABLES,
    RUN,
)
from riskflow.contracts.members_scores import SCORES
from riskflow.errors import RiskflowError
from riskflow.members.record import identity_row
from riskflow.members.registry import RunIdentity
from riskflow.provenance import fingerprint
from riskflow.receipts import Receipt

PopulationMode = Literal["intersection", "union", "a_only", "b_only"]
UNCHANGED = 1e-12
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_EDGES = (-50.0, -10.0, -5.0, -2.0, -1.0, -0.5, -0.1, -0.01, 0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 50.0)


def member_scores(scores: pl.DataFrame, score: str) -> pl.DataFrame:
    """Return member_id, score and member_months: a member's spans averaged by their member months.

    `scores` has one row per member × plan span with member_id, span_id, member_months and the column `score`.
    A member whose spans have no member months is averaged over the spans plainly.
    """
    columns = scores.select("member_id", "span_id", "member_months", pl.col(score).alias("score"))
    alone = pl.col("member_id").is_unique()
    single = columns.filter(alone).drop("span_id")
    months = pl.col("member_months").sum()
    mean = (pl.col("score") * pl.col("member_months")).sum() / months
    several = (
        columns.filter(~alone)
        .sort("member_id", "span_id")
        .group_by("member_id", maintain_order=True)
        .agg(months, pl.when(months > 0).then(mean).otherwise(pl.col("score").mean()).alias("score"))
    )
    return (
        pl.concat([single, several.select(single.columns)])
        .select("member_id", "score", "member_months")
        .sort("member_id")
    )


def compared(a: pl.DataFrame, b: pl.DataFrame, population: PopulationMode) -> pl.DataFrame:
    """Return one row per member of the population: score_a, score_b, score_diff = b − a, and match_status.

    a, b: member_id, score, member_months, one row per member (member_scores). match_status is matched,
    a_only or b_only; a_only and b_only hold members of that run alone, whose difference does not exist (null).
    """
    joined = a.join(b, on="member_id", how="full", suffix="_b", coalesce=True).select(
        "member_id",
        pl.col("score").alias("score_a"),
        pl.col("score_b"),
        (pl.col("score_b") - pl.col("score")).alias("score_diff"),
        pl.col("member_months").alias("member_months_a"),
        pl.col("member_months_b"),
        pl.when(pl.col("score_b").is_null())
        .then(pl.lit("a_only"))
        .when(pl.col("score").is_null())
        .then(pl.lit("b_only"))
        .otherwise(pl.lit("matched"))
        .alias("match_status"),
    )
    wanted = {"intersection": ["matched"], "union": ["matched", "a_only", "b_only"]}.get(
        population, [population]
    )
    chosen = joined.filter(pl.col("match_status").is_in(wanted)).sort("member_id")
    if chosen.is_empty():
        raise RiskflowError(
            f"the {population} of the two runs has no members",
            "compare runs that share members, or use union",
        )
    return chosen


def distribution(comparison: pl.DataFrame) -> pl.DataFrame:
    """Return one row: members by match_status and direction; mean, spread and quantiles of score_diff (matched)."""
    diff = pl.col("score_diff")
    status = pl.col("match_status")
    return comparison.sort("member_id").select(
        pl.len().cast(pl.Int64).alias("members"),
        *[(status == name).sum().cast(pl.Int64).alias(name) for name in ("matched", "a_only", "b_only")],
        (diff > UNCHANGED).sum().cast(pl.Int64).alias("increased"),
        (diff < -UNCHANGED).sum().cast(pl.Int64).alias("decreased"),
        (diff.abs() <= UNCHANGED).sum().cast(pl.Int64).alias("unchanged"),
        pl.col("score_a").mean().alias("mean_a"),
        pl.col("score_b").mean().alias("mean_b"),
        diff.mean().alias("mean_diff"),
        diff.std(ddof=0).alias("sd_diff"),
        diff.min().alias("min_diff"),
        *[diff.quantile(q, "linear").alias(f"p{round(q * 100):02}_diff") for q in QUANTILES],
        diff.max().alias("max_diff"),
    )


def histogram(comparison: pl.DataFrame) -> pl.DataFrame:
    """Return bin, low, high and members of the matched differences, in fixed bins [low, high)."""
    bins = [None, *_EDGES, None]
    bounds = pl.DataFrame(
        {"bin": range(1, len(bins)), "low": bins[:-1], "high": bins[1:]},
        schema={"bin": pl.Int64, "low": pl.Float64, "high": pl.Float64},
    )
    place = pl.sum_horizontal([(pl.col("score_diff") >= edge).cast(pl.Int64) for edge in _EDGES]) + 1
    counts = (
        comparison.filter(pl.col("score_diff").is_not_null())
        .group_by(place.alias("bin"))
        .agg(pl.len().cast(pl.Int64).alias("members"))
    )
    return bounds.join(counts, on="bin", how="left", maintain_order="left").with_columns(
        pl.col("members").fill_null(0)
    )


def moved_variables(a: pl.DataFrame, b: pl.DataFrame, comparison: pl.DataFrame) -> pl.DataFrame:
    """Return per variable how many matched members have it in both runs, lost it, or gained it.

    a, b: member_id and `variables` (list of text), one row per member × span. mean_diff is the mean score
    change of the members who gained or lost the variable.
    """
    matched = comparison.filter(pl.col("match_status") == "matched").select("member_id", "score_diff")
    before, after = _member_variables(a, matched), _member_variables(b, matched)
    sides = before.join(after, on=["member_id", "variable"], how="full", coalesce=True, suffix="_b")
    status = (
        pl.when(pl.col("here").is_null())
        .then(pl.lit("gained"))
        .when(pl.col("here_b").is_null())
        .then(pl.lit("lost"))
        .otherwise(pl.lit("kept"))
    )
    named = (
        sides.select("member_id", "variable", status.alias("status"))
        .join(matched, on="member_id")
        .sort("member_id")
    )
    moved = pl.col("score_diff").filter(pl.col("status") != "kept")
    counts = [
        (pl.col("status") == name).sum().cast(pl.Int64).alias(name) for name in ("kept", "gained", "lost")
    ]
    return (
        named.group_by("variable", maintain_order=True)
        .agg(*counts, moved.mean().alias("mean_diff"))
        .with_columns((pl.col("gained") - pl.col("lost")).alias("net"))
        .sort(pl.col("gained") + pl.col("lost"), "variable", descending=[True, False])
        .select("variable", "kept", "gained", "lost", "net", "mean_diff")
    )


def _member_variables(scores: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    return (
        scores.select("member_id", pl.col("variables").alias("variable"))
        .join(members.select("member_id"), on="member_id", how="semi")
        .explode("variable")
        .drop_nulls("variable")
        .unique()
        .with_columns(pl.lit(True).alias("here"))
    )


def run(
    *,
    run_a: Path,
    scores_a: Path,
    run_b: Path,
    scores_b: Path,
    program: Path,
    output: Path,
    summary: Path,
    bins: Path,
    moved: Path,
    run_output: Path,
    config: MembersCompareStage,
) -> Receipt:
    """Write the comparison of two scored runs, member by member and summed up, and its run identity."""
    columns = ["member_id", "span_id", "member_months", config.comparison.score, "variables"]
    a, b = artifacts.read(scores_a, SCORES, columns), artifacts.read(scores_b, SCORES, columns)
    score, population = config.comparison.score, config.comparison.population
    members = compared(member_scores(a, score), member_scores(b, score), population)
    artifacts.write(members, output, COMPARISON)
    artifacts.write(distribution(members), summary, COMPARISON_SUMMARY)
    artifacts.write(histogram(members), bins, COMPARISON_BINS)
    artifacts.write(moved_variables(a, b, members), moved, MOVED_VARIABLES)
    rows = [artifacts.read(path, RUN).row(0, named=True) for path in (run_a, run_b)]
    identity = RunIdentity(
        analysis_type="comparison",
        calculator="riskflow.members.compare",
        model_version=" → ".join(dict.fromkeys(row["model_version"] for row in rows)),
        benefit_year=rows[1]["benefit_year"],
        inputs={
            f"scores.{side}": artifacts.content_digest(path)
            for side, path in (("a", scores_a), ("b", scores_b))
        },
        code=fingerprint(program),
        config={
            **config.comparison.model_dump(mode="json", exclude={"against"}),
            "run_id_a": rows[0]["run_id"],
            "run_id_b": rows[1]["run_id"],
        },
    )
    artifacts.write(identity_row(identity, rows[1]["data_effective"]), run_output, RUN)
    return Receipt(
        counts=dict(members.group_by("match_status").len().sort("match_status").iter_rows()),
        facts={"run_id": identity.run_id, "run_id_a": rows[0]["run_id"], "run_id_b": rows[1]["run_id"]},
    )
