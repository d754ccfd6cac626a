"""Transforms: their geometry, one exact resampling, and draws that depend on a row's seed alone."""

import dataclasses

import numpy as np
import pytest
import scipy.stats
from keras import ops

from kerasdl.backend import jit, vjp
from xai.activation_maximization.noise import normal_noise
from xai.activation_maximization.resampling import resample
from xai.activation_maximization.transforms import (
    Crop,
    Geometric,
    Jitter,
    Noise,
    Rotate,
    Scale,
    apply,
    check_transforms,
    draw,
)

ALL = (Jitter(3), Scale(0.8, 1.2), Rotate(20), Crop(0.5, 0.9), Noise(0.1))


def images(rows=2, shape=(7, 9, 3)):
    return np.random.default_rng(0).normal(size=(rows, *shape)).astype("float32")


def affine(degrees=13, factor=1.1, shift=(0.7, -1.3)):
    angle = np.deg2rad(degrees)
    cosine, sine = factor * np.cos(angle), factor * np.sin(angle)
    return [cosine, -sine, shift[0], sine, cosine, shift[1], 0, 0]


COEFFICIENTS = np.array([affine(), affine(-70, 0.4, (40.0, -30.0))], "float32")


def transformed(transforms, x, seed=0, step=0):
    """The rows after one draw of the transforms."""
    seeds = [[seed, row] for row in range(len(x))]
    drawn = draw(transforms, seeds, [step], x.shape[1:])
    arrays = map(ops.convert_to_tensor, (x, drawn[0][0], drawn[1][0]))
    return ops.convert_to_numpy(jit(lambda *a: apply(transforms, *a))(*arrays))


def resampled(x, coefficients=COEFFICIENTS):
    return ops.convert_to_numpy(jit(resample)(*map(ops.convert_to_tensor, (x, coefficients))))


def resample_reference(image, coefficients):
    """Bilinear interpolation of the image tiled with its mirror images, a pixel at a time."""
    height, width, _ = image.shape
    a0, a1, a2, b0, b1, b2, _, _ = map(float, coefficients)

    def at(y, x):
        y, x = y % (2 * height), x % (2 * width)
        return image[min(y, 2 * height - 1 - y), min(x, 2 * width - 1 - x)]

    result = np.zeros_like(image, "float64")
    for y in range(height):
        for x in range(width):
            across, down = a0 * x + a1 * y + a2, b0 * x + b1 * y + b2
            left, top = int(np.floor(across)), int(np.floor(down))
            u, v = across - left, down - top
            upper = (1 - u) * at(top, left) + u * at(top, left + 1)
            lower = (1 - u) * at(top + 1, left) + u * at(top + 1, left + 1)
            result[y, x] = (1 - v) * upper + v * lower
    return result


def test_resampling_is_bilinear_interpolation_of_the_mirrored_image():
    x = images()
    expected = [resample_reference(*pair) for pair in zip(x, COEFFICIENTS, strict=True)]
    # Places of up to 50 pixels are float32, rounded by 4e-6.
    np.testing.assert_allclose(resampled(x), expected, atol=1e-4)


def test_resampling_has_the_values_of_keras():
    x, coefficients = images(), COEFFICIENTS[[0, 0]]
    expected = ops.image.affine_transform(
        x, coefficients, interpolation="bilinear", fill_mode="reflect", data_format="channels_last"
    )
    found = resampled(x, coefficients)
    np.testing.assert_allclose(found, ops.convert_to_numpy(expected), atol=1e-5)


def test_the_gradient_of_resampling_is_its_transpose():
    """<g, A v> = <A^T g, v>, for batches of any size."""

    def transpose(g, x, coefficients):
        _, pullback = vjp(lambda x: resample(x, coefficients), x)
        return pullback(g)

    compiled = jit(transpose)
    for rows in (2, 1, 3):
        x, coefficients = images(rows), COEFFICIENTS[np.arange(rows) % 2]
        g = np.random.default_rng(1).normal(size=x.shape).astype("float32")
        found = ops.convert_to_numpy(compiled(*map(ops.convert_to_tensor, (g, x, coefficients))))
        expected = np.sum(g * resampled(x, coefficients))
        assert np.sum(found * x) == pytest.approx(expected, rel=1e-4)


def test_nothing_drawn_leaves_images_exactly_as_they_are():
    x = images()
    np.testing.assert_array_equal(transformed((), x), x)
    np.testing.assert_array_equal(transformed((Scale(1, 1), Crop(1, 1)), x), x)


def test_jitter_moves_by_whole_pixels():
    x = images(rows=60)
    found = transformed((Jitter(1),), x)[:, 1:-1, 1:-1]
    moves = [
        (down, across)
        for row in range(60)
        for down in range(3)
        for across in range(3)
        if np.array_equal(found[row], x[row, down : down + 5, across : across + 7])
    ]
    assert len(moves) == 60
    assert len(set(moves)) == 9


