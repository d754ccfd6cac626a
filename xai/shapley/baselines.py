"""Baselines: what stands in the place of a player that is absent."""

import functools
import sys

import keras
import numpy as np


def resolve(baseline, inputs):
    """Returns the values that absent elements of an input take.

    Args:
        baseline: A number; an array; `"blur"`; a shap masker that replaces each element for itself;
            a function from the inputs to such values for each row; or None, for an input that is
            held fixed. The rank of an array decides: as many axes as a row is one baseline, one
            axis more is background rows `(n, ...)`, also if `n` is 1 or the batch size.
        inputs: The batch of one input to explain, `(batch, ...)`.

    Returns:
        An array `(n, 1, ...)`, or `(1, batch, ...)` where each row has its own; None for None.

    Raises:
        ValueError: Another shape, no rows, values that are not finite, fractions for an input of
            integers, or an unknown name.
    """
    baseline = plain(baseline)
    if baseline is None:
        return None
    if callable(baseline):
        return _checked(baseline(inputs), inputs)[np.newaxis]
    array = _checked(baseline, inputs)
    row = inputs.shape[1:]
    if array.ndim == 0 or array.shape == row:
        return np.broadcast_to(array, (1, 1, *row))
    if array.shape[1:] == row and len(array):
        return array[:, np.newaxis]
    raise ValueError(
        f"A baseline is a number, an array of the shape of one input, {row}, or background rows of "
        f"it, {('n', *row)}; received {array.shape}."
    )


def plain(baseline):
    """Returns a baseline given by name or by a shap masker as an array, a function or None.

    A masker that looks at the whole row stays as it is.
    """
    if isinstance(baseline, str):
        return _named(baseline)
    maskers = sys.modules.get("shap.maskers")  # who has a masker has imported shap
    if maskers is None or not isinstance(baseline, maskers.Masker):
        return baseline
    if isinstance(baseline, maskers.Fixed):
        return None
    if isinstance(baseline, maskers.Independent | maskers.Partition):
        return baseline.data
    if isinstance(baseline, maskers.Image) and baseline.blur_kernel is not None:
        return functools.partial(_box_blur, size=baseline.blur_kernel[::-1])
    if isinstance(baseline, maskers.Image) and isinstance(baseline.mask_value, np.ndarray):
        return baseline.mask_value.reshape(baseline.input_shape)
    return baseline


def is_masker(baseline):
    """Whether a baseline masks whole rows by shap's protocol, `masker(mask, row)`."""
    return callable(baseline) and hasattr(baseline, "shape")


def _named(name):
    if name != "blur":
        raise ValueError(f"The baseline {name!r} is unknown; the only one with a name is 'blur'.")
    return _gaussian_blur


def _gaussian_blur(inputs):
    """Returns rows blurred by a Gaussian whose deviation is an eighth of each spatial axis."""
    from scipy.ndimage import gaussian_filter  # scikit-learn brings scipy

    deviations = [size / 8 for size in inputs.shape]
    for axis in (0, _channel_axis(inputs)):
        deviations[axis] = 0
    return gaussian_filter(inputs, deviations, mode="nearest")


def _box_blur(inputs, size):
    """Returns images blurred by a box `(height, width)`, mirrored at borders as OpenCV does."""
    from scipy.ndimage import uniform_filter

    axes = np.delete(np.arange(inputs.ndim), [0, _channel_axis(inputs)])
    return uniform_filter(inputs, size, mode="mirror", axes=tuple(axes))


def _channel_axis(inputs):
    if inputs.ndim < 3 or not np.issubdtype(inputs.dtype, np.floating):
        raise ValueError(
            "A blur needs floating-point inputs with spatial axes and channels; received "
            f"{inputs.dtype} of shape {inputs.shape}. Give a number or an array instead."
        )
    first = inputs.ndim > 3 and keras.config.image_data_format() == "channels_first"
    return 1 if first else inputs.ndim - 1


def _checked(values, inputs):
    """Returns values as an array of the inputs' dtype."""
    given = np.asarray(values)
    if not np.isfinite(given).all():
        raise ValueError("The baseline has NaN or infinite values.")
    array = given.astype(inputs.dtype)
    if np.issubdtype(inputs.dtype, np.integer) and (array != given).any():
        raise ValueError(
            f"The baseline has values that {inputs.dtype} inputs cannot take, such as "
            f"{given[array != given].flat[0]}; give integers, such as the id of a padding token."
        )
    return array
