"""Tails of the standard normal density and their inverse, with names that NumPy and `ops` share.

Neither has the normal distribution function in common. Tails are kept as logarithms, so that
nothing under- or overflows in float32, however far out.
"""

import functools
import math

import numpy as np
import scipy.special

_DEGREE = 14
_WIDTH = 4.0  # of the change of variable below; with the degree it leaves an error of 3e-10
_NEWTON_STEPS = 3  # error 4e-2, 8e-4, 2e-7, 3e-10 of a score after 0, 1, 2, 3 steps


def log_tail(y, ops):
    """Returns `log P(Y > y)` of standard normal Y, elementwise, for any `y`."""
    is_above = y > 0
    distance = ops.where(is_above, y, -y)  # unlike `abs` it has a slope at 0
    beyond = _log_scaled_tail(distance, ops) - 0.5 * distance * distance
    return ops.where(is_above, beyond, ops.log1p(-ops.exp(beyond)))


def normal_score(log_below, log_above, ops):
    """Returns the standard normal value that has the given log-probabilities on either side.

    Newton's steps on the logarithm of the smaller tail, from a start that is right in the middle
    and far out.

    Args:
        log_below: `log P(Y < y)`.
        log_above: `log P(Y > y)`, in the same shape; only the smaller of both is used.
        ops: `keras.ops` or `numpy`.
    """
    is_below = log_below < log_above
    tail = ops.where(is_below, log_below, log_above)
    beyond = math.log(0.5) - tail
    y = math.sqrt(math.pi / 2) * beyond / ops.sqrt(1 + math.pi / 4 * beyond)
    for _ in range(_NEWTON_STEPS):
        scaled = _log_scaled_tail(y, ops)
        y = y + (scaled - 0.5 * y * y - tail) * math.sqrt(2 * math.pi) * ops.exp(scaled)
    return ops.where(is_below, -y, y)


def _log_scaled_tail(y, ops):
    """Returns `log P(Y > y) + y^2 / 2` for `y >= 0`: log t plus a polynomial in t = 1 / (1 + y/4).

    The form is that of Press et al. 2007, Numerical Recipes (3rd edition), section 6.2.
    """
    t = 1 / (1 + y / _WIDTH)
    place = 2 * t - 1
    value = 0 * place
    for coefficient in _coefficients():
        value = value * place + coefficient
    return value + ops.log(t)


@functools.cache
def _coefficients():
    """Returns those of the polynomial in 2t - 1, the highest power first."""

    def smooth(place):
        t = (place + 1) / 2
        distance = _WIDTH * (1 / t - 1) / np.sqrt(2)
        return np.log(scipy.special.erfcx(distance) / 2) - np.log(t)

    series = np.polynomial.chebyshev.chebinterpolate(smooth, _DEGREE)
    return np.polynomial.chebyshev.cheb2poly(series)[::-1].tolist()
