"""Cosine waves over images or signals, with the amplitudes of natural images."""

import dataclasses
import functools
import numbers

import numpy as np
from keras import ops as keras_ops

from xai.activation_maximization.parameterizations import colours
from xai.activation_maximization.parameterizations.box import require_finite
from xai.activation_maximization.parameterizations.parameterization import (
    Parameterization,
    normal_codes,
)
from xai.activation_maximization.parameterizations.spectrum import amplitudes

_SCALE = 0.1  # in deviations; of all waves together it moves elements by as much before squashing
_DEVIATION = 0.02  # about that of lucid's starts


@dataclasses.dataclass(frozen=True)
class Cosine(Parameterization):
    """Cosine waves over images or signals whose amplitudes fall as those of natural images do.

    An ascent then moves coarse structure more than fine: less of the high-frequency noise that
    models answer to. A standard normal code is an image of that spectrum, with variance one on
    average before it is squashed into the bounds by a sigmoid. Images `(height, width, channels)`
    of three channels have uncorrelated colours.

    Attributes:
        decay: The amplitudes are the frequency to the power of minus this; 0 for equal ones.
        decorrelate: Whether three channels of an image are colours, which natural images correlate.

    Raises:
        ValueError: `decay` is negative or not finite.

    Source: Olah, Mordvintsev & Schubert 2017, Feature visualization (Distill), section
    Preconditioning and parameterization. They take a Fourier transform; the cosine transform is
    real, orthogonal, of any size, and does not join opposite edges.
    """

    decay: float = 1.0
    decorrelate: bool = True

    def __post_init__(self):
        if not isinstance(self.decay, numbers.Real) or not 0 <= self.decay < np.inf:
            raise ValueError(f"decay is a number from 0 on; received {self.decay!r}.")

    def check(self, low, high):
        """Refuses infinite bounds, and rows that are neither images nor signals."""
        require_finite(self, low, high)
        if np.ndim(low) < 2:
            raise ValueError(
                "Cosine is for images (height, width, channels) and signals (steps, channels); "
                f"received rows of shape {np.shape(low)}. Use Pixels."
            )

    def decode(self, code, low, high):
        """Returns the sum of the waves, squashed into the bounds."""
        shape = tuple(code.shape[1:])
        x = code * keras_ops.convert_to_tensor(_gain(shape, self.decay), code.dtype)
        for axis, size in enumerate(shape[:-1], start=1):
            waves = keras_ops.convert_to_tensor(_waves(size), code.dtype)
            x = _transformed(x, axis, waves, keras_ops)
        return colours.to_inputs(x, low, high, self.decorrelate)

    def encode(self, x, low, high):
        """Returns the code of inputs; within a 512th of the box from a bound, of the nearest."""
        x = colours.from_inputs(x, low, high, self.decorrelate)
        shape = x.shape[1:]
        for axis, size in enumerate(shape[:-1], start=1):
            x = _transformed(x, axis, _waves(size).T, np)
        return x / _gain(shape, self.decay)

    def start(self, seeds, low, high):
        """Returns little but the middle of the bounds."""
        return _DEVIATION * normal_codes(seeds, np.shape(low))

    def scale(self, low, high):
        """Returns the same for all waves, as their amplitudes are in the decoding."""
        return np.full(np.shape(low), _SCALE)


def _transformed(x, axis, matrix, ops):
    """Returns what a matrix makes of each line along an axis."""
    return ops.moveaxis(ops.matmul(ops.moveaxis(x, axis, -1), matrix), -1, axis)


@functools.lru_cache(maxsize=16)
def _waves(size):
    """Returns the orthonormal cosine waves over so many elements, a row each: the DCT-II."""
    places, frequencies = np.arange(size) + 0.5, np.arange(size)[:, None]
    waves = np.sqrt(2 / size) * np.cos(np.pi / size * places * frequencies)
    waves[0] = np.sqrt(1 / size)
    return waves


@functools.lru_cache(maxsize=16)
def _gain(shape, decay):
    """Returns the amplitude of each coefficient, `(..., 1)`."""
    axes = np.meshgrid(*(np.arange(size) / (2 * size) for size in shape[:-1]), indexing="ij")
    return amplitudes(np.sqrt(np.square(axes).sum(axis=0)), decay)[..., None]
