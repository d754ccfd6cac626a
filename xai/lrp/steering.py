"""Steering: tensors that keep their value and get the gradient that a rule prescribes.

With `R = a * d(score)/d a` for every tensor `a`, a rule is a choice of gradient. A layer's output
`y` hands its gradient to the pre-activation `z` that the rule prescribes, times `y / z`: then the
relevance of `y` is distributed in proportion to the summands of `z`.

Relevance may sit where a value is zero, if the layer above gives it to its inputs whatever they
are. A gradient cannot carry it through an exact zero, so that values count as at least 1e-12.
"""

import dataclasses

from keras import ops

from kerasdl.backend import with_gradient

STABILIZER = 1e-6  # zennit's, in every denominator that a rule without an epsilon has
_FLOOR = 1e-12


@dataclasses.dataclass(frozen=True)
class Site:
    """What the graph knows of a linear map's surroundings.

    Attributes:
        nonnegative: Its inputs are never negative, so that what acts on negative inputs vanishes.
        rectified: Only ReLUs read its output, so that no relevance arrives where it is negative;
            the rule rectifies it, and they have nothing left to do.
        probed: Relevance may arrive where its output is zero.
        image: Function of a bound on the model's input to that on its own, where preprocessing
            and padding lie between; None for the same.
    """

    nonnegative: bool = False
    rectified: bool = False
    probed: bool = False
    image: object = None

    def output(self, y):
        """Returns what the map hands on."""
        return relu(y) if self.rectified else y

    def numerator(self, y):
        """Returns an output to be divided by its summands' total; a zero may have relevance."""
        return floor(y) if self.probed else y


def detached(variable, dtype):
    """Copies a variable's value, which JAX frees and torch changes when training goes on."""
    return ops.stop_gradient(ops.copy(ops.cast(variable, dtype)))


def redirect(y, *parts):
    """Returns `y`, whose gradient goes to other tensors instead, times a factor for each.

    It costs nothing on the way forward, and the factors are all that is kept for the way back; the
    same by `stop_gradient` takes four more passes over the activations.

    Args:
        y: The value; it gets no gradient itself.
        *parts: Pairs of a tensor of its shape and a factor, a number or what broadcasts with it.
    """
    tensors, factors = zip(*parts, strict=True)
    factors = [ops.convert_to_tensor(factor, y.dtype) for factor in factors]

    def gradients(given, *factors):
        return [given * factor for factor in factors]

    return with_gradient(y, gradients, factors, tensors)


def floor(x):
    """Moves values closer to zero than 1e-12 to that distance; zero itself counts as positive."""
    return ops.where(ops.abs(x) < _FLOOR, ops.where(x < 0, -_FLOOR, _FLOOR), x)


def stabilize(z, epsilon):
    """Moves `z` away from zero by `epsilon`; zero itself counts as positive."""
    return ops.where(z < 0, z - epsilon, z + epsilon)


def distribute(y, z, site, sign=None):
    """Returns what the map hands on, whose relevance goes to the summands of `z` in proportion.

    Args:
        y: The map's output.
        z: The pre-activation that the rule prescribes.
        site: Where the map stands.
        sign: 1 or -1 if `z` has that sign or is zero wherever relevance arrives, else None.
    """
    y = site.output(y)
    return redirect(y, (z, quotient(y, z, site, sign)))


def quotient(y, z, site, sign=None):
    """Returns `y / z`, stabilized; see `distribute`."""
    stable = stabilize(z, STABILIZER) if sign is None else z + sign * STABILIZER
    return site.numerator(y) / stable


def probe(x):
    """Returns ones whose gradient is the relevance of `x`, even where `x` is zero."""
    return redirect(ops.ones_like(x), (x, 1 / floor(x)))


def pass_on(y, x):
    """Returns the value `y` with the gradient that leaves its relevance to `x` unchanged."""
    return redirect(y, (x, floor(y) / floor(x)))


def scale_gradient(x, factor):
    """Returns `x` with its gradient multiplied by a number or tensor."""
    return redirect(x, (x, factor))


def relu(x):
    """Returns `relu(x)`, which keeps a byte per element for its gradient, and no other tensor."""

    def gradients(given, passes):
        return [ops.where(passes, given, 0)]

    return with_gradient(ops.relu(x), gradients, [x > 0], [x])


def rectify(x, gated):
    """Returns `relu(x)` whose gradient is rectified: only what is positive passes.

    Args:
        x: A tensor.
        gated: Whether it passes only where `x` is positive too, as the gradient of a ReLU does.
    """

    def gradients(given, passes):
        given = ops.relu(given)
        return [ops.where(passes, given, 0) if gated else given]

    return with_gradient(ops.relu(x), gradients, [x > 0], [x])
