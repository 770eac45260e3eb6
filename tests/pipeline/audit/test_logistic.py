"""The fit, against what can be computed by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audit.logistic import fit_logistic


def test_with_an_intercept_alone_it_predicts_the_mean() -> None:
    outcomes = np.array([1.0, 1, 1, 0, 0.5, 0.5])
    fit = fit_logistic(np.zeros((6, 1)), outcomes, with_intercept=True)
    p = 4 / 6
    assert fit.weights == pytest.approx([math.log(p / (1 - p)), 0], abs=1e-4)
    # The variance of a log-odds is 1 / (n p (1 - p)); the weight has nothing but its prior.
    assert fit.errors == pytest.approx([math.sqrt(1 / (6 * p * (1 - p))), 1], abs=1e-3)


def test_without_an_intercept_the_weight_balances_likelihood_and_prior() -> None:
    # 30 of 40 pairs with a difference of 1 are won: 40 (0.75 - sigmoid(w)) = w at the mode.
    fit = fit_logistic(np.ones((40, 1)), np.array([1.0] * 30 + [0.0] * 10), with_intercept=False)
    (weight,) = fit.weights
    p = 1 / (1 + math.exp(-weight))
    assert 40 * (0.75 - p) == pytest.approx(weight, abs=1e-3)
    assert fit.errors == pytest.approx([1 / math.sqrt(40 * p * (1 - p) + 1)], abs=1e-4)


def test_a_factor_that_tells_every_label_has_a_finite_weight() -> None:
    fit = fit_logistic(np.ones((50, 1)), np.ones(50), with_intercept=False)
    assert 1 < fit.weights[0] < 10


_PAIRS = st.lists(
    st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.sampled_from((0.0, 0.5, 1.0))),
    min_size=2,
    max_size=30,
)


@given(_PAIRS)
def test_exchanging_the_answers_of_all_pairs_changes_nothing(
    pairs: list[tuple[float, float, float]],
) -> None:
    data = np.array(pairs)
    features, outcomes = data[:, :2], data[:, 2]
    forth = fit_logistic(features, outcomes, with_intercept=False)
    back = fit_logistic(-features, 1 - outcomes, with_intercept=False)
    assert forth.weights == pytest.approx(back.weights, abs=1e-3)
