"""Norms and total variation as densities: what they integrate to, and their fitted scales."""

import dataclasses

import numpy as np
import pytest
import scipy.stats
from scipy.special import gamma

from tests.reference.densities import integral
from xai import priors
from xai.activation_maximization.priors import generalized_normal
from xai.activation_maximization.priors.generalized_normal import SMOOTHING

NOTHING = {"low": np.zeros(2), "high": np.ones(2), "held_out": np.zeros((0, 2))}


def norm(p):
    mean, widths = np.array([0.5, -1]), np.array([0.7, 2])
    return priors.Norm(mean=mean, widths=widths, p=np.array(p), **NOTHING)


def flat(shape, slope=0.7):
    """A total variation of one channel."""
    return priors.TotalVariation(
        mean=np.array([0.3]),
        variances=np.array([2.0]),
        slopes=np.array([slope]),
        low=np.zeros(shape),
        high=np.ones(shape),
        held_out=np.zeros((0, *shape)),
    )


@pytest.mark.parametrize("p", [1, 1.5, 2, 4])
def test_a_norm_integrates_to_one(p):
    assert integral(norm(p).log_prob, -30, 30, points=600) == pytest.approx(1, abs=1e-3)


def test_a_norm_of_two_is_an_independent_normal_density():
    prior, x = norm(2), np.random.default_rng(0).normal(size=(5, 2))
    expected = scipy.stats.norm(prior.mean, prior.widths / np.sqrt(2)).logpdf(x).sum(axis=1)
    np.testing.assert_allclose(prior.log_prob(x), expected)


@pytest.mark.parametrize("p", [1, 1.5, 3])
def test_a_norm_is_the_generalised_normal_density_but_for_its_peak(p):
    prior = norm(p)
    x = prior.mean + prior.widths * np.array([[1, 1], [3, -2], [-0.5, 4]])
    expected = scipy.stats.gennorm(p, prior.mean, prior.widths).logpdf(x).sum(axis=1)
    np.testing.assert_allclose(prior.log_prob(x), expected, atol=2 * 2 * SMOOTHING)


@pytest.mark.parametrize("p", [1, 2, 6])
def test_normalizer_and_deviation_are_near_those_of_the_sharp_density(p):
    sharp = np.log(2 * gamma(1 + 1 / p))
    assert generalized_normal.log_normalizer(p) == pytest.approx(sharp, abs=SMOOTHING)
    deviation = np.sqrt(gamma(3 / p) / gamma(1 / p))
    assert generalized_normal.deviation(p) == pytest.approx(deviation, rel=SMOOTHING)


def test_normalizer_and_deviation_of_two_are_exact():
    assert generalized_normal.log_normalizer(2) == pytest.approx(np.log(np.pi) / 2, rel=1e-12)
    assert generalized_normal.deviation(2) == pytest.approx(0.5**0.5, rel=1e-10)


def test_at_the_peak_the_gradient_vanishes():
    energies = generalized_normal.energy(np.square([-1e-6, 0, 1e-6]), 1)
    np.testing.assert_allclose(energies, [5e-12, 0, 5e-12], atol=1e-16)  # u^2 / (2 * 0.1)


@pytest.mark.parametrize("p", [1, 3])
def test_samples_of_a_norm_have_its_mean_and_deviation_and_distribution(p):
    prior = norm(p)
    samples = prior.sample(20_000, seed=1)
    np.testing.assert_allclose(samples.mean(axis=0), prior.mean, atol=0.06)
    np.testing.assert_allclose(samples.std(axis=0), prior.scale, rtol=0.03)
    energies = np.abs((samples - prior.mean) / prior.widths) ** p
    assert energies.mean() == pytest.approx(1 / p, rel=0.1)  # the sharp density's, a Gamma's


@pytest.mark.parametrize("p", [1, 2, 3.5])
def test_fitted_widths_have_the_greatest_likelihood(p):
    x = np.random.default_rng(0).normal(size=(5000, 3)) * [1, 2, 3]
    prior = priors.Norm.fit(x, p=p)
    assert prior.p == p

    def likelihood(factor):
        return dataclasses.replace(prior, widths=factor * prior.widths).log_prob(x).mean()

    assert likelihood(1) > max(likelihood(0.93), likelihood(1.07))
    np.testing.assert_allclose(prior.widths / prior.widths[0], [1, 2, 3], rtol=0.06)


