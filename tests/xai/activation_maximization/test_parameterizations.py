"""What all parameterizations keep to: bounds, seeds, gradients; and the elements themselves."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from kerasdl.backend import jit, vjp
from xai.activation_maximization.objectives import LogProbability, Reader, values
from xai.activation_maximization.parameterizations import Cosine, Latent, MaCo, Pixels
from xai.activation_maximization.transforms import Jitter, Noise, Rotate, apply, draw
from xai.model import open_model

IMAGES = [(5, 7, 3), (6, 4, 1), (4, 4, 4), (1, 5, 3)]
SIGNALS = [(9, 3), (8, 1)]
TABLES = [(6,)]


def latent(shape):
    return Latent(
        keras.Sequential(
            [keras.Input((3,)), layers.Dense(int(np.prod(shape)), "tanh"), layers.Reshape(shape)]
        )
    )


def measured(shape):
    return MaCo.fit(np.random.default_rng(1).uniform(size=(3, *shape)))


def natural(shape):
    return MaCo()


KINDS = [
    *((Pixels, shape) for shape in IMAGES + SIGNALS + TABLES),
    *((latent, shape) for shape in IMAGES + SIGNALS + TABLES),
    *((Cosine, shape) for shape in IMAGES + SIGNALS),
    *((natural, shape) for shape in IMAGES),
    *((measured, shape) for shape in IMAGES),
]
every_kind = pytest.mark.parametrize(
    ("kind", "shape"), KINDS, ids=[f"{kind.__name__}-{len(shape)}" for kind, shape in KINDS]
)


def make(kind, shape):
    return kind() if kind in (Pixels, Cosine) else kind(shape)


def bounds(shape):
    """Bounds of every element's own."""
    random = np.random.default_rng(0)
    low = random.uniform(-1, 0, size=shape).astype("float32")
    return low, random.uniform(0.1, 2, size=shape).astype("float32")


def decoded(parameterization, code, low, high):
    """The inputs of codes as an ascent computes them: in float32, compiled."""
    tensors = (ops.convert_to_tensor(array, "float32") for array in (code, low, high))
    compiled = jit(parameterization.decode, parameterization.variables)
    return ops.convert_to_numpy(compiled(*tensors))


@every_kind
def test_every_code_is_decoded_within_the_bounds(kind, shape):
    one, (low, high) = make(kind, shape), bounds(shape)
    one.check(low, high)
    codes = np.random.default_rng(2).normal(size=(3, *one.code_shape(shape)))
    codes *= np.array([1, 30, 1e4]).reshape(3, *(1,) * (codes.ndim - 1))
    x = decoded(one, codes, low, high)
    assert x.shape == (3, *shape)
    assert (x >= low).all()
    assert (x <= high).all()


@every_kind
def test_a_start_depends_on_the_seed_of_its_row_alone(kind, shape):
    one, (low, high) = make(kind, shape), bounds(shape)
    together = one.start([[0, 3], [0, 1], [0, 3]], low, high)
    assert together.shape == (3, *one.code_shape(shape))
    np.testing.assert_array_equal(together[0], together[2])
    np.testing.assert_array_equal(one.start([[0, 1]], low, high), together[1:2])
    assert np.any(together[0] != together[1])


@every_kind
def test_each_code_element_has_a_step_that_changes_the_inputs_a_little(kind, shape):
    one, (low, high) = make(kind, shape), bounds(shape)
    scale, code = one.scale(low, high), one.start([0], low, high)
    assert scale.shape == one.code_shape(shape)
    signs = np.random.default_rng(0).choice([-1, 1], size=scale.shape)
    before, after = (decoded(one, c, low, high) for c in (code, code + 0.5 * scale * signs))
    change = np.sqrt(np.mean(((after - before) / (high - low)) ** 2))
    assert 0.002 < change < 0.2


