"""How far results lie from a reference."""

import numpy as np


def relative(a, b):
    """Returns the L2 distance of `a` from `b` as a part of the length of `b`."""
    return np.linalg.norm(a - b) / np.linalg.norm(b)
