"""Objectives: their formulas, their arithmetic, and rows that do not see one another."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from kerasdl.backend import jit, vjp
from xai.activation_maximization.objectives import ClassLogProbability, Reader, Readings, values
from xai.model import open_model
from xai.objectives import (
    Channel,
    Direction,
    Diversity,
    Layer,
    Logit,
    LogProbability,
    Neuron,
    Objective,
)

VECTOR = (0.5, -1.0, 2.0, 0.25)


def network(activation="softmax", classes=3):
    return keras.Sequential(
        [
            keras.Input((5, 4, 2)),
            layers.Conv2D(4, 3, activation="tanh", name="maps"),
            layers.Flatten(),
            layers.Dense(6, activation="tanh", name="hidden", kernel_initializer="normal"),
            layers.Dense(classes, activation=activation, kernel_initializer="normal"),
        ]
    )


def images(rows=3):
    return np.random.default_rng(0).normal(size=(rows, 5, 4, 2)).astype("float32")


def read(objective, model, x):
    """The values of an objective."""
    return read_all([objective], model, x)[0]


def read_all(objectives, model, x):
    reader = Reader.of(open_model(model), objectives)

    def read(inputs):
        readings = reader(inputs)
        return [objective(readings) for objective in objectives]

    found = jit(read, model.variables)(ops.convert_to_tensor(x))
    return list(map(ops.convert_to_numpy, found))


def output_of(model, name, x):
    """A layer's output by Keras' own means."""
    inner = keras.Model(model.inputs[0], model.get_layer(name).output)
    return ops.convert_to_numpy(inner(x)).astype("float64")


def made_up(output, axis=-1, scores=None):
    """Readings of a layer `"made"` of given outputs."""
    axis %= np.ndim(output)
    output = ops.convert_to_tensor(np.asarray(output, "float32"))
    scores = None if scores is None else ops.convert_to_tensor(np.asarray(scores, "float32"))
    return Readings(scores, None, {"made": output}, {"made": axis})


def made_values(objective, output, axis=-1):
    return ops.convert_to_numpy(objective(made_up(output, axis)))


def direction_reference(maps, vector, power):
    """mean over the positions of dot * max(0.1, cosine)^power, a position at a time."""
    found = []
    for row in maps:
        position_values = []
        for channels in row.reshape(-1, maps.shape[-1]):
            dot = channels @ vector
            cosine = dot / np.linalg.norm(channels) / np.linalg.norm(vector)
            position_values.append(dot * max(0.1, cosine) ** power)
        found.append(np.mean(position_values))
    return found


def diversity_reference(maps):
    """The mean cosine similarity of a row's Gram matrix and those of the other rows."""
    grams = [np.einsum("pc,pd->cd", m, m) for m in maps.reshape(len(maps), -1, maps.shape[-1])]
    lengths = [np.linalg.norm(gram) for gram in grams]
    similarity = np.array(
        [
            [np.sum(g * h) / m / n for h, n in zip(grams, lengths, strict=True)]
            for g, m in zip(grams, lengths, strict=True)
        ]
    )
    return (similarity.sum(axis=1) - 1) / (len(maps) - 1)


