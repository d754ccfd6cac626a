"""Images of a fixed magnitude: no phases change it, and it is that of the user's images."""

import numpy as np
import pytest
from keras import ops

from kerasdl.backend import jit
from xai.activation_maximization.parameterizations import MaCo
from xai.activation_maximization.parameterizations.colours import decorrelate

SHAPES = [(5, 7, 3), (6, 4, 1), (4, 4, 4), (1, 5, 3)]


def images(shape, rows=5):
    return np.random.default_rng(0).uniform(0.1, 0.7, size=(rows, *shape))


def decoded(parameterization, code):
    tensors = (ops.convert_to_tensor(array, "float32") for array in (code, 0.0, 1.0))
    return ops.convert_to_numpy(jit(parameterization.decode)(*tensors))


def spectrum(x):
    """The orthonormal transform of images before squashing, of uncorrelated colours."""
    x = np.log(x.astype("float64") / (1 - x))
    x = decorrelate(x) if x.shape[-1] == 3 else x
    return np.fft.fft2(x, axes=(1, 2), norm="ortho")


def starts(one, shape, rows=3):
    return one.start(range(rows), np.zeros(shape), np.ones(shape))


@pytest.mark.parametrize("shape", SHAPES)
def test_no_phases_change_the_magnitude(shape):
    one = MaCo.fit(images(shape))
    x = decoded(one, starts(one, shape))
    assert np.abs(x[0] - x[1]).max() > 0.05
    for row in spectrum(x):
        np.testing.assert_allclose(np.abs(row), np.abs(one.magnitude), atol=1e-4)
        np.testing.assert_allclose(row[0, 0], one.magnitude[0, 0], atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_magnitude_is_the_mean_of_the_images(shape):
    x = images(shape)
    one, found = MaCo.fit(x), np.abs(spectrum(x)).mean(axis=0)
    np.testing.assert_allclose(one.magnitude[1:], found[1:])
    np.testing.assert_allclose(one.magnitude[0, 1:], found[0, 1:])
    np.testing.assert_allclose(one.magnitude[0, 0], spectrum(x)[:, 0, 0].mean(axis=0))


@pytest.mark.parametrize("shape", SHAPES)
def test_by_default_it_is_one_over_the_frequency_with_variance_one(shape):
    found = np.abs(spectrum(decoded(MaCo(), starts(MaCo(), shape))))
    np.testing.assert_allclose(found[:, 0, 0], 0, atol=1e-4)
    np.testing.assert_allclose(np.square(found).mean(axis=(1, 2)), 1, rtol=1e-3)
    frequency = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, shape[:2]), indexing="ij"))
    products = (found * frequency[..., None]).reshape(3, -1, shape[-1])[:, 1:]
    np.testing.assert_allclose(products, products.mean(), rtol=1e-3)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_was_decoded_comes_back_from_its_code(shape):
    one = MaCo.fit(images(shape))
    x = decoded(one, starts(one, shape))
    np.testing.assert_allclose(decoded(one, one.encode(x, 0, 1)), x, atol=1e-4)


def test_an_image_keeps_its_phases_and_gets_the_magnitude():
    one, x = MaCo.fit(images((5, 7, 1))), images((5, 7, 1), rows=1)
    found = spectrum(decoded(one, one.encode(x, 0, 1)))
    np.testing.assert_allclose(np.angle(found), np.angle(spectrum(x)), atol=1e-3)
    np.testing.assert_allclose(np.abs(found[0]), np.abs(one.magnitude), atol=1e-3)


def test_dark_images_make_dark_ones():
    dark = 0.1 * images((6, 6, 3))
    one = MaCo.fit(dark)
    assert abs(decoded(one, starts(one, (6, 6, 3))).mean() - dark.mean()) < 0.01


def test_bounds_of_each_element_are_those_of_the_images():
    low, high = np.zeros((6, 4, 1)), np.full((6, 4, 1), 255.0)
    wide = MaCo.fit(255 * images((6, 4, 1)), bounds=(low, high))
    np.testing.assert_allclose(wide.magnitude, MaCo.fit(images((6, 4, 1))).magnitude)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (images((6, 4, 1))[0], r"fitted on images .*; received shape \(6, 4, 1\)"),
        (images((6, 4, 1))[:0], r"received shape \(0, 6, 4, 1\)"),
        (2 * images((6, 4, 1)), r"values beyond the bounds \(0, 1\); they lie between 0\.2"),
        (np.full((1, 2, 2, 1), np.nan), "images have NaN or values beyond"),
    ],
)
def test_images_without_a_spectrum_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        MaCo.fit(x)


@pytest.mark.parametrize(
    "magnitude", [np.ones((4, 4)), np.full((4, 4, 1), np.nan), [[[1], [2], [3]]]]
)
def test_what_is_no_magnitude_of_images_is_refused(magnitude):
    with pytest.raises(ValueError, match=r"A magnitude is of shape .* received shape"):
        MaCo(magnitude)


@pytest.mark.parametrize(
    ("one", "shape", "message"),
    [
        (MaCo(), (9, 3), r"images of shape \(height, width, channels\); received .* \(9, 3\)"),
        (MaCo(np.ones((4, 4, 1))), (5, 4, 1), r"of shape \(4, 4, 1\); received .* \(5, 4, 1\)"),
    ],
)
def test_rows_of_another_shape_are_refused(one, shape, message):
    with pytest.raises(ValueError, match=message):
        one.check(np.zeros(shape), np.ones(shape))
