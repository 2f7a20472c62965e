"""Point-in-time backtest: a score as of a past day against the exclusions that came after it.

Only what was known on that day goes into the score (see `past`). Providers at risk are those scored and not
under exclusion on that day; positives are those of them whose exclusion began within the horizon.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from riskflow import artifacts
from riskflow.config.providers import BacktestStage
from riskflow.contracts.providers_sources import BACKTEST, EXCLUSIONS, OWNERSHIP, PAYMENTS, REGISTRY
from riskflow.providers.exclusions import is_active, known_on
from riskflow.providers.past import payments_known_on, scores_as_of
from riskflow.receipts import Receipt

_QUANTILES = (0.025, 0.975)
_Weighted = tuple[np.ndarray, np.ndarray]  # positives and negatives per distinct score, highest score first


def horizon_end(as_of: dt.date, months: int) -> dt.date:
    """Return the last day of the outcome window: `months` calendar months after a day."""
    end = pl.select(pl.lit(as_of).dt.offset_by(f"{months}mo")).item()
    assert isinstance(end, dt.date)
    return end


def outcomes(
    scored: pl.DataFrame, exclusions: pl.DataFrame, as_of: dt.date, months: int, waivers_count: bool = False
) -> pl.DataFrame:
    """Return npi, excluded_later of the providers at risk: scored, and not under exclusion on the day."""
    known = exclusions.filter(pl.col("npi").is_not_null())
    active = known_on(known, as_of).filter(is_active(as_of, waivers_count))
    later = known.filter((pl.col("excl_date") > as_of) & (pl.col("excl_date") <= horizon_end(as_of, months)))
    return (
        scored.select("npi")
        .join(active, on="npi", how="anti")
        .with_columns(excluded_later=pl.col("npi").is_in(later["npi"].unique().implode()))
        .sort("npi")
    )


def baselines(
    scored: pl.DataFrame, payments: pl.LazyFrame, exclusions: pl.DataFrame, as_of: dt.date
) -> pl.DataFrame:
    """Return npi, size_only (cents paid until the day), exclusion_history_only (exclusions begun until it)."""
    paid = payments_known_on(payments, as_of).group_by("npi").agg(pl.col("payments_cents").sum()).collect()
    history = exclusions.filter(pl.col("excl_date") <= as_of).group_by("npi").agg(pl.len().alias("listed"))
    return (
        scored.select("npi")
        .join(paid, on="npi", how="left")
        .join(history, on="npi", how="left")
        .select(
            "npi",
            pl.col("payments_cents").fill_null(0).cast(pl.Float64).alias("size_only"),
            pl.col("listed").fill_null(0).cast(pl.Float64).alias("exclusion_history_only"),
        )
        .sort("npi")
    )


def evaluate(
    scores: pl.DataFrame, at_risk: pl.DataFrame, *, top: Sequence[int], resamples: int, seed: int
) -> pl.DataFrame:
    """Return the metrics of every score column against the outcomes (contract BACKTEST).

    `scores`: npi and one column per scorer (Float64, higher is riskier; null counts below every number);
    `at_risk`: npi, excluded_later. Ties share their rank: a list head that cuts a tie takes its expected part.
    Intervals are bootstrap quantiles over providers.
    """
    joined = at_risk.join(scores, on="npi", how="left").sort("npi")
    names = [name for name in scores.columns if name != "npi"]
    rows = [row for name in names for row in _scorer_rows(joined, name, top, resamples, seed)]
    return pl.DataFrame(rows, schema=BACKTEST.schema, orient="row").sort(BACKTEST.key)


def _scorer_rows(
    joined: pl.DataFrame, name: str, top: Sequence[int], resamples: int, seed: int
) -> list[tuple[object, ...]]:
    groups = _by_score(joined, name)
    size, positives = joined.height, int(joined["excluded_later"].sum())
    metrics = _metrics(sorted({k for k in top if 0 < k <= size}))
    values = {key: metric(groups) for key, metric in metrics.items()}
    drawn = _resampled(groups, metrics, resamples, seed)
    return [
        (name, metric, k, values[metric, k], *_interval(drawn[metric, k]), size, positives)
        for metric, k in metrics
    ]


def _by_score(joined: pl.DataFrame, name: str) -> _Weighted:
    """Return how many positives and negatives have each distinct score, highest first.

    Neighbouring scores without a positive are one group: no metric can tell them apart, and what is left is
    small at any size of the population.
    """
    lowest = pl.col(name).fill_null(float("-inf"))
    grouped = joined.group_by(lowest.alias("score")).agg(
        pl.col("excluded_later").sum().alias("positive"), (~pl.col("excluded_later")).sum().alias("negative")
    )
    bare = pl.col("positive") == 0
    run = (~(bare & bare.shift(1, fill_value=False))).cum_sum().alias("run")
    ordered = (
        grouped.sort("score", descending=True)
        .group_by(run, maintain_order=True)
        .agg(pl.col("positive", "negative").sum())
    )
    return ordered["positive"].cast(pl.Int64).to_numpy(), ordered["negative"].cast(pl.Int64).to_numpy()


def _metrics(top: Sequence[int]) -> dict[tuple[str, int], Callable[[_Weighted], float | None]]:
    metrics: dict[tuple[str, int], Callable[[_Weighted], float | None]] = {
        ("roc_auc", 0): roc_auc,
        ("pr_auc", 0): average_precision,
    }
    for k in top:
        metrics["precision_at_k", k] = partial(precision_at, k=k)
        metrics["recall_at_k", k] = partial(recall_at, k=k)
        metrics["lift_at_k", k] = partial(lift_at, k=k)
    return metrics


def roc_auc(groups: _Weighted) -> float | None:
    """Return the chance that a positive scores above a negative, ties counting half; None without both."""
    positive, negative = groups
    if not positive.sum() or not negative.sum():
        return None
    below = negative.sum() - np.cumsum(negative)
    wins = int((positive * (2 * below + negative)).sum())
    return float(wins / (2 * int(positive.sum()) * int(negative.sum())))


def average_precision(groups: _Weighted) -> float | None:
    """Return the area under precision and recall in steps, each tie one step; None without positives."""
    positive, negative = groups
    if not positive.sum():
        return None
    hits, listed = np.cumsum(positive), np.cumsum(positive + negative)
    precision = np.divide(hits, listed, out=np.zeros(len(hits)), where=listed > 0)
    return float((positive * precision).sum() / positive.sum())


def hits_at(groups: _Weighted, k: int) -> float:
    """Return the expected positives among the first k; a tie that k cuts gives its share."""
    positive, negative = groups
    size = positive + negative
    before = np.cumsum(size) - size
    taken = np.clip(k - before, 0, size)
    return float(np.divide(positive * taken, size, out=np.zeros(len(size)), where=size > 0).sum())


def precision_at(groups: _Weighted, k: int) -> float | None:
    """Return the positives among the first k, as a share of k."""
    return hits_at(groups, k) / k


def recall_at(groups: _Weighted, k: int) -> float | None:
    """Return the positives among the first k, as a share of all positives; None without any."""
    total = int(groups[0].sum())
    return hits_at(groups, k) / total if total else None


def lift_at(groups: _Weighted, k: int) -> float | None:
    """Return precision at k over the share of positives in the population; None without positives."""
    positive, negative = groups
    total = int(positive.sum())
    return hits_at(groups, k) / k * int(positive.sum() + negative.sum()) / total if total else None


def _resampled(
    groups: _Weighted,
    metrics: dict[tuple[str, int], Callable[[_Weighted], float | None]],
    resamples: int,
    seed: int,
) -> dict[tuple[str, int], list[float]]:
    """Return each metric over resamples of providers with replacement.

    Drawing n providers is drawing how many fall into each group of equal score and outcome: a multinomial.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    counts = np.concatenate(groups)
    size = int(counts.sum())
    held = counts > 0
    drawn: dict[tuple[str, int], list[float]] = {key: [] for key in metrics}
    for _ in range(resamples if size else 0):
        sample = np.zeros(len(counts), np.int64)
        sample[held] = rng.multinomial(size, counts[held] / size)
        resampled = sample[: len(groups[0])], sample[len(groups[0]) :]
        for key, metric in metrics.items():
            value = metric(resampled)
            if value is not None:
                drawn[key].append(value)
    return drawn


def _interval(values: Sequence[float]) -> tuple[float | None, float | None]:
    if not values:
        return None, None
    low, high = np.quantile(values, _QUANTILES)
    return float(low), float(high)


def run(
    *, payments: Path, registry: Path, exclusions: Path, ownership: Path, output: Path, config: BacktestStage
) -> Receipt:
    """Score as of a past day, and compare with the exclusions that came after it."""
    paid, listed = artifacts.scan(payments, PAYMENTS), artifacts.read(exclusions, EXCLUSIONS)
    section = config.backtest
    scored = scores_as_of(
        paid, artifacts.scan(registry, REGISTRY), listed, artifacts.read(ownership, OWNERSHIP), config
    )
    at_risk = outcomes(scored, listed, section.as_of, section.horizon_months, config.exclusions.waivers_count)
    compared = scored.rename({"r_raw": config.scoring.method}).join(
        baselines(scored, paid, listed, section.as_of), on="npi"
    )
    found = evaluate(compared, at_risk, top=section.top, resamples=section.resamples, seed=section.seed)
    artifacts.write(found, output, BACKTEST)
    counts = {"scored": scored.height, "at_risk": at_risk.height}
    return Receipt(counts=counts | {"excluded_later": int(at_risk["excluded_later"].sum())})
