"""Steering: tensors that keep their value and get the gradient that a rule prescribes.

With `R = a * d(score)/d a` for every tensor `a`, a rule is a choice of gradient. It replaces a
layer's output `y` by `share + stop_gradient(y - share)` with `share = z * (y / z)`, the quotient
held constant: the value stays `y`, the gradient becomes that of `z`, scaled so that the relevance
of `y` is distributed in proportion to the summands of `z`.

Relevance may sit where a value is zero, if the layer above gives it to its inputs whatever they
are. A gradient cannot carry it through an exact zero, so that values count as at least 1e-12.
"""

import dataclasses

from keras import ops

STABILIZER = 1e-6  # zennit's, in every denominator that a rule without an epsilon has
_FLOOR = 1e-12


@dataclasses.dataclass(frozen=True)
class Site:
    """What the graph knows of a linear map's surroundings.

    Attributes:
        nonnegative: Its inputs are never negative, so that what acts on negative inputs vanishes.
        rectified: Only a ReLU reads its output, so that no relevance arrives where it is negative.
    """

    nonnegative: bool = False
    rectified: bool = False


def detached(variable, dtype):
    """Copies a variable's value, which JAX frees and torch changes when training goes on."""
    return ops.stop_gradient(ops.copy(ops.cast(variable, dtype)))


def floor(x):
    """Moves values closer to zero than 1e-12 to that distance; zero itself counts as positive."""
    return ops.where(ops.abs(x) < _FLOOR, ops.where(x < 0, -_FLOOR, _FLOOR), x)


def stabilize(z, epsilon):
    """Moves `z` away from zero by `epsilon`; zero itself counts as positive."""
    return z + ops.where(z < 0, -epsilon, epsilon)


def distribute(y, z, epsilon):
    """Returns `z` scaled to carry the relevance of `y`: `z * y / z`, the quotient constant."""
    return z * ops.stop_gradient(floor(y) / floor(stabilize(z, epsilon)))


def steer(y, share):
    """Returns the value `y` with the gradient of `share`."""
    return share + ops.stop_gradient(y - share)


def probe(x):
    """Returns ones whose gradient is the relevance of `x`, even where `x` is zero."""
    return 1 + (x - ops.stop_gradient(x)) * ops.stop_gradient(1 / floor(x))


def pass_on(y, x):
    """Returns the value `y` with the gradient that leaves its relevance to `x` unchanged."""
    return steer(y, x * ops.stop_gradient(floor(y) / floor(x)))
