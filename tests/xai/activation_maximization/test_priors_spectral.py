"""The spectral Gaussian: the density of its dense covariance, of any size and channels."""

import tracemalloc

import numpy as np
import pytest
import scipy.fft
import scipy.stats

from tests.reference.densities import integral
from xai import priors
from xai.activation_maximization.priors.spectral import cosines


def images(rows=50, shape=(6, 5, 3)):
    """Smooth images of correlated channels."""
    random = np.random.default_rng(0)
    mixing = random.normal(size=(shape[-1], shape[-1])) + 2
    return random.normal(size=(rows, *shape)).cumsum(axis=1).cumsum(axis=2) @ mixing + 1


def dense(prior, height, width):
    """The covariance of the flat rows as one matrix."""
    transform = np.kron(cosines(height), cosines(width))
    spatial = transform.T * prior.variances.ravel() @ transform
    return np.kron(spatial, prior.colour)


@pytest.mark.parametrize("size", [1, 2, 7, 8])
def test_the_cosines_are_those_of_scipy_and_orthonormal(size):
    expected = scipy.fft.dct(np.eye(size), axis=0, norm="ortho")
    np.testing.assert_allclose(cosines(size), expected, atol=1e-14)
    np.testing.assert_allclose(cosines(size) @ cosines(size).T, np.eye(size), atol=1e-14)


@pytest.mark.parametrize("shape", [(6, 5, 3), (4, 4, 1), (1, 7, 2), (9, 2)])
def test_the_log_density_is_that_of_the_dense_covariance(shape):
    x = images(shape=shape)
    prior = priors.Spectral.fit(x)
    height, width = shape[0], shape[1] if len(shape) == 3 else 1
    mean = np.broadcast_to(prior.mean, shape).ravel()
    theirs = scipy.stats.multivariate_normal(mean, dense(prior, height, width))
    expected = theirs.logpdf(x[:5].reshape(5, -1))
    np.testing.assert_allclose(prior.log_prob(x[:5]), expected, rtol=1e-9)


def test_the_density_integrates_to_one():
    prior = priors.Spectral.fit(np.random.default_rng(0).normal(size=(50, 2, 1)))
    flat = integral(lambda x: prior.log_prob(x.reshape(-1, 2, 1)), -10, 10)
    assert flat == pytest.approx(1, abs=1e-4)


def test_the_scale_is_the_deviation_of_an_element_when_the_others_are_given():
    prior = priors.Spectral.fit(images())
    expected = np.diag(np.linalg.inv(dense(prior, 6, 5))) ** -0.5
    np.testing.assert_allclose(prior.scale.ravel(), expected)


def test_samples_have_the_covariance_of_the_density():
    prior = priors.Spectral.fit(images(shape=(3, 2, 2)))
    samples = prior.sample(40_000, seed=1).reshape(-1, 12)
    expected = dense(prior, 3, 2)
    deviation = np.sqrt(np.diag(expected))
    # Standard errors are 0.7 % of the product of two deviations.
    np.testing.assert_allclose(
        np.cov(samples.T) / np.outer(deviation, deviation),
        expected / np.outer(deviation, deviation),
        atol=0.04,
    )


def test_a_fit_finds_the_spectrum_and_the_colours_that_images_were_drawn_from():
    true = priors.Spectral.natural((16, 12, 3))
    found = priors.Spectral.fit(true.sample(60, seed=1))
    # 54 images with 3 channels: at the least frequencies 300 coefficients, or 8 % of a variance.
    total = np.trace(true.colour) / 3
    np.testing.assert_allclose(found.variances, total * true.variances, rtol=0.4)
    ratio = np.median(found.variances / true.variances) / total
    assert ratio == pytest.approx(1, abs=0.02)
    np.testing.assert_allclose(found.colour, true.colour / total, atol=0.03)


def test_few_images_describe_others_nearly_as_well_as_many():
    true = priors.Spectral.natural((16, 16, 3))
    few, many = (priors.Spectral.fit(true.sample(n, seed=1)) for n in (5, 200))
    x = true.sample(100, seed=2)
    best = true.log_prob(x).mean()
    assert best - 40 < few.log_prob(x).mean() < best  # of 768 elements
    assert best - 4 < many.log_prob(x).mean() < best