def test_an_element_that_is_constant_in_the_data_may_vary_a_little():
    x = np.random.default_rng(0).normal(size=(100, 4))
    x[:, 1] = 0.5
    prior = priors.Norm.fit(x)
    assert prior.widths[1] == pytest.approx(prior.widths[0] * np.sqrt(0.75 * 0.3 / 90), rel=0.2)
    assert np.isfinite(prior.log_prob(x)).all()


@pytest.mark.parametrize("p", [0.5, np.nan, np.inf, "1", None])
def test_an_exponent_is_a_number_from_one_on(p):
    with pytest.raises(ValueError, match="p is a finite number from 1 on; received"):
        priors.Norm.fit(np.random.default_rng(0).normal(size=(50, 2)), p=p)


@pytest.mark.parametrize("shape", [(2, 1), (2, 1, 1), (1, 2, 1)])
def test_of_a_signal_total_variation_is_a_density_that_integrates_to_one(shape):
    prior = flat(shape)
    whole = integral(lambda x: prior.log_prob(x.reshape(-1, *shape)), -25, 25, points=600)
    assert whole == pytest.approx(1, abs=1e-3)


def test_total_variation_is_that_of_a_loop_over_all_pixels():
    x = np.random.default_rng(0).normal(size=(4, 3, 2))
    prior = priors.TotalVariation.fit(np.random.default_rng(1).normal(size=(9, 4, 3, 2)))
    energy = 0
    for row, column, channel in np.ndindex(4, 3, 2):
        here, slope = x[row, column, channel], prior.slopes[channel]
        below = x[row + 1, column, channel] - here if row < 3 else 0
        beside = x[row, column + 1, channel] - here if column < 2 else 0
        energy += np.sqrt((below**2 + beside**2) / slope**2 + SMOOTHING**2) - SMOOTHING
    means = x.mean(axis=(0, 1))
    normal = scipy.stats.norm(prior.mean, prior.variances**0.5)
    difference = normal.logpdf(means).sum() - normal.logpdf(prior.mean).sum() - energy
    values = prior.log_prob(np.stack([x, prior.starts[0]]))
    assert values[0] - values[1] == pytest.approx(difference)


def test_the_constant_of_images_does_not_depend_on_the_slope():
    """By change of variables: the densities of two slopes are one at scaled distances."""
    x = np.random.default_rng(0).normal(size=(5, 4, 6, 1))
    x += 0.3 - x.mean(axis=(1, 2), keepdims=True)
    once, twice = flat((4, 6, 1), 0.7), flat((4, 6, 1), 1.4)
    stretched = 0.3 + 2 * (x - 0.3)
    expected = once.log_prob(x) - 23 * np.log(2)
    np.testing.assert_allclose(twice.log_prob(stretched), expected)


@pytest.mark.parametrize("shape", [(30, 1), (6, 5, 1)])
def test_fitted_slopes_have_the_greatest_likelihood(shape):
    x = np.random.default_rng(0).laplace(size=(400, *shape)).cumsum(axis=1).cumsum(axis=-2)
    prior = priors.TotalVariation.fit(x)

    def likelihood(factor):
        return dataclasses.replace(prior, slopes=factor * prior.slopes).log_prob(x).mean()

    assert likelihood(1) > max(likelihood(0.93), likelihood(1.07))


def test_an_edge_costs_no_more_than_a_slope():
    edge = np.repeat([0.0, 8.0], 5).reshape(1, 10, 1)
    slope = np.linspace(0, 8, 10).reshape(1, 10, 1)
    prior = flat((10, 1), slope=0.01)
    costs = [prior.log_prob(np.zeros((1, 10, 1))) - prior.log_prob(x) for x in (edge, slope)]
    anchor = ((4 - 0.3) ** 2 - 0.3**2) / 4  # of the mean, at a variance of 2
    np.testing.assert_allclose(np.ravel(costs), 800 + anchor, atol=9 * SMOOTHING)


def test_flat_images_have_a_density():
    x = np.random.default_rng(0).normal(size=(20, 1, 1, 2)) * np.ones((20, 4, 4, 2))
    prior = priors.TotalVariation.fit(x)
    assert np.isfinite(prior.log_prob(x)).all()
    assert (prior.slopes > 0).all()


def test_one_pixel_has_no_neighbours():
    with pytest.raises(ValueError, match="one pixel each"):
        priors.TotalVariation.fit(np.random.default_rng(0).normal(size=(20, 1, 1, 3)))
