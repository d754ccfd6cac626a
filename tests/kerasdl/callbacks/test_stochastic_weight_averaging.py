import keras
import numpy as np
import pytest

from kerasdl.callbacks import StochasticWeightAveraging


def recorder():
    """A callback and the weights that it saw at the ends of epochs."""
    seen = []
    callback = keras.callbacks.Callback()
    callback.on_epoch_end = lambda epoch, logs=None: seen.append(
        [np.array(keras.ops.convert_to_numpy(v)) for v in callback.model.trainable_variables]
    )
    return callback, seen


@pytest.mark.parametrize(("start", "every", "counted"), [(0, 1, [0, 1, 2, 3]), (1, 2, [1, 3])])
def test_the_model_ends_with_the_mean_of_its_weights(problem, start, every, counted):
    model, (callback, seen) = problem.model(), recorder()
    swa = StochasticWeightAveraging(start, every=every)
    for _ in range(2):  # a second fit begins anew
        seen.clear()
        problem.fit(model, callback, swa, epochs=4, validation_split=0.25)
    assert swa.count == len(counted)
    for position, weight in enumerate(model.get_weights()):
        expected = np.mean([seen[epoch][position].astype("float64") for epoch in counted], axis=0)
        np.testing.assert_allclose(weight, expected, rtol=1e-5, atol=1e-7)


def test_the_losses_are_as_without_it(problem):
    first = problem.fit(problem.model(), validation_split=0.25)
    second = problem.fit(problem.model(), StochasticWeightAveraging(0), validation_split=0.25)
    assert first == second


def normalized(problem):
    keras.utils.set_random_seed(3)
    layers = [keras.layers.Dense(3), keras.layers.BatchNormalization(name="bn")]
    return problem.model(*layers, keras.layers.Dropout(0.5))


def test_batch_normalization_gets_the_mean_statistics_of_the_averaged_network(problem):
    model = normalized(problem)
    problem.fit(model, StochasticWeightAveraging(0, x=problem.x, batch_size=12))
    first, bn = model.layers[0], model.get_layer("bn")
    outputs = keras.ops.convert_to_numpy(first(problem.x)).reshape(2, 12, 3)
    mean, variance = (keras.ops.convert_to_numpy(v) for v in (bn.moving_mean, bn.moving_variance))
    np.testing.assert_allclose(mean, outputs.mean(axis=(0, 1)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(variance, outputs.var(axis=1).mean(axis=0), rtol=1e-4)
    assert bn.momentum == 0.99


def test_the_pass_for_the_statistics_changes_no_random_state(problem):
    drawn = []
    for x in (problem.x[:8], problem.x):
        model = normalized(problem)
        problem.fit(model, StochasticWeightAveraging(0, x=x), epochs=1)
        outputs = model.layers[-2](np.ones((1, 40), "float32"), training=True)
        drawn.append(keras.ops.convert_to_numpy(outputs))
    np.testing.assert_array_equal(*drawn)


def test_batch_normalization_without_data_is_refused_unless_it_is_frozen(problem):
    model = normalized(problem)
    with pytest.raises(ValueError, match=r"statistics of batch normalization \(bn\). Give it"):
        problem.fit(model, StochasticWeightAveraging(0))
    model.get_layer("bn").trainable = False
    model.compile("sgd", "mse")
    problem.fit(model, StochasticWeightAveraging(0), epochs=1)


def test_an_exception_leaves_the_weights_and_the_mean_so_far(problem):
    def fail(epoch, logs):
        if epoch == 1:
            raise RuntimeError("stop here")

    model, swa = problem.model(), StochasticWeightAveraging(0)
    callback, seen = recorder()
    failing = keras.callbacks.LambdaCallback(on_epoch_end=fail)
    with pytest.raises(RuntimeError, match="stop here"):
        problem.fit(model, callback, swa, failing, epochs=4)
    for weight, last in zip(model.get_weights(), seen[1], strict=True):
        np.testing.assert_array_equal(weight, last)
    expected = (seen[0][0].astype("float64") + seen[1][0]) / 2
    np.testing.assert_allclose(swa.average[0], expected, rtol=1e-6)


def test_a_training_that_ends_before_it_starts_is_warned_of(problem):
    model = problem.model()
    with pytest.warns(UserWarning, match=r"start_epoch=5\) averaged nothing"):
        problem.fit(model, StochasticWeightAveraging(5))


@pytest.mark.parametrize(
    "arguments", [{"start_epoch": -1}, {"start_epoch": 0.5}, {"every": 0}, {"batch_size": None}]
)
def test_bad_arguments_are_refused(arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=rf"{name}=.*must be an integer of at least [01]"):
        StochasticWeightAveraging(**{"start_epoch": 0, **arguments})
