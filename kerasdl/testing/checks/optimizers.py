"""What an optimizer must keep to."""

import keras
import numpy as np
from keras import ops

from kerasdl.testing.behaviour import trajectory
from kerasdl.testing.host import perceptron, train
from kerasdl.testing.results import FaultError, NotApplicableError, described
from kerasdl.testing.subject import differ

_STEPS = 20


def a_learning_rate_of_zero_moves_nothing(subject):
    """One step of `fit` without a learning rate leaves the weights as they are."""
    model, before = _trained(_with(subject, learning_rate=0.0), steps=1)
    gap = differ(before, model.get_weights(), 1e-6)
    if gap is not None:
        raise FaultError(
            f"{subject.name}(learning_rate=0.0) moves the weights by {gap:.2g} of their size in "
            "one step: scale every change by the learning rate; and give a slot its first value "
            "by an initializer (add_variable_from_reference), for what build assigns is lost "
            "within a compiled step on TensorFlow."
        )


def _with(subject, **changes):
    if "learning_rate" not in subject.config and "learning_rate" in changes:
        raise NotApplicableError("its configuration has no learning rate")
    try:
        return subject.clone(**changes)
    except ValueError as error:
        raise NotApplicableError(f"it refuses {', '.join(changes)} ({described(error)})") from error
    except TypeError as error:
        raise FaultError(
            f"{subject.name} takes no {', '.join(changes)} ({described(error)}): let the "
            "constructor take **kwargs and pass them to the base class."
        ) from error


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


def gradients_are_clipped(subject):
    """`clipvalue` and `clipnorm` act as clipped gradients would."""
    for name, clip in (("clipvalue", _clipped_by_value), ("clipnorm", _clipped_by_norm)):
        if name not in subject.config:
            raise NotApplicableError(f"its configuration has no {name}")
        plain = {"clipvalue": None, "clipnorm": None, "global_clipnorm": None}
        clipping = _applied(_with(subject, **{**plain, name: 0.5}), lambda gradient: gradient)
        expected = _applied(_with(subject, **plain), clip)
        if differ(expected, clipping, 1e-4) is not None:
            raise FaultError(
                f"{subject.name}({name}=0.5) differs from clipped gradients: override update_step, "
                "not apply, which clips."
            )


def _clipped_by_value(gradient):
    return np.clip(gradient, -0.5, 0.5)


def _clipped_by_norm(gradient):
    return gradient * min(1, 0.5 / np.linalg.norm(gradient))


def _applied(optimizer, change, start=1.0, steps=3):
    """Returns two variables after steps by changed gradients."""
    random = np.random.default_rng(0)
    variables = [
        keras.Variable(start * np.ones(shape, "float32"), name=name)
        for shape, name in (((3, 2), "kernel"), ((2,), "bias"))
    ]
    optimizer.build(variables)
    for _ in range(steps):
        gradients = [change(random.normal(size=tuple(v.shape))) for v in variables]
        optimizer.apply([ops.convert_to_tensor(one, "float32") for one in gradients])
    return [ops.convert_to_numpy(variable) for variable in variables]


def weight_decay_spares_what_is_excluded(subject):
    """`weight_decay` moves the kernel, and not the bias that is excluded."""
    if "weight_decay" not in subject.config:
        raise NotApplicableError("its configuration has no weight_decay")
    without = _applied(_with(subject, weight_decay=0.0), lambda gradient: gradient, 2.0)
    decaying = _with(subject, weight_decay=0.1)
    decaying.exclude_from_weight_decay(var_names=["bias"])
    found = _applied(decaying, lambda gradient: gradient, 2.0)
    if differ(without[1], found[1], 1e-6) is not None:
        raise FaultError(
            f"{subject.name} decays a variable that exclude_from_weight_decay names: ask "
            "self._use_weight_decay(variable)."
        )
    if differ(without[0], found[0], 1e-6) is None:
        raise FaultError(
            f"{subject.name}(weight_decay=0.1) decays nothing: pass it to the base class."
        )


def gradients_are_accumulated(subject):
    """Two half steps with `gradient_accumulation_steps=2` are one by their mean."""
    if "gradient_accumulation_steps" not in subject.config:
        raise NotApplicableError("its configuration has no gradient_accumulation_steps")
    random = np.random.default_rng(0)
    parts = [random.normal(size=(3, 2)).astype("float32") for _ in range(8)]
    halves = _kernel_after(_with(subject, gradient_accumulation_steps=2), parts)
    wholes = [(a + b) / 2 for a, b in zip(parts[::2], parts[1::2], strict=True)]
    if differ(_kernel_after(subject.clone(), wholes), halves, 1e-4) is not None:
        raise FaultError(
            f"{subject.name}(gradient_accumulation_steps=2) differs from steps by the mean "
            "gradients: override update_step, not apply, which accumulates."
        )


def _kernel_after(optimizer, gradients):
    variable = keras.Variable(np.ones((3, 2), "float32"), name="kernel")
    optimizer.build([variable])
    for gradient in gradients:
        optimizer.apply([ops.convert_to_tensor(gradient)])
    return ops.convert_to_numpy(variable)


def averaged_weights_are_averages(subject):
    """With `use_ema` the weights end at the moving average of what they were."""
    if "use_ema" not in subject.config:
        raise NotApplicableError("its configuration has no use_ema")
    random = np.random.default_rng(0)
    parts = [random.normal(size=(3, 2)).astype("float32") for _ in range(3)]
    averaging = _with(subject, use_ema=True, ema_momentum=0.5)
    variable = keras.Variable(np.ones((3, 2), "float32"), name="kernel")
    averaging.build([variable])
    average = None
    for gradient in parts:
        averaging.apply([ops.convert_to_tensor(gradient)])
        now = np.array(ops.convert_to_numpy(variable))
        average = _next_average(average, now)
    averaging.finalize_variable_values([variable])
    if differ(average, ops.convert_to_numpy(variable), 1e-4) is not None:
        raise FaultError(
            f"{subject.name}(use_ema=True) ends at other weights than their moving average: call "
            "super().finalize_variable_values, and leave apply to the base class."
        )


def _next_average(average, now):
    """Returns Keras' moving average, which begins at the first weights after a step."""
    return now if average is None else 0.5 * average + 0.5 * now


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
    variables_may_come_in_any_order,
    a_step_is_counted_once,
    training_lowers_the_loss,
    gradients_are_clipped,
    weight_decay_spares_what_is_excluded,
    gradients_are_accumulated,
    averaged_weights_are_averages,
    half_precision_variables_keep_their_dtype,
)
