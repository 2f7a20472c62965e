"""Decompose the change between two runs into named effects, with a residual, an identity check and intervals.

Methods: sequential and marginal (population-mode effects between scenario runs), factorial (Shapley values
and waterfalls over the 2^n runs of n factors; two factors are the classic model/data split), and turnover
(continuing, joining and leaving members). Every method returns rows of EFFECTS; the identity
total = Σ effects + interaction is computed for every segment from the true total, and stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from riskflow.attribution import attributed, shapley_matrix, waterfall_matrix
from riskflow.errors import RiskflowError
from riskflow.members.moments import (
    ALL,
    AlignedRun,
    FloatArray,
    MemberIndex,
    Moments,
    Options,
    Population,
    aligned,
    bootstrap_draws,
    moments,
    pair_set,
    run_set,
)

IDENTITY_TOLERANCE = 1e-9
INTERACTION = "Interaction"
EFFECTS = {
    "view": pl.String,
    "dimension": pl.String,
    "segment": pl.String,
    "position": pl.Int64,
    "effect": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "total": pl.Float64,
    "residual": pl.Float64,
    "identity_gap": pl.Float64,
    "identity_holds": pl.Boolean,
}


@dataclass(frozen=True)
class Step:
    """A named step to a scenario run, and the population whose change it measures."""

    name: str
    scenario: str
    population: Population = "intersection"


Runs = Mapping[str, pl.DataFrame]
Measure = Callable[[FloatArray | None], tuple[FloatArray, FloatArray]]


def sequential(
    runs: Runs,
    baseline: str,
    steps: Sequence[Step],
    actual: str,
    index: MemberIndex,
    options: Options,
    population: Population = "intersection",
) -> pl.DataFrame:
    """Return the effects of steps taken one after the other, and the interaction from the last step to the actual.

    effect_i = I(C_{i−1}, C_i; mode_i), C_0 = baseline; Interaction = I(C_k, actual; population). The identity
    holds when all runs share one member set; the stored gap says by how much it does not.
    """
    path = [baseline, *(step.scenario for step in steps)]
    pairs = [(path[i], step.scenario, step.population) for i, step in enumerate(steps)]
    changes = [*pairs, (path[-1], actual, population), (baseline, actual, population)]
    names = [*(step.name for step in steps), INTERACTION]
    return _measured("sequential", names, _pair_measures(runs, changes, index, options), index, options)


def marginal(
    runs: Runs,
    baseline: str,
    steps: Sequence[Step],
    actual: str,
    index: MemberIndex,
    options: Options,
    population: Population = "intersection",
) -> pl.DataFrame:
    """Return each step's effect on the baseline alone; Interaction = total − Σ effects."""
    changes = [
        *((baseline, step.scenario, step.population) for step in steps),
        (baseline, actual, population),
    ]
    measures = {
        dimension: _with_rest(measure)
        for dimension, measure in _pair_measures(runs, changes, index, options).items()
    }
    names = [*(step.name for step in steps), INTERACTION]
    return _measured("marginal", names, measures, index, options)


def _with_rest(measure: Measure) -> Measure:
    def measured(draws: FloatArray | None) -> tuple[FloatArray, FloatArray]:
        effects, total = measure(draws)
        return np.concatenate([effects, (total - effects.sum(axis=0))[None]]), total

    return measured


def factorial(
    values: Mapping[str, Sequence[Moments]], factors: Sequence[str], index: MemberIndex, options: Options
) -> pl.DataFrame:
    """Return Shapley values over n factors, and the waterfall in the given order (both orders for two factors).

    `values` holds per dimension the moments of the 2^n runs; in run `mask`, factor i is new when bit i is set.
    Each run is measured on its own members, so effects add up to the total exactly.
    """
    count = len(factors)
    orders = [tuple(range(count))] + ([(1, 0)] if count == 2 else [])
    views = {"shapley": shapley_matrix(count)}
    views |= {
        "waterfall: " + " → ".join(factors[i] for i in order): waterfall_matrix(order) for order in orders
    }
    frames = []
    for view, matrix in views.items():
        measures = {
            dimension: _linear_measure(matrix, per_run, options) for dimension, per_run in values.items()
        }
        frames.append(_measured(view, list(factors), measures, index, options))
    return pl.concat(frames)


