"""Lookahead and GradientTransform: what is theirs and not their base class'."""

import keras
import numpy as np
import pytest
from keras import ops

from kerasdl.optimizers import GradientTransform, Lookahead

WRAPPERS = {"Lookahead": Lookahead, "GradientTransform": GradientTransform}
both_wrappers = pytest.mark.parametrize("wrapper", WRAPPERS.values(), ids=WRAPPERS)
WEIGHT = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
GRADIENTS = np.random.default_rng(1).normal(size=(6, 3, 4)).astype("float32")


def run(optimizer, gradients=GRADIENTS, weight=WEIGHT):
    variable = keras.Variable(weight)
    for gradient in gradients:
        optimizer.apply([ops.convert_to_tensor(gradient)], [variable])
    return ops.convert_to_numpy(variable).copy()


@both_wrappers
def test_the_learning_rate_is_the_inner_one(wrapper):
    optimizer = wrapper(keras.optimizers.SGD(0.5))
    optimizer.learning_rate = 0.25
    for owner in (optimizer, optimizer.inner):
        assert float(ops.convert_to_numpy(owner.learning_rate)) == 0.25


@both_wrappers
def test_iterations_count_as_the_inner_ones(wrapper):
    optimizer = wrapper("sgd")
    run(optimizer)
    for owner in (optimizer, optimizer.inner):
        assert int(ops.convert_to_numpy(owner.iterations)) == len(GRADIENTS)


@both_wrappers
@pytest.mark.parametrize("inner", ["adam", keras.optimizers.SGD(0.5, 0.25, nesterov=True)])
def test_the_inner_optimizer_survives_saving(wrapper, inner):
    optimizer = wrapper(inner)
    config = keras.saving.serialize_keras_object(optimizer)
    reloaded = keras.saving.deserialize_keras_object(config)
    assert type(reloaded.inner) is type(optimizer.inner)
    assert reloaded.inner.get_config() == optimizer.inner.get_config()


@both_wrappers
@pytest.mark.parametrize(
    "settings",
    [{"use_ema": True}, {"loss_scale_factor": 2.0}, {"gradient_accumulation_steps": 2}],
)
def test_what_the_wrapper_must_set_is_refused_in_the_inner_optimizer(wrapper, settings):
    with pytest.raises(ValueError, match=f"must not set {next(iter(settings))}"):
        wrapper(keras.optimizers.SGD(**settings))


@both_wrappers
def test_a_loss_scale_within_and_a_used_optimizer_are_refused(wrapper):
    with pytest.raises(ValueError, match="put a LossScaleOptimizer around"):
        wrapper(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()))
    used = keras.optimizers.SGD()
    used.build([keras.Variable(WEIGHT)])
    with pytest.raises(ValueError, match="belongs to a model already"):
        wrapper(used)


@both_wrappers
def test_wrappers_nest(wrapper):
    nested = wrapper(Lookahead(GradientTransform(keras.optimizers.SGD(0.1), True), k=1, alpha=1.0))
    centered = GRADIENTS - GRADIENTS.mean(axis=1, keepdims=True)
    found = run(nested, GRADIENTS[:1])
    np.testing.assert_allclose(found, WEIGHT - 0.1 * centered[0], rtol=1e-5, atol=1e-6)


def test_lookahead_of_the_whole_way_is_the_inner_optimizer():
    found = run(Lookahead(keras.optimizers.Adam(0.1), k=2, alpha=1.0))
    np.testing.assert_allclose(found, run(keras.optimizers.Adam(0.1)), rtol=1e-5, atol=1e-6)


def test_a_transform_of_nothing_is_the_inner_optimizer():
    found = run(GradientTransform(keras.optimizers.Adam(0.1)))
    np.testing.assert_array_equal(found, run(keras.optimizers.Adam(0.1)))


def test_centralized_gradients_keep_the_mean_of_each_unit():
    found = run(GradientTransform(keras.optimizers.SGD(0.1), centralize=True))
    np.testing.assert_allclose(found.mean(axis=0), WEIGHT.mean(axis=0), rtol=1e-5, atol=1e-6)


def test_clipped_units_move_by_their_part_at_most():
    moved = run(GradientTransform(keras.optimizers.SGD(1.0), clip_factor=0.01), GRADIENTS[:1])
    part = np.linalg.norm(moved - WEIGHT, axis=0) / np.linalg.norm(WEIGHT, axis=0)
    np.testing.assert_allclose(part, 0.01, rtol=1e-3)


def test_clipping_lets_weights_of_zero_move():
    zeros = np.zeros_like(WEIGHT)
    transform = GradientTransform(keras.optimizers.SGD(1.0), clip_factor=0.01)
    found = run(transform, GRADIENTS[:1], zeros)
    np.testing.assert_allclose(np.linalg.norm(found, axis=0), 1e-5, rtol=1e-4)


def test_noise_has_its_variance_and_falls():
    weight = np.zeros((200, 200), "float32")
    transform = GradientTransform(keras.optimizers.SGD(1.0), noise=0.3, noise_decay=1.0, seed=0)
    first = run(transform, [weight], weight)
    variable = keras.Variable(weight)
    other = GradientTransform(keras.optimizers.SGD(1.0), noise=0.3, noise_decay=1.0, seed=1)
    for _ in range(3):
        before = ops.convert_to_numpy(variable).copy()
        other.apply([ops.convert_to_tensor(weight)], [variable])
    third = ops.convert_to_numpy(variable) - before
    assert first.var() == pytest.approx(0.3, rel=0.03)  # 4 standard errors of 40000 draws
    assert third.var() == pytest.approx(0.1, rel=0.03)
    assert abs(np.corrcoef(first.ravel(), third.ravel())[0, 1]) < 0.02


def test_the_same_seed_gives_the_same_noise_and_none_gives_another():
    def moved(seed):
        return run(GradientTransform("sgd", noise=1.0, seed=seed))

    np.testing.assert_array_equal(moved(3), moved(3))
    assert not np.allclose(moved(None), moved(None))
