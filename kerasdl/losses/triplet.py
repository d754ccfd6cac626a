"""The triplet loss, with triplets found in the batch."""

import math
import numbers
from typing import ClassVar

import numpy as np
from keras import ops

from kerasdl.losses.batchwise_loss import BatchwiseLoss, others
from kerasdl.losses.pairwise_distances import DISTANCES, pairwise_distances
from kerasdl.registry import register


@register
class Triplet(BatchwiseLoss):
    """Wants each sample nearer to those of its class than to others, by a margin.

    ```
    loss_a = mean_p(max(0, d(a, p) - d(a, n) + margin))
    ```

    Each sample of the batch is an anchor a; p is a positive, another sample of its class, and n a
    negative, a sample of another class. `mining` chooses them:

    - `"hard"`: the farthest positive and the nearest negative.
    - `"semi_hard"`: every positive, each with the nearest negative that is farther than it; where
      there is none, with the farthest negative. Compares all triplets: memory grows with the cube
      of the batch (70 MB for 256 samples).

    An anchor without a positive or without a negative counts 0, also in the mean over the batch:
    let a batch have several samples of each class. The embeddings are taken as they are; with
    `"cosine"` their lengths do not matter. The gradient of a distance of 0 is 0, so embeddings that
    are all the same stay so.

    Args:
        margin: Positive distance by which negatives should be farther away.
        mining: `"hard"` or `"semi_hard"`.
        distance: `"euclidean"`, `"squared_euclidean"` or `"cosine"` (1 less the cosine).
        reduction: How the samples' losses are combined; see `keras.losses.Loss`.
        name: Name of the instance.
        dtype: Dtype of the computation. Default: `keras.config.floatx()`.

    Input shape:
        `y_true`: labels `(batch,)` or `(batch, 1)`; integers of any size, or rows such as one-hot
        ones. `y_pred`: embeddings `(batch, features)`.

    Raises:
        ValueError: `margin` is not a positive finite number, `mining` or `distance` is unknown, or,
            when called, the shapes do not fit.

    Example:
        >>> encoder.compile(optimizer="adam", loss=Triplet(margin=0.5, mining="hard"))

    Source:
        Schroff, Kalenichenko, Philbin: FaceNet, 2015 (arXiv 1503.03832): squared distances between
        unit vectors, semi-hard, and a sum over all pairs of anchor and positive where this is a
        mean for each anchor. Hermans, Beyer, Leibe: In defense of the triplet loss for person
        re-identification, 2017 (arXiv 1703.07737), for `"hard"`.
    """

    search_space: ClassVar = {
        "margin": {"min_value": 0.05, "max_value": 2.0, "sampling": "log"},
        "mining": ["hard", "semi_hard"],
    }
    other_settings: ClassVar[dict] = {"mining": "hard", "distance": "cosine"}

    @classmethod
    def example_inputs(cls):
        """Returns labels of three classes and embeddings `(6, 2)`."""
        embeddings = [[0.1, 0.9], [0.4, 0.5], [1.2, 0.3], [0.2, 0.4], [0.9, 1.4], [-0.6, 0.1]]
        return np.array([0, 0, 1, 1, 0, 2]), np.array(embeddings)

    def __init__(
        self,
        margin=1.0,
        mining="semi_hard",
        distance="euclidean",
        reduction="sum_over_batch_size",
        name="triplet",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if not (isinstance(margin, numbers.Real) and 0 < margin < math.inf):
            raise ValueError(
                f"Triplet(margin={margin!r}): margin must be a positive finite number. "
                "Give a distance such as 1.0; for unit vectors or cosines 0.2 is usual."
            )
        _require_one_of("mining", mining, tuple(_MINING))
        _require_one_of("distance", distance, DISTANCES)
        self.margin = float(margin)
        self.mining = mining
        self.distance = distance

    def sample_losses(self, same, embeddings):
        """Returns the loss of each anchor."""
        distances = pairwise_distances(embeddings, self.distance)
        positive = ops.logical_and(same, others(same))
        return _MINING[self.mining](distances, positive, ops.logical_not(same), self.margin)

    def get_config(self):
        """Returns the constructor's arguments."""
        own = {"margin": self.margin, "mining": self.mining, "distance": self.distance}
        return {**super().get_config(), **own}


def _hard(distances, positive, negative, margin):
    # An infinity stands for what does not exist: the difference is then -inf, and the loss 0.
    farthest = ops.max(ops.where(positive, distances, -math.inf), axis=1)
    nearest = ops.min(ops.where(negative, distances, math.inf), axis=1)
    return ops.relu(farthest - nearest + margin)


def _semi_hard(distances, positive, negative, margin):
    farther = ops.expand_dims(distances, 1) > ops.expand_dims(distances, 2)
    farther = ops.logical_and(farther, ops.expand_dims(negative, 1))
    candidates = ops.where(farther, ops.expand_dims(distances, 1), math.inf)
    farthest = ops.max(ops.where(negative, distances, -math.inf), axis=1, keepdims=True)
    chosen = ops.where(ops.any(farther, axis=2), ops.min(candidates, axis=2), farthest)
    usable = ops.logical_and(positive, ops.any(negative, axis=1, keepdims=True))
    # The gradient of what is not chosen must not meet the infinities.
    gap = ops.where(usable, distances - chosen, -math.inf)
    count = ops.sum(ops.cast(usable, gap.dtype), axis=1)
    return ops.sum(ops.relu(gap + margin), axis=1) / ops.maximum(count, 1)


_MINING = {"hard": _hard, "semi_hard": _semi_hard}


def _require_one_of(argument, value, known):
    if value not in known:
        raise ValueError(
            f"Triplet({argument}={value!r}): {argument} must be one of "
            f"{', '.join(map(repr, known))}. Use {known[0]!r} if in doubt."
        )