def factorial_moments(
    runs: Sequence[Callable[[], pl.DataFrame]],
    index: MemberIndex,
    options: Options,
    order: Sequence[int] | None = None,
) -> dict[str, list[Moments]]:
    """Return per dimension the moments of each run; runs are made one at a time, in `order`, and let go."""
    buckets = index.buckets(options.buckets)
    values: dict[str, dict[int, Moments]] = {dimension: {} for dimension in index.segments}
    for number in order or range(len(runs)):
        score, weight = run_set(aligned(runs[number](), index), options.weight)
        for dimension, collected in values.items():
            collected[number] = moments(score, weight, index, dimension, buckets)
    return {
        dimension: [collected[number] for number in sorted(collected)]
        for dimension, collected in values.items()
    }


def turnover(runs: Runs, baseline: str, actual: str, index: MemberIndex, options: Options) -> pl.DataFrame:
    """Return the change split into continuing, joining and leaving members.

    mean: [μ_B^C − μ_A^C] + (n_J/n_B)(μ_B^J − μ_B^C) − (n_L/n_A)(μ_A^L − μ_A^C); sum: the sums of each part.
    """
    before, after = aligned(runs[baseline], index), aligned(runs[actual], index)
    both = before.present & after.present
    if not both.any() and options.metric == "mean":
        raise RiskflowError(
            f"runs {baseline} and {actual} share no member", "a turnover of means needs continuing members"
        )
    parts = {
        "a_c": _part(before, both),
        "a_l": _part(before, before.present & ~both),
        "b_c": _part(after, both),
        "b_j": _part(after, after.present & ~both),
    }
    measures = {}
    for dimension in index.segments:
        sums = {
            name: moments(*run_set(part, options.weight), index, dimension, index.buckets(options.buckets))
            for name, part in parts.items()
        }
        measures[dimension] = _turnover_measure(sums, options)
    return _measured("turnover", ["Continuing", "Joiners", "Leavers"], measures, index, options)


def _part(run: AlignedRun, chosen: np.ndarray) -> AlignedRun:
    return AlignedRun(run.score, np.where(chosen, run.months, 0.0), chosen)


def _turnover_measure(sums: Mapping[str, Moments], options: Options) -> Measure:
    def measured(draws: FloatArray | None) -> tuple[FloatArray, FloatArray]:
        total = {name: part.drawn_total(draws) for name, part in sums.items()}
        if options.metric == "sum":
            effects = np.stack([total["b_c"] - total["a_c"], total["b_j"], -total["a_l"]])
            return effects, total["b_c"] + total["b_j"] - total["a_c"] - total["a_l"]
        weight = {name: part.drawn_weight(draws) for name, part in sums.items()}
        with np.errstate(invalid="ignore", divide="ignore"):
            mean_a, mean_b = total["a_c"] / weight["a_c"], total["b_c"] / weight["b_c"]
            all_a, all_b = weight["a_c"] + weight["a_l"], weight["b_c"] + weight["b_j"]
            joiners = (total["b_j"] - weight["b_j"] * mean_b) / all_b
            leavers = -(total["a_l"] - weight["a_l"] * mean_a) / all_a
            change = (total["b_c"] + total["b_j"]) / all_b - (total["a_c"] + total["a_l"]) / all_a
        return np.stack([mean_b - mean_a, joiners, leavers]), change

    return measured


