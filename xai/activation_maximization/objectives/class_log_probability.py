"""The log-probability of a class for each row, of an opened model."""

import dataclasses

from keras import ops

from xai.activation_maximization.objectives.log_probabilities import log_probabilities
from xai.model import OpenModel


@dataclasses.dataclass(frozen=True, eq=False)
class ClassLogProbability:
    """The log-probability of a class in nats: at most zero, and flat where the model is sure.

    Attributes:
        model: The opened model.
    """

    model: OpenModel

    def __call__(self, x, classes):
        """Returns `log p(class | x)`, `(batch,)`, for tensors `(batch, ...)` and `(batch,)`."""
        return ops.take_along_axis(self.every_class(x), classes[:, None], axis=1)[:, 0]

    def every_class(self, x):
        """Returns the log-probability of every class, `(batch, classes)`."""
        logits = ops.cast(self.model.scores(x), x.dtype)  # of half precision in a mixed policy
        return log_probabilities(logits, self.model.head)
