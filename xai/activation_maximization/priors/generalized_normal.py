"""The generalised normal density of one number, rounded off at its peak.

It is proportional to `exp(-energy(u))` with `energy(u) = (u^2 + s^2)^(p/2) - s^p`: nearly `|u|^p`,
but smooth at zero, where `|u|` has a kink that no ascent comes to rest at. At `p = 2` it is `u^2`.

Source: Subbotin 1923, On the law of frequency of error (Mat. Sb. 31); Nadarajah 2005, A generalized
normal distribution (J. Appl. Stat. 32). The rounding is ours.
"""

import numpy as np

SMOOTHING = 0.1  # s, in units of the width
_PLACES = 20_001
_FARTHEST_ENERGY = 40.0  # beyond lies less than 1e-15 of the mass


def energy(squares, p):
    """Returns the energy of numbers given by their squares, in arrays of NumPy or Keras."""
    return (squares + SMOOTHING**2) ** (p / 2) - SMOOTHING**p


def log_normalizer(p):
    """Returns the logarithm of the integral of `exp(-energy(u))` over all u."""
    places, heights = _table(p)
    return np.log(np.trapezoid(heights, places))


def deviation(p):
    """Returns the standard deviation at width 1."""
    places, heights = _table(p)
    return np.sqrt(np.trapezoid(places**2 * heights, places) / np.trapezoid(heights, places))


def sample(shape, p, random):
    """Returns numbers drawn from the density at width 1."""
    places, heights = _table(p)
    below = np.concatenate([[0], np.cumsum(heights[1:] + heights[:-1])])
    return np.interp(random.uniform(size=shape), below / below[-1], places)


def _table(p):
    """Returns evenly spaced places around zero and `exp(-energy)` there."""
    farthest = (_FARTHEST_ENERGY + SMOOTHING**p) ** (1 / p)
    places = np.linspace(-farthest, farthest, _PLACES)
    return places, np.exp(-energy(places**2, p))
