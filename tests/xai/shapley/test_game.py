"""The game of a Keras model: batches of one shape, the first layer, several inputs."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import xai
from xai.model import open_model
from xai.shapley.first_layer import FirstLayer, first_layer, running_sums
from xai.shapley.game import Batch, element_blender, model_game
from xai.shapley.maskers import masked_game
from xai.shapley.table import lay_tables


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def perceptron(*before, features=12):
    return keras.Sequential(
        [
            keras.Input(features if isinstance(features, tuple) else (features,)),
            *before,
            layers.Dense(8, activation="relu", bias_initializer="normal"),
            layers.Dense(3),
        ]
    )


def blended(model, row, background, coalitions, ids):
    """The definition: scores of each blend, averaged over background rows."""
    present = coalitions[:, ids]
    return np.mean(
        [model.predict(np.where(present, row, b), verbose=0) for b in background], axis=0
    )


@pytest.mark.parametrize("backgrounds", [1, 5])
@pytest.mark.parametrize("batch", [Batch(4, 1, 1), Batch(8, 2, 2), Batch(64, 5, 3)])
def test_values_are_mean_scores_of_blends_whatever_the_batch(backgrounds, batch):
    model, x = perceptron(layers.Dense(4)), random(3, 12)
    background, ids = random(backgrounds, 12, seed=1), np.arange(12) // 2
    (table,) = lay_tables([x], [background], [ids])
    blender = element_blender(lambda tensors, classes: model(tensors[0]), model.variables)
    full = model.predict(x, verbose=0)
    batch = Batch(batch.coalitions, min(batch.backgrounds, backgrounds), batch.rows)
    game = model_game(blender, table, np.zeros(3, "int32"), full, batch, players=6)
    coalitions = np.random.default_rng(0).random((21, 6)) < 0.5
    coalitions[4] = True
    values = game(coalitions).reshape(21, 3, 3)
    for i in range(3):
        expected = blended(model, x[i], background, coalitions, ids)
        np.testing.assert_allclose(values[:, i], expected, atol=1e-5)


def test_the_full_coalition_takes_no_evaluation():
    def evaluate(rows, classes):
        raise AssertionError("nothing is to be evaluated")

    (table,) = lay_tables([random(2, 4)], [0.0], [None])
    batch, full = Batch(8, 1, 2), np.array([[3.0], [4.0]])
    game = model_game(element_blender(evaluate, []), table, np.zeros(2, "int32"), full, batch, 4)
    np.testing.assert_array_equal(game(np.ones((1, 4), bool)), full[None])


def test_batches_have_one_shape():
    seen = set()

    def evaluate(tensors, classes):
        seen.add(tuple(tensors[0].shape))
        return ops.sum(tensors[0], axis=1, keepdims=True)

    (table,) = lay_tables([random(7, 5)], [random(6, 5)], [None])
    batch, zeros = Batch.plan(64, 200, 6, 7), np.zeros(7, "int32")
    game = model_game(element_blender(evaluate, []), table, zeros, np.zeros((7, 1)), batch, 5)
    for count in (1, 9, 40):
        game(np.zeros((count, 5), bool))
    (shape,) = seen
    assert shape[0] == batch.coalitions * batch.backgrounds * batch.rows <= 64


@pytest.mark.parametrize(
    ("size", "evaluations", "backgrounds", "rows"),
    [(64, 2048, 1, 1), (64, 2048, 100, 1), (512, 40, 1, 1000), (1, 100, 3, 3), (512, 100, 7, 13)],
)
def test_a_batch_is_never_larger_than_asked_for(size, evaluations, backgrounds, rows):
    batch = Batch.plan(size, evaluations, backgrounds, rows)
    assert batch.coalitions * batch.backgrounds * batch.rows <= size
    assert batch.backgrounds <= backgrounds
    assert batch.rows <= rows


@pytest.mark.parametrize(
    ("before", "features"),
    [
        ([], 12),
        ([layers.Flatten()], (2, 3, 2)),
        ([layers.Rescaling(0.5, offset=-1.0), layers.Flatten(), layers.Dropout(0.5)], (2, 3, 2)),
        ([layers.Normalization(mean=[1.0] * 12, variance=[2.0] * 12)], 12),
    ],
)
@pytest.mark.parametrize("method", ["antithetic", "kernel"])
@pytest.mark.parametrize("backgrounds", [1, 3])
def test_the_first_layer_s_units_make_the_same_values(
    before, features, backgrounds, method, monkeypatch
):
    model = perceptron(*before, features=features)
    shape = model.input_shape[1:]
    x, background = random(3, *shape), random(backgrounds, *shape, seed=1)
    shapley = xai.SampledShapley(model, background, batch_size=32)
    settings = {"evaluations": 60 * backgrounds, "target": "all", "method": method}
    monkeypatch.setattr("xai.shapley.first_layer._MANY", 1)
    monkeypatch.setattr(FirstLayer, "is_worthwhile", lambda *_: True)
    units = shapley(x, **settings)
    monkeypatch.setattr(FirstLayer, "is_worthwhile", lambda *_: False)
    whole = shapley(x, **settings)
    assert (units.values != whole.values).any()  # or one way was gone twice
    np.testing.assert_allclose(units.values, whole.values, atol=1e-5)
    np.testing.assert_allclose(units.base_score, whole.base_score, atol=1e-5)


@pytest.mark.parametrize(
    ("features", "units", "players", "coalitions", "is_walk", "expected"),
    [
        (784, 128, None, 2048, False, True),
        (784, 128, None, 100, True, False),  # too few for what the changes cost
        (784, 512, None, 2048, False, False),  # as many products, and blends are cheap beside them
        (784, 512, None, 2048, True, True),
        (784, 512, np.arange(784) // 16, 2048, False, True),
    ],
)
def test_units_are_taken_where_they_win(features, units, players, coalitions, is_walk, expected):
    model = keras.Sequential([keras.Input((features,)), layers.Dense(units), layers.Dense(2)])
    (table,) = lay_tables([random(2, features)], [0.0], [players])
    first = first_layer(open_model(model).graph)
    assert first.is_worthwhile(table, coalitions, is_walk) == expected


def test_walks_of_rows_with_fewer_players_make_the_same_values(monkeypatch):
    monkeypatch.setattr("xai.shapley.first_layer._MANY", 1)

    def players(row):
        return np.arange(12) // (2 if row[0] > 0.5 else 3)

    x = random(2, 12)
    x[:, 0] = 0, 1
    shapley = xai.SampledShapley(perceptron(features=12), 0.0, players, batch_size=16)
    found = []
    for units in (True, False):
        monkeypatch.setattr(FirstLayer, "is_worthwhile", lambda *_, units=units: units)
        found.append(shapley(x, 0, 60, "permutation").player_values)
    assert np.isnan(found[0]).sum() == 2
    np.testing.assert_allclose(*found, atol=1e-5)


@pytest.mark.parametrize("steps", [1, 2, 9, 10, 17])
def test_running_sums_are_cumulative_sums(steps):
    values = random(3, steps, 2, 5)
    sums = keras.ops.convert_to_numpy(running_sums(keras.ops.convert_to_tensor(values)))
    np.testing.assert_allclose(sums, values.cumsum(axis=1), atol=1e-5)


def skipping():
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Add()([layers.Dense(4)(inputs), inputs]))


def channels_first():
    flat = layers.Flatten(data_format="channels_first")
    return keras.Sequential([keras.Input((2, 3, 3)), flat, layers.Dense(2)])


@pytest.mark.parametrize(
    "model",
    [
        skipping,
        channels_first,
        lambda: keras.Sequential([keras.Input((4, 3)), layers.Dense(2), layers.Flatten()]),
        lambda: keras.Sequential([keras.Input((4,)), layers.ReLU(), layers.Dense(2)]),
        lambda: keras.Sequential([keras.Input((4, 1)), layers.LSTM(2), layers.Dense(2)]),
    ],
)
def test_only_a_first_dense_layer_on_features_counts(model):
    assert first_layer(open_model(model()).graph) is None


def test_a_masker_s_blends_are_averaged_in_batches():
    class Masker:
        shape = (3, 12)

        def __call__(self, mask, row):
            return (np.stack([np.where(mask, row, value) for value in (0.0, 1.0, 2.0)]),)

    model, x, ids = perceptron(), random(2, 12), np.arange(12) // 3
    (table,) = lay_tables([x], [Masker()], [ids])
    assert table.num_blends == 3
    full, zeros = model.predict(x, verbose=0), np.zeros(2, "int32")
    game = masked_game(lambda rows, classes: model(rows), table, zeros, full, size=8)
    coalitions = np.random.default_rng(0).random((9, 4)) < 0.5
    values = game(coalitions).reshape(9, 2, 3)
    for i in range(2):
        background = np.repeat([[0.0], [1.0], [2.0]], 12, axis=1)
        expected = blended(model, x[i], background, coalitions, ids)
        np.testing.assert_allclose(values[:, i], expected, atol=1e-5)
