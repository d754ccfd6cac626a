"""Integer class labels from what users have."""

from keras import ops


def class_labels(y_true, num_classes, rank):
    """Returns integer labels of a rank.

    Args:
        y_true: Labels, which may have one more axis: of length 1, or of length `num_classes`, along
            which the largest element marks the class (one-hot).
        num_classes: Number of classes.
        rank: Number of axes of the result.

    Raises:
        ValueError: `y_true` has another shape.
    """
    y_true = ops.convert_to_tensor(y_true)
    last = y_true.shape[-1] if len(y_true.shape) == rank + 1 else None
    if last == 1:
        y_true = ops.squeeze(y_true, axis=-1)
    elif last == num_classes:
        y_true = ops.argmax(y_true, axis=-1)
    elif len(y_true.shape) != rank:
        raise ValueError(
            f"y_true has the shape {tuple(y_true.shape)}, which fits neither one integer label per "
            f"sample nor {num_classes} columns. Samples have {rank} axes here, the batch included."
        )
    return ops.cast(y_true, "int32")
