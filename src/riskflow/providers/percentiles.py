"""Percent ranks: where a provider stands among its peers' payments per claim.

A percent rank is a function of one value and a stored population, so that a subset of providers scored
against stored references gets exactly what the full run gives it. Ties share a rank.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from riskflow import artifacts
from riskflow.config.providers import ReferenceStage
from riskflow.contracts.providers_scores import LEVEL_MEASURES, METRICS, PERCENTILES, REFERENCE
from riskflow.errors import RiskflowError
from riskflow.providers.arithmetic import quotient
from riskflow.providers.method import KEYS, Method, method_of
from riskflow.providers.reference import with_peers
from riskflow.receipts import Receipt

IntArray = NDArray[np.int64]
PER_CLAIM = LEVEL_MEASURES[0]
_UNITS = 1e9  # percent ranks are averaged as whole billionths: no order of years can change the mean


def billing_percentiles(
    metrics: pl.DataFrame, population: pl.DataFrame, reference: pl.DataFrame, method: Method
) -> pl.DataFrame:
    """Return npi, billing_outlier_percentile: the mean over years of the percent rank of payment per claim.

    Percent rank = 100 · peers strictly below / (peers - 1), at most 100, among the peer group that the
    ladder gives the row. `metrics` are the yearly metrics to rank, `population` those behind `reference`.
    NPIs without a rankable year have no row.
    """
    rows = _rankable(metrics, reference, method)
    if population is metrics:
        known = rows
    else:
        known = pl.concat(
            [_rankable(population, reference, method, asked=False), rows.with_columns(is_peer=False)]
        )
    ranked = [
        _with_below(known, level, rung.keys)
        for level, rung in enumerate(method.ladders[PER_CLAIM])
        if (rows["rung"] == level).any()
    ]
    if not ranked:
        return PERCENTILES.empty()
    others = (pl.col("n") - 1).clip(lower_bound=1)
    percent = quotient(100.0 * pl.col("below"), others).clip(0.0, 100.0)
    units = (percent * _UNITS).round().cast(pl.Int64)
    mean = quotient(units.sum(), pl.len() * _UNITS).alias("billing_outlier_percentile")
    return pl.concat(ranked).lazy().group_by("npi").agg(mean).sort("npi").collect()


def run(
    *, metrics: Path, reference: Path, output: Path, population: Path | None = None, config: ReferenceStage
) -> Receipt:
    """Write the billing percentiles; `population`: the metrics behind a stored reference, else `metrics` itself."""
    method = method_of(config.scoring, config.peers)
    rows = artifacts.read(metrics, METRICS)
    peers = rows if population is None else artifacts.read(population, METRICS)
    frame = billing_percentiles(rows, peers, artifacts.read(reference, REFERENCE), method)
    artifacts.write(frame, output, PERCENTILES)
    return Receipt(
        counts={"read": rows.height, "providers": frame.height}, facts={"stored": population is not None}
    )


def _rankable(
    metrics: pl.DataFrame, reference: pl.DataFrame, method: Method, *, asked: bool = True
) -> pl.DataFrame:
    """Return the rows that have a payment per claim and peers: npi, group keys, value, n, rung, is_peer, asked."""
    measured = method.measures(metrics).select("npi", *KEYS, PER_CLAIM, is_peer=_is_peer(method))
    rows = with_peers(measured.filter(pl.col(PER_CLAIM).is_not_null()), reference, method, only=(PER_CLAIM,))
    return rows.filter(pl.col(f"{PER_CLAIM}_rung").is_not_null()).select(
        "npi",
        *KEYS,
        "is_peer",
        pl.col(PER_CLAIM).alias("value"),
        pl.col(f"{PER_CLAIM}_n").alias("n"),
        pl.col(f"{PER_CLAIM}_rung").alias("rung"),
        pl.lit(asked).alias("asked"),
    )


def _is_peer(method: Method) -> pl.Expr:
    return (pl.col("claims") >= method.minimum_claims).fill_null(False)


def _with_below(known: pl.DataFrame, level: int, keys: tuple[str, ...]) -> pl.DataFrame:
    """Return npi, n and below (peers of the same group with a strictly smaller value) of the rows asked on a rung."""
    mine = pl.col("asked") & (pl.col("rung") == level)
    groups = known.filter(mine).select(keys).unique().with_row_index("group")
    rows = (
        known.lazy()
        .filter(mine | pl.col("is_peer"))
        .join(groups.lazy(), on=keys, how="inner")
        .select("npi", "n", "group", "value", "is_peer", mine.alias("mine"))
        .sort("group", "value")
        .collect()
    )
    if rows.filter("is_peer").select("group").n_unique() < groups.height:
        raise RiskflowError(
            "peer reference and population differ: a referenced peer group has no members",
            "use the yearly metrics and the peer reference of the same run",
        )
    below = _count_below(rows["group"].to_numpy(), rows["value"].to_numpy(), rows["is_peer"].to_numpy())
    return rows.select("npi", "n", "mine", pl.Series("below", below)).filter("mine").drop("mine")


def _count_below(group: IntArray, value: NDArray[np.float64], is_peer: NDArray[np.bool_]) -> IntArray:
    """Count the peers before each run of equal values inside its group; all arrays sorted by group, value."""
    before = np.cumsum(is_peer, dtype=np.int64) - is_peer
    new_group = np.append(True, group[1:] != group[:-1])
    new_run = new_group | np.append(True, value[1:] != value[:-1])
    at = np.arange(len(group))
    run_start = np.maximum.accumulate(np.where(new_run, at, 0))
    group_start = np.maximum.accumulate(np.where(new_group, at, 0))
    below: IntArray = before[run_start] - before[group_start]
    return below
