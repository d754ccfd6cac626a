"""Gradients against finite differences."""

import numpy as np
from keras import ops, tree

from kerasdl.backend import vjp
from kerasdl.testing.behaviour import tensors
from kerasdl.testing.results import FaultError
from kerasdl.testing.subject import numpy

# Central differences in float32: the truncation falls as the step squared, rounding grows as one
# over it. One element is moved at a time, for many together cross the kinks of a maximum.
_STEPS = 2e-3, 5e-4
_TOLERANCE = 0.05  # of the greatest of all gradients
_STEEPEST, _RANDOM, _MOST_MISSES = 3, 3, 1
_LARGE = 1e4


def require_finite(name, function, inputs):
    """Requires finite gradients where all inputs are zero, and none of NaN where they are large.

    Where zeros make the values NaN they are no inputs, such as probabilities that sum to zero.

    Raises:
        FaultError: There is one.
    """
    zeros, large = _changed(inputs, np.zeros_like), _changed(inputs, lambda a: a * _LARGE)
    values = numpy(tree.flatten(function(tensors(zeros))))
    if not any(np.isnan(value).any() for value in values):
        _require(name, "zero", np.isfinite, gradient(function, zeros)[1])
    _require(name, "large", lambda part: ~np.isnan(part), gradient(function, large)[1])


def _require(name, what, is_good, found):
    if not all(is_good(part).all() for part in found):
        raise FaultError(
            f"{name} has a gradient of NaN or infinity for inputs that are {what}: keep roots and "
            "logarithms away from 0, within ops.where also in the branch that is not taken."
        )


def require_derivative(name, function, inputs):
    """Requires gradients that tell how the outputs change with single elements of the inputs.

    Raises:
        FaultError: They do not, for most of the steepest elements or of those taken at random.
    """
    cotangents, found = gradient(function, inputs)
    flat = np.concatenate([part.ravel() for part in found]).astype("float64")
    steepest = np.argsort(-np.abs(flat), kind="stable")[:_STEEPEST]
    others = np.random.default_rng(1).permutation(flat.size)[:_RANDOM]
    for places in (steepest, others):
        misses = [_miss(function, inputs, cotangents, flat, place) for place in places]
        misses = [miss for miss in misses if miss is not None]
        if len(misses) > min(_MOST_MISSES, len(places) - 1):
            told, seen = misses[0]
            raise FaultError(
                f"{name} has a gradient that is not its derivative: for one element {told:.4g}, "
                f"where finite differences find {seen:.4g}. Compute with keras.ops alone; a "
                "gradient that is another by design is declared by surrogate_gradient = True."
            )


def _miss(function, inputs, cotangents, told, place):
    """Returns what is told and seen of an element where they differ, None where they agree."""
    for step in _STEPS:
        seen = _difference(function, inputs, cotangents, place, step)
        size = max(np.abs(told).max(), abs(seen), 1e-4)
        if abs(told[place] - seen) <= _TOLERANCE * size:
            return None
    return told[place], seen


def _changed(inputs, change):
    return tree.map_structure(lambda a: change(a) if _is_float(a) else a, inputs)


def _is_float(array):
    return np.asarray(array).dtype.kind == "f"


def _weights(outputs):
    """Returns random cotangents for the outputs, which make a number of them."""
    random = np.random.default_rng(2)
    return tree.map_structure(
        lambda part: random.normal(size=tuple(part.shape)).astype("float32"), outputs
    )


def gradient(function, inputs):
    """Returns the random cotangents, and the gradients of all inputs that are no integers."""
    leaves = tree.flatten(inputs)
    floats = [leaf for leaf in leaves if _is_float(leaf)]

    def of_floats(given):
        given = iter(given)
        full = [next(given) if _is_float(leaf) else tensors(leaf) for leaf in leaves]
        return function(tree.pack_sequence_as(inputs, full))

    outputs, pullback = vjp(of_floats, tensors(floats))
    cotangents = _weights(outputs)
    given = tree.map_structure(
        lambda weight, output: ops.convert_to_tensor(weight, output.dtype), cotangents, outputs
    )
    return cotangents, [ops.convert_to_numpy(part) for part in pullback(given)]


def _difference(function, inputs, cotangents, place, step):
    """Returns the central difference of the weighted outputs by one element of the inputs."""
    ends = []
    for change in (step, -step):
        outputs = function(tensors(_moved(inputs, place, change)))
        outputs = tree.map_structure(ops.convert_to_numpy, outputs)
        pairs = zip(tree.flatten(outputs), tree.flatten(cotangents), strict=True)
        ends.append(sum(float((np.float64(one) * weight).sum()) for one, weight in pairs))
    return (ends[0] - ends[1]) / (2 * step)


def _moved(inputs, place, change):
    """Returns inputs whose floats, one after the other, have one element changed."""
    moved, start = [], 0
    for leaf in tree.flatten(inputs):
        leaf = np.array(leaf)
        if _is_float(leaf):
            if start <= place < start + leaf.size:
                leaf.reshape(-1)[place - start] += change
            start += leaf.size
        moved.append(leaf)
    return tree.pack_sequence_as(inputs, moved)
