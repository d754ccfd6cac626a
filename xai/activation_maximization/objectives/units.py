"""Objectives of the units of a layer: one neuron, a channel, a direction, the whole layer."""

import dataclasses
import math
import numbers

import numpy as np
from keras import ops

from xai.activation_maximization.objectives.indices import check_index
from xai.activation_maximization.objectives.objective import Objective

_LEAST_COSINE = 0.1  # below it a direction would stop rewarding what points elsewhere
_SMALL = 1e-12  # keeps the gradient of a length finite where all units are zero


@dataclasses.dataclass(frozen=True)
class _OfLayer(Objective):
    layer: str

    @property
    def layers(self):
        """The one layer."""
        return (self.layer,)


@dataclasses.dataclass(frozen=True)
class Neuron(_OfLayer):
    """The output of one unit of a layer.

    Attributes:
        layer: The layer's name.
        index: Of the unit within a row of the layer's output: an int where that is flat, else a
            tuple with an int per axis; kept as a tuple.

    Raises:
        ValueError: An index is no int from 0 on.

    Source: Erhan, Bengio, Courville & Vincent 2009, Visualizing higher-layer features of a deep
    network (technical report 1341, Université de Montréal).
    """

    index: tuple

    def __post_init__(self):
        indices = self.index if isinstance(self.index, tuple | list) else (self.index,)
        checked = tuple(check_index(index, "An index of a neuron") for index in indices)
        object.__setattr__(self, "index", checked)

    def __call__(self, readings):
        """Returns the unit's output, `(rows,)`."""
        return readings.layer(self.layer)[(slice(None), *self.index)]

    def check(self, reader):
        """Refuses a layer without such a unit."""
        shape = reader.shape(self.layer)[1:]
        fits = len(shape) == len(self.index) and all(
            size is None or index < size for index, size in zip(self.index, shape, strict=True)
        )
        if not fits:
            raise ValueError(
                f"The layer {self.layer!r} has outputs of shape {('batch', *shape)}: the index of "
                f"a neuron has an int below each of the last {len(shape)}; received {self.index}."
            )


@dataclasses.dataclass(frozen=True)
class Channel(_OfLayer):
    """The mean output of a channel over all positions.

    Attributes:
        layer: The layer's name; its data format says which axis has the channels.
        channel: The index of the channel.

    Raises:
        ValueError: It is no int from 0 on.

    Source: Olah, Mordvintsev & Schubert 2017, Feature visualization (Distill), as lucid computes
    it.
    """

    channel: int

    def __post_init__(self):
        object.__setattr__(self, "channel", check_index(self.channel, "A channel"))

    def __call__(self, readings):
        """Returns the mean over the positions, `(rows,)`."""
        return ops.mean(readings.channels(self.layer)[:, :, self.channel], axis=1)

    def check(self, reader):
        """Refuses a layer without such a channel."""
        size = reader.num_channels(self.layer)
        if self.channel >= size:
            raise ValueError(
                f"The layer {self.layer!r} has {size} channels, 0 to {size - 1}; received "
                f"{self.channel}."
            )


@dataclasses.dataclass(frozen=True)
class Direction(_OfLayer):
    """How far a layer's output goes in a direction of its channels, the mean over all positions.

    At each position it is `dot * max(0.1, cosine)^p` of the channels and the vector: with a power p
    above 0, what points elsewhere counts less, however large it is.

    Attributes:
        layer: The layer's name; its data format says which axis has the channels.
        vector: A number per channel; kept as a tuple. Its length counts.
        cosine_power: p, from 0 on.

    Raises:
        ValueError: The vector is empty, zero or not finite, or the power is negative.

    Source: Carter et al. 2019, Exploring neural networks with activation atlases (Distill), as
    lucid computes it, but each row on its own.
    """

    vector: tuple
    cosine_power: float = 0

    def __post_init__(self):
        object.__setattr__(self, "vector", _check_vector(self.vector))
        power = self.cosine_power
        if not isinstance(power, numbers.Real) or not 0 <= power < math.inf:
            raise ValueError(f"cosine_power is a number from 0 on; received {power!r}.")

    def __call__(self, readings):
        """Returns the mean over the positions, `(rows,)`."""
        channels = readings.channels(self.layer)
        vector = ops.convert_to_tensor(self.vector, channels.dtype)
        dot = ops.matmul(channels, vector)
        if self.cosine_power:
            lengths = ops.sqrt(ops.sum(channels**2, axis=-1) + _SMALL)
            cosine = dot / (lengths * math.hypot(*self.vector))
            dot = dot * ops.maximum(cosine, _LEAST_COSINE) ** self.cosine_power
        return ops.mean(dot, axis=1)

    def check(self, reader):
        """Refuses a layer of another number of channels."""
        size = reader.num_channels(self.layer)
        if size != len(self.vector):
            raise ValueError(
                f"The layer {self.layer!r} has {size} channels; received a vector of "
                f"{len(self.vector)} numbers."
            )


@dataclasses.dataclass(frozen=True)
class Layer(_OfLayer):
    """The mean square of a layer's outputs: more of whatever the layer already sees.

    Attributes:
        layer: The layer's name.

    Source: Mordvintsev, Olah & Tyka 2015, Inceptionism: going deeper into neural networks
    (DeepDream).
    """

    def __call__(self, readings):
        """Returns the mean square, `(rows,)`."""
        return ops.mean(readings.channels(self.layer) ** 2, axis=(1, 2))


def _check_vector(vector):
    """Returns a vector as a tuple of floats."""
    try:
        components = np.asarray(vector, "float64")
    except (TypeError, ValueError):
        components = np.zeros(0)
    if components.ndim != 1 or not components.any() or not np.isfinite(components).all():
        raise ValueError(
            "The vector of a direction has a finite number per channel, not all zero; received "
            f"{vector!r}."
        )
    return tuple(components.tolist())
