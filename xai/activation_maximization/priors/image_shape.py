"""Rows that are images, or signals, which are images of width 1."""


def image_shape(shape, prior):
    """Returns `(height, width, channels)`.

    Args:
        shape: Of a row: `(height, width, channels)` or `(steps, channels)`.
        prior: The name of the prior that needs it, for the error.

    Raises:
        ValueError: Neither an image nor a signal.
    """
    if len(shape) not in (2, 3):
        raise ValueError(
            f"A {prior} prior describes images (height, width, channels) and signals (steps, "
            f"channels); received rows of shape {shape}. Reshape them, or use Gaussian."
        )
    return shape if len(shape) == 3 else (shape[0], 1, shape[1])
