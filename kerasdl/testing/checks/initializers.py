"""What an initializer must keep to."""

import keras
import numpy as np
from keras import ops

from kerasdl.testing.results import FaultError, NotApplicableError, described
from kerasdl.testing.subject import differ


def shapes_and_dtypes_are_those_asked_for(subject):
    """The values have the shape and the dtype that a weight asks for, and are finite."""
    (shape,) = subject.inputs[:1]
    for dtype in ("float32", "float16", "bfloat16"):
        try:
            found = subject.clone()(shape, dtype=dtype)
        except Exception as error:
            if dtype != "float32":  # frameworks lack decompositions in half precision
                continue
            raise FaultError(
                f"{subject.name}({shape}, {dtype!r}) raises {described(error)}"
            ) from error
        if tuple(found.shape) != tuple(shape):
            raise FaultError(f"{subject.name} gives shape {tuple(found.shape)}, asked for {shape}.")
        if keras.backend.standardize_dtype(found.dtype) != dtype:
            raise FaultError(
                f"{subject.name} gives {keras.backend.standardize_dtype(found.dtype)}, asked for "
                f"{dtype}: cast the values to dtype."
            )
        if not np.isfinite(ops.convert_to_numpy(ops.cast(found, "float32"))).all():
            raise FaultError(f"{subject.name} gives infinities or NaN in {dtype}.")


def the_default_dtype_is_that_of_keras(subject):
    """Without a dtype the values have `keras.config.floatx()`."""
    found = subject.clone()(subject.inputs[0])
    dtype = keras.backend.standardize_dtype(found.dtype)
    if dtype != keras.config.floatx():
        raise FaultError(
            f"{subject.name} gives {dtype} without a dtype, not {keras.config.floatx()}."
        )


def equal_seeds_give_equal_values(subject):
    """An int as seed gives the same values at every time, another int others."""
    if "seed" not in subject.config:
        raise NotApplicableError("it takes no seed")
    first, again, other = (_values(subject, subject.clone(seed=seed)) for seed in (1, 1, 2))
    if differ(first, again, 0) is not None:
        raise FaultError(
            f"{subject.name}(seed=1) gives other values every time: draw with keras.random and "
            "self.seed."
        )
    if np.ptp(first) > 0 and differ(first, other, 0) is None:
        raise FaultError(
            f"{subject.name} gives the same values for seeds 1 and 2: pass the seed on."
        )


def _values(subject, initializer):
    return ops.convert_to_numpy(initializer(subject.inputs[0], dtype="float32"))


def moments_do_not_depend_on_the_dtype_or_the_draw(subject):
    """Mean and variance of the values are those of any other draw, within their errors."""
    if "seed" not in subject.config:
        raise NotApplicableError("it takes no seed")
    draws = [_values(subject, subject.clone(seed=seed)).ravel() for seed in range(4)]
    deviations = [draw.std() for draw in draws]
    if max(deviations) == 0:
        return
    error = np.mean(deviations) * np.sqrt(1 / draws[0].size)
    if max(deviations) - min(deviations) > 12 * error:
        raise FaultError(
            f"{subject.name} has standard deviations of {min(deviations):.4g} to "
            f"{max(deviations):.4g} for different seeds."
        )


CHECKS = (
    shapes_and_dtypes_are_those_asked_for,
    the_default_dtype_is_that_of_keras,
    equal_seeds_give_equal_values,
    moments_do_not_depend_on_the_dtype_or_the_draw,
)
