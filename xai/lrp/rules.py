"""LRP rules: each chooses by which pre-activation `z` a linear map distributes its relevance.

A rule is a frozen record. `prepare` derives the weights it needs, pairs of kernel and bias, once
per explainer; the call runs the layer and returns `site.output` of its value. Below, `f(x; W, b)`
is the layer's affine map, `+` and `-` mark positive and negative parts. A rule that `probes` gives
relevance to inputs that are zero.
"""

import dataclasses
import math

from keras import ops

from kerasdl.backend import with_gradient
from xai.lrp.steering import (
    STABILIZER,
    distribute,
    floor,
    quotient,
    redirect,
    stabilize,
)


def each(change, *weights):
    """Returns kernel and bias changed; a missing bias stays None."""
    return [None if weight is None else change(weight) for weight in weights]


# On torch, Keras' maximum and minimum with a number turn float64 to float32; relu does not.


def positive(kernel, bias):
    """Returns the positive parts of kernel and bias."""
    return each(ops.relu, kernel, bias)


def negative(kernel, bias):
    """Returns the negative parts of kernel and bias."""
    return each(lambda weight: -ops.relu(-weight), kernel, bias)


def _supporting(linear, weights, x, site):
    """Returns the sum of the positive summands, `f(x+; W+, b+) + f(x-; W-, 0)`."""
    if site.nonnegative:
        return linear(x, *weights["positive"])
    kernel, _ = weights["negative"]
    return linear(ops.relu(x), *weights["positive"]) + linear(-ops.relu(-x), kernel)


def _opposing(linear, weights, x, site):
    """Returns the sum of the negative summands, `f(x+; W-, b-) + f(x-; W+, 0)`."""
    if site.nonnegative:
        return linear(x, *weights["negative"])
    kernel, _ = weights["positive"]
    return linear(ops.relu(x), *weights["negative"]) + linear(-ops.relu(-x), kernel)


@dataclasses.dataclass(frozen=True)
class Epsilon:
    """LRP-epsilon: relevance in proportion to each summand, damped where they cancel.

    `z = f(x; W, b)`; `R_j = a_j sum_k w_jk R_k / (z_k + epsilon sign(z_k))`, `sign(0) = 1`. The
    bias and epsilon absorb their share.

    Args:
        epsilon: The stabilizer in the units of the pre-activation: a non-negative number, or a
            function of the pre-activation such as `Relative(0.01)`.

    Source: Bach et al. 2015, On pixel-wise explanations (PLoS ONE 10(7)), eq. 58.
    """

    epsilon: object = 1e-6

    probes = False

    def __post_init__(self):
        """Refuses an epsilon that is no stabilizer."""
        if not callable(self.epsilon):
            _require_nonnegative("epsilon", self.epsilon)

    def prepare(self, kernel, bias, site):
        """Returns the weights that the call needs, here the layer's own."""
        return {"own": [kernel, bias]}

    def __call__(self, linear, weights, x, site):
        """Returns the map's output with the rule's gradient."""
        z = linear(x, *weights["own"])
        y = site.output(z)
        return y if self.epsilon == 0 else redirect(y, (z, self._kept(y, z, site)))

    def _kept(self, y, z, site):
        """Returns the share of the relevance that epsilon does not absorb."""
        y = site.numerator(y)
        if callable(self.epsilon):  # it may be zero in a row of zeros
            return y / floor(stabilize(z, self.epsilon(z)))
        size = ops.abs(y)
        return size / (size + self.epsilon)


@dataclasses.dataclass(frozen=True)
class Zero(Epsilon):
    """LRP-0: relevance in proportion to each summand; equals gradient x input on ReLU nets.

    Source: Bach et al. 2015, eq. 56; Shrikumar et al. 2016 (arXiv 1605.01713) for the identity.
    """

    epsilon: float = dataclasses.field(default=0.0, init=False, repr=False)


@dataclasses.dataclass(frozen=True)
class Relative:
    """An epsilon relative to a layer's pre-activations: `factor` times their root mean square.

    The mean is over all axes of a row; so no row depends on its batch.
    """

    factor: float = 0.01

    def __post_init__(self):
        """Refuses a factor that is no scale."""
        _require_nonnegative("factor", self.factor)

    def __call__(self, z):
        """Returns the epsilon of each row, shaped to broadcast with `z`."""
        axes = tuple(range(1, len(z.shape)))
        return self.factor * ops.sqrt(ops.mean(ops.square(z), axis=axes, keepdims=True))