def test_the_objectives_of_a_layer_are_those_of_its_output():
    model, x = network(), images()
    maps, hidden = output_of(model, "maps", x), output_of(model, "hidden", x)
    expected = {
        Neuron("hidden", 5): hidden[:, 5],
        Neuron("maps", (2, 1, 3)): maps[:, 2, 1, 3],
        Channel("maps", 2): maps[..., 2].mean(axis=(1, 2)),
        Channel("hidden", 2): hidden[:, 2],
        Direction("maps", VECTOR): (maps @ VECTOR).mean(axis=(1, 2)),
        Direction("maps", VECTOR, 2): direction_reference(maps, VECTOR, 2),
        Direction("maps", VECTOR, 0.5): direction_reference(maps, VECTOR, 0.5),
        Layer("maps"): np.square(maps).mean(axis=(1, 2, 3)),
        Diversity("maps"): diversity_reference(maps),
        Diversity("hidden"): diversity_reference(hidden),
    }
    found = read_all(list(expected), model, x)
    for one, other in zip(found, expected.values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_classes_that_exclude_one_another_have_probabilities_by_a_softmax(activation):
    model, x = network(activation), images()
    classes = [Logit(0), Logit(1), Logit(2), *map(LogProbability, range(3))]
    logits, found = np.split(np.stack(read_all(classes, model, x), axis=1), 2, axis=1)
    expected = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    if activation:
        np.testing.assert_allclose(np.exp(found), ops.convert_to_numpy(model(x)), rtol=1e-5)


@pytest.mark.parametrize(("activation", "classes"), [("sigmoid", 3), (None, 1), ("sigmoid", 1)])
def test_classes_of_their_own_have_probabilities_by_a_sigmoid(activation, classes):
    model, x = network(activation, classes), images()
    logit = read(Logit(classes - 1), model, x)
    expected = -np.log1p(np.exp(-logit))
    np.testing.assert_allclose(read(LogProbability(classes - 1), model, x), expected, rtol=1e-5)


def test_a_log_probability_does_not_underflow():
    readings = made_up(np.zeros((1, 1)), scores=[[0, 1000.0]])
    assert ops.convert_to_numpy(LogProbability(0)(readings)) == -1000


def test_the_class_term_of_the_ascent_is_the_log_probability():
    model, x = network(), ops.convert_to_tensor(images())
    former = ClassLogProbability(open_model(model))(x, ops.convert_to_tensor([2, 2, 2]))
    np.testing.assert_array_equal(ops.convert_to_numpy(former), read(LogProbability(2), model, x))


OBJECTIVES = [
    LogProbability(1),
    Logit(2),
    Neuron("maps", (1, 0, 2)),
    Channel("maps", 3),
    Direction("maps", VECTOR),
    Direction("maps", VECTOR, 2),
    Layer("hidden"),
    Diversity("maps"),
    Diversity("hidden"),
    2 * Logit(0) - 3 * Diversity("maps"),
]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=range(len(OBJECTIVES)))
def test_gradients_agree_with_finite_differences(objective):
    model, x, step = network(), images(), 1e-2
    reader = Reader.of(open_model(model), [objective])

    def total(inputs):
        return ops.sum(objective(reader(inputs)))

    def gradient(inputs):
        value, pullback = vjp(total, inputs)
        return pullback(ops.ones_like(value))

    found = ops.convert_to_numpy(jit(gradient, model.variables)(ops.convert_to_tensor(x)))
    direction = np.random.default_rng(1).normal(size=x.shape).astype("float32")
    above, below = (
        float(jit(total)(ops.convert_to_tensor(x + s * direction))) for s in (step, -step)
    )
    # Float32 values of about 1, rounded by 1e-7, make differences good to 1e-5 / step.
    assert np.sum(found * direction) == pytest.approx((above - below) / (2 * step), rel=2e-2)


@pytest.mark.parametrize("objective", [Direction("made", VECTOR, 2), Diversity("made")])
def test_dead_units_have_finite_values_and_gradients(objective):
    def total(output):
        return ops.sum(objective(Readings(None, None, {"made": output}, {"made": 3})))

    def value_and_gradient(output):
        value, pullback = vjp(total, output)
        return value, pullback(ops.ones_like(value))

    value, gradient = jit(value_and_gradient)(ops.zeros((2, 3, 3, 4)))
    assert float(value) == 0
    assert np.isfinite(ops.convert_to_numpy(gradient)).all()


def test_channels_that_come_first_are_channels():
    output = np.random.default_rng(0).normal(size=(3, 4, 5, 2))
    last = np.moveaxis(output, 1, -1)
    for objective in (Channel("made", 3), Direction("made", VECTOR, 1), Diversity("made")):
        np.testing.assert_allclose(
            made_values(objective, output, axis=1), made_values(objective, last), rtol=1e-5
        )


def test_rows_that_are_alike_have_a_similarity_of_one():
    row = np.random.default_rng(0).normal(size=(1, 3, 3, 4))
    found = made_values(Diversity("made"), np.concatenate([row, 5 * row, 1e-3 * row]))
    np.testing.assert_allclose(found, 1, rtol=1e-5)


def test_rows_of_different_channels_have_a_similarity_of_zero():
    output = np.zeros((2, 6, 4))
    output[0, :, :2] = output[1, :, 2:] = 1
    np.testing.assert_array_equal(made_values(Diversity("made"), output), [0, 0])


def test_one_row_has_no_similarity_to_others():
    assert made_values(Diversity("made"), np.ones((1, 3, 4))) == 0


@pytest.mark.parametrize("positions", [2, 20])
def test_gram_matrices_are_compared_the_same_for_few_positions_and_for_many(positions):
    output = np.random.default_rng(0).normal(size=(4, positions, 7))
    found = made_values(Diversity("made"), output)
    np.testing.assert_allclose(found, diversity_reference(output), rtol=1e-4)


A, B, C = Logit(0), Logit(1), Logit(2)
SCORES = np.array([[1.0, 10.0, 100.0], [2.0, 0.0, -4.0]])


@pytest.mark.parametrize(
    ("objective", "weights"),
    [
        (A + B, (1, 1, 0)),
        (A - B, (1, -1, 0)),
        (-A, (-1, 0, 0)),
        (2 * A + 3 * B, (2, 3, 0)),
        (A * 2 - B * 3 + C * 5, (2, -3, 5)),
        (2 * (A + 3 * (B - 4 * C)), (2, 6, -24)),
        (-(A - (B - C)), (-1, 1, -1)),
        (A + A, (2, 0, 0)),
        (0 * A + B, (0, 1, 0)),
        (np.float32(0.5) * A + A * np.int64(2), (2.5, 0, 0)),
    ],
)
def test_weights_mean_what_they_say(objective, weights):
    found = ops.convert_to_numpy(objective(made_up(np.zeros((2, 1)), scores=SCORES)))
    np.testing.assert_allclose(found, SCORES @ weights, rtol=1e-6)


