"""The input elements themselves."""

import dataclasses

import numpy as np
from keras import ops

from xai.activation_maximization.parameterizations.parameterization import (
    Parameterization,
    normal_codes,
)

_SCALE = 0.1  # of the width of the box
_DEVIATION = 0.1  # of a start from the middle, in ordinary steps


@dataclasses.dataclass(frozen=True)
class Pixels(Parameterization):
    """The input elements themselves, clipped to the bounds; any inputs, also without bounds."""

    def decode(self, code, low, high):
        """Returns the clipped code, with a gradient also beyond the bounds, by which it returns."""
        clipped = ops.stop_gradient(self.confine(code, low, high))
        return clipped + (code - ops.stop_gradient(code))

    def encode(self, x, low, high):
        """Returns clipped inputs."""
        return np.clip(np.asarray(x, "float64"), low, high)

    def confine(self, code, low, high):
        """Returns the clipped code."""
        return ops.clip(code, low, high)

    def start(self, seeds, low, high):
        """Returns the middle of the bounds and a little noise; zero where there is no middle."""
        are_finite = np.isfinite(low) & np.isfinite(high)
        near = [np.where(are_finite, bound, np.clip(0.0, low, high)) for bound in (low, high)]
        middle = np.mean(near, axis=0)
        noise = _DEVIATION * self.scale(low, high) * normal_codes(seeds, np.shape(low))
        return np.clip(middle + noise, low, high)

    def scale(self, low, high):
        """Returns a tenth of the width of the bounds; 1 where they are infinite."""
        width = np.asarray(high, "float64") - low
        return np.where(np.isfinite(width), _SCALE * width, 1)
