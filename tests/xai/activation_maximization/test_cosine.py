"""Cosine codes: the transform, the spectrum, the colours, and the way back."""

import numpy as np
import pytest
import scipy.fft
import sklearn.datasets
from keras import ops

from kerasdl.backend import jit
from xai.activation_maximization.parameterizations import Cosine
from xai.activation_maximization.parameterizations.colours import correlate, decorrelate

SHAPES = [(5, 7, 3), (6, 4, 1), (4, 4, 4), (1, 5, 3), (9, 3), (8, 1)]


def decoded(parameterization, code, low=0.0, high=1.0):
    tensors = (ops.convert_to_tensor(array, "float32") for array in (code, low, high))
    return ops.convert_to_numpy(jit(parameterization.decode)(*tensors))


def before_squashing(x):
    return np.log(x.astype("float64") / (1 - x))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("one", [Cosine(), Cosine(decay=2, decorrelate=False)])
def test_inputs_come_back_from_their_code(one, shape):
    random = np.random.default_rng(0)
    low = random.uniform(-1, 0, size=shape)
    high = low + random.uniform(0.1, 2, size=shape)
    x = low + (high - low) * random.uniform(0.01, 0.99, size=(3, *shape))
    np.testing.assert_allclose(decoded(one, one.encode(x, low, high), low, high), x, atol=1e-5)


def test_inputs_at_the_bounds_come_back_next_to_them():
    x = np.tile([[0.0], [1.0]], (1, 4, 6, 1))
    np.testing.assert_allclose(decoded(Cosine(), Cosine().encode(x, 0, 1)), x, atol=1 / 512 + 1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_code_comes_back_from_its_inputs(shape):
    code = 0.5 * np.random.default_rng(0).normal(size=(2, *shape))
    found = Cosine().encode(decoded(Cosine(), code), 0, 1)
    np.testing.assert_allclose(found, code, atol=1e-3)  # float32 inputs through a logarithm


@pytest.mark.parametrize(("shape", "axes"), [((5, 8, 2), (1, 2)), ((9, 3), (1,))])
def test_the_waves_are_those_of_scipy(shape, axes):
    code = np.random.default_rng(0).normal(size=(2, *shape))
    found = before_squashing(decoded(Cosine(decay=0), code))
    np.testing.assert_allclose(found, scipy.fft.idctn(code, axes=axes, norm="ortho"), atol=1e-5)


def test_a_standard_normal_code_has_variance_one_and_amplitudes_of_one_over_the_frequency():
    """Unit codes contribute the variances, as the waves are orthogonal."""
    units = np.eye(48).reshape(48, 6, 8, 1)
    variances = np.square(before_squashing(decoded(Cosine(), units))).mean(axis=(1, 2, 3))
    assert variances.sum() == pytest.approx(1, rel=1e-4)
    vertical, horizontal = np.indices((6, 8))
    frequency = np.maximum(np.hypot(vertical / 12, horizontal / 16), 1 / 16)
    expected = frequency**-2 / np.sum(frequency**-2)
    np.testing.assert_allclose(variances.reshape(6, 8), expected, rtol=1e-3)


def photographs():
    return np.concatenate(sklearn.datasets.load_sample_images().images)[::8, ::8] / 255


def test_the_colours_of_photographs_are_less_correlated_before():
    others = ~np.eye(3, dtype=bool)
    pixels = photographs().reshape(-1, 3)
    after, before = (np.corrcoef(values.T)[others] for values in (pixels, decorrelate(pixels)))
    assert np.abs(before).mean() < 0.7 * np.abs(after).mean()


def test_colours_come_back_and_the_first_channel_is_the_brightness():
    x = np.random.default_rng(0).normal(size=(4, 3))
    tensor = ops.convert_to_tensor(decorrelate(x), "float32")
    np.testing.assert_allclose(ops.convert_to_numpy(correlate(tensor)), x, atol=1e-5)
    first = ops.convert_to_numpy(correlate(ops.convert_to_tensor([[1.0, 0, 0]])))[0]
    np.testing.assert_allclose(first, first.mean(), rtol=0.05)


@pytest.mark.parametrize(("one", "shape"), [(Cosine(), (4, 3)), (Cosine(1, False), (4, 4, 3))])
def test_three_channels_that_are_no_colours_stay_apart(one, shape):
    code = np.zeros((1, *shape))
    code[..., 0] = 1
    assert (decoded(one, code)[..., 1:] == 0.5).all()


def test_a_photograph_has_a_code_of_about_equal_coefficients():
    """1 over the frequency is its spectrum: without it the coarsest tenth has most of it."""
    x = photographs()[None, :48, :48]
    shares = []
    for one in (Cosine(), Cosine(decay=0)):
        power = np.square(one.encode(x, 0, 1)[0]).sum(axis=-1)
        power[0, 0] = 0
        shares.append(power[:15, :15].sum() / power.sum())
    assert shares[0] < 0.5
    assert shares[1] > 0.7


@pytest.mark.parametrize("decay", [-1, np.inf, np.nan, "1"])
def test_a_decay_is_a_number_from_zero_on(decay):
    with pytest.raises(ValueError, match=f"decay is a number from 0 on; received {decay!r}"):
        Cosine(decay)


def test_rows_without_an_axis_of_places_are_refused():
    with pytest.raises(ValueError, match=r"received rows of shape \(4,\)\. Use Pixels"):
        Cosine().check(np.zeros(4), np.ones(4))
