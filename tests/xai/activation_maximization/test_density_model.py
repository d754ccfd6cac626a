"""A user's model of the density: its values, its gradient, rows drawn from it, and its file."""

import dataclasses
import functools

import keras
import numpy as np
import pytest
import scipy.stats
from keras import layers, ops

import xai
from kerasdl.backend import jit, vjp
from tests.reference.densities import integral
from xai import priors
from xai.activation_maximization.priors import langevin

MEAN, COVARIANCE = np.array([1.0, -0.5]), np.array([[1.0, 0.6], [0.6, 0.8]])


@keras.saving.register_keras_serializable("tests")
class StandardNormal(layers.Layer):
    """The log-density of standard normal rows, with a constant added."""

    def __init__(self, constant=0.0, keepdims=False, **kwargs):
        super().__init__(**kwargs)
        self.constant, self.keepdims = constant, keepdims

    def call(self, x):
        squares = ops.sum(x**2 + np.log(2 * np.pi), axis=-1, keepdims=self.keepdims)
        return self.constant - 0.5 * squares

    def get_config(self):
        own = {"constant": self.constant, "keepdims": self.keepdims}
        return {**super().get_config(), **own}


def normal_model(keepdims=False):
    """A model of the log-density of one normal: rows are whitened, then standard normal."""
    whitening = np.linalg.inv(np.linalg.cholesky(COVARIANCE)).T
    log_volume = np.linalg.slogdet(whitening)[1]
    whiten, density = layers.Dense(2), StandardNormal(log_volume, keepdims)
    model = keras.Sequential([keras.Input((2,)), whiten, density])
    whiten.set_weights([whitening, -MEAN @ whitening])
    return model


def rows(n=400):
    return np.random.default_rng(0).multivariate_normal(MEAN, COVARIANCE, n)


@functools.cache
def of_normal():
    return priors.DensityModel(normal_model(), held_out=rows())


def test_the_value_is_the_models():
    expected = scipy.stats.multivariate_normal(MEAN, COVARIANCE).logpdf(rows())
    np.testing.assert_allclose(of_normal().log_prob(rows()), expected, rtol=1e-5, atol=1e-5)
    assert integral(of_normal().log_prob, -8, 8, points=100) == pytest.approx(1, abs=1e-4)


def test_a_column_of_log_densities_does_as_well():
    column = priors.DensityModel(normal_model(keepdims=True), held_out=rows())
    np.testing.assert_array_equal(column.log_prob(rows()), of_normal().log_prob(rows()))


def test_the_score_is_the_gradient():
    expected = -(rows() - MEAN) @ np.linalg.inv(COVARIANCE)
    np.testing.assert_allclose(of_normal().score(rows()), expected, rtol=1e-4, atol=1e-4)


def test_a_compiled_function_takes_the_weights_as_arguments():
    """As constants they would be those of the first call."""
    prior = priors.DensityModel(normal_model(), held_out=rows())
    x = ops.convert_to_tensor(rows()[:3], "float32")
    compiled = jit(lambda weights, x: prior.log_density(weights, x))
    tensors = [ops.convert_to_tensor(w, "float32") for w in prior.parameters]
    before = ops.convert_to_numpy(compiled(tensors, x))
    np.testing.assert_allclose(before, prior.log_prob(rows()[:3]), rtol=1e-4)
    moved = [tensors[0], tensors[1] + 1]
    after = ops.convert_to_numpy(compiled(moved, x))
    prior.model.layers[0].bias.assign_add(np.ones(2))
    np.testing.assert_allclose(after, prior.log_prob(rows()[:3]), rtol=1e-4)
    assert np.all(before != after)


def test_the_tensor_form_has_the_gradient_of_the_model():
    weights = [ops.convert_to_tensor(w, "float32") for w in of_normal().parameters]
    x = ops.convert_to_tensor(rows()[:5], "float32")
    values, pullback = vjp(lambda x: of_normal().log_density(weights, x), x)
    gradient = ops.convert_to_numpy(pullback(ops.ones_like(values)))
    np.testing.assert_allclose(gradient, of_normal().score(rows()[:5]), rtol=1e-4, atol=1e-5)


def test_the_scale_is_the_deviation_when_the_other_elements_are_given():
    expected = np.diag(np.linalg.inv(COVARIANCE)) ** -0.5
    np.testing.assert_allclose(of_normal().scale, expected, rtol=0.1)  # of 400 rows


def test_the_scale_of_an_element_that_the_density_does_not_see_is_its_range():
    model = normal_model()
    model.layers[0].kernel.assign([[1, 0], [0, 0]])
    prior = priors.DensityModel(model, held_out=rows())
    assert prior.scale[1] == np.ptp(rows()[:, 1])


