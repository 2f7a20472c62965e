"""Explained scores: the published row per NPI, with flags, reasons, ownership path and change since a run before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.config.providers import ExplainStage
from riskflow.contracts.providers_scores import MERGED, RANKS, SCORES
from riskflow.contracts.providers_sources import EXCLUSION_FACTS, FEATURES
from riskflow.contracts.providers_universe import UNIVERSE
from riskflow.providers.method import VERSIONS
from riskflow.providers.reasons import flags, reasons
from riskflow.receipts import Receipt
from riskflow.sharding import planned_files

_SLICE = 200_000  # rows explained at a time: sentences take memory
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
    universe: pl.DataFrame,
    previous: pl.DataFrame | None,
    config: ExplainStage,
) -> pl.DataFrame:
    """Return the published scores (contract SCORES), one row per NPI of `merged`, npi as text.

    `exclusion_facts`: npi, payments_after_exclusion_cents; `universe`: npi, display_name, entity_type;
    `previous`: published scores of an earlier run (npi as text, risk_score, rank), or None.
    score_change is new minus previous; rank_change counts places moved towards the top.
    """
    facts = exclusion_facts.select("npi", "payments_after_exclusion_cents")
    frame = (
        merged.join(ranks, on="npi", how="left", maintain_order="left")
        .join(features.select(FEATURE_COLUMNS), on="npi", how="left", maintain_order="left")
        .join(facts, on="npi", how="left", maintain_order="left")
        .join(
            universe.select("npi", "display_name", "entity_type"), on="npi", how="left", maintain_order="left"
        )
    )
    method = config.scoring.method
    return (
        frame.with_columns(
            pl.col("npi").cast(pl.String),
            reasons(config.scoring),
            flags(config.flags),
            pl.lit(method).alias("method"),
            pl.lit(VERSIONS[method]).alias("method_version"),
        )
        .pipe(with_change, previous)
        .select(list(SCORES.schema))
    )


def run(
    *,
    merged: Path,
    ranks: Path,
    features: Path,
    plan: Path,
    exclusion_facts: Path,
    universe: Path,
    output: Path,
    previous: Path | None = None,
    config: ExplainStage,
) -> Receipt:
    """Write the published scores; `features` is the folder of the graph features, `previous` earlier scores."""
    before = (
        None if previous is None else artifacts.read(previous, SCORES, columns=["npi", "risk_score", "rank"])
    )
    shard_features = [
        artifacts.read(path, FEATURES, columns=FEATURE_COLUMNS) for path in planned_files(features, plan)
    ]
    tables = (
        artifacts.read(ranks, RANKS),
        pl.concat(shard_features),
        artifacts.read(exclusion_facts, EXCLUSION_FACTS, columns=["npi", "payments_after_exclusion_cents"]),
        artifacts.read(universe, UNIVERSE, columns=["npi", "display_name", "entity_type"]),
    )
    del shard_features
    scores = _stacked(list(_slices(artifacts.scan(merged, MERGED), tables, before, config)))
    del tables  # the sentences alone fill half a gigabyte for the whole country
    artifacts.write(scores, output, SCORES)
    counts = {"providers": scores.height, "flagged": int((scores["flags"] != "[]").sum())}
    return Receipt(counts={**counts, "compared": scores["previous_rank"].count()})


def _slices(
    merged: pl.LazyFrame,
    tables: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame],
    previous: pl.DataFrame | None,
    config: ExplainStage,
) -> Iterator[pl.DataFrame]:
    """Yield the explained scores of a range of NPIs after the other; at least one, which may be empty."""
    total = merged.select(pl.len()).collect().item()
    for start in range(0, max(total, 1), _SLICE):
        rows = merged.slice(start, _SLICE).collect()
        within = pl.col("npi").is_between(rows["npi"].min(), rows["npi"].max())
        ranks, features, facts, names = (table.filter(within) for table in tables)
        yield explained_scores(rows, ranks, features, facts, names, previous, config)


def _stacked(slices: list[pl.DataFrame]) -> pl.DataFrame:
    """Return the slices as one frame of one chunk, freeing each column of the slices once it is copied."""
    columns = []
    for name in slices[0].columns:
        columns.append(pl.concat([rows[name] for rows in slices], rechunk=True))
        slices[:] = [rows.drop(name) for rows in slices]
    return pl.DataFrame(columns)


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
