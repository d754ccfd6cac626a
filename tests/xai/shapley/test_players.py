"""Players of all kinds of data: groups of columns, tokens, time steps, several inputs."""

import keras
import numpy as np
import pytest
from keras import layers

import xai


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def two_inputs():
    a, b = keras.Input((3,), name="a"), keras.Input((4, 2), name="b")
    merged = layers.Concatenate()([a, layers.Flatten()(b)])
    return keras.Model({"a": a, "b": b}, layers.Dense(2, name="top")(merged))


def inputs(count=2):
    return {"a": random(count, 3), "b": random(count, 4, 2, seed=1)}


def explain(model, baseline, x, players=None, evaluations=200):
    return xai.SampledShapley(model, baseline, players)(x, target=1, evaluations=evaluations)


def test_groups_of_columns_play_together():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    x = random(3, 4)
    attribution = explain(model, 0.0, x, players=np.array([0, 1, 1, 0]))
    parts = x * model.get_weights()[0][:, 1]
    expected = np.stack([parts[:, 0] + parts[:, 3], parts[:, 1] + parts[:, 2]], axis=1)
    np.testing.assert_allclose(attribution.player_values, expected, atol=1e-5)


@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_tokens_are_replaced_by_the_baseline_s_id(dtype):
    model = keras.Sequential(
        [
            keras.Input((6,), dtype=dtype),
            layers.Embedding(10, 4),
            layers.GlobalAveragePooling1D(),
            layers.Dense(2, use_bias=False),
        ]
    )
    tokens = np.array([[1, 2, 3, 4, 0, 0], [5, 5, 6, 0, 0, 0]])
    attribution = explain(model, 0, tokens)
    table, kernel = model.get_weights()
    worth = (table - table[0]) @ kernel[:, 1] / 6  # a mean of embeddings is additive
    np.testing.assert_allclose(attribution.values, worth[tokens], atol=1e-5)


def test_time_steps_play_with_all_their_channels():
    model = keras.Sequential([keras.Input((5, 3)), layers.LSTM(4), layers.Dense(2)])
    attribution = explain(model, 0.0, random(2, 5, 3), players=np.arange(5))
    assert attribution.player_values.shape == (2, 5)
    for step in range(5):
        shares = attribution.values[:, step] * 3
        np.testing.assert_allclose(shares, attribution.player_values[:, [step] * 3])


def test_rows_with_players_of_their_own_keep_their_own_baseline():
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(4, "tanh"), layers.Dense(2)]
    )
    x, quarters = random(3, 8, 8, 1), np.arange(64).reshape(8, 8) // 16
    together = explain(model, "blur", x, quarters)
    apart = explain(model, "blur", x, lambda row: quarters)
    np.testing.assert_allclose(apart.values, together.values, atol=1e-5)


def test_players_are_numbered_across_inputs():
    model, x = two_inputs(), inputs()
    attribution = explain(
        model, {"a": 0.0, "b": np.full((4, 2), 0.5)}, x, {"a": None, "b": [0, 0, 1, 1]}
    )
    kernel = model.get_layer("top").get_weights()[0][:, 1]
    np.testing.assert_allclose(attribution.values["a"], x["a"] * kernel[:3], atol=1e-5)
    late = ((x["b"] - 0.5) * kernel[3:].reshape(4, 2))[:, 2:].sum(axis=(1, 2))
    np.testing.assert_allclose(attribution.player_values[:, 4], late, atol=1e-5)
    assert attribution.player_values.shape == (2, 5)
    assert attribution.values["b"].shape == x["b"].shape
    np.testing.assert_allclose(attribution.residual, 0, atol=1e-12)


def test_an_input_without_a_baseline_is_held_fixed():
    model, x = two_inputs(), inputs()
    attribution = explain(model, {"a": None, "b": 0.0}, x)
    assert not attribution.values["a"].any()
    assert attribution.player_values.shape == (2, 8)
    base = model.predict({"a": x["a"], "b": 0 * x["b"]}, verbose=0)[:, 1]
    np.testing.assert_allclose(attribution.base_score, base, atol=1e-5)


def test_background_rows_of_several_inputs_are_taken_together():
    model, x, background = two_inputs(), inputs(), inputs(3)
    attribution = explain(model, background, x)
    base = model.predict(background, verbose=0)[:, 1].mean()
    np.testing.assert_allclose(attribution.base_score, base, atol=1e-5)


def test_inputs_may_be_a_list():
    a, b = keras.Input((2,)), keras.Input((2,))
    model = keras.Model([a, b], layers.Dense(2)(layers.Multiply()([a, b])))
    x = [random(3, 2), random(3, 2, seed=1)]
    attribution = explain(model, [0.0, None], x)
    expected = x[0] * x[1] * model.layers[-1].get_weights()[0][:, 1]
    np.testing.assert_allclose(attribution.values[0], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("baseline", "players", "message"),
    [
        ({"a": 0.0}, None, r"has the inputs \['a', 'b'\]; received baselines for \['a'\]"),
        (0.0, {"c": None}, r"received players for \['c'\]"),
        ({"a": None, "b": None}, None, "Every input is held fixed"),
        ({"a": random(2, 3), "b": random(3, 4, 2)}, None, r"row by row; received \[2, 3\]"),
    ],
)
def test_settings_for_other_inputs_are_refused(baseline, players, message):
    with pytest.raises(ValueError, match=message):
        explain(two_inputs(), baseline, inputs(), players)