def test_bounds_and_starts_are_those_of_the_held_out_rows():
    prior = of_normal()
    np.testing.assert_array_equal(prior.low, rows().min(axis=0))
    np.testing.assert_array_equal(prior.high, rows().max(axis=0))
    assert prior.typical == np.median(prior.log_prob(rows()))
    assert (prior.log_prob(prior.starts) >= prior.typical).all()
    wider = priors.DensityModel(normal_model(), held_out=rows(), low=-9, high=[9, 10])
    np.testing.assert_array_equal([wider.low, wider.high], [[-9, -9], [9, 10]])


def test_no_more_than_512_rows_are_kept():
    prior = priors.DensityModel(normal_model(), held_out=rows(2000))
    assert len(prior.held_out) == 512
    np.testing.assert_array_equal(prior.low, rows(2000).min(axis=0))


def test_samples_have_the_moments_of_the_density():
    """They begin at rows that lie elsewhere."""
    prior = priors.DensityModel(normal_model(), held_out=0.1 * rows())
    prior = dataclasses.replace(prior, low=[-5, -5], high=[5, 5])
    samples = prior.sample(2000, seed=1)
    # Standard errors are 0.02 of the means and 0.03 of the variances.
    np.testing.assert_allclose(samples.mean(axis=0), MEAN, atol=0.1)
    np.testing.assert_allclose(np.cov(samples.T), COVARIANCE, atol=0.15)


def test_refused_steps_leave_no_bias_however_long_they_are():
    """Without refusal the variance would be 2.3."""
    random = np.random.default_rng(0)

    def standard_normal(x):
        return -0.5 * np.square(x).sum(axis=1), -x

    x = langevin.walk(standard_normal, np.zeros((4000, 1)), np.full(1, 3.0), random, True)
    assert x.var() == pytest.approx(1, abs=0.1)  # the standard error is 0.02


def test_the_same_seed_gives_the_same_samples_and_touches_no_global_state():
    before = np.random.get_state()[1].copy()
    one, other, third = (of_normal().sample(5, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    np.testing.assert_array_equal(one, other)
    assert np.any(one != third)


def test_an_ascent_finds_the_maximum_of_the_same_density_as_arrays():
    classifier = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
    classifier.set_weights([np.array([[1.0, -1.0], [0.5, 0.0]]), np.zeros(2)])
    data = {"low": of_normal().low, "high": of_normal().high, "held_out": rows()}
    gaussian = priors.Gaussian(mean=MEAN, covariance=COVARIANCE, **data)
    of_model, of_arrays = (
        xai.ActivationMaximization(classifier, prior, sharpness=3, bounds=(-9, 9))([0, 1])
        for prior in (of_normal(), gaussian)
    )
    assert of_model.converged.all()
    np.testing.assert_allclose(of_model.inputs, of_arrays.inputs, atol=0.02)
    np.testing.assert_allclose(of_model.log_prior, of_arrays.log_prior, atol=0.01)


def test_a_saved_model_comes_back(tmp_path):
    of_normal().save(tmp_path / "prior.npz")
    loaded = priors.DensityModel.load(tmp_path / "prior.npz")
    np.testing.assert_array_equal(loaded.log_prob(rows()), of_normal().log_prob(rows()))
    np.testing.assert_array_equal(loaded.sample(4), of_normal().sample(4))
    assert loaded.typical == of_normal().typical
    assert [path.name for path in tmp_path.iterdir()] == ["prior.npz"]


def two_inputs():
    places = [keras.Input((2,)), keras.Input((2,))]
    return keras.Model(places, layers.Add()(places))


def constant():
    model = normal_model()
    model.layers[0].kernel.assign(np.zeros((2, 2)))
    return model


def broken():
    model = normal_model()
    model.layers[0].kernel.assign(np.full((2, 2), np.nan))
    return model


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: keras.Sequential([keras.Input((2,)), layers.Dense(3)]), r"\(2, 2\) to \(2, 3\)"),
        (lambda: keras.Sequential([layers.Dense(1)]), "not built"),
        (lambda: keras.Sequential([keras.Input((3,)), layers.Dense(1)]), r"takes \('batch', 3\)"),
        (two_inputs, "2 inputs and 1 outputs"),
        (constant, "no gradient"),
        (broken, "NaN or infinite"),
    ],
    ids=["classes", "unbuilt", "rows", "inputs", "constant", "broken"],
)
def test_a_model_that_gives_no_log_densities_is_refused(model, message):
    with pytest.raises(ValueError, match=message):
        priors.DensityModel(model(), held_out=rows())


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match="Expected a Keras model; received"):
        priors.DensityModel(len, held_out=rows())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"held_out": rows(3)}, r"4 rows or more.*received shape \(3, 2\)"),
        ({"held_out": np.ones(9)}, r"received shape \(9,\)"),
        ({"held_out": np.full((9, 2), np.nan)}, "held_out has NaN"),
        ({"held_out": rows(), "low": np.zeros(3)}, r"low is a number or an array.*\(2,\)"),
    ],
)
def test_rows_that_tell_nothing_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        priors.DensityModel(normal_model(), **arguments)
