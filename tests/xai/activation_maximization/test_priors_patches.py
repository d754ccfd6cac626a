"""The patch mixture: the sum over all patches, and a density where there is one patch."""

import numpy as np
import pytest

from tests.reference.densities import integral, mixture_log_density
from xai import priors
from xai.activation_maximization.priors import patch_mixture


def images(rows=30, shape=(11, 10, 2)):
    random = np.random.default_rng(0)
    return random.normal(size=(rows, *shape)).cumsum(axis=1).cumsum(axis=2)


def slow_log_density(prior, image):
    """The sum over places of each patch's log-density, by how many patches cover a pixel."""
    height, width = prior.means.shape[1:3]
    rows, columns = image.shape[0] - height + 1, image.shape[1] - width + 1
    means = prior.means.reshape(len(prior.means), -1)
    total = sum(
        mixture_log_density(
            image[top : top + height, left : left + width].ravel(),
            prior.weights,
            means,
            prior.covariances,
        )
        for top in range(rows)
        for left in range(columns)
    )
    return total / (rows * columns * height * width / (image.shape[0] * image.shape[1]))


@pytest.mark.parametrize("shape", [(11, 10, 2), (4, 12, 1), (8, 8, 1)])
def test_the_sum_is_that_of_a_loop_over_all_patches(shape):
    x = images(200, shape)
    prior = priors.PatchMixture.fit(x, components=2)
    expected = [slow_log_density(prior, image) for image in x[:3]]
    np.testing.assert_allclose(prior.log_prob(x[:3]), expected, rtol=1e-9)


def test_an_image_of_one_patch_has_the_density_of_the_mixture():
    x = images(60, (4, 3, 1))
    patches = priors.PatchMixture.fit(x, components=2)
    mixture = priors.GaussianMixture(
        weights=patches.weights,
        means=patches.means,
        covariances=patches.covariances,
        low=patches.low,
        high=patches.high,
        held_out=patches.held_out,
    )
    np.testing.assert_allclose(patches.log_prob(x), mixture.log_prob(x))


def test_of_one_patch_the_density_integrates_to_one():
    prior = priors.PatchMixture.fit(np.random.default_rng(0).normal(size=(50, 2, 1)), components=2)
    flat = integral(lambda x: prior.log_prob(x.reshape(-1, 2, 1)), -10, 10)
    assert flat == pytest.approx(1, abs=1e-4)


def test_every_pixel_of_a_large_image_counts_once():
    """Independent pixels have the density that they have, but for the edges."""
    x = np.random.default_rng(0).normal(size=(20, 40, 40, 1))
    prior = priors.PatchMixture.fit(x, components=1)
    expected = -0.5 * (1600 * np.log(2 * np.pi) + np.square(x).sum(axis=(1, 2, 3)))
    np.testing.assert_allclose(prior.log_prob(x), expected, rtol=0.02)


def test_blocks_of_patches_have_the_sum_of_all(monkeypatch):
    x = images()
    prior = priors.PatchMixture.fit(x, components=2)
    expected = prior.log_prob(x)
    monkeypatch.setattr(patch_mixture, "_ENTRIES_AT_ONCE", 1)
    np.testing.assert_allclose(prior.log_prob(x), expected)


def test_smooth_images_are_likelier_than_the_same_pixels_in_disorder():
    x = images(40)
    prior = priors.PatchMixture.fit(x, components=3)
    disorder = np.random.default_rng(1).permuted(x.reshape(40, -1), axis=1).reshape(x.shape)
    assert (prior.log_prob(x) > prior.log_prob(disorder) + 100).all()


def test_starts_are_flat_images_in_the_colours_of_the_components():
    prior = priors.PatchMixture.fit(images(), components=3)
    np.testing.assert_allclose(prior.starts[:, 5, 5], prior.means.mean(axis=(1, 2)))
    assert prior.starts.std(axis=(1, 2)).max() < 1e-12


def test_few_patches_hold_few_components():
    with pytest.raises(ValueError, match="have 9 patches; 5 components need at least 10"):
        priors.PatchMixture.fit(images(10, (8, 8, 1)), components=5)
    with pytest.raises(ValueError, match=r"positive int; received 2\.5"):
        priors.PatchMixture.fit(images(), components=2.5)


def test_patches_of_very_many_channels_are_refused():
    x = np.random.default_rng(0).normal(size=(4, 8, 8, 47))
    with pytest.raises(ValueError, match=r"1 component\(s\) of 3008 elements"):
        priors.PatchMixture.fit(x, components=1)
