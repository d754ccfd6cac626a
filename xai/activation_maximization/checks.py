"""What is refused at the door of an activation maximization."""

import numbers

import numpy as np
from keras import ops, tree

from xai.activation_maximization.objectives import Objective
from xai.activation_maximization.parameterizations import Parameterization, Pixels
from xai.activation_maximization.priors import Prior


def check_prior(prior, parameterization):
    """Returns a prior over inputs, None if the parameterization says what is likely.

    Raises:
        TypeError: It is none.
        ValueError: Both say what is likely.
    """
    may_be_none = not isinstance(parameterization, Pixels)
    if not isinstance(prior, Prior) and not (prior is None and may_be_none):
        raise TypeError(
            f"A prior is an xai.priors.Prior; received {type(prior).__name__}: {prior!r}. Fit one, "
            "such as xai.priors.GaussianMixture.fit(x). None is for parameterizations that say "
            "what is likely, such as xai.parameterizations.MaCo()."
        )
    if prior is not None and parameterization.prior is not None:
        raise ValueError(
            f"{type(parameterization).__name__} has a prior over its codes; received prior="
            f"{type(prior).__name__} over inputs too. Pass prior=None."
        )
    return prior


def check_parameterization(parameterization):
    """Returns a parameterization, the input elements themselves for None.

    Raises:
        TypeError: It is none.
    """
    if parameterization is None:
        return Pixels()
    if not isinstance(parameterization, Parameterization):
        raise TypeError(
            "A parameterization is one of xai.parameterizations, such as Cosine(); received "
            f"{parameterization!r}."
        )
    return parameterization


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


def check_input(opened, prior_shape):
    """Returns the dtype in which the inputs of an opened model climb.

    Args:
        opened: The model.
        prior_shape: Of the rows that the prior was fitted on.

    Raises:
        ValueError: The model has several inputs, one of integers, or of another shape than the
            prior's rows.
    """
    (place,) = tree.flatten(opened.graph.inputs)
    shape, dtype = place.shape[1:], place.dtype
    if "float" not in dtype:
        raise ValueError(
            f"The model {opened.model.name!r} takes inputs of dtype {dtype}, on which there is no "
            "gradient. Rebuild it on keras.Input(shape, dtype='float32')."
        )
    fits = len(shape) == len(prior_shape) and all(
        size in (None, given) for size, given in zip(shape, prior_shape, strict=True)
    )
    if not fits:
        raise ValueError(
            f"The prior was fitted on rows of shape {prior_shape}; the model "
            f"{opened.model.name!r} takes {('batch', *shape)}. Fit it on the inputs that the model "
            "is given."
        )
    return "float64" if dtype == "float64" else "float32"


def check_known_shape(opened):
    """Returns the shape of a row of a model of one input.

    Raises:
        ValueError: It is not known, or there are several inputs.
    """
    places = tree.flatten(opened.graph.inputs)
    shape = places[0].shape[1:]
    if len(places) != 1 or None in shape:
        raise ValueError(
            f"The model {opened.model.name!r} takes inputs of shape {[p.shape for p in places]}; "
            "without a prior it must have one input of known shape. Rebuild it on such an input, "
            "or pass a prior."
        )
    return tuple(shape)


def check_bounds(bounds, shape, prior, dtype):
    """Returns the least and the greatest values, arrays of a dtype in the shape of a row.

    They are rounded inwards, so that the bounds hold exactly; those of the data, which None stands
    for, outwards.

    Args:
        bounds: What was given.
        shape: Of a row.
        prior: The prior over inputs, or None.
        dtype: Of the ascent.

    Raises:
        ValueError: Not two bounds, of a shape that fits no row, out of order, within the data, or
            None without data.
    """
    if bounds is None and prior is None:
        raise ValueError(
            "bounds=None takes the bounds of the prior's data, and there is no prior. Pass the "
            "least and the greatest value of the model's inputs."
        )
    if bounds is None:
        low, high = prior.low.astype(dtype), prior.high.astype(dtype)
        return np.nextafter(low, -np.inf, dtype=dtype), np.nextafter(high, np.inf, dtype=dtype)
    low, high = _two_bounds(bounds, shape)
    if prior is not None and ((prior.low < low).any() or (prior.high > high).any()):
        raise ValueError(
            f"The bounds {bounds!r} do not enclose the data of the prior, which lie between "
            f"{prior.low.min():.6g} and {prior.high.max():.6g}. Pass the bounds of the model's "
            "inputs, or fit the prior on data that are scaled as the model's."
        )
    return _rounded_inwards(low, high, dtype)


def _two_bounds(bounds, shape):
    try:
        low, high = (np.broadcast_to(np.asarray(b, "float64"), shape) for b in bounds)
    except (TypeError, ValueError):
        raise ValueError(
            "bounds are two numbers, or two arrays in the shape of a row, "
            f"{shape}; received {bounds!r}."
        ) from None
    if not (low < high).all():
        raise ValueError(f"The lower bound lies below the upper one; received {bounds!r}.")
    return low, high


def _rounded_inwards(low, high, dtype):
    least, most = low.astype(dtype), high.astype(dtype)
    return (
        np.where(least < low, np.nextafter(least, np.inf, dtype=dtype), least),
        np.where(most > high, np.nextafter(most, -np.inf, dtype=dtype), most),
    )


def check_target(target):
    """Returns the targets as a list of ints and objectives.

    Raises:
        ValueError: No target, or something else.
    """
    is_one = isinstance(target, Objective) or not hasattr(target, "__iter__")
    found = [target] if is_one else list(target)
    if not found:
        raise ValueError("Received no target; pass an int, an objective, or a sequence of them.")
    for one in found:
        is_class = isinstance(one, numbers.Integral) and not isinstance(one, bool)
        if not is_class and not isinstance(one, Objective):
            raise ValueError(
                "A target is a class, an int, or one of xai.objectives, or a sequence of them; "
                f"received {target!r}."
            )
    return [one if isinstance(one, Objective) else int(one) for one in found]


def check_start(start, shape, count):
    """Returns inputs to begin at, `(count, ...)`.

    Raises:
        ValueError: They have another shape, or NaN.
    """
    start = np.asarray(ops.convert_to_numpy(start), "float64")
    if start.shape not in (shape, (count, *shape)):
        raise ValueError(
            f"start is one row of shape {shape} or one for each target, {(count, *shape)}; "
            f"received {start.shape}."
        )
    if not np.isfinite(start).all():
        raise ValueError("start has NaN or infinite values.")
    return np.broadcast_to(start, (count, *shape))


def check_nothing_immutable(prior):
    """Refuses an ascent without a start where columns are to stay as they are.

    Raises:
        ValueError: The prior has immutable columns.
    """
    if np.any(prior.immutable):
        raise ValueError(
            f"The columns {np.flatnonzero(prior.immutable).tolist()} are immutable: pass the rows "
            "whose values they keep as start=."
        )


def check_limits(limits):
    """Refuses to choose a sharpness without knowing what real rows reach.

    Raises:
        ValueError: There are objectives other than log-probabilities.
    """
    if not np.isfinite(limits).all():
        raise ValueError(
            "sharpness='auto' needs to know what real rows reach, and this prior has no held-out "
            "rows. Pass a number, or fit the prior on data."
        )
