import keras
import numpy as np
import pytest

from kerasdl.layers import Whitening

RANDOM = np.random.default_rng(0)
X = (RANDOM.normal(size=(500, 4)) @ RANDOM.normal(size=(4, 4)) + [1, -20, 3, 0]).astype("float32")
MODES = ["zca", "pca"]
every_mode = pytest.mark.parametrize("mode", MODES)


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 5

    def __getitem__(self, index):
        return X[index * 100 : index * 100 + 100], np.zeros(100)


def tf_dataset():
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((X, X[:, 0])).batch(64)


def torch_loader():
    torch = pytest.importorskip("torch")
    return torch.utils.data.DataLoader(torch.from_numpy(X), batch_size=64)


SOURCES = {
    "array": lambda: X,
    "tensor": lambda: keras.ops.convert_to_tensor(X),
    "sequences": lambda: X.reshape(100, 5, 4),
    "list": lambda: [X[:10], X[10:11], X[11:]],
    "generator": lambda: (X[i : i + 50] for i in range(0, 500, 50)),
    "PyDataset": Batches,
    "tf.data": tf_dataset,
    "DataLoader": torch_loader,
}


def adapted(data=X, **settings):
    layer = Whitening(**settings)
    layer.adapt(data)
    return layer


def whitened(layer, x=X):
    return keras.ops.convert_to_numpy(keras.ops.cast(layer(x), "float32"))


@every_mode
def test_the_data_gets_mean_0_and_covariance_1(mode):
    y = whitened(adapted(mode=mode, epsilon=0.0)).astype("float64")
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(y.T, bias=True), np.eye(4), atol=1e-4)


@every_mode
def test_values_equal_the_formula(mode):
    covariance = np.cov(X.T.astype("float64"), bias=True)
    variances, vectors = np.linalg.eigh(covariance)
    centered = X - X.mean(axis=0, dtype="float64")
    expected = centered @ vectors / np.sqrt(variances + 0.5)
    found = whitened(adapted(mode=mode, epsilon=0.5))
    if mode == "zca":
        np.testing.assert_allclose(found, expected @ vectors.T, atol=1e-4)
    else:  # eigenvectors have no sign of their own
        np.testing.assert_allclose(np.abs(found), np.abs(expected[:, ::-1]), atol=1e-4)


def test_zca_has_a_symmetric_matrix_and_pca_sorts_by_falling_variance():
    zca = keras.ops.convert_to_numpy(adapted(mode="zca").matrix)
    np.testing.assert_allclose(zca, zca.T, atol=1e-6)
    variances = whitened(adapted(mode="pca", epsilon=1.0)).var(axis=0)
    assert (np.diff(variances) < 0).all()


def test_the_sign_of_a_component_is_that_of_its_largest_element():
    matrix = keras.ops.convert_to_numpy(adapted(mode="pca").matrix)
    assert (matrix[np.abs(matrix).argmax(axis=0), range(4)] > 0).all()


@pytest.mark.parametrize("source", SOURCES)
def test_every_kind_of_data_gives_the_same(source):
    layer, expected = adapted(SOURCES[source]()), adapted()
    for found, wanted in zip(layer.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_a_large_mean_does_not_cancel():
    far = RANDOM.normal(size=(300, 2)) + 1e7
    layer = adapted([far[:100], far[100:]], mode="pca", epsilon=0.0)
    covariance = np.cov(far.T, bias=True)
    matrix = keras.ops.convert_to_numpy(layer.matrix).astype("float64")
    np.testing.assert_allclose(matrix.T @ covariance @ matrix, np.eye(2), atol=1e-4)


def test_adapting_again_forgets_earlier_data():
    layer = adapted(RANDOM.normal(size=(50, 4)))
    layer.adapt(X)
    for found, wanted in zip(layer.get_weights(), adapted().get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_it_may_be_adapted_after_the_model_was_built():
    layer = Whitening()
    model = keras.Sequential([keras.Input((4,)), layer])
    layer.adapt(X)
    np.testing.assert_allclose(model.predict(X, verbose=0), whitened(layer), atol=1e-6)


def test_fit_does_not_train_it():
    layer = adapted()
    before = layer.get_weights()
    model = keras.Sequential([keras.Input((4,)), layer, keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    model.fit(X, X[:, :1], verbose=0)
    assert not layer.trainable_weights
    for found, wanted in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, wanted)


@every_mode
def test_a_saved_model_keeps_arguments_and_what_was_found(reloaded, mode):
    layer = adapted(mode=mode, epsilon=0.3, name="white")
    model = reloaded(layer, X)
    assert model.layers[-1].get_config() == layer.get_config()
    np.testing.assert_array_equal(whitened(model), whitened(layer))


def test_weights_may_be_set_instead():
    layer = Whitening()
    layer.build((None, 4))
    layer.set_weights(adapted().get_weights())
    np.testing.assert_array_equal(whitened(layer), whitened(adapted()))


def test_mixed_precision_computes_in_float32():
    layer = adapted(dtype="mixed_float16")
    assert keras.backend.standardize_dtype(layer(X).dtype) == "float16"
    # The inputs are rounded to 2**-11 of themselves before, up to 0.01 at 25.
    np.testing.assert_allclose(whitened(layer), whitened(adapted()), atol=0.1)
    assert {weight.dtype for weight in layer.weights} == {"float32"}


def test_a_constant_feature_needs_an_epsilon():
    x = np.concatenate([X, np.ones((500, 1))], axis=1)
    assert np.isfinite(whitened(adapted(x), x)).all()
    with pytest.raises(
        ValueError, match=r"epsilon=0\): the covariance .* singular.*larger epsilon"
    ):
        adapted(x, epsilon=0.0)


@pytest.mark.parametrize("where", ["eager", "fit", "reloaded"])
def test_a_layer_that_has_seen_no_data_refuses_to_be_called(where, reloaded):
    layer = Whitening()
    model = keras.Sequential([keras.Input((4,)), layer])
    if where == "reloaded":
        model = reloaded(layer, X)
    with pytest.raises(ValueError, match=r"has not seen any data. Call its adapt\(data\) first"):
        model.predict(X, verbose=0) if where == "fit" else model(X)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "The data is empty"),
        (np.zeros((0, 3)), "The data is empty"),
        (np.zeros(3), "must be .samples, ..., features.*Batch a data set"),
        ([np.eye(3), np.eye(4)], "of 3 features"),
        (np.full((2, 2), np.nan), "holds NaN or infinity"),
    ],
)
def test_data_that_has_no_covariance_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        adapted(data)


def test_what_is_no_data_is_refused():
    with pytest.raises(TypeError, match="yields batches; received int"):
        adapted(3)


def test_data_of_another_size_than_the_layer_is_refused():
    with pytest.raises(ValueError, match=r"built for 4 features, but the data has 3. Adapt a new"):
        adapted().adapt(np.eye(3))


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match=r"Whitening\(mode='ica'\).*'zca', 'pca'"):
        Whitening("ica")


@pytest.mark.parametrize("epsilon", [-1e-3, float("nan"), None])
def test_a_negative_epsilon_is_refused(epsilon):
    with pytest.raises(ValueError, match=r"Whitening\(epsilon=.*at least 0. Use 1e-5"):
        Whitening(epsilon=epsilon)
