"""Models of several inputs: each has a prior of its own, or is held at one row."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from xai import ActivationMaximization, priors
from xai.activation_maximization.priors.joint import Joint

RANDOM = np.random.default_rng(0)
DATA = {"image": RANDOM.uniform(size=(80, 4, 4, 1)), "table": RANDOM.normal(size=(60, 3))}


def two_inputs(kind="dict"):
    image, table = keras.Input((4, 4, 1), name="image"), keras.Input((3,), name="table")
    joined = layers.Concatenate()([layers.Flatten()(image), table])
    scores = layers.Dense(3, kernel_initializer="normal", activation="softmax")(joined)
    inputs = [image, table] if kind == "list" else {"image": image, "table": table}
    return keras.Model(inputs, scores)


def fitted():
    return {name: priors.Gaussian.fit(rows) for name, rows in DATA.items()}


BOUNDS = ({"image": 0, "table": -5}, {"image": 1, "table": np.full(3, 5.0)})


def test_all_inputs_climb_together_under_the_product_of_their_priors():
    model, of = two_inputs(), fitted()
    result = ActivationMaximization(model, of, 20, BOUNDS)(range(3), steps=64)
    assert {name: rows.shape for name, rows in result.inputs.items()} == {
        "image": (3, 4, 4, 1),
        "table": (3, 3),
    }
    expected = np.diag(ops.convert_to_numpy(model(result.inputs)))
    np.testing.assert_allclose(result.probability, expected, rtol=1e-4)
    terms = sum(of[name].log_prob(rows) for name, rows in result.inputs.items())
    np.testing.assert_allclose(result.log_prior, terms, rtol=1e-6)
    assert (result.probability > 1 / 3).all()


def test_an_input_without_a_prior_is_held():
    model, row = two_inputs("list"), np.array([1.0, -2.0, 0.5])
    result = ActivationMaximization(model, [fitted()["image"], row], 20)(range(3), steps=32)
    np.testing.assert_array_equal(result.inputs[1], np.tile(row, (3, 1)))
    expected = np.diag(
        ops.convert_to_numpy(model([ops.convert_to_tensor(i) for i in result.inputs]))
    )
    np.testing.assert_allclose(result.probability, expected, rtol=1e-4)


def test_an_ascent_of_several_inputs_may_begin_at_one_of_each():
    seen, start = [], {"image": DATA["image"][0], "table": DATA["table"][0]}
    maximize = ActivationMaximization(two_inputs(), fitted(), 1, bounds=(-9, 9))
    maximize(0, steps=8, start=start, callbacks=[lambda _, inputs: seen.append(inputs)])
    assert seen[0]["image"].shape == (1, 4, 4, 1)


def test_the_product_of_priors_is_a_prior():
    joint = Joint.of(list(fitted().values()))
    rows = joint.sample(5, seed=1)
    image, table = joint.split(rows)
    expected = fitted()["image"].log_prob(image) + fitted()["table"].log_prob(table)
    np.testing.assert_allclose(joint.log_prob(rows), expected)
    np.testing.assert_array_equal(rows, joint.sample(5, seed=1))
    assert joint.starts.shape == (1, 19)
    assert joint.held_out.shape == (6, 19)


def tokens():
    ids, table = keras.Input((2,), dtype="int32", name="ids"), keras.Input((3,), name="table")
    joined = layers.Concatenate()([layers.Flatten()(layers.Embedding(5, 2)(ids)), table])
    return keras.Model({"ids": ids, "table": table}, layers.Dense(2)(joined))


def test_tokens_are_held_while_others_climb():
    prior = {"ids": np.array([1, 4]), "table": fitted()["table"]}
    result = ActivationMaximization(tokens(), prior, 5, bounds=(-9, 9))(1, steps=32)
    np.testing.assert_array_equal(result.inputs["ids"], [[1, 4]])


@pytest.mark.parametrize(
    ("model", "prior", "message"),
    [
        (two_inputs, None, "prior is of this structure"),
        (two_inputs, {"image": np.zeros((4, 4, 1)), "table": np.zeros(3)}, "All inputs are held"),
        (two_inputs, {"image": np.zeros(2), "table": fitted()["table"]}, r"of shape \(2,\)"),
        (tokens, {"ids": fitted()["table"], "table": np.zeros(3)}, "dtype int32 has no gradient"),
    ],
)
def test_priors_that_do_not_fit_the_inputs_are_refused(model, prior, message):
    with pytest.raises(ValueError, match=message):
        ActivationMaximization(model(), prior, bounds=(-9, 9))