def _pair_measures(
    runs: Runs, changes: Sequence[tuple[str, str, Population]], index: MemberIndex, options: Options
) -> dict[str, Measure]:
    """Return per dimension a measure of the changes; the last change is the total."""
    arrays = {
        name: aligned(runs[name], index) for name in dict.fromkeys(n for a, b, _ in changes for n in (a, b))
    }
    sums: dict[str, list[Moments]] = {dimension: [] for dimension in index.segments}
    for a, b, population in changes:
        change, weight = pair_set(arrays[a], arrays[b], population, options.weight)
        if not weight.any():
            raise RiskflowError(
                f"the {population} of runs {a} and {b} has no members",
                "choose runs that share members, or another population mode",
            )
        for dimension, collected in sums.items():
            collected.append(moments(change, weight, index, dimension, index.buckets(options.buckets)))
    return {dimension: _pair_measure(collected, options) for dimension, collected in sums.items()}


def _pair_measure(sums: Sequence[Moments], options: Options) -> Measure:
    def measured(draws: FloatArray | None) -> tuple[FloatArray, FloatArray]:
        values = np.stack([part.value(options.metric, draws) for part in sums])
        return values[:-1], values[-1]

    return measured


def _linear_measure(matrix: FloatArray, per_run: Sequence[Moments], options: Options) -> Measure:
    def measured(draws: FloatArray | None) -> tuple[FloatArray, FloatArray]:
        values = np.stack([part.value(options.metric, draws) for part in per_run])
        return attributed(matrix, values), values[-1] - values[0]

    return measured


def _measured(
    view: str, names: Sequence[str], measures: Mapping[str, Measure], index: MemberIndex, options: Options
) -> pl.DataFrame:
    draws = bootstrap_draws(index.buckets(options.buckets), options) if options.replicates else None
    rows = [
        row
        for dimension, measure in measures.items()
        for row in _rows(view, dimension, index.segments[dimension][0], names, measure, draws, options)
    ]
    return pl.DataFrame(rows, schema=EFFECTS, orient="row")


def _rows(
    view: str,
    dimension: str,
    labels: Sequence[str],
    names: Sequence[str],
    measure: Measure,
    draws: FloatArray | None,
    options: Options,
) -> Iterator[tuple[object, ...]]:
    effects, totals = measure(None)
    if dimension == ALL and not np.isfinite(totals).all():
        raise RiskflowError(f"{view}: a run has no members, so its {options.metric} does not exist")
    low, high = _interval(measure, draws, options, effects.shape)
    gaps = totals - effects.sum(axis=0)
    named = [i for i, name in enumerate(names) if name != INTERACTION]
    residuals = totals - effects[named].sum(axis=0)
    for s, segment in enumerate(labels):
        holds = _holds(gaps[s], totals[s])
        for position, name in enumerate(names):
            cells = (
                effects[position, s],
                low[position, s],
                high[position, s],
                totals[s],
                residuals[s],
                gaps[s],
            )
            yield view, dimension, segment, position + 1, name, *(_number(cell) for cell in cells), holds


def _holds(gap: float, total: float) -> bool | None:
    """Return whether the identity holds; null where the segment has no total, for lack of members in a run."""
    return bool(abs(gap) <= IDENTITY_TOLERANCE * max(1.0, abs(total))) if np.isfinite(total) else None


def _interval(
    measure: Measure, draws: FloatArray | None, options: Options, shape: tuple[int, ...]
) -> tuple[FloatArray, FloatArray]:
    """Return the percentile interval per effect and segment; NaN where a replicate left a segment empty."""
    if draws is None:
        return np.full(shape, np.nan), np.full(shape, np.nan)
    replicates, _ = measure(draws)
    tail = (1 - options.level) / 2
    low, high = np.quantile(replicates, [tail, 1 - tail], axis=-1)
    return low, high


def _number(value: float) -> float | None:
    """Return a plain float, or null for what does not exist; −0.0 becomes 0.0."""
    return float(value) + 0.0 if np.isfinite(value) else None