def test_frequencies_of_one_distance_have_one_variance():
    variances = priors.Spectral.fit(images(shape=(8, 8, 1))).variances
    np.testing.assert_array_equal(variances, variances.T)
    assert variances[3, 4] == variances[0, 5] == variances[5, 1]


def test_fewer_signals_share_their_variances_over_more_frequencies():
    x = images(400, (60, 1))
    few, many = (len(np.unique(priors.Spectral.fit(x[:n]).variances)) for n in (9, 400))
    assert few == 15  # rings of 4 frequencies of 8 signals
    assert many == 60


def test_grey_images_of_three_channels_have_a_density():
    x = np.repeat(images(shape=(8, 8, 1)), 3, axis=-1)
    prior = priors.Spectral.fit(x)
    assert np.isfinite(prior.log_prob(x)).all()
    coloured = x + np.random.default_rng(0).normal(size=x.shape)
    assert (prior.log_prob(coloured) < prior.log_prob(x) - 1000).all()


def test_natural_images_have_the_mean_the_contrast_and_the_spectrum_of_photographs():
    samples = priors.Spectral.natural((32, 48, 3)).sample(300, seed=1)
    # Deviations of image means are 0.2 each, over 300 images 0.01.
    np.testing.assert_allclose(samples.mean(axis=(0, 1, 2)), [0.485, 0.456, 0.406], atol=0.04)
    np.testing.assert_allclose(samples.std(axis=(0, 1, 2)), [0.28, 0.27, 0.29], atol=0.03)
    coefficients = cosines(32) @ samples.mean(axis=-1) @ cosines(48).T
    power = np.square(coefficients).mean(axis=0)
    assert power[16, 0] / power[4, 0] == pytest.approx(1 / 16, rel=0.3)
    assert power[0, 24] / power[16, 0] == pytest.approx(1, rel=0.3)  # one frequency, two axes


def test_natural_images_may_have_any_range_and_be_grey():
    unit = priors.Spectral.natural((8, 8, 3))
    low, high = np.array([-2.0, -1, 0]), np.array([2.0, 3, 10])
    scaled = priors.Spectral.natural((8, 8, 3), low=low, high=high)
    x = unit.sample(4)
    expected = unit.log_prob(x) - 64 * np.log(high - low).sum()
    np.testing.assert_allclose(scaled.log_prob(low + (high - low) * x), expected)
    np.testing.assert_array_equal(scaled.high[3, 3], high)
    grey = priors.Spectral.natural((8, 8, 1), low=0, high=255)
    assert grey.starts[0, 0, 0] == pytest.approx(255 * 0.449)
    assert grey.typical is None


def test_images_of_224_pixels_need_little_memory():
    x = priors.Spectral.natural((224, 224, 3)).sample(3)
    tracemalloc.start()
    prior = priors.Spectral.natural((224, 224, 3))
    assert np.isfinite(prior.log_prob(x)).all()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * x.nbytes  # a covariance would have 2e10 entries


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 2), (8,), (2, 8, 8, 3)])
def test_photographs_have_one_or_three_channels(shape):
    with pytest.raises(ValueError, match=r"images \(height, width, 3\) .* use Spectral\.fit"):
        priors.Spectral.natural(shape)


def test_black_lies_below_white():
    with pytest.raises(ValueError, match="below white; received low=1 and high=0"):
        priors.Spectral.natural((8, 8, 1), low=1, high=0)
    with pytest.raises(ValueError, match=r"numbers, or 3 each; received \[0, 0\] and 1"):
        priors.Spectral.natural((8, 8, 3), low=[0, 0], high=1)


def test_signals_have_a_longest_length():
    with pytest.raises(ValueError, match=r"\(7072, 1\).* up to 7071 places"):
        priors.Spectral.fit(np.random.default_rng(0).normal(size=(4, 7072, 1)))
