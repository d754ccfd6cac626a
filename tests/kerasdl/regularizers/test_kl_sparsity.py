import keras
import numpy as np
import pytest

from kerasdl.backend import vjp
from kerasdl.regularizers import KLSparsity
from tests.reference import components

ACTIVATIONS = {
    "dense": np.random.default_rng(0).uniform(0.01, 0.99, (6, 4)).astype("float32"),
    "feature map": np.random.default_rng(1).uniform(0.01, 0.99, (2, 3, 3, 2)).astype("float32"),
}
every_shape = pytest.mark.parametrize("activations", ACTIVATIONS.values(), ids=ACTIVATIONS)


def value(activations, **settings):
    return keras.ops.convert_to_numpy(KLSparsity(**{"factor": 1.0, **settings})(activations))


def gradient(activations):
    _, pullback = vjp(KLSparsity(1.0, 0.2), activations)
    return keras.ops.convert_to_numpy(pullback(keras.ops.convert_to_tensor(1.0)))


def test_it_is_0_where_every_mean_is_the_target():
    activations = np.array([[0.1, 0.2], [0.3, 0.2]], "float32")
    assert value(activations, target=0.2) == pytest.approx(0, abs=1e-6)
    assert value(activations + 0.1, target=0.2) > 0.01


@every_shape
def test_a_call_is_the_batch_size_times_the_formula(activations):
    expected = len(activations) * 0.3 * components.kl_sparsity(activations, 0.2)
    assert value(activations, factor=0.3, target=0.2) == pytest.approx(expected, rel=1e-5)


@every_shape
def test_gradients_equal_finite_differences(activations):
    expected = components.finite_differences(
        lambda a: len(a) * components.kl_sparsity(a, 0.2), activations
    )
    np.testing.assert_allclose(gradient(activations), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("extreme", "sign"), [(0.0, -1), (1.0, 1), (-3.0, -1), (40.0, 1)])
def test_a_unit_beyond_0_or_1_has_a_finite_penalty_that_leads_back(extreme, sign):
    activations = np.full((4, 1), extreme, "float32")
    assert np.isfinite(value(activations, target=0.2))
    found = gradient(activations)
    assert np.isfinite(found).all()
    assert (np.sign(found) == sign).all()


@pytest.mark.parametrize("batch_size", [2, 7])
def test_the_loss_of_a_layer_does_not_depend_on_the_batch_size(batch_size):
    layer = keras.layers.Activation("sigmoid", activity_regularizer=KLSparsity(0.5, 0.1))
    x = np.tile(np.array([[0.3, -1.0, 2.0]], "float32"), (batch_size, 1))
    y = keras.ops.convert_to_numpy(layer(x))
    (loss,) = layer.losses
    expected = 0.5 * components.kl_sparsity(y[:1], 0.1)
    assert keras.ops.convert_to_numpy(loss) == pytest.approx(expected, rel=1e-5)


def test_a_fit_takes_its_name_and_a_saved_model_keeps_every_argument(tmp_path):
    dense = keras.layers.Dense(4, "sigmoid", activity_regularizer=KLSparsity(0.5, target=0.1))
    named = keras.layers.Dense(2, "sigmoid", activity_regularizer="kerasdl>KLSparsity")
    model = keras.Sequential([keras.Input((3,)), dense, named])
    model.compile("sgd", "mse")
    x, y = np.ones((5, 3), "float32"), np.ones((5, 2), "float32")
    model.fit(x, y, batch_size=2, verbose=0)
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    kept = reloaded.layers[0].activity_regularizer.get_config()
    assert kept == {"factor": 0.5, "target": 0.1}
    assert reloaded.evaluate(x, y, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0))


def test_training_brings_the_means_to_the_target():
    dense = keras.layers.Dense(3, "sigmoid", activity_regularizer=KLSparsity(1.0, target=0.1))
    model = keras.Sequential([keras.Input((2,)), dense])
    model.compile(keras.optimizers.SGD(0.5), lambda y_true, y_pred: 0.0 * y_pred)
    x = np.random.default_rng(0).normal(size=(16, 2)).astype("float32")
    model.fit(x, np.zeros((16, 3)), batch_size=16, epochs=60, verbose=0)
    np.testing.assert_allclose(model.predict(x, verbose=0).mean(axis=0), 0.1, atol=0.02)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bits_are_computed_in_32(dtype):
    found = KLSparsity(1.0, 0.2)(keras.ops.cast(ACTIVATIONS["dense"], dtype))
    assert keras.backend.standardize_dtype(found.dtype) == "float32"


@pytest.mark.parametrize("target", [0, 1, -0.1, None, "0.1", float("nan")])
def test_a_bad_target_is_refused(target):
    with pytest.raises(ValueError, match=r"KLSparsity\(target=.*must lie in \(0, 1\). Give the"):
        KLSparsity(target=target)


def test_activations_without_a_batch_axis_are_refused():
    with pytest.raises(ValueError, match=r"not \(3,\). It is an activity_regularizer"):
        KLSparsity()(np.ones(3))
