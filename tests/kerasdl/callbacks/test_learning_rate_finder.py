import keras
import numpy as np
import pytest

from kerasdl.callbacks import LearningRateFinder


def state(model):
    variables = [*model.variables, *model.optimizer.variables]
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def assert_equal_states(first, second):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("use_ema", [False, True])
def test_the_model_and_the_optimizer_are_as_before(problem, use_ema):
    if use_ema and keras.backend.backend() == "jax":
        pytest.skip("Keras 3.15 fails on JAX in the second fit of an optimizer with use_ema")
    optimizer = keras.optimizers.Adam(0.03, use_ema=use_ema)
    model = problem.model(keras.layers.BatchNormalization(), optimizer=optimizer)
    problem.fit(model, epochs=1)
    before = state(model)
    problem.fit(model, LearningRateFinder(1e-4, 10.0, steps=7), validation_split=0.25, epochs=9)
    assert_equal_states(state(model), before)


def test_training_after_it_is_as_without_it(problem):
    models = [problem.model(optimizer="adam") for _ in range(2)]
    problem.fit(models[0], LearningRateFinder(1e-4, 10.0, steps=5), epochs=9)
    for model in models:
        problem.fit(model, shuffle=False)  # a first fit draws numbers before it shuffles
    assert_equal_states(state(models[0]), state(models[1]))


def test_rates_rise_exponentially_over_several_epochs_and_the_fit_ends(problem):
    finder = LearningRateFinder(1e-5, 1e-3, steps=5, stop_factor=1e9)
    logs = problem.fit(problem.model(), finder, epochs=9)
    np.testing.assert_allclose(finder.history["learning_rate"], np.geomspace(1e-5, 1e-3, 5))
    assert len(logs["loss"]) == 2  # three batches an epoch


def test_losses_are_those_of_the_batches(problem):
    finder = LearningRateFinder(1e-9, 2e-9, steps=3, smoothing=0.5)
    model = problem.model()
    problem.fit(model, finder, shuffle=False)
    batches = [slice(0, 8), slice(8, 16), slice(16, 24)]
    expected = [model.evaluate(problem.x[b], problem.y[b], verbose=0) for b in batches]
    np.testing.assert_allclose(finder.history["loss"], expected, rtol=1e-4)
    weights = np.array([[1, 0, 0], [0.5, 1, 0], [0.25, 0.5, 1]])
    smoothed = weights @ expected / weights.sum(axis=1)
    np.testing.assert_allclose(finder.history["smoothed_loss"], smoothed, rtol=1e-4)


def test_it_ends_when_the_loss_grows_and_suggests_a_rate_before(problem):
    finder = LearningRateFinder(1e-3, 1e4, steps=60, smoothing=0.0, stop_factor=50.0)
    problem.fit(problem.model(), finder, epochs=30, batch_size=24)
    assert len(finder.history["loss"]) < 60
    lowest = finder.history["learning_rate"][int(np.argmin(finder.history["smoothed_loss"]))]
    assert 1e-3 < finder.suggestion <= lowest


def test_there_is_no_suggestion_without_a_fall(problem):
    finder = LearningRateFinder(steps=3)
    assert finder.suggestion is None
    finder.history = {"learning_rate": [1.0, 2.0, 4.0], "smoothed_loss": [1.0, 2.0, np.nan]}
    assert finder.suggestion is None


def test_restore_undoes_a_test_that_an_exception_ended(problem):
    def fail(batch, logs):
        if batch == 1:
            raise RuntimeError("stop here")

    model = problem.model(optimizer="adam")
    problem.fit(model, epochs=1)
    before = state(model)
    finder = LearningRateFinder(1e-2, 1.0, steps=9)
    failing = keras.callbacks.LambdaCallback(on_train_batch_end=fail)
    with pytest.raises(RuntimeError, match="stop here"):
        problem.fit(model, finder, failing)
    finder.restore()
    assert_equal_states(state(model), before)


def test_schedules_are_refused(problem):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    model = problem.model(optimizer=keras.optimizers.SGD(schedule))
    with pytest.raises(ValueError, match=r"follows a schedule or function \(SGD\). Compile with"):
        problem.fit(model, LearningRateFinder())


def test_several_steps_per_execution_are_refused(problem):
    if keras.backend.backend() == "torch":
        pytest.skip("Keras itself refuses them on torch")
    model = problem.model()
    model.compile("sgd", "mse", steps_per_execution=2)
    with pytest.raises(ValueError, match=r"runs 2 per execution. Compile with steps_per_exec"):
        problem.fit(model, LearningRateFinder())


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("min_learning_rate", 0),
        ("max_learning_rate", 1e-6),
        ("steps", 2),
        ("smoothing", 1),
        ("stop_factor", 1.0),
        ("steps", None),
    ],
)
def test_bad_arguments_are_refused(argument, value):
    with pytest.raises(ValueError, match=rf"LearningRateFinder\({argument}=.*must be a number"):
        LearningRateFinder(**{argument: value})
