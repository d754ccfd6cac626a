"""What an optimizer must keep to."""

import keras
import numpy as np
from keras import ops

from kerasdl.testing.behaviour import trajectory
from kerasdl.testing.checks.optimizer_settings import changed
from kerasdl.testing.host import perceptron, train
from kerasdl.testing.results import FaultError, NotApplicableError, described
from kerasdl.testing.subject import differ

_STEPS = 20


def a_learning_rate_of_zero_moves_nothing(subject):
    """One step of `fit` without a learning rate leaves the weights as they are."""
    model, before = _trained(changed(subject, learning_rate=0.0), steps=1)
    gap = differ(before, model.get_weights(), 1e-6)
    if gap is not None:
        raise FaultError(
            f"{subject.name}(learning_rate=0.0) moves the weights by {gap:.2g} of their size in "
            "one step: scale every change by the learning rate; and give a slot its first value "
            "by an initializer (add_variable_from_reference), for what build assigns is lost "
            "within a compiled step on TensorFlow."
        )


def _trained(optimizer, steps=_STEPS, **settings):
    """Returns a model after steps of `fit` on one batch, and its weights before."""
    model, (x,), (y,) = perceptron()
    model.compile(optimizer=optimizer, loss="mse", **settings)
    before = model.get_weights()
    data = np.concatenate([x] * steps), np.concatenate([y] * steps)
    model.fit(*data, batch_size=len(x), epochs=1, shuffle=False, verbose=0)
    return model, before


def compiled_steps_are_those_of_single_ones(subject):
    """20 steps compiled, and 20 in float64 where the backend has it, end at the same weights."""
    compiled, _ = _trained(subject.clone())
    eager, _ = _trained(subject.clone(), run_eagerly=True)
    gap = differ(eager.get_weights(), compiled.get_weights(), 1e-3)
    if gap is not None:
        raise FaultError(
            f"{subject.name}: weights after {_STEPS} compiled and eager steps differ by {gap:.2g} "
            "of their size. Keep state in variables, read self.iterations for the step, decide by "
            "ops.where; and never keep variable.value across an assign, which changes it."
        )
    try:
        exact = trajectory(subject.clone(), _STEPS, dtype="float64")
    except Exception as error:
        return f"float64 variables are not taken: {described(error)}"
    gap = differ(exact, trajectory(subject.clone(), _STEPS), 1e-3)
    if gap is not None:
        raise FaultError(
            f"{subject.name}: {_STEPS} steps in float32 and float64 differ by {gap:.2g} of the "
            "weights' size: cast the learning rate and all constants to variable.dtype."
        )
    return None


def training_continues_where_it_was_saved(subject):
    """Saving after some steps and going on equals an uninterrupted run."""
    model, (x,), (y,) = perceptron()
    model.compile(optimizer=subject.clone(), loss="mse", run_eagerly=True)
    train(model, [x], [y], 5)
    weights = model.get_weights()
    state = [np.array(ops.convert_to_numpy(v)) for v in model.optimizer.variables]
    train(model, [x], [y], 5)
    again, _, _ = perceptron()
    again.compile(optimizer=subject.clone(), loss="mse", run_eagerly=True)
    again.optimizer.build(again.trainable_variables)
    again.set_weights(weights)
    if len(state) != len(again.optimizer.variables):
        raise FaultError(
            f"{subject.name} has {len(state)} variables after training and "
            f"{len(again.optimizer.variables)} after build: create all of them in build."
        )
    for variable, value in zip(again.optimizer.variables, state, strict=True):
        variable.assign(value)
    train(again, [x], [y], 5)
    gap = differ(model.get_weights(), again.get_weights(), 1e-5)
    if gap is not None:
        raise FaultError(
            f"{subject.name}: saved after 5 steps, the next 5 differ by {gap:.2g} of the weights' "
            "size from an uninterrupted run: keep all state in variables of the optimizer "
            "(add_optimizer_variables, add_variable_from_reference), not in Python."
        )


def the_learning_rate_may_be_set(subject):
    """A rate that is set has the effect of one that is given to the constructor."""
    rate = subject.config.get("learning_rate")
    if not isinstance(rate, float):
        raise NotApplicableError("its learning rate is no number")
    optimizer = subject.clone()
    optimizer.learning_rate = 2 * rate
    if differ(trajectory(changed(subject, learning_rate=2 * rate)), trajectory(optimizer), 1e-5):
        raise FaultError(
            f"{subject.name} does not follow learning_rate when it is set: use the learning rate "
            "that update_step is given."
        )


def variables_may_come_in_any_order(subject):
    """Each variable has slots of its own."""
    shapes = ((2, 2), (2, 2), (3,))
    forth, back = (_ordered(subject.clone(), shapes, order) for order in ([0, 1, 2], [2, 1, 0]))
    if differ(forth, back, 1e-4) is not None:
        raise FaultError(
            f"{subject.name}: weights depend on the order of the variables. Look a variable's "
            "slots up by self._get_variable_index(variable)."
        )


def _ordered(optimizer, shapes, order):
    random = np.random.default_rng(0)
    values = [random.normal(size=shape) for shape in shapes]
    gradients = [[random.normal(size=shape) for shape in shapes] for _ in range(3)]
    variables = [keras.Variable(values[place], dtype="float32") for place in order]
    optimizer.build(variables)
    for each in gradients:
        optimizer.apply([ops.convert_to_tensor(each[place], "float32") for place in order])
    return [ops.convert_to_numpy(variables[order.index(place)]) for place in range(len(order))]


def a_step_is_counted_once(subject):
    """`iterations` grows by one with every step."""
    optimizer = subject.clone()
    trajectory(optimizer, 3)
    if int(optimizer.iterations) != 3:
        raise FaultError(f"{subject.name}.iterations is {int(optimizer.iterations)} after 3 steps.")


def training_lowers_the_loss(subject):
    """On a bowl, steps against the gradient go down."""
    variable = keras.Variable(np.full((4,), 3.0, "float32"))
    optimizer = subject.clone()
    optimizer.build([variable])
    first = 0.5 * float(ops.sum(ops.square(variable)))
    for _ in range(100):
        optimizer.apply([ops.copy(variable.value)])
    last = 0.5 * float(ops.sum(ops.square(variable)))
    if not last < first:
        raise FaultError(
            f"{subject.name}: 100 steps take half the square of four weights from {first:.4g} to "
            f"{last:.4g}: a step goes against the gradient."
        )


def half_precision_variables_keep_their_dtype(subject):
    """bfloat16 variables are stepped by, and stay what they are."""
    variable = keras.Variable(np.ones((3, 2)), dtype="bfloat16", name="kernel")
    optimizer = subject.clone()
    try:
        optimizer.build([variable])
        for _ in range(2):
            optimizer.apply([ops.ones((3, 2), "bfloat16")])
    except Exception as error:
        raise FaultError(
            f"{subject.name} cannot step bfloat16 variables: {described(error)} Cast the gradient, "
            "the learning rate and all constants to variable.dtype."
        ) from error
    if keras.backend.standardize_dtype(variable.dtype) != "bfloat16":
        raise FaultError(f"{subject.name} makes bfloat16 variables {variable.dtype}.")


CHECKS = (
    a_learning_rate_of_zero_moves_nothing,
    compiled_steps_are_those_of_single_ones,
    training_continues_where_it_was_saved,
    the_learning_rate_may_be_set,
    variables_may_come_in_any_order,
    a_step_is_counted_once,
    training_lowers_the_loss,
    half_precision_variables_keep_their_dtype,
)