@dataclasses.dataclass(frozen=True)
class Gamma:
    """LRP-gamma: positive summands count `1 + gamma` times.

    Where `y > 0`: `z = f(x+; W + g W+, b + g b+) + f(x-; W + g W-, 0)`; where `y < 0` the roles of
    `W+` and `W-` swap. It tends to LRP-z+ as gamma grows.

    Args:
        gamma: A non-negative number.

    Source: Montavon et al. 2019, Layer-wise relevance propagation: an overview, for non-negative
    inputs; Andeol et al. 2021 (arXiv 2106.07339) for inputs of both signs.
    """

    gamma: float = 0.25

    probes = False

    def __post_init__(self):
        """Refuses a gamma that does not favour."""
        _require_nonnegative("gamma", self.gamma)

    def prepare(self, kernel, bias, site):
        """Returns the layer's weights, and those with one sign favoured or the signs apart."""
        if site.nonnegative and site.rectified:
            favoured = each(lambda w: w + self.gamma * ops.relu(w), kernel, bias)
            return {"own": [kernel, bias], "favoured": favoured}
        return {"positive": positive(kernel, bias), "negative": negative(kernel, bias)}

    def __call__(self, linear, weights, x, site):
        """Returns the map's output with the rule's gradient."""
        if "favoured" in weights:  # only where y > 0 relevance arrives
            z = linear(x, *weights["favoured"])
            y = site.output(linear(x, *weights["own"]))
            return redirect(y, (z, quotient(y, ops.relu(z), site, sign=1)))
        supporting = _supporting(linear, weights, x, site)
        opposing = _opposing(linear, weights, x, site)
        y = site.output(supporting + opposing)
        larger = ops.maximum(supporting, -opposing)  # the one of the sign of y and z
        share = ops.abs(site.numerator(y)) / (ops.abs(y) + self.gamma * larger + STABILIZER)
        return with_gradient(y, self._gradients, [share, y > 0], [supporting, opposing])

    def _gradients(self, given, share, is_positive):
        """Returns the gradients for the summands of either sign, those of the sign of `y` more."""
        given = given * share
        more = (1 + self.gamma) * given
        return ops.where(is_positive, more, given), ops.where(is_positive, given, more)


@dataclasses.dataclass(frozen=True)
class AlphaBeta:
    """LRP-alpha-beta: positive summands carry alpha, negative ones minus beta, `alpha - beta = 1`.

    `alpha` times the share of `f(x+; W+, b+) + f(x-; W-, 0)`, minus `beta` times that of
    `f(x+; W-, b-) + f(x-; W+, 0)`. The share of an empty sum is lost.

    Args:
        alpha: A number of at least 1; beta is `alpha - 1`.

    Source: Bach et al. 2015, eq. 60, whose beta has the other sign; the bias as in zennit.
    """

    alpha: float = 2.0

    probes = False

    def __post_init__(self):
        """Refuses an alpha whose beta would be negative."""
        _require_nonnegative("alpha", self.alpha)
        if self.alpha < 1:
            raise ValueError(f"alpha is at least 1, as beta = alpha - 1; received {self.alpha!r}.")

    def prepare(self, kernel, bias, site):
        """Returns the positive and negative parts of the weights, and the layer's own."""
        weights = {"own": [kernel, bias], "positive": positive(kernel, bias)}
        if self.alpha > 1 or not site.nonnegative:
            weights["negative"] = negative(kernel, bias)
        return weights

    def __call__(self, linear, weights, x, site):
        """Returns the map's output with the rule's gradient."""
        y = linear(ops.stop_gradient(x), *weights["own"])
        supporting = _supporting(linear, weights, x, site)
        if self.alpha == 1:
            return distribute(y, supporting, site, sign=1)
        y = site.output(y)
        opposing = _opposing(linear, weights, x, site)
        return redirect(
            y,
            (supporting, self.alpha * quotient(y, supporting, site, sign=1)),
            (opposing, (1 - self.alpha) * quotient(y, opposing, site, sign=-1)),
        )


@dataclasses.dataclass(frozen=True)
class ZPlus(AlphaBeta):
    """LRP-z+: only the positive summands receive relevance; alpha-beta with alpha 1.

    Source: Montavon et al. 2017, Explaining nonlinear classification decisions with deep Taylor
    decomposition (Pattern Recognition 65), eq. 14; the bias as in zennit.
    """

    alpha: float = dataclasses.field(default=1.0, init=False, repr=False)


@dataclasses.dataclass(frozen=True)
class Pass:
    """Relevance passes unchanged from each output to the input of its place.

    What activations have; for a weighted layer only where outputs have the inputs' shape.
    """

    probes = True

    def prepare(self, kernel, bias, site):
        """Returns the weights that the call needs, here the layer's own."""
        return {"own": [kernel, bias]}

    def __call__(self, linear, weights, x, site):
        """Returns the map's output with the rule's gradient."""
        y = linear(ops.stop_gradient(x), *weights["own"])
        if tuple(y.shape[1:]) != tuple(x.shape[1:]):
            raise ValueError(
                f"The rule Pass needs outputs of the inputs' shape; {linear.layer.name!r} maps "
                f"{tuple(x.shape)} to {tuple(y.shape)}. Give it another rule."
            )
        y = site.output(y)
        return redirect(y, (x, site.numerator(y) / floor(x)))


def _require_nonnegative(name, value):
    if not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"{name} is a finite non-negative number; received {value!r}.")
