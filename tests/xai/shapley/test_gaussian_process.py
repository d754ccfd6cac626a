"""The Gaussian process against its definition by Walsh coefficients."""

import itertools

import numpy as np
import pytest
from scipy import optimize

from xai.shapley.gaussian_process import Prior, _loss, _products

PLAYERS = 5
EVERY = np.array(list(itertools.product([-1.0, 1.0], repeat=PLAYERS)))
SETS = [np.array(s, bool) for s in itertools.product([0, 1], repeat=PLAYERS) if sum(s) % 2]
PRIOR = Prior(np.random.default_rng(0).exponential(0.5, PLAYERS), linear=0.7, white=0.3)


def walsh(prior):
    """The functions of odd sets, `(2**players, sets)`, and their coefficients' variances."""
    functions = np.stack([EVERY[:, chosen].prod(axis=1) for chosen in SETS], axis=1)
    product = np.array([prior.rates[chosen].prod() for chosen in SETS]) / np.prod(1 + prior.rates)
    single = np.array([chosen.sum() == 1 for chosen in SETS])
    return functions, product + prior.linear / PLAYERS * single, product


def test_the_kernel_sums_the_walsh_functions_of_odd_sets():
    functions, _, product = walsh(PRIOR)
    odd, _ = _products(EVERY, PRIOR.scales)
    np.testing.assert_allclose(odd, functions * product @ functions.T, atol=1e-14)


def test_shapley_values_of_the_kernel_are_those_of_its_walsh_functions():
    functions, variances, _ = walsh(PRIOR)
    white = PRIOR.white / len(SETS)  # noise at a pair of coalitions is noise on every coefficient
    shares = np.array([2 * chosen / chosen.sum() for chosen in SETS])
    expected = functions * (variances + white) @ shares
    np.testing.assert_allclose(PRIOR.shapley_values(EVERY), expected, atol=1e-13)
    np.testing.assert_allclose(PRIOR.variances(), shares.T**2 @ (variances + white), atol=1e-13)


@pytest.mark.parametrize("outputs", [1, 3])
def test_the_gradient_of_the_likelihood_is_that_of_finite_differences(outputs):
    random = np.random.default_rng(1)
    half = EVERY[len(EVERY) // 2 :][random.permutation(16)[:12]]
    values = random.normal(size=(12, outputs))
    theta = np.r_[random.normal(-1, 0.5, PLAYERS), 0.5, -3.0]
    _, gradient = _loss(theta, half, values)
    expected = optimize.approx_fprime(theta, lambda t: _loss(t, half, values)[0], 1e-6)
    np.testing.assert_allclose(gradient, expected, atol=1e-4)
