"""Codes of a generator: what it makes, and a standard normal density over them."""

import keras
import numpy as np
import pytest
import scipy.stats
from keras import layers, ops

from kerasdl.backend import jit, vjp
from tests.reference.densities import integral
from xai import priors
from xai.activation_maximization.parameterizations import Latent
from xai.activation_maximization.parameterizations.standard_normal import StandardNormal


def decoder(activation="sigmoid", **settings):
    return keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(8, "relu"),
            layers.Dropout(0.5),
            layers.Dense(16, activation),
            layers.Reshape((4, 4, 1)),
        ],
        name="decoder",
        **settings,
    )


def codes(rows=5):
    return np.random.default_rng(0).normal(size=(rows, 3)).astype("float32")


def decoded(one, code, low=0.0, high=1.0):
    tensors = map(ops.convert_to_tensor, (code, np.float32(low), np.float32(high)))
    return ops.convert_to_numpy(jit(one.decode, one.variables)(*tensors))


def test_a_code_is_decoded_as_the_generator_does_at_inference():
    model = decoder()
    expected = ops.convert_to_numpy(model(codes(), training=False))
    np.testing.assert_allclose(decoded(Latent(model), codes()), expected, rtol=1e-5)


def test_a_generator_keeps_its_final_sigmoid():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, "sigmoid")])
    expected = ops.convert_to_numpy(model(codes()))
    np.testing.assert_allclose(decoded(Latent(model), codes()), expected, rtol=1e-5)


def test_what_a_generator_makes_beyond_the_bounds_is_clipped():
    model = decoder(None)
    expected = np.clip(ops.convert_to_numpy(model(codes())), -0.1, 0.2)
    np.testing.assert_allclose(decoded(Latent(model), codes(), -0.1, 0.2), expected, atol=1e-6)


def test_a_generator_trained_further_is_seen():
    model = decoder()
    one = Latent(model)
    compiled = jit(one.decode, one.variables)
    tensors = tuple(map(ops.convert_to_tensor, (codes(), np.float32(0), np.float32(1))))
    compiled(*tensors)
    model.set_weights([weight + 0.3 for weight in model.get_weights()])
    expected = ops.convert_to_numpy(model(codes(), training=False))
    np.testing.assert_allclose(ops.convert_to_numpy(compiled(*tensors)), expected, rtol=1e-5)


def test_codes_of_a_mixed_policy_stay_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        one = Latent(decoder(None))
    finally:
        keras.config.set_dtype_policy("float32")
    assert decoded(one, codes()).dtype == np.float32


def test_starts_are_standard_normal():
    start = Latent(decoder()).start(range(2000), 0, 1)
    assert scipy.stats.kstest(start.ravel(), "norm").pvalue > 0.01


def test_the_prior_is_over_codes():
    given = priors.Gaussian.fit(np.random.default_rng(0).normal(size=(50, 3)))
    one = Latent(decoder(), given)
    assert one.prior is given
    np.testing.assert_array_equal(one.start([[0, 4]], 0, 1), given.sample(1, seed=[0, 4]))
    np.testing.assert_allclose(one.scale(0, 1), given.scale / 10)
    default = Latent(decoder()).prior
    assert default.shape == (3,)
    expected = scipy.stats.multivariate_normal(np.zeros(3), np.eye(3)).logpdf(codes())
    np.testing.assert_allclose(default.log_prob(codes()), expected, rtol=1e-6)


def test_the_standard_normal_density_integrates_to_one():
    assert integral(StandardNormal.of((2,)).log_prob, -8, 8) == pytest.approx(1, abs=1e-6)


def test_the_gradient_of_the_standard_normal_density_is_minus_the_code():
    prior, x = StandardNormal.of((2, 3)), np.random.default_rng(0).normal(size=(4, 2, 3))
    tensor = ops.convert_to_tensor(x, "float32")
    values, pullback = vjp(lambda rows: prior.log_density(prior.parameters, rows), tensor)
    np.testing.assert_allclose(ops.convert_to_numpy(values), prior.log_prob(x), rtol=1e-5)
    gradient = ops.convert_to_numpy(pullback(ops.ones_like(values)))
    np.testing.assert_allclose(gradient, -x, rtol=1e-6)


def test_the_standard_normal_density_knows_what_is_typical_and_survives_a_file(tmp_path):
    prior = StandardNormal.of((40,))
    # The median of chi squared of 40 is 39.3; its standard error from 256 draws is 0.7.
    expected = -0.5 * scipy.stats.chi2(40).median() - 20 * np.log(2 * np.pi)
    assert prior.typical == pytest.approx(expected, abs=1)
    prior.save(tmp_path / "prior.npz")
    assert StandardNormal.load(tmp_path / "prior.npz").typical == prior.typical
    np.testing.assert_array_equal(prior.sample(3, seed=1), prior.sample(3, seed=1))
    np.testing.assert_array_equal(prior.starts, np.zeros((1, 40)))
    np.testing.assert_array_equal(prior.scale, np.ones(40))


def test_inputs_have_no_code():
    with pytest.raises(ValueError, match="Latent cannot find the code of given inputs"):
        Latent(decoder()).encode(np.zeros((1, 4, 4, 1)), 0, 1)


def test_a_generator_of_other_rows_is_refused():
    with pytest.raises(ValueError, match=r"'decoder' makes rows of shape \(4, 4, 1\).*\(5, 4, 1\)"):
        Latent(decoder()).check(np.zeros((5, 4, 1)), np.ones((5, 4, 1)))


def test_what_maps_no_code_to_one_output_is_refused():
    a, b = keras.Input((3,)), keras.Input((2,))
    several = keras.Model([a, b], layers.Concatenate()([a, b]))
    with pytest.raises(ValueError, match=r"one code of known shape .*\(None, 3\), \(None, 2\)"):
        Latent(several)
    unknown = keras.Sequential([keras.Input((None, 3)), layers.Dense(2)])
    with pytest.raises(ValueError, match=r"one code of known shape .*\(None, None, 3\)"):
        Latent(unknown)
    with pytest.raises(TypeError, match=r"Expected a keras\.Model; received function"):
        Latent(lambda code: code)


def test_a_prior_over_other_codes_is_refused():
    with pytest.raises(ValueError, match=r"rows of shape \(2,\); .* takes codes of shape \(3,\)"):
        Latent(decoder(), StandardNormal.of((2,)))
