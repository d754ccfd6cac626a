"""Refusals of arguments that no layer can work with."""

import math
import numbers


def number(layer, name, value, remedy, *, at_least=-math.inf, below=math.inf):
    """Returns an argument as a finite float; refuses what is none or lies out of range.

    Args:
        layer: Class name of the layer, for the message.
        name: Name of the argument.
        value: What was given.
        remedy: Sentence that says what to give instead.
        at_least: Smallest allowed value.
        below: Bound that the value must not reach.

    Raises:
        ValueError: `value` is no finite number in the range.
    """
    if isinstance(value, numbers.Real) and at_least <= value < below and math.isfinite(value):
        return float(value)
    expected = "a finite number"
    if at_least > -math.inf:
        expected += f" of at least {at_least:g}"
    if below < math.inf:
        expected += f" and below {below:g}"
    raise ValueError(f"{layer}({name}={value!r}): {name} must be {expected}. {remedy}")


def positive(layer, name, value, remedy):
    """Returns an argument as a positive finite float.

    Raises:
        ValueError: `value` is none.
    """
    if isinstance(value, numbers.Real) and 0 < value < math.inf:
        return float(value)
    raise ValueError(
        f"{layer}({name}={value!r}): {name} must be a positive finite number. {remedy}"
    )


def integer(layer, name, value, remedy, *, at_least=None):
    """Returns an argument as an int; refuses what is none or too small.

    Raises:
        ValueError: `value` is no integer, or less than `at_least`.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if whole and (at_least is None or value >= at_least):
        return int(value)
    expected = "an integer" + ("" if at_least is None else f" of at least {at_least}")
    raise ValueError(f"{layer}({name}={value!r}): {name} must be {expected}. {remedy}")


def choice(layer, name, value, choices):
    """Returns an argument that is one of the choices; refuses others.

    Raises:
        ValueError: `value` is none of `choices`.
    """
    if isinstance(value, str) and value in choices:
        return value
    listed = ", ".join(map(repr, choices))
    raise ValueError(f"{layer}({name}={value!r}): {name} must be one of {listed}. Choose one.")


def size_of_axis(layer, axis, input_shape):
    """Returns the size of an axis that is not the batch's.

    Raises:
        ValueError: The input lacks the axis, it counts the rows, or its size is unknown.
    """
    ndim = len(input_shape)
    size = input_shape[axis] if -ndim <= axis < ndim and axis % ndim > 0 else None
    if size is None:
        raise ValueError(
            f"{layer}(axis={axis}) got an input of shape {tuple(input_shape)}: the axis must be "
            f"one of 1 to {ndim - 1}, or negative, and its size known. Name the channels' axis."
        )
    return size
