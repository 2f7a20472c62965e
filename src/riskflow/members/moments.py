"""Weighted sums of scores per segment and bucket of members: all that an effect and its interval need.

A member belongs to one bucket (its rank among all member ids modulo the number of buckets) in every run.
An effect is a function of the sums over buckets, and a bootstrap replicate draws buckets with replacement;
with no more members than buckets this is the ordinary bootstrap over members. Sums run in member order, so
that equal inputs give equal bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from riskflow.errors import RiskflowError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Population = Literal["intersection", "baseline_population", "scenario_population"]
Metric = Literal["mean", "sum"]
Weight = Literal["members", "member_months"]
ALL = "all"
_REMEMBERED = 4


@dataclass(frozen=True)
class Options:
    """How effects are measured: mean or sum, weight per member, bootstrap replicates, buckets, level and seed."""

    metric: Metric = "mean"
    weight: Weight = "members"
    replicates: int = 0
    buckets: int = 1000
    level: float = 0.95
    seed: int = 1


@dataclass(frozen=True)
class MemberIndex:
    """All members of a decomposition in order, and the segment of each member per dimension.

    `segments` maps a dimension (metal, age_band, region) to its sorted labels and each member's label number.
    """

    members: pl.Series
    segments: Mapping[str, tuple[list[str], IntArray]]
    _places: list[tuple[pl.Series, IntArray]] = field(default_factory=list, repr=False, compare=False)

    def buckets(self, wanted: int) -> int:
        """Return the number of buckets: at most one per member."""
        return max(1, min(wanted, self.members.len()))

    def places(self, members: pl.Series) -> IntArray:
        """Return each member's place in the index; the last few lists of members are remembered."""
        for known, place in self._places:
            if known is members or known.equals(members):
                return place
        numbered = pl.DataFrame({"member_id": self.members}).with_row_index("place")
        wanted = pl.DataFrame({"member_id": members})
        found = wanted.join(numbered, on="member_id", how="left", maintain_order="left")["place"]
        if found.null_count():
            raise RiskflowError("a run has members that the index of the decomposition lacks")
        places: IntArray = found.cast(pl.Int64).to_numpy()
        self._places.insert(0, (members, places))
        del self._places[_REMEMBERED:]
        return places


def member_index(runs: list[pl.DataFrame], dimensions: list[str] | None = None) -> MemberIndex:
    """Return the index of all members of the runs; a member's segment is that of the last run that has it.

    Runs have member_id and, for each dimension, a text column.
    """
    chosen = dimensions or []
    columns = ["member_id", *chosen]
    stacked = pl.concat([run.select(columns) for run in reversed(runs)])
    unique = stacked.unique("member_id", keep="first", maintain_order=True).sort("member_id")
    segments: dict[str, tuple[list[str], IntArray]] = {ALL: ([ALL], np.zeros(unique.height, dtype=np.int64))}
    for dimension in chosen:
        labels = sorted(unique[dimension].fill_null("unknown").unique().to_list())
        codes = unique[dimension].fill_null("unknown").cast(pl.Enum(labels)).to_physical()
        segments[dimension] = (labels, codes.cast(pl.Int64).to_numpy())
    return MemberIndex(unique["member_id"], segments)


@dataclass(frozen=True)
class AlignedRun:
    """One run over all members of the index: score (0 where absent), member months, and who is in it."""

    score: FloatArray
    months: FloatArray
    present: NDArray[np.bool_]


def aligned(run: pl.DataFrame, index: MemberIndex) -> AlignedRun:
    """Return a run (member_id, score, member_months; one row per member) in the order of the index."""
    place = index.places(run["member_id"])
    present = np.zeros(index.members.len(), np.bool_)
    score, months = np.zeros(present.size), np.zeros(present.size)
    present[place] = True
    if int(present.sum()) != run.height:
        raise RiskflowError(
            "a run has more than one row for a member", "average the spans of a member first (member_scores)"
        )
    score[place], months[place] = run["score"].to_numpy(), run["member_months"].to_numpy()
    return AlignedRun(score, months, present)


@dataclass(frozen=True)
class Moments:
    """Per segment and bucket of one dimension: sum of weights and sum of weight × value."""

    weight: FloatArray
    total: FloatArray

    def value(self, metric: Metric, draws: FloatArray | None = None) -> FloatArray:
        """Return mean or sum per segment, or per segment and replicate; an empty set has no mean (NaN)."""
        total, weight = self.drawn_total(draws), self.drawn_weight(draws)
        if metric == "sum":
            summed: FloatArray = np.where(weight > 0, total, np.nan)
            return summed
        with np.errstate(invalid="ignore", divide="ignore"):
            mean: FloatArray = total / weight
        return mean

    def drawn_total(self, draws: FloatArray | None) -> FloatArray:
        """Return the sum of weight × value per segment, or per segment and replicate."""
        return _drawn(self.total, draws)

    def drawn_weight(self, draws: FloatArray | None) -> FloatArray:
        """Return the sum of weights per segment, or per segment and replicate."""
        return _drawn(self.weight, draws)


def _drawn(sums: FloatArray, draws: FloatArray | None) -> FloatArray:
    if draws is None:
        whole: FloatArray = sums.sum(axis=1)
        return whole
    drawn: FloatArray = np.einsum("sk,bk->sb", sums, draws)
    return drawn


def moments(
    values: FloatArray, weights: FloatArray, index: MemberIndex, dimension: str, buckets: int
) -> Moments:
    """Return the sums of `values` under `weights` (0 = not in the set) per segment and bucket."""
    labels, codes = index.segments[dimension]
    cell = codes * buckets + np.arange(codes.size) % buckets
    shape = (len(labels), buckets)
    cells = shape[0] * shape[1]
    weight = np.bincount(cell, weights, minlength=cells).astype(np.float64).reshape(shape)
    total = np.bincount(cell, weights * values, minlength=cells).astype(np.float64).reshape(shape)
    return Moments(weight, total)


def run_set(run: AlignedRun, weight: Weight) -> tuple[FloatArray, FloatArray]:
    """Return scores and weights of a run's own members."""
    return run.score, run.months if weight == "member_months" else run.present.astype(np.float64)


def pair_set(
    a: AlignedRun, b: AlignedRun, population: Population, weight: Weight
) -> tuple[FloatArray, FloatArray]:
    """Return the change b − a and the weight of each member of the population.

    A member without a score in one run counts there as 0, except in the intersection, where both have one.
    Member months are those of the population's run; of both, halved, in the intersection.
    """
    sets: dict[str, Callable[[], tuple[FloatArray, NDArray[np.bool_]]]] = {
        "intersection": lambda: ((a.months + b.months) / 2, a.present & b.present),
        "baseline_population": lambda: (a.months, a.present),
        "scenario_population": lambda: (b.months, b.present),
    }
    months, chosen = sets[population]()
    return b.score - a.score, np.where(chosen, months if weight == "member_months" else 1.0, 0.0)


def bootstrap_draws(buckets: int, options: Options) -> FloatArray:
    """Return how often each bucket is drawn in each replicate: (replicates × buckets)."""
    rng = np.random.default_rng([options.seed, buckets])
    return rng.multinomial(buckets, np.full(buckets, 1 / buckets), options.replicates).astype(np.float64)
