"""The settings that every optimizer has from its base class, and must not take away."""

import keras
import numpy as np
from keras import ops

from kerasdl.testing.results import FaultError, NotApplicableError, described
from kerasdl.testing.subject import differ


def changed(subject, **changes):
    """Returns an optimizer with other settings.

    Raises:
        NotApplicableError: It has no such setting, or refuses the value.
        FaultError: Its constructor does not take what its configuration holds.
    """
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


def gradients_are_clipped(subject):
    """`clipvalue` and `clipnorm` act as clipped gradients would."""
    for name, clip in (("clipvalue", _clipped_by_value), ("clipnorm", _clipped_by_norm)):
        if name not in subject.config:
            raise NotApplicableError(f"its configuration has no {name}")
        plain = {"clipvalue": None, "clipnorm": None, "global_clipnorm": None}
        clipping = _applied(changed(subject, **{**plain, name: 0.5}), lambda gradient: gradient)
        expected = _applied(changed(subject, **plain), clip)
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
    without = _applied(changed(subject, weight_decay=0.0), lambda gradient: gradient, 2.0)
    decaying = changed(subject, weight_decay=0.1)
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
    halves = _kernel_after(changed(subject, gradient_accumulation_steps=2), parts)
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
    averaging = changed(subject, use_ema=True, ema_momentum=0.5)
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


CHECKS = (
    gradients_are_clipped,
    weight_decay_spares_what_is_excluded,
    gradients_are_accumulated,
    averaged_weights_are_averages,
)
