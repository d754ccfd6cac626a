"""What a learning-rate schedule must keep to."""

import numpy as np
from keras import ops

from kerasdl.backend import jit
from kerasdl.testing.behaviour import STEPS
from kerasdl.testing.results import FaultError, described
from kerasdl.testing.subject import differ


def rates_are_finite_numbers(subject):
    """A rate is one finite number of at least 0 at every step."""
    for step in STEPS:
        value = _rate(subject, subject.clone(), step)
        if value.shape != () or not np.isfinite(value) or value < 0:
            raise FaultError(
                f"{subject.name} gives {value} at step {step}: a number of at least 0."
            )


def _rate(subject, schedule, step):
    try:
        return np.asarray(ops.convert_to_numpy(ops.convert_to_tensor(schedule(step))), "float64")
    except Exception as error:
        raise FaultError(
            f"{subject.name} raises {described(error)} at step {step!r}: begin with "
            "ops.cast(step, 'float32'), and decide by ops.where, not by if."
        ) from error


def steps_may_be_of_any_type(subject):
    """Python ints, int32, int64 and float tensors give the same rate."""
    schedule = subject.clone()
    for step in STEPS:
        plain = _rate(subject, schedule, step)
        for dtype in ("int32", "int64", "float32"):
            found = _rate(subject, schedule, ops.convert_to_tensor(step, dtype))
            if differ(plain, found, 1e-5) is not None:
                raise FaultError(
                    f"{subject.name} gives {found} at step {step} in {dtype}, and {plain} for an "
                    "int: begin with ops.cast(step, 'float32')."
                )


def rates_depend_on_the_step_alone(subject):
    """The same step has the same rate, whichever came before."""
    schedule = subject.clone()
    first = [_rate(subject, schedule, step) for step in STEPS]
    again = [_rate(subject, schedule, step) for step in reversed(STEPS)][::-1]
    if differ(first, again, 0) is not None:
        raise FaultError(f"{subject.name} remembers earlier steps: compute from the step alone.")


def compiled_rates_are_those_of_a_call(subject):
    """One compiled function gives the rate of every step."""
    schedule = subject.clone()
    compiled = jit(lambda step: ops.convert_to_tensor(schedule(step)))
    for step in STEPS:
        try:
            found = ops.convert_to_numpy(compiled(ops.convert_to_tensor(step, "int32")))
        except Exception as error:
            raise FaultError(
                f"{subject.name} cannot be compiled: {described(error)} Compute with keras.ops, "
                "and decide by ops.where, not by if."
            ) from error
        if differ(found, _rate(subject, schedule, step), 1e-5) is not None:
            raise FaultError(f"{subject.name} gives another rate compiled: compute with keras.ops.")


CHECKS = (
    rates_are_finite_numbers,
    steps_may_be_of_any_type,
    rates_depend_on_the_step_alone,
    compiled_rates_are_those_of_a_call,
)
