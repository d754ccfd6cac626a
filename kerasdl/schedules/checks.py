"""What the constructors of schedules demand of their arguments."""

import math
import numbers


def rate(owner, name, value, *, positive=True):
    """Returns a learning rate as a float: finite, positive or else at least 0."""
    fits = isinstance(value, numbers.Real) and 0 <= value < math.inf and (value or not positive)
    if not fits:
        kind = "positive" if positive else "at least 0"
        raise ValueError(
            f"{_call(owner, name, value)}: a learning rate must be finite and {kind}. "
            "Give a number such as 0.01."
        )
    return float(value)


def steps(owner, name, value, *, positive=True):
    """Returns a number of optimizer steps: positive or else at least 0."""
    minimum = 1 if positive else 0
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < minimum:
        raise ValueError(
            f"{_call(owner, name, value)}: a number of steps must be an integer of at least "
            f"{minimum}. An epoch has as many steps as batches."
        )
    return int(value)


def number(owner, name, value, *, low, high):
    """Returns a number of the half-open interval (low, high] as a float."""
    if not (isinstance(value, numbers.Real) and low < value <= high):
        raise ValueError(
            f"{_call(owner, name, value)}: {name} must lie in ({low}, {high}]. "
            f"Leave it out for the default."
        )
    return float(value)


def choice(owner, name, value, known):
    """Returns one of the known names."""
    if value not in known:
        raise ValueError(
            f"{_call(owner, name, value)}: {name} must be one of {', '.join(map(repr, known))}. "
            f"Leave it out for {known[0]!r}."
        )
    return value


def _call(owner, name, value):
    return f"{type(owner).__name__}({name}={value!r})"