def test_scale_enlarges_about_the_middle():
    x = np.zeros((1, 15, 15, 1), "float32")
    x[0, 6:9, 6:9] = 1
    assert transformed((Scale(3, 3),), x).sum() == pytest.approx(9 * 3**2, rel=1e-5)
    assert transformed((Scale(2, 2),), x).sum() == pytest.approx(9 * 2**2, rel=1e-5)
    assert transformed((Scale(0.5, 0.5),), x)[0, 7, 7] == 1


def test_rotations_keep_what_is_round_and_turn_what_is_not():
    y, x = np.indices((15, 15)) - 7.0
    round_one = np.exp(-(y**2 + x**2) / 8)[None, :, :, None].astype("float32")
    long_one = np.exp(-(y**2 + 9 * x**2) / 8)[None, :, :, None].astype("float32")
    # Linear interpolation errs by up to an eighth of the second derivatives, here 1/4 on each axis.
    np.testing.assert_allclose(transformed((Rotate(80),), round_one), round_one, atol=1 / 16)
    assert np.abs(transformed((Rotate(80),), long_one) - long_one).max() > 0.2


def test_a_crop_shows_a_box_within_the_image():
    y, x = np.indices((20, 30)).astype("float32")
    ramps = np.tile(np.stack([x, y], axis=-1), (50, 1, 1, 1))
    found = transformed((Crop(0.5, 0.5),), ramps)
    assert found.min() >= 0
    width = found[:, 10, -1, 0] - found[:, 10, 0, 0]
    np.testing.assert_allclose(width, 29 / 2, atol=0.26)  # half a pixel may lie in the mirror image
    middle = found[:, 10, 15, 0]
    assert middle.min() < 10
    assert middle.max() > 20
    assert found[..., 0].max() <= 29


@dataclasses.dataclass(frozen=True)
class EverySecond(Geometric):
    def matrix(self, random, size):
        return np.array([[2.0, 0, -6], [0, 2, -6], [0, 0, 1]])


def test_a_sequence_is_one_transform_after_the_other():
    """Of maps of whole pixels, which need no interpolation, away from the edges."""
    x = images(rows=3, shape=(12, 12, 1))
    steps = (Jitter(1), EverySecond(), Jitter(1))
    random = [np.random.default_rng([0, row, 0]) for row in range(3)]
    for one in random:
        one.integers(2**31, size=2)
    expected = x
    for one in steps:
        matrices = np.array([one.matrix(generator, np.array([12, 12])) for generator in random])
        coefficients = np.concatenate([matrices[:, :2].reshape(3, 6), np.zeros((3, 2))], axis=1)
        expected = resampled(expected, coefficients.astype("float32"))
    found = transformed(steps, x)
    np.testing.assert_array_equal(found[:, 5:8, 5:8], expected[:, 5:8, 5:8])


def test_a_row_depends_on_its_seed_and_the_step_alone():
    seeds = [[5, 0], [5, 7], [5, 2]]
    together, noise = draw(ALL, seeds, range(4), (7, 9, 3))
    assert together.shape == (4, 3, 8)
    assert noise.shape == (4, 3, 2)
    alone, noise_alone = draw(ALL, [seeds[1]], [2, 3], (7, 9, 3))
    np.testing.assert_array_equal(alone, together[2:, 1:2])
    np.testing.assert_array_equal(noise_alone, noise[2:, 1:2])
    assert len(np.unique(together.reshape(12, 8), axis=0)) == 12
    assert len(np.unique(noise.reshape(12, 2), axis=0)) == 12


def test_the_result_is_the_same_on_every_backend():
    """The figures are those of TensorFlow."""
    found = transformed(ALL, images())
    np.testing.assert_allclose(found[0, 3, 4], [1.0884635, 0.2163049, 0.2919665], atol=1e-5)


def test_drawing_leaves_the_global_random_state_alone():
    before = np.random.get_state()[1].copy()
    draw(ALL, [0], range(3), (7, 9, 3))
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_signals_are_moved_scaled_and_cropped_along_their_steps():
    ramp = np.tile(np.arange(40, dtype="float32")[:, None], (6, 1, 2))
    for one in (Jitter(3), Scale(0.5, 2), Crop(0.3, 0.6)):
        found = transformed((one,), ramp)
        assert found.shape == ramp.shape
        np.testing.assert_array_equal(found[..., 0], found[..., 1])
        assert len(np.unique(found[:, 20, 0])) > 2
    moved = transformed((Jitter(3),), ramp)[:, 20, 0]
    assert set(moved) <= set(range(17, 24))


