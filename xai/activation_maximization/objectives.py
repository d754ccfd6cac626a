"""What an ascent maximizes of a model."""

import dataclasses

from keras import ops

from xai.model import OpenModel


@dataclasses.dataclass(frozen=True, eq=False)
class ClassLogProbability:
    """The log-probability of a class in nats: at most zero, and flat where the model is sure.

    Classes exclude one another where the model ends in a softmax or in plain logits: log softmax.
    Where it ends in a sigmoid, or in a single output, each output is a yes or no of its own: log
    sigmoid. Both are computed from the logits, for the logarithm of a probability underflows.

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
        if self.model.num_outputs == 1 or _is_sigmoid(self.model.head):
            return ops.log_sigmoid(logits)
        return ops.log_softmax(logits, axis=-1)


def _is_sigmoid(head):
    """Whether the activation that was left off is a sigmoid, however it is attached."""
    if head is None:
        return False
    activation = getattr(head.operation, "activation", head.operation)
    name = getattr(activation, "__name__", type(activation).__name__)
    return "sigmoid" in name.lower()