@every_kind
def test_gradients_agree_with_finite_differences(kind, shape):
    one, (low, high) = make(kind, shape), bounds(shape)
    code = one.start([0, 1], low, high)
    weight = np.random.default_rng(3).normal(size=(2, *shape))
    direction = one.scale(low, high) * np.random.default_rng(4).normal(size=code.shape)

    def gradient(code, low, high, weight):
        _, pullback = vjp(lambda code: one.decode(code, low, high), code)
        return pullback(weight)

    tensors = (ops.convert_to_tensor(array, "float32") for array in (code, low, high, weight))
    found = ops.convert_to_numpy(jit(gradient, one.variables)(*tensors))
    step = 0.005
    above, below = (decoded(one, code + s * direction, low, high) for s in (step, -step))
    expected = np.sum(weight * (above.astype("float64") - below)) / (2 * step)
    # Up to 105 float32 values, rounded by 1e-7 each, over the step.
    assert np.sum(found * direction) == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_elements_are_their_own_code_and_clipped():
    low, high = bounds((4, 4, 1))
    x = np.random.default_rng(0).normal(size=(3, 4, 4, 1)).astype("float32")
    clipped = np.clip(x, low, high)
    np.testing.assert_array_equal(decoded(Pixels(), x, low, high), clipped)
    np.testing.assert_array_equal(Pixels().encode(x, low, high), clipped)
    confined = Pixels().confine(*map(ops.convert_to_tensor, (x, low, high)))
    np.testing.assert_array_equal(ops.convert_to_numpy(confined), clipped)


def test_an_element_beyond_its_bounds_has_a_gradient_by_which_it_returns():
    code = ops.convert_to_tensor([[-1.0, 0.0, 0.5, 1.0, 3.0]])
    x, pullback = vjp(lambda code: Pixels().decode(code, 0.0, 1.0), code)
    np.testing.assert_array_equal(ops.convert_to_numpy(pullback(ops.ones_like(x))), np.ones((1, 5)))


def test_elements_without_bounds_start_near_zero_or_the_one_bound():
    low, high = np.array([-np.inf, 2.0, -np.inf, 0.0]), np.array([np.inf, np.inf, -3.0, 8.0])
    start = Pixels().start(range(20), low, high)
    np.testing.assert_allclose(start.mean(axis=0), [0, 2, -3, 4], atol=0.2)
    assert (start >= low).all()
    assert (start <= high).all()
    np.testing.assert_allclose(Pixels().scale(low, high), [1, 1, 1, 0.8])


@pytest.mark.parametrize("one", [Cosine(), MaCo()])
def test_nothing_is_squashed_into_infinite_bounds(one):
    high = np.full((4, 4, 1), np.inf)
    with pytest.raises(ValueError, match=r"squashes into finite bounds; received .* to inf"):
        one.check(np.zeros((4, 4, 1)), high)


def gradients(one, rows, model, transforms):
    """The gradients of codes through transforms and a model, a class and a seed for each row."""
    low, high = np.zeros((5, 7, 3), "float32"), np.ones((5, 7, 3), "float32")
    objectives = [LogProbability(row) for row in rows]
    reader = Reader.of(open_model(model), objectives)
    seeds = [[0, row] for row in rows]
    coefficients, noise_seeds = draw(transforms, seeds, [4], low.shape)

    def gradient(code, low, high, coefficients, noise_seeds):
        def objective(code):
            x = one.decode(code, low, high)
            return values(objectives, reader(apply(transforms, x, coefficients, noise_seeds)))

        found, pullback = vjp(objective, code)
        return pullback(ops.ones_like(found))

    code = one.start(seeds, low, high).astype("float32")
    tensors = map(ops.convert_to_tensor, (code, low, high, coefficients[0], noise_seeds[0]))
    compiled = jit(gradient, [*model.variables, *one.variables])
    return ops.convert_to_numpy(compiled(*tensors))


def test_a_row_climbs_among_others_as_it_does_alone():
    model = keras.Sequential(
        [
            keras.Input((5, 7, 3)),
            layers.Conv2D(4, 3, activation="tanh"),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    transforms = (Jitter(1), Rotate(20), Noise(0.1))
    together = gradients(Cosine(), [0, 2, 1], model, transforms)
    alone = gradients(Cosine(), [2], model, transforms)
    assert np.abs(alone).max() > 1e-4
    np.testing.assert_allclose(together[1:2], alone, rtol=1e-3, atol=1e-6)
