"""The score of a denoising autoencoder: exact for an exact one, close for one that was trained."""

import functools

import keras
import numpy as np
import pytest
from keras import layers, ops
from sklearn.datasets import load_digits

import xai
from xai import priors

MEAN, COVARIANCE, SIGMA = np.array([1.0, -0.5]), np.array([[1.0, 0.6], [0.6, 0.8]]), 0.6
SMOOTHED = COVARIANCE + SIGMA**2 * np.eye(2)


def rows(n=1500):
    return np.random.default_rng(0).multivariate_normal(MEAN, COVARIANCE, n)


def smoothed_rows(n=300):
    return np.random.default_rng(1).multivariate_normal(MEAN, SMOOTHED, n)


def smoothed_score(x):
    return -(x - MEAN) @ np.linalg.inv(SMOOTHED)


def exact_model():
    """The mean of a normal row given the row with noise, which is linear in it."""
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
    gain = np.linalg.inv(SMOOTHED) @ COVARIANCE
    model.set_weights([gain, MEAN - MEAN @ gain])
    return model


@functools.cache
def exact():
    return priors.Denoiser(exact_model(), sigma=SIGMA, held_out=rows(400))


@functools.cache
def trained():
    return priors.Denoiser.fit(rows(), sigma=SIGMA, epochs=8)


@functools.cache
def of_digits():
    images = load_digits().images[:200, :, :, None] / 16
    return priors.Denoiser.fit(images, sigma=0.3, epochs=12)


def test_an_exact_denoiser_has_the_score_of_the_smoothed_density():
    x = smoothed_rows()
    np.testing.assert_allclose(exact().score(x), smoothed_score(x), rtol=1e-4, atol=1e-4)


def test_the_value_is_the_squared_move_in_units_of_the_noise():
    x = smoothed_rows()
    restored = ops.convert_to_numpy(exact().model(x.astype("float32")))
    expected = -np.square(x - restored).sum(axis=1) / (2 * SIGMA**2)
    np.testing.assert_allclose(exact().log_prob(x), expected, rtol=1e-4, atol=1e-6)
    assert (exact().log_prob(x) <= 0).all()


def test_the_score_is_that_of_the_residual_for_any_model():
    """The slope of the value alone would also hold that of the model."""
    model = keras.Sequential([keras.Input((2,)), layers.Dense(8, "tanh"), layers.Dense(2)])
    prior = priors.Denoiser(model, sigma=0.3, held_out=rows(50))
    x = rows(20)
    expected = (ops.convert_to_numpy(model(x.astype("float32"))) - x) / 0.3**2
    np.testing.assert_allclose(prior.score(x), expected, rtol=1e-4, atol=1e-4)


def test_a_trained_denoiser_points_along_the_score_of_the_smoothed_density():
    x = smoothed_rows()
    score, expected = trained().score(x), smoothed_score(x)
    # 0.05 to 0.06 of the root mean square on the three backends, the seeds of whose weights differ.
    error = np.sqrt(np.square(score - expected).mean() / np.square(expected).mean())
    assert error < 0.15
    is_clear = np.linalg.norm(expected, axis=1) > 0.3  # where the score is small it turns
    lengths = np.linalg.norm(score, axis=1) * np.linalg.norm(expected, axis=1)
    cosine = (score * expected).sum(axis=1) / lengths
    assert (cosine[is_clear] > 0.9).all()


def test_the_scale_is_the_deviation_of_the_smoothed_density_given_the_other_elements():
    expected = np.diag(np.linalg.inv(SMOOTHED)) ** -0.5
    np.testing.assert_allclose(exact().scale, expected, rtol=0.1)  # of 400 rows


def test_samples_have_the_moments_of_the_smoothed_density():
    samples = exact().sample(2000, seed=1)
    # Standard errors of 400 rows 0.06 and 0.09; the steps add a 15th of the variances at most.
    np.testing.assert_allclose(samples.mean(axis=0), MEAN, atol=0.15)
    np.testing.assert_allclose(np.cov(samples.T), SMOOTHED, atol=0.3)
    np.testing.assert_array_equal(exact().sample(5, seed=3), exact().sample(5, seed=3))


