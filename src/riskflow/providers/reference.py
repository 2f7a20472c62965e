"""Global peer statistics, computed once: median and median absolute deviation of each measure per peer group.

A shard never computes a statistic of its own: it looks its rows up here, so that no shard count, shard size
or row order can change a score. Medians do not depend on the order of the rows.
"""

from __future__ import annotations

import logging
from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.config.providers import ReferenceStage
from riskflow.contracts.providers_scores import MEASURES, METRICS, REFERENCE
from riskflow.providers.arithmetic import quotient
from riskflow.providers.method import KEYS, Method, Rung, method_of
from riskflow.receipts import Receipt, load

log = logging.getLogger("riskflow")

MAD_FLOOR = 1e-9
"""A median absolute deviation up to this is no spread."""
MAD_SCALE = 1.4826
"""Makes the median absolute deviation of a normal distribution its standard deviation."""


def peer_reference(metrics: pl.DataFrame, method: Method) -> pl.DataFrame:
    """Return the statistics of every peer group that a ladder of the method may use.

    `metrics`: the yearly metrics of the whole population. Rows with fewer than `minimum_claims` claims are
    nobody's peer; a row without taxonomy (or state) is in no group by taxonomy (or state).
    Columns: basis (keys joined by +), taxonomy, state, year (null where the basis does not use them), measure,
    n (peers that have the measure), peers (all rows of the group), median, mad. Groups too small for the method,
    or without spread where it needs some, are left out: a row looks for them on the next rung.
    """
    rows = method.measures(metrics).filter(pl.col("claims") >= method.minimum_claims)
    groups = [_group_statistics(rows, method, keys) for keys in method.rungs]
    return pl.concat(groups).sort("basis", "taxonomy", "state", "year", "measure", nulls_last=False)


def run(*, metrics: Path, output: Path, stored: Path | None = None, config: ReferenceStage) -> Receipt:
    """Write the peer statistics of the whole population, or pass on the stored ones of an earlier full run."""
    if stored is not None:
        kept = artifacts.write(artifacts.read(stored, REFERENCE), output, REFERENCE)
        made_at = _when_made(stored)
        log.info("using the stored references of %s, made %s", stored.parent, made_at)
        facts = {"stored": True, "digest": kept.digest, "of_run": str(stored.parent), "made": made_at}
        return Receipt(counts={"statistics": kept.rows}, facts=facts)
    rows = artifacts.read(metrics, METRICS)
    made = artifacts.write(peer_reference(rows, method_of(config.scoring, config.peers)), output, REFERENCE)
    return Receipt(
        counts={"read": rows.height, "statistics": made.rows}, facts={"stored": False, "digest": made.digest}
    )


def _when_made(stored: Path) -> str:
    """Return when a stored artifact was made, as the receipt in its run's folder says."""
    receipt = stored.parent / "receipts" / f"{stored.stem}.json"
    return str(load(receipt).run["started"]) if receipt.exists() else "at an unknown time"


def with_peers(
    rows: pl.DataFrame, reference: pl.DataFrame, method: Method, only: tuple[str, ...] = MEASURES
) -> pl.DataFrame:
    """Return the rows with `<measure>_median`, `_mad`, `_n` and `_rung` (0 = narrowest; null: no peers).

    The ladder is climbed once per distinct group of the rows, not once per row. `only`: these measures.
    """
    cells = rows.select(KEYS).unique()
    lookup = {keys: _wide(reference, keys) for keys in method.rungs}
    found = cells
    for keys, table in lookup.items():
        suffix = "@" + "+".join(keys)
        renamed = table.rename({name: name + suffix for name in table.columns if name not in keys})
        found = found.join(renamed, on=list(keys), how="left")
    chosen = [expr for measure in only for expr in _chosen(measure, method.ladders[measure])]
    return rows.join(
        found.select(*KEYS, *chosen), on=KEYS, how="left", nulls_equal=True, maintain_order="left"
    )


def robust_z(measure: str, cap: float) -> pl.Expr:
    """Return clip((x - median) / (1.4826 · max(MAD, 1e-9)), ± cap) of a measure; null without x or peers."""
    spread = MAD_SCALE * pl.col(f"{measure}_mad").clip(lower_bound=MAD_FLOOR)
    return quotient(pl.col(measure) - pl.col(f"{measure}_median"), spread).clip(-cap, cap)


def _group_statistics(rows: pl.DataFrame, method: Method, keys: tuple[str, ...]) -> pl.DataFrame:
    rungs = {m: rung for m, ladder in method.ladders.items() for rung in ladder if rung.keys == keys}
    known = rows.filter(pl.all_horizontal(pl.col(key).is_not_null() for key in keys))
    statistics = (
        known.lazy()
        .group_by(keys)
        .agg(pl.len().alias("peers"), *(expr for measure in rungs for expr in _statistics(measure)))
        .collect()
    )
    return pl.concat(_long(statistics, measure, rung) for measure, rung in rungs.items())


def _statistics(measure: str) -> tuple[pl.Expr, ...]:
    x = pl.col(measure)
    return (
        x.count().alias(f"{measure}_n"),
        x.median().alias(f"{measure}_median"),
        (x - x.median()).abs().median().alias(f"{measure}_mad"),
    )


def _long(statistics: pl.DataFrame, measure: str, rung: Rung) -> pl.DataFrame:
    def key(name: str, dtype: pl.DataType | type[pl.DataType]) -> pl.Expr:
        return (pl.col(name) if name in rung.keys else pl.lit(None)).cast(dtype).alias(name)

    size = pl.col("peers") if rung.counts == "peers" else pl.col(f"{measure}_n")
    usable = (size >= rung.minimum) & (pl.col(f"{measure}_n") > 0)
    if rung.needs_spread:
        usable &= pl.col(f"{measure}_mad") > MAD_FLOOR
    return statistics.filter(usable).select(
        pl.lit(rung.name).alias("basis"),
        key("taxonomy", pl.String),
        key("state", pl.String),
        key("year", pl.Int32),
        pl.lit(measure).alias("measure"),
        pl.col(f"{measure}_n").cast(pl.Int64).alias("n"),
        pl.col("peers").cast(pl.Int64),
        pl.col(f"{measure}_median").alias("median"),
        pl.col(f"{measure}_mad").alias("mad"),
    )


def _wide(reference: pl.DataFrame, keys: tuple[str, ...]) -> pl.DataFrame:
    """Return one row per group of a basis, with n, median and mad of every measure as columns."""
    level = reference.filter(pl.col("basis") == "+".join(keys)).with_columns(
        pl.col("taxonomy", "state").cast(pl.Categorical)
    )
    is_measure = [(m, pl.col("measure") == m) for m in MEASURES]
    return level.group_by(keys).agg(
        pl.col(stat).filter(own).first().alias(f"{measure}_{stat}")
        for measure, own in is_measure
        for stat in ("n", "median", "mad")
    )


def _chosen(measure: str, ladder: tuple[Rung, ...]) -> tuple[pl.Expr, ...]:
    """Return n, median, mad and rung number of the first rung that has statistics for a measure."""
    n = [pl.col(f"{measure}_n@{rung.name}") for rung in ladder]
    stats = [
        pl.coalesce(pl.col(f"{measure}_{stat}@{rung.name}") for rung in ladder).alias(f"{measure}_{stat}")
        for stat in ("n", "median", "mad")
    ]
    rung = pl.coalesce(pl.when(size.is_not_null()).then(pl.lit(level)) for level, size in enumerate(n))
    return (*stats, rung.cast(pl.Int8).alias(f"{measure}_rung"))
