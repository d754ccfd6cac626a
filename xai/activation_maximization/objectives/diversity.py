"""How much alike the rows of one objective are."""

import dataclasses

from keras import ops

from xai.activation_maximization.objectives.objective import Objective

_SMALL = 1e-12  # keeps the gradient of a length finite where all units are zero


@dataclasses.dataclass(frozen=True)
class Diversity(Objective):
    """How alike a row is to the others of the same objective: subtract it to make them differ.

    The mean cosine similarity, within 0 and 1, of the row's Gram matrix over the channels of a
    layer and that of each other row; 0 where there is no other. It is the one objective of which a
    row depends on others, and as each pair counts in both rows, their sum pulls on a row twice.

    Attributes:
        layer: The layer's name; its data format says which axis has the channels.

    Example:
        >>> xai.objectives.Channel("conv2", 5) - 2 * xai.objectives.Diversity("conv2")

    Source: Olah, Mordvintsev & Schubert 2017, Feature visualization (Distill). Lucid divides the
    sum over all pairs by the number of rows, this by the number of pairs.
    """

    layer: str

    @property
    def layers(self):
        """The one layer."""
        return (self.layer,)

    @property
    def compares_rows(self):
        """Yes."""
        return True

    def __call__(self, readings):
        """Returns the mean similarity to the other rows, `(rows,)`."""
        channels = readings.channels(self.layer)
        mean_square = ops.mean(channels**2, axis=(1, 2), keepdims=True)
        products = _gram_products(channels / ops.sqrt(mean_square + _SMALL))
        lengths = ops.sqrt(ops.diagonal(products) + _SMALL)
        similarity = products / (lengths[:, None] * lengths)
        others = ops.sum(similarity, axis=1) - ops.diagonal(similarity)
        count = ops.sum(ops.ones_like(similarity), axis=1) - 1
        return others / ops.maximum(count, 1)


def _gram_products(channels):
    """Returns the inner products of the rows' Gram matrices `(channels, channels)`, `(rows, rows)`.

    The inner product of two Gram matrices is the sum of squares of the inner products of all pairs
    of positions; for few positions of many channels that is far smaller.
    """
    positions, size = channels.shape[1:]
    if positions is not None and positions < size:
        overlaps = ops.einsum("ipc,jqc->ijpq", channels, channels)
        return ops.sum(overlaps**2, axis=(2, 3))
    grams = ops.einsum("ipc,ipd->icd", channels, channels)
    return ops.einsum("icd,jcd->ij", grams, grams)