def test_an_image_is_denoised_by_convolutions():
    prior, random = of_digits(), np.random.default_rng(0)
    assert prior.shape == (8, 8, 1)
    noise = 0.3 * random.standard_normal(prior.held_out.shape)
    moved = prior.score(prior.held_out + noise) * 0.3**2
    left = np.square(noise + moved).mean()
    assert left < 0.9 * 0.3**2  # 0.7 to 0.8 after so few steps
    # Far fewer weights than a dense layer would have: the same for images of any size.
    assert prior.model.count_params() < 64 * 64 * 8


def test_an_ascent_follows_the_score():
    """It ends where the class term balances it: x = mean + C (gradient of log p(class | x))."""
    classifier = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
    kernel = np.array([[0.5, -0.5], [0.0, 0.0]])
    classifier.set_weights([kernel, np.zeros(2)])
    maximize = xai.ActivationMaximization(classifier, exact(), sharpness=1, bounds=(-9, 9))
    history = maximize([0]).history
    direction, x = kernel[:, 0] - kernel[:, 1], MEAN
    for _ in range(50):
        x = MEAN + SMOOTHED @ direction / (1 + np.exp(x @ direction))
    last = np.array([history["log_probability"][-1, 0], history["log_prior"][-1, 0]])
    expected = [-np.log1p(np.exp(-x @ direction)), exact().log_prob(x[None])[0]]
    np.testing.assert_allclose(last, expected, atol=0.01)


def test_the_same_seed_trains_the_same_net_and_touches_no_global_state():
    keras.utils.set_random_seed(5)
    undisturbed = ops.convert_to_numpy(keras.random.normal((3,))), np.random.normal(size=3)
    keras.utils.set_random_seed(5)
    one, other, third = (
        priors.Denoiser.fit(rows(64), sigma=SIGMA, epochs=1, seed=seed) for seed in (1, 1, 2)
    )
    after = ops.convert_to_numpy(keras.random.normal((3,))), np.random.normal(size=3)
    np.testing.assert_array_equal(undisturbed, after)
    np.testing.assert_array_equal(one.score(rows(5)), other.score(rows(5)))
    assert np.any(one.score(rows(5)) != third.score(rows(5)))


def test_the_noise_is_by_default_half_the_deviation_of_the_data():
    x = rows(64)
    fitted = priors.Denoiser.fit(x, epochs=1)
    assert fitted.sigma == pytest.approx(0.5 * x.var(axis=0).mean() ** 0.5, rel=0.1)


def test_a_saved_denoiser_comes_back(tmp_path):
    of_digits().save(tmp_path / "prior.npz")
    loaded = priors.Denoiser.load(tmp_path / "prior.npz")
    x = of_digits().held_out
    np.testing.assert_array_equal(loaded.score(x), of_digits().score(x))
    assert loaded.sigma == of_digits().sigma
    assert loaded.typical == of_digits().typical


def test_a_model_of_another_output_is_no_denoiser():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    with pytest.raises(ValueError, match="returns the shape of its input"):
        priors.Denoiser(model, sigma=1, held_out=rows(50))


@pytest.mark.parametrize("sigma", [0, -1, np.inf, "small", True])
def test_the_noise_is_positive(sigma):
    with pytest.raises(ValueError, match="sigma is a positive number"):
        priors.Denoiser(exact_model(), sigma=sigma, held_out=rows(50))
    with pytest.raises(ValueError, match="sigma is a positive number"):
        priors.Denoiser.fit(rows(50), sigma=sigma, epochs=1)


@pytest.mark.parametrize(
    ("x", "arguments", "message"),
    [
        (rows(5), {}, "Received 5 rows"),
        (np.ones((50, 2)), {}, "All 50 rows are alike"),
        (np.zeros((50, 4, 4)) + rows(50)[:, :1, None], {}, r"received rows of shape \(4, 4\)"),
        (rows(50), {"epochs": 0}, "epochs is a positive int; received 0"),
    ],
    ids=["few", "alike", "axes", "epochs"],
)
def test_what_cannot_be_trained_on_is_refused(x, arguments, message):
    with pytest.raises(ValueError, match=message):
        priors.Denoiser.fit(x, **arguments)
