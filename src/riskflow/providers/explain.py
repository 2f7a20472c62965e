"""Explained scores: the published row per NPI, with flags, reasons, ownership path and change since a run before."""

from __future__ import annotations

import polars as pl

from riskflow.config.providers import ExplainStage
from riskflow.contracts.providers_scores import SCORES
from riskflow.providers.method import VERSIONS
from riskflow.providers.reasons import flags, ordered_reasons

FEATURE_COLUMNS = (
    "npi",
    "nearest_exclusion_hops",
    "nearest_exclusion_path",
    "chain_providers",
    "chain_excluded_providers",
)


def explained_scores(
    merged: pl.DataFrame,
    ranks: pl.DataFrame,
    features: pl.DataFrame,
    exclusion_facts: pl.DataFrame,
    registry: pl.DataFrame,
    previous: pl.DataFrame | None,
    config: ExplainStage,
) -> pl.DataFrame:
    """Return the published scores (contract SCORES), one row per NPI of `merged`, npi as text.

    `exclusion_facts`: npi, payments_after_exclusion_cents; `registry`: npi, display_name, entity_type;
    `previous`: published scores of an earlier run (npi as text, risk_score, rank), or None.
    score_change is new minus previous; rank_change counts places moved towards the top.
    """
    facts = exclusion_facts.select("npi", "payments_after_exclusion_cents")
    frame = (
        merged.join(ranks, on="npi", how="left", maintain_order="left")
        .join(features.select(FEATURE_COLUMNS), on="npi", how="left", maintain_order="left")
        .join(facts, on="npi", how="left", maintain_order="left")
        .join(
            registry.select("npi", "display_name", "entity_type"), on="npi", how="left", maintain_order="left"
        )
    )
    method = config.scoring.method
    return (
        frame.join(ordered_reasons(frame, config.scoring), on="npi", how="left", maintain_order="left")
        .with_columns(
            pl.col("npi").cast(pl.String),
            pl.col("reasons").fill_null([]),
            flags(config.flags),
            pl.lit(method).alias("method"),
            pl.lit(VERSIONS[method]).alias("method_version"),
        )
        .pipe(with_change, previous)
        .select(list(SCORES.schema))
    )


def with_change(scores: pl.DataFrame, previous: pl.DataFrame | None) -> pl.DataFrame:
    """Add previous_risk_score, score_change, previous_rank and rank_change; all null without an earlier run."""
    if previous is None:
        previous = pl.DataFrame(schema={"npi": pl.String, "risk_score": pl.Float64, "rank": pl.Int64})
    before = previous.select(
        "npi", pl.col("risk_score").alias("previous_risk_score"), pl.col("rank").alias("previous_rank")
    )
    return scores.join(before, on="npi", how="left", maintain_order="left").with_columns(
        (pl.col("risk_score") - pl.col("previous_risk_score")).alias("score_change"),
        (pl.col("previous_rank") - pl.col("rank")).alias("rank_change"),
    )
