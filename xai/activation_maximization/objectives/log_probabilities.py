"""The logarithms of a model's class probabilities."""

from keras import ops


def log_probabilities(logits, head):
    """Returns the log-probability of every class in nats, `(rows, classes)`.

    Classes exclude one another where the model ends in a softmax or in plain logits: log softmax.
    Where it ends in a sigmoid, or in a single output, each output is a yes or no of its own: log
    sigmoid. Both are computed from the logits, for the logarithm of a probability underflows.

    Args:
        logits: `(rows, classes)`.
        head: The node of a final softmax or sigmoid that was left off the model, or None.
    """
    if logits.shape[-1] == 1 or _is_sigmoid(head):
        return ops.log_sigmoid(logits)
    return ops.log_softmax(logits, axis=-1)


def _is_sigmoid(head):
    """Whether the activation that was left off is a sigmoid, however it is attached."""
    if head is None:
        return False
    activation = getattr(head.operation, "activation", head.operation)
    name = getattr(activation, "__name__", type(activation).__name__)
    return "sigmoid" in name.lower()
