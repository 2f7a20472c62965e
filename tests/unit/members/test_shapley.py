from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from riskflow.attribution import attributed, marginal_matrix, shapley_matrix, waterfall_matrix
from riskflow.errors import RiskflowError

finite = st.floats(-1e3, 1e3, allow_nan=False)


def games(factors):
    return arrays(np.float64, 2**factors, elements=finite)


@given(st.integers(1, 5).flatmap(lambda n: st.tuples(st.just(n), games(n))))
def test_shapley_effects_add_up_to_the_total(game):
    factors, values = game
    effects = attributed(shapley_matrix(factors), values)
    assert effects.sum() == pytest.approx(values[-1] - values[0], abs=1e-8)


@given(st.integers(1, 4).flatmap(lambda n: st.tuples(st.just(n), games(n))))
def test_shapley_is_the_mean_over_all_orders(game):
    factors, values = game
    paths = [attributed(waterfall_matrix(order), values) for order in permutations(range(factors))]
    assert attributed(shapley_matrix(factors), values) == pytest.approx(np.mean(paths, axis=0), abs=1e-9)


@given(st.permutations(range(4)), games(4))
def test_waterfall_telescopes_in_any_order(order, values):
    assert attributed(waterfall_matrix(order), values).sum() == pytest.approx(
        values[-1] - values[0], abs=1e-8
    )


@given(games(3))
def test_marginal_switches_each_factor_alone(values):
    assert list(attributed(marginal_matrix(3), values)) == [values[1 << i] - values[0] for i in range(3)]


def test_two_factors_by_hand():
    s00, model, data, both = 1.0, 1.2, 1.1, 1.5
    effects = attributed(shapley_matrix(2), np.array([s00, model, data, both]))
    assert effects == pytest.approx([0.5 * ((1.2 - 1.0) + (1.5 - 1.1)), 0.5 * ((1.1 - 1.0) + (1.5 - 1.2))])


def test_a_factor_without_effect_gets_nothing():
    values = np.array([1.0, 2.0, 1.0, 2.0])  # factor 1 never matters
    assert list(attributed(shapley_matrix(2), values)) == [1.0, 0.0]


def test_replicates_go_through_unchanged():
    values = np.arange(8.0).reshape(4, 2) ** 2
    together = attributed(shapley_matrix(2), values)
    apart = np.column_stack([attributed(shapley_matrix(2), values[:, k]) for k in range(2)])
    assert np.array_equal(together, apart)


def test_wrong_number_of_runs_is_said():
    with pytest.raises(RiskflowError, match="2 factors need 4 runs, not 3"):
        attributed(shapley_matrix(2), np.zeros(3))


@pytest.mark.parametrize("factors", [0, 17])
def test_number_of_factors_is_limited(factors):
    with pytest.raises(RiskflowError, match="1 to 16 factors"):
        shapley_matrix(factors)
