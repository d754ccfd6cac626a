import keras
import numpy as np
import pytest

from kerasdl.initializers import DeltaOrthogonal

SHAPES = [(3, 2, 5), (4, 3, 3), (3, 3, 4, 7), (1, 1, 2, 2), (2, 5, 3, 4), (3, 3, 3, 2, 3)]


def draw(shape, dtype=None, **settings):
    return keras.ops.convert_to_numpy(DeltaOrthogonal(**{"seed": 0, **settings})(shape, dtype))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_convolution_multiplies_lengths_by_the_gain(shape):
    layer_class = [keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D][len(shape) - 3]
    initializer = DeltaOrthogonal(gain=1.7, seed=1)
    layer = layer_class(
        shape[-1], shape[:-2], padding="same", use_bias=False, kernel_initializer=initializer
    )
    x = np.random.default_rng(0).normal(size=(1, *(4,) * (len(shape) - 2), shape[-2]))
    y = keras.ops.convert_to_numpy(layer(x.astype("float32")))
    np.testing.assert_allclose(
        np.linalg.norm(y, axis=-1), 1.7 * np.linalg.norm(x, axis=-1), rtol=1e-5
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_only_the_centre_is_not_zero_and_its_rows_are_orthonormal(shape):
    kernel = draw(shape)
    centre = kernel[tuple((size - 1) // 2 for size in shape[:-2])]
    np.testing.assert_allclose(centre @ centre.T, np.eye(shape[-2]), atol=1e-6)
    assert np.count_nonzero(kernel) == np.count_nonzero(centre)


def test_the_same_seed_gives_the_same_values_and_another_one_others():
    np.testing.assert_array_equal(draw((3, 2, 5)), draw((3, 2, 5)))
    assert np.abs(draw((3, 2, 5)) - draw((3, 2, 5), seed=1)).max() > 0.1
    seed = keras.random.SeedGenerator(0)
    assert np.abs(draw((3, 2, 5), seed=seed) - draw((3, 2, 5), seed=seed)).max() > 0.1


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_the_dtype_is_as_asked(dtype):
    kernel = DeltaOrthogonal(seed=0)((3, 2, 5), dtype)
    assert keras.backend.standardize_dtype(kernel.dtype) == dtype
    found = keras.ops.convert_to_numpy(keras.ops.cast(kernel, "float32"))
    np.testing.assert_allclose(found, draw((3, 2, 5)), atol=0.01)


def test_a_saved_model_keeps_every_argument(tmp_path):
    initializer = DeltaOrthogonal(1.5, seed=6)
    layers = [keras.layers.Conv1D(4, 3, kernel_initializer=initializer)]
    layers += [keras.layers.Conv1D(4, 3, kernel_initializer="kerasdl>DeltaOrthogonal")]
    keras.Sequential([keras.Input((8, 2)), *layers]).save(tmp_path / "model.keras")
    kept = keras.saving.load_model(tmp_path / "model.keras").layers[0].kernel_initializer
    assert kept.get_config() == {"gain": 1.5, "seed": 6}
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(kept((3, 2, 4))), draw((3, 2, 4), gain=1.5, seed=6)
    )


@pytest.mark.parametrize("shape", [(3,), (3, 4), (1, 1, 1, 1, 2, 2)])
def test_a_shape_that_is_no_kernel_is_refused(shape):
    with pytest.raises(ValueError, match=r"rank 3 to 5, not of shape .*Orthogonal for a matrix"):
        draw(shape)


def test_fewer_filters_than_channels_are_refused():
    with pytest.raises(ValueError, match=r"fewer filters \(2\) than channels \(5\)"):
        draw((3, 5, 2))


@pytest.mark.parametrize("gain", [0, -1.0, float("nan"), None, "1"])
def test_a_bad_gain_is_refused(gain):
    with pytest.raises(ValueError, match=r"DeltaOrthogonal\(gain=.*positive finite number"):
        DeltaOrthogonal(gain)
