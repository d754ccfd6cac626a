"""Steering: tensors that keep their value and get the gradient that a rule prescribes.

With `R = a * d(score)/d a` for every tensor `a`, a rule is a choice of gradient. A layer's output
`y` hands its gradient to the pre-activation `z` that the rule prescribes, times `y / z`: then the
relevance of `y` is distributed in proportion to the summands of `z`.

Relevance may sit where a value is zero, if the layer above gives it to its inputs whatever they
are. A gradient cannot carry it through an exact zero, so that values count as at least 1e-12.
"""

import dataclasses

from keras import ops

STABILIZER = 1e-6  # zennit's, in every denominator that a rule without an epsilon has
_FLOOR = 1e-12


@dataclasses.dataclass(frozen=True)
class Site:
    """What the graph knows of a linear map's surroundings.

    Attributes:
        nonnegative: Its inputs are never negative, so that what acts on negative inputs vanishes.
        rectified: Only a ReLU reads its output, so that no relevance arrives where it is negative.
        probed: Relevance may arrive where its output is zero.
        image: Function of a bound on the model's input to that on its own, where preprocessing
            and padding lie between; None for the same.
    """

    nonnegative: bool = False
    rectified: bool = False
    probed: bool = False
    image: object = None


def detached(variable, dtype):
    """Copies a variable's value, which JAX frees and torch changes when training goes on."""
    return ops.stop_gradient(ops.copy(ops.cast(variable, dtype)))


def redirect(gradients, y, *parts):
    """Returns `y`, whose gradient goes to other tensors instead.

    A custom gradient costs nothing on the way forward, and on the way back what it computes; the
    same by `stop_gradient` takes four more passes over the activations.

    Args:
        gradients: A function of the gradient for `y`, `y` and the parts to a gradient per part.
        y: The value; it gets no gradient itself.
        *parts: Tensors of its shape.
    """

    @ops.custom_gradient
    def redirected(y, *parts):
        def gradient(*positional, upstream=None):
            given = positional[-1] if upstream is None else upstream  # torch hands it in by name
            return (ops.zeros_like(y), *gradients(given, y, *parts))

        return y, gradient

    return redirected(ops.stop_gradient(y), *parts)


def floor(x):
    """Moves values closer to zero than 1e-12 to that distance; zero itself counts as positive."""
    return ops.where(ops.abs(x) < _FLOOR, ops.where(x < 0, -_FLOOR, _FLOOR), x)


def stabilize(z, epsilon):
    """Moves `z` away from zero by `epsilon`; zero itself counts as positive."""
    return ops.where(z < 0, z - epsilon, z + epsilon)


def distribute(y, z, site, sign=None):
    """Returns `y`, whose relevance goes to the summands of `z` in their proportion.

    Args:
        y: The value.
        z: The pre-activation that the rule prescribes.
        site: Where the map stands.
        sign: 1 or -1 if `z` has that sign or is zero wherever relevance arrives, else None.
    """
    return redirect(lambda given, y, z: [given * quotient(y, z, site, sign)], y, z)


def quotient(y, z, site, sign=None):
    """Returns `y / z`, stabilized; see `distribute`."""
    stable = stabilize(z, STABILIZER) if sign is None else z + sign * STABILIZER
    return (floor(y) if site.probed else y) / stable


def probe(x):
    """Returns ones whose gradient is the relevance of `x`, even where `x` is zero."""
    return redirect(lambda given, _, x: [given / floor(x)], ops.ones_like(x), x)


def pass_on(y, x):
    """Returns the value `y` with the gradient that leaves its relevance to `x` unchanged."""
    return redirect(lambda given, y, x: [given * (floor(y) / floor(x))], y, x)


def scale_gradient(x, factor):
    """Returns `x` with its gradient multiplied by a number or tensor."""
    return redirect(lambda given, *_: [given * factor], x, x)


def rectify(x, gated):
    """Returns `relu(x)` whose gradient is rectified: only what is positive passes.

    Args:
        x: A tensor.
        gated: Whether it passes only where `x` is positive too, as the gradient of a ReLU does.
    """

    @ops.custom_gradient
    def rectified(x):
        def gradient(*positional, upstream=None):
            given = ops.relu(positional[-1] if upstream is None else upstream)
            return given * ops.cast(x > 0, given.dtype) if gated else given

        return ops.relu(x), gradient

    return rectified(x)
