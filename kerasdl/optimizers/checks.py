"""Checks of constructor arguments that several optimizers take."""

import inspect
import math
import numbers


def require_decays(owner, **settings):
    """Refuses what is no decay of a running average, in [0, 1)."""
    for name, value in settings.items():
        if not (is_number(value) and 0 <= value < 1):
            raise ValueError(_message(owner, name, value, "must lie in [0, 1)"))


def require_positive(owner, **settings):
    """Refuses what is no finite number above 0."""
    for name, value in settings.items():
        if not (is_number(value) and value > 0):
            raise ValueError(_message(owner, name, value, "must be a finite number above 0"))


def require_count(owner, least, **settings):
    """Refuses what is no integer of at least `least`."""
    for name, value in settings.items():
        whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        if not (whole and value >= least):
            expected = f"must be an integer of at least {least}"
            raise ValueError(_message(owner, name, value, expected))


def require_one_replica(owner):
    """Refuses `tf.distribute` over several devices, before gradients are added up there."""
    strategy = getattr(owner, "_distribution_strategy", None)  # TensorFlow's optimizers have one
    if strategy is not None and strategy.num_replicas_in_sync > 1:
        raise ValueError(
            f"{type(owner).__name__} works on whole gradients, but tf.distribute gives each of "
            f"{strategy.num_replicas_in_sync} replicas a part of them. Train on one device, or use "
            "an optimizer that treats every weight by itself, such as kerasdl>RAdam."
        )


def is_number(value):
    """Whether a value is a finite real number; True and False are none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def _message(owner, name, value, expected):
    default = inspect.signature(type(owner).__init__).parameters[name].default
    return (
        f"{type(owner).__name__}({name}={value!r}): {name} {expected}. "
        f"Leave it out for the default, {default!r}."
    )
