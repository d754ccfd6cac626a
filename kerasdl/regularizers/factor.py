"""The weight that every penalty has."""

import math
import numbers


def checked_factor(owner, factor):
    """Returns a regularizer's `factor` as a float: finite and at least 0."""
    return checked_number(owner, "factor", factor, 0, "0.01")


def checked_number(owner, name, value, minimum, default):
    """Returns a constructor's argument as a float: finite and at least the minimum."""
    if not (isinstance(value, numbers.Real) and minimum <= value < math.inf):
        raise ValueError(
            f"{type(owner).__name__}({name}={value!r}): {name} must be a finite number of at least "
            f"{minimum}. The default is {default}."
        )
    return float(value)