def test_arithmetic_leaves_its_operands_as_they_are():
    total = A + B
    _ = 2 * total, total - C, -total, 3 * A
    assert total.terms == ((1, A), (1, B))
    assert Logit(0) == A


def test_objectives_are_equal_by_value():
    assert Logit(np.int64(2)) == Logit(2)
    assert hash(Logit(np.int64(2))) == hash(Logit(2))
    assert Logit(2) != LogProbability(2)
    assert Neuron("a", [3]) == Neuron("a", 3)
    assert Direction("a", np.array([1, 2])) == Direction("a", (1.0, 2.0))
    assert 2 * A + B == A * 2.0 + B
    assert hash(2 * A + B) == hash(A * 2.0 + B)
    assert 2 * A + B != A + 2 * B


def test_a_sum_reads_the_layers_of_its_parts_once():
    total = Channel("b", 1) - 2 * Diversity("a") + Layer("b") + LogProbability(0)
    assert total.layers == ("b", "a")


@pytest.mark.parametrize("wrong", [lambda: A + 1, lambda: 1 - A, lambda: A * B, lambda: "2" * A])
def test_what_is_no_objective_cannot_be_added(wrong):
    with pytest.raises(TypeError, match=r"unsupported operand|can't multiply"):
        wrong()


def test_a_weight_is_finite():
    with pytest.raises(ValueError, match="weight of an objective is a finite number; received nan"):
        A * np.nan


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Logit(-1), "A class is an int from 0 on; received -1"),
        (lambda: LogProbability(1.0), r"A class is an int from 0 on; received 1\.0"),
        (lambda: Logit(True), "A class is an int from 0 on; received True"),
        (lambda: Neuron("a", (1, -2)), "An index of a neuron is an int from 0 on; received -2"),
        (lambda: Channel("a", "3"), "A channel is an int from 0 on; received '3'"),
        (lambda: Direction("a", [0, 0]), r"not all zero; received \[0, 0\]"),
        (lambda: Direction("a", [1, np.inf]), "a finite number per channel.*inf"),
        (lambda: Direction("a", 3), "a finite number per channel.*received 3"),
        (lambda: Direction("a", "up"), "a finite number per channel.*received 'up'"),
        (lambda: Direction("a", [1], -1), "cosine_power is a number from 0 on; received -1"),
    ],
)
def test_what_is_no_index_or_direction_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


MIXED = [
    Logit(0),
    Channel("maps", 1) - 2 * Diversity("maps"),
    Logit(2),
    Channel("maps", 1) - 2 * Diversity("maps"),
    Logit(0),
    Diversity("maps"),
]


def test_each_row_has_the_value_of_its_own_objective_among_the_rows_that_share_it():
    model, x = network(), images(6)
    reader = Reader.of(open_model(model), MIXED)
    compiled = jit(lambda inputs: values(MIXED, reader(inputs)), model.variables)
    found = ops.convert_to_numpy(compiled(ops.convert_to_tensor(x)))
    for objective in set(MIXED):
        rows = [row for row, one in enumerate(MIXED) if one == objective]
        alone = read(objective, model, x[rows])
        np.testing.assert_allclose(found[rows], alone, rtol=1e-5, atol=1e-6)
    assert found[5] == 0


def test_rows_that_share_one_objective_are_not_taken_apart():
    model, x = network(), images(4)
    reader = Reader.of(open_model(model), [Diversity("maps")])
    found = values([Diversity("maps")] * 4, reader(ops.convert_to_tensor(x)))
    expected = read(Diversity("maps"), model, x)
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=1e-5)


def gradients(objectives, model, x):
    reader = Reader.of(open_model(model), objectives)

    def gradients(inputs):
        found, pullback = vjp(lambda rows: values(objectives, reader(rows)), inputs)
        return pullback(ops.ones_like(found))

    return ops.convert_to_numpy(jit(gradients, model.variables)(ops.convert_to_tensor(x)))


def test_the_gradient_of_a_row_is_that_of_its_own_objective():
    model, x = network(), images(4)
    objectives = [Logit(1), Channel("maps", 2), Logit(1), Layer("hidden")]
    together = gradients(objectives, model, x)
    for one in set(objectives):
        rows = [row for row, objective in enumerate(objectives) if objective == one]
        alone = gradients([one] * len(rows), model, x[rows])
        np.testing.assert_allclose(together[rows], alone, rtol=1e-4, atol=1e-6)


def test_an_objective_of_ones_own_needs_no_more_than_a_call():
    class Brightness(Objective):
        def __call__(self, readings):
            return ops.mean(readings.scores, axis=1)

    total = 2 * Brightness() - Logit(0)
    found = ops.convert_to_numpy(total(made_up(np.zeros((2, 1)), scores=SCORES)))
    np.testing.assert_allclose(found, 2 * SCORES.mean(axis=1) - SCORES[:, 0], rtol=1e-6)
