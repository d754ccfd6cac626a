"""What is refused at the door of an activation maximization."""

import numbers

import numpy as np
from keras import tree

from xai.activation_maximization.priors import Prior


def check_prior(prior):
    """Returns a prior.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(prior, Prior):
        raise TypeError(
            f"A prior is an xai.priors.Prior; received {type(prior).__name__}: {prior!r}. This "
            "version has xai.priors.Gaussian.fit(x) and xai.priors.GaussianMixture.fit(x)."
        )
    return prior


def check_sharpness(sharpness):
    """Returns a sharpness.

    Raises:
        ValueError: It is neither `"auto"` nor a positive number.
    """
    is_number = isinstance(sharpness, numbers.Real) and not isinstance(sharpness, bool)
    is_auto = isinstance(sharpness, str) and sharpness == "auto"
    if not is_auto and not (is_number and 0 < sharpness < np.inf):
        raise ValueError(f"sharpness is 'auto' or a positive number; received {sharpness!r}.")
    return sharpness


def check_seed(seed):
    """Returns a seed.

    Raises:
        ValueError: It is no int from 0 on.
    """
    if not isinstance(seed, numbers.Integral) or seed < 0:
        raise ValueError(f"seed is an int from 0 on; received {seed!r}.")
    return int(seed)


def check_steps(steps):
    """Returns a number of steps.

    Raises:
        ValueError: It is no positive int.
    """
    if not isinstance(steps, numbers.Integral) or steps < 1:
        raise ValueError(f"steps is an int from 1 on; received {steps!r}.")
    return int(steps)


def check_absent(parameterization, transforms):
    """Refuses what is not in this version.

    Raises:
        ValueError: A parameterization or transforms were given.
    """
    if parameterization is not None:
        raise ValueError(
            f"Received parameterization={parameterization!r}, but parameterizations are not in "
            "this version: the input elements themselves climb. Leave it at None."
        )
    if not hasattr(transforms, "__len__") or len(transforms):
        raise ValueError(
            f"Received transforms={transforms!r}, but transforms are not in this version. Leave "
            "them at ()."
        )


def check_input(opened, prior):
    """Returns the dtype in which the inputs of an opened model climb.

    Raises:
        ValueError: The model has several inputs, one of integers, or of another shape than the
            prior's rows.
    """
    places = tree.flatten(opened.graph.inputs)
    if len(places) != 1:
        raise ValueError(
            f"The model {opened.model.name!r} has {len(places)} inputs; this version of "
            "ActivationMaximization takes models of one input."
        )
    shape, dtype = places[0].shape[1:], places[0].dtype
    if "float" not in dtype:
        raise ValueError(
            f"The model {opened.model.name!r} takes inputs of dtype {dtype}, on which there is no "
            "gradient. Rebuild it on keras.Input(shape, dtype='float32')."
        )
    fits = len(shape) == len(prior.shape) and all(
        size in (None, given) for size, given in zip(shape, prior.shape, strict=True)
    )
    if not fits:
        raise ValueError(
            f"The prior was fitted on rows of shape {prior.shape}; the model "
            f"{opened.model.name!r} takes {('batch', *shape)}. Fit it on the inputs that the model "
            "is given."
        )
    return "float64" if dtype == "float64" else "float32"


def check_bounds(bounds, prior, dtype):
    """Returns the least and the greatest values, arrays of a dtype in the shape of a row.

    They are rounded inwards, so that the bounds hold exactly.

    Raises:
        ValueError: Not two bounds, of a shape that fits no row, out of order, or within the data.
    """
    try:
        low, high = (np.broadcast_to(np.asarray(b, "float64"), prior.shape) for b in bounds)
    except (TypeError, ValueError):
        raise ValueError(
            "bounds are two numbers, or two arrays in the shape of a row, "
            f"{prior.shape}; received {bounds!r}."
        ) from None
    if not (low < high).all():
        raise ValueError(f"The lower bound lies below the upper one; received {bounds!r}.")
    if (prior.low < low).any() or (prior.high > high).any():
        raise ValueError(
            f"The bounds {bounds!r} do not enclose the data of the prior, which lie between "
            f"{prior.low.min():.6g} and {prior.high.max():.6g}. Pass the bounds of the model's "
            "inputs, or fit the prior on data that are scaled as the model's."
        )
    rounded_low, rounded_high = low.astype(dtype), high.astype(dtype)
    return (
        np.where(rounded_low < low, np.nextafter(rounded_low, np.inf, dtype=dtype), rounded_low),
        np.where(
            rounded_high > high, np.nextafter(rounded_high, -np.inf, dtype=dtype), rounded_high
        ),
    )


def check_classes(opened, target):
    """Returns the classes as an int array `(targets,)`.

    Raises:
        ValueError: No target, one out of range, or something else than classes.
    """
    if callable(target):
        raise ValueError(
            f"Received the objective {target!r}: this version maximizes classes. Pass an int or a "
            "sequence of ints."
        )
    classes = np.atleast_1d(np.asarray(list(target) if hasattr(target, "__iter__") else target))
    if classes.size == 0:
        raise ValueError("Received no target; pass an int or a sequence of ints.")
    if classes.ndim != 1 or not np.issubdtype(classes.dtype, np.integer):
        raise ValueError(
            f"A target is a class or a sequence of classes, ints; received {target!r}."
        )
    return opened.check_target(classes, len(classes))
