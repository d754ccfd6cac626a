"""Indices as users write them."""

import numbers


def check_index(index, name):
    """Returns an index as an int.

    Args:
        index: What was given.
        name: What the index is called in the error.

    Raises:
        ValueError: It is no int from 0 on.
    """
    if not isinstance(index, numbers.Integral) or isinstance(index, bool) or index < 0:
        raise ValueError(f"{name} is an int from 0 on; received {index!r}.")
    return int(index)
