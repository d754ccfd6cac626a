"""The inputs that a component is run with: its own example, or the first of many that it takes."""

import inspect

import numpy as np

from kerasdl.testing import behaviour
from kerasdl.testing.results import FaultError, described

_SHOWN_ERRORS = 2
ROWS, STEPS, FEATURES, CLASSES = 6, 5, 4, 3


def inputs_of(component, kind, given=None):
    """Returns the arguments of a call as a tuple of NumPy arrays or of lists or dicts of them.

    Args:
        component: The instance.
        kind: Its kind.
        given: What `check_component` was given: one argument, or a tuple of them.

    Raises:
        FaultError: None was given, and the component takes none of the usual ones.
    """
    own = getattr(component, "example_inputs", None)
    given = own() if given is None and own is not None else given
    if given is not None:
        return given if isinstance(given, tuple) else (given,)
    if kind in ("optimizer", "schedule", "callback"):
        return ()
    errors = {}
    for candidate in _CANDIDATES[kind](component):
        try:
            instance = _again(component, candidate) if kind == "layer" else component
            found = behaviour.of(kind, instance, candidate)
        except Exception as error:
            errors.setdefault(described(error), [np.shape(part) for part in candidate])
        else:
            if found and all(_is_usable(array) for array in found):
                return candidate
    raise FaultError(
        f"{getattr(component, '__name__', type(component).__name__)} takes none of the usual "
        f"inputs of a {kind}; pass check_component(component, inputs=...) some that it takes, or "
        f"define a classmethod example_inputs. It raises {_listed(errors)}"
    )


def _listed(errors):
    """Returns the first of different errors, each with the shapes that it was raised for."""
    listed = [f"for {shapes} {error}" for error, shapes in list(errors.items())[:_SHOWN_ERRORS]]
    return " ".join(listed) or "nothing, but gives no finite numbers."


def _again(layer, inputs):
    """Returns a new layer, for the given one is not to be built by inputs that it may refuse."""
    again = type(layer).from_config(layer.get_config())
    if hasattr(again, "adapt"):
        again.adapt(inputs[0])
    return again


def _is_usable(array):
    return array.dtype.kind in "OUS" or bool(np.isfinite(np.asarray(array, "float64")).all())


def _random():
    return np.random.default_rng(0)


def normal(*shape):
    """Returns normal float32 numbers, the same for the same shape."""
    return _random().normal(size=shape).astype("float32")


def _uniform(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0.05, 0.95, shape).astype("float32")


def _of_layer(layer):
    count = _num_arguments(layer)
    shapes = [
        (ROWS, FEATURES),
        (ROWS, STEPS, FEATURES),
        (ROWS, 8, 8, 3),
        (ROWS, 3, 8, 8),
        (ROWS, 8, 8, 8, 2),
        (ROWS, 3, 6, 6, 2),
    ]
    for shape in shapes:
        yield tuple(normal(*shape) for _ in range(count))
    for shape in shapes[:3]:
        yield ([normal(*shape), _uniform(*shape)],)
    yield tuple(_random().integers(0, 2, (ROWS, STEPS)) for _ in range(count))
    yield (_random().integers(0, 2, (ROWS,)),)


def _num_arguments(layer):
    """Returns how many tensors a call must be given."""
    parameters = list(inspect.signature(layer.call).parameters.values())
    required = [
        parameter
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        and parameter.name not in ("training", "mask")
    ]
    return max(1, len(required))


def _pairs(component):
    labels = _random().integers(0, CLASSES, ROWS)
    yield _uniform(ROWS, CLASSES, seed=1), _uniform(ROWS, CLASSES)
    yield labels, _uniform(ROWS, CLASSES)
    yield np.where(labels > 0, 1.0, -1.0)[:, None].astype("float32"), normal(ROWS, 1)
    yield _uniform(ROWS, 1, seed=1), _uniform(ROWS, 1)
    yield _uniform(ROWS, seed=1), _uniform(ROWS)
    yield normal(ROWS, CLASSES), normal(ROWS, 2 * CLASSES)


def _of_metric(metric):
    if len(_required(metric.update_state)) == 1:
        yield (_uniform(ROWS, CLASSES),)
    else:
        yield from _pairs(metric)


def _required(function):
    parameters = inspect.signature(function).parameters.values()
    return [parameter for parameter in parameters if parameter.default is parameter.empty]


def _weights(component):
    for shape in ((6, 4), (3, 3, 2, 4), (4, 4), (5,)):
        yield (normal(*shape),)


def _shapes(component):
    for shape in ((64, 32), (3, 3, 16, 32), (32, 32), (3, 16, 32), (2, 3, 4, 5)):
        yield (shape,)


_CANDIDATES = {
    "layer": _of_layer,
    "loss": _pairs,
    "metric": _of_metric,
    "initializer": _shapes,
    "regularizer": _weights,
    "constraint": _weights,
    "activation": lambda activation: [(normal(ROWS, FEATURES),)],
}