def test_noise_is_normal_and_independent():
    seeds = np.random.default_rng(0).integers(2**31, size=(4, 2)).astype("int32")
    noise = ops.convert_to_numpy(jit(lambda s: normal_noise(s, (100, 250)))(seeds))
    assert noise.shape == (4, 100, 250)
    flat = noise.reshape(4, -1)
    for row in flat:
        assert scipy.stats.kstest(row, "norm").pvalue > 0.01
    # The standard error of a correlation of 25,000 pairs is 0.0063.
    assert np.abs(np.corrcoef(flat) - np.eye(4)).max() < 0.025
    for lag in (1, 2, 16, 250):
        assert abs(np.corrcoef(flat[0, :-lag], flat[0, lag:])[0, 1]) < 0.025
    assert abs(np.corrcoef(flat[0, ::2], flat[0, 1::2] ** 2)[0, 1]) < 0.03


def hash_reference(x):
    """MurmurHash3's finalizer in unsigned numbers."""
    x = np.asarray(x, "uint32")
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return x ^ (x >> np.uint32(16))


def test_noise_is_that_of_the_formula_in_unsigned_numbers():
    seeds = np.array([[0, 0], [1, 2], [2**31 - 1, 12345]])
    first = hash_reference(hash_reference(np.arange(500)) ^ seeds[:, :1].astype("uint32"))
    bits = hash_reference(first ^ seeds[:, 1:].astype("uint32"))
    u, v = ((b % 2**24 + 1.0) / 2**24 for b in (bits, hash_reference(bits)))
    expected = np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v)
    found = jit(lambda s: normal_noise(s, (500,)))(seeds.astype("int32"))
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, atol=1e-4)


def test_noise_of_several_transforms_adds_up():
    x = np.zeros((1, 20_000), "float32")
    found = transformed((Noise(0.3), Noise(0.4)), x)
    assert found.std() == pytest.approx(0.5, rel=0.03)
    assert np.any(found != transformed((Noise(0.3), Noise(0.4)), x, step=1))


def test_the_gradient_of_all_transforms_passes():
    x = images()
    drawn = draw(ALL, [0, 1], [0], x.shape[1:])
    constants = [ops.convert_to_tensor(one[0]) for one in drawn]

    def gradient(x):
        values, pullback = vjp(lambda x: apply(ALL, x, *constants), x)
        return pullback(ops.ones_like(values))

    found = ops.convert_to_numpy(jit(gradient)(ops.convert_to_tensor(x)))
    # Every pixel of the result hands on what it gets, in full.
    assert found.sum() == pytest.approx(x.size, rel=1e-4)


@pytest.mark.parametrize(
    ("transforms", "shape", "message"),
    [
        ([Rotate(5)], (9, 2), r"Rotate\(degrees=5\) transforms images .*received .* \(9, 2\)"),
        ([Jitter(2)], (9,), r"transforms signals .* and images .*received rows of shape \(9,\)"),
        ([Noise(1), Crop(0.5, 1)], (4, 4, 4, 1), r"Crop.* received rows of shape \(4, 4, 4, 1\)"),
    ],
)
def test_transforms_that_rows_do_not_have_are_refused(transforms, shape, message):
    with pytest.raises(ValueError, match=message):
        check_transforms(transforms, shape)


@pytest.mark.parametrize("transforms", [Jitter(2), [Jitter], "jitter", None])
def test_what_is_no_sequence_of_transforms_is_refused(transforms):
    with pytest.raises(TypeError, match="Transforms are a sequence of Jitter, Scale"):
        check_transforms(transforms, (4, 4, 1))


@pytest.mark.parametrize("shape", [(9, 7, 3), (9, 2)])
def test_fitting_transforms_are_returned_as_a_tuple(shape):
    fitting = [one for one in ALL if len(shape) == 3 or not isinstance(one, Rotate)]
    assert check_transforms(fitting, shape) == tuple(fitting)
    assert check_transforms([Noise(0.1)], (30,)) == (Noise(0.1),)
    assert check_transforms([], (30,)) == ()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Jitter(0), "positive int of pixels; received 0"),
        (lambda: Jitter(1.5), r"positive int of pixels; received 1\.5"),
        (lambda: Scale(0, 1), r"Scale takes a low and a high number above 0, .*\(0, 1\)"),
        (lambda: Scale(1.2, 0.8), r"in this order; received \(1\.2, 0\.8\)"),
        (lambda: Scale(1, np.inf), r"received \(1, inf\)"),
        (lambda: Crop(0.5, 1.5), r"above 0 and up to 1, in this order; received \(0\.5, 1\.5\)"),
        (lambda: Crop("a", 1), r"received \('a', 1\)"),
        (lambda: Rotate(-1), "Rotate takes a positive number; received -1"),
        (lambda: Noise(np.nan), "Noise takes a positive number; received nan"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
