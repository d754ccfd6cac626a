"""What a model makes of a batch of inputs, as objectives read it."""

import dataclasses
import functools

import numpy as np
from keras import ops

from xai.activation_maximization.objectives.log_probabilities import log_probabilities


@dataclasses.dataclass(frozen=True, eq=False)
class Readings:
    """What a model makes of a batch of inputs; tensors of float32 at least.

    Attributes:
        scores: The logits, `(rows, classes)`; None where several outputs have some and none was
            chosen.
        head: The node of the softmax or sigmoid that was left off, or None.
        outputs: The output of each layer that is read, `(rows, ...)`, by the layer's name.
        channel_axes: The axis that has the channels in each of these outputs, by name.
    """

    scores: object
    head: object
    outputs: dict
    channel_axes: dict

    @functools.cached_property
    def log_probabilities(self):
        """The log-probability of every class in nats, `(rows, classes)`."""
        return log_probabilities(self.scores, self.head)

    def layer(self, name):
        """Returns the output of a layer, `(rows, ...)`."""
        return self.outputs[name]

    def channels(self, name):
        """Returns the output of a layer as `(rows, positions, channels)`; a flat one has one."""
        output = ops.moveaxis(self.outputs[name], self.channel_axes[name], -1)
        positions = int(np.prod(output.shape[1:-1])) if None not in output.shape[1:-1] else -1
        rows = ops.shape(output)[0]
        return ops.reshape(output, (rows, positions, output.shape[-1]))

    def rows(self, rows, layers):
        """Returns the readings of some rows.

        Args:
            rows: Their indices, ints.
            layers: The names of the layers to keep.
        """
        taken = {name: ops.take(self.outputs[name], rows, axis=0) for name in layers}
        scores = None if self.scores is None else ops.take(self.scores, rows, axis=0)
        return dataclasses.replace(self, scores=scores, outputs=taken)
