"""Exact attribution of a change over n factors, as linear maps on the values of the 2^n runs.

Run `mask` has factor i at its new level exactly when bit i of `mask` is set; run 0 is the baseline and the
last run the actual. Every method is a matrix (factors × runs), so that point estimates, segments and
bootstrap replicates go through one product. Source: Shapley, "A value for n-person games" (1953), §3.
"""

from collections.abc import Sequence
from math import factorial

import numpy as np
from numpy.typing import NDArray

from riskflow.errors import RiskflowError

FloatArray = NDArray[np.float64]
MAX_FACTORS = 16


def shapley_matrix(factors: int) -> FloatArray:
    """Return the (factors × 2^factors) weights of the runs in each factor's Shapley value."""
    _check(factors)
    masks = np.arange(2**factors)
    sizes = np.bitwise_count(masks)
    orderings = np.array([factorial(s) * factorial(max(factors - s - 1, 0)) for s in range(factors + 1)])
    weights = np.zeros((factors, masks.size))
    for factor in range(factors):
        without = masks[(masks >> factor) & 1 == 0]
        share = orderings[sizes[without]] / factorial(factors)
        weights[factor, without | (1 << factor)] = share
        weights[factor, without] = -share
    return weights


def waterfall_matrix(order: Sequence[int]) -> FloatArray:
    """Return the weights that switch the factors one after the other, in the given order."""
    _check(len(order))
    weights = np.zeros((len(order), 2 ** len(order)))
    reached = 0
    for factor in order:
        weights[factor, reached] -= 1.0
        reached |= 1 << factor
        weights[factor, reached] += 1.0
    return weights


def marginal_matrix(factors: int) -> FloatArray:
    """Return the weights that switch each factor alone, from the baseline; effects need not add up."""
    _check(factors)
    weights = np.zeros((factors, 2**factors))
    for factor in range(factors):
        weights[factor, 0] = -1.0
        weights[factor, 1 << factor] = 1.0
    return weights


def attributed(weights: FloatArray, values: FloatArray) -> FloatArray:
    """Return the effects (factors, …) of run values (2^factors, …); sums run in mask order for equal bytes."""
    if values.shape[0] != weights.shape[1]:
        raise RiskflowError(
            f"{weights.shape[0]} factors need {weights.shape[1]} runs, not {values.shape[0]}",
            "give one run for every combination of the factors' two levels",
        )
    effects = np.zeros((weights.shape[0], *values.shape[1:]))
    for mask in range(weights.shape[1]):
        effects += np.multiply.outer(weights[:, mask], values[mask])
    return effects


def _check(factors: int) -> None:
    if not 1 <= factors <= MAX_FACTORS:
        raise RiskflowError(
            f"an attribution needs 1 to {MAX_FACTORS} factors, not {factors}",
            "merge factors that belong together",
        )
