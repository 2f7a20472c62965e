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
from riskflow.providers.method import Method, method_of
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
    peers = rows if population is metrics else _rankable(population, reference, method)
    ranked = []
    for level, rung in enumerate(method.ladders[PER_CLAIM]):
        mine = rows.filter(pl.col(f"{PER_CLAIM}_rung") == level)
        if mine.height:
            groups = mine.select(rung.keys).unique()
            group_peers = peers.filter(pl.col("claims") >= method.minimum_claims).join(
                groups, on=rung.keys, how="semi"
            )
            ranked.append(mine.with_columns(_peers_below(mine, group_peers, rung.keys)))
    if not ranked:
        return pl.DataFrame(schema={"npi": pl.Int64, "billing_outlier_percentile": pl.Float64})
    others = (pl.col(f"{PER_CLAIM}_n") - 1).clip(lower_bound=1)
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


def _rankable(metrics: pl.DataFrame, reference: pl.DataFrame, method: Method) -> pl.DataFrame:
    needed = ["npi", "taxonomy", "state", "year", "claims", PER_CLAIM, f"{PER_CLAIM}_n", f"{PER_CLAIM}_rung"]
    rows = with_peers(method.measures(metrics), reference, method).select(needed)
    return rows.filter(pl.col(PER_CLAIM).is_not_null() & pl.col(f"{PER_CLAIM}_rung").is_not_null())


def _peers_below(rows: pl.DataFrame, peers: pl.DataFrame, keys: tuple[str, ...]) -> pl.Series:
    """Return, for each row, how many peers of its group (by `keys`) have a strictly smaller value."""
    groups = peers.select(keys).unique().with_row_index("group")
    asked = rows.select(*keys, PER_CLAIM).join(groups, on=keys, how="left", maintain_order="left")
    if asked["group"].null_count():
        raise RiskflowError(
            "peer reference and population differ: a referenced peer group has no members",
            "use the yearly metrics and the peer reference of the same run",
        )
    known = peers.select(*keys, PER_CLAIM).join(groups, on=keys, how="left")
    group = np.concatenate([known["group"].to_numpy(), asked["group"].to_numpy()])
    value = np.concatenate([known[PER_CLAIM].to_numpy(), asked[PER_CLAIM].to_numpy()])
    is_peer = np.zeros(len(group), dtype=np.int64)
    is_peer[: known.height] = 1
    order = (
        pl.DataFrame({"group": group, "value": value})
        .select(pl.arg_sort_by("group", "value"))
        .to_series()
        .to_numpy()
    )
    below = np.empty(len(group), dtype=np.int64)
    below[order] = _count_below(group[order], value[order], is_peer[order])
    return pl.Series("below", below[known.height :])


def _count_below(group: IntArray, value: NDArray[np.float64], is_peer: IntArray) -> IntArray:
    """Count the peers before each run of equal values inside its group; all arrays sorted by group, value."""
    before = np.cumsum(is_peer) - is_peer
    new_group = np.append(True, group[1:] != group[:-1])
    new_run = new_group | np.append(True, value[1:] != value[:-1])
    at = np.arange(len(group))
    run_start = np.maximum.accumulate(np.where(new_run, at, 0))
    group_start = np.maximum.accumulate(np.where(new_group, at, 0))
    below: IntArray = before[run_start] - before[group_start]
    return below
