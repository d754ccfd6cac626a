"""LRP rules: each chooses by which pre-activation `z` a linear map distributes its relevance.

A rule is a frozen record. `prepare` derives what it needs from kernel and bias, once per explainer;
the call runs the layer. Below, `f(x; W, b)` is the layer's affine map, `+` and `-` mark positive
and negative parts. A rule that `probes` gives relevance to inputs that are zero.
"""

import dataclasses
import math

from keras import ops

from xai.lrp.steering import STABILIZER, distribute, pass_on, probe, steer


def _positive(values):
    return None if values is None else ops.maximum(values, 0)


def _negative(values):
    return None if values is None else ops.minimum(values, 0)


def _by_sign(linear, x, nonnegative, positive, negative):
    """Returns `f(x+; *positive) + f(x-; negative)`; the second is zero for non-negative inputs."""
    if nonnegative:
        return linear(x, *positive)
    return linear(ops.maximum(x, 0), *positive) + linear(ops.minimum(x, 0), negative)


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
        return {"kernel": kernel, "bias": bias}

    def __call__(self, linear, weights, x, site):
        """Returns the map's output with the rule's gradient."""
        y = linear(x, **weights)
        epsilon = self.epsilon(ops.stop_gradient(y)) if callable(self.epsilon) else self.epsilon
        return steer(y, distribute(y, y, epsilon))


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
        """Returns the layer's weights, and those with one sign favoured."""
        g = self.gamma
        both = [weight for weight in (kernel, bias) if weight is not None]
        weights = {"kernel": kernel, "bias": bias, "up": [w + g * _positive(w) for w in both]}
        if not (site.nonnegative and site.rectified):
            weights["down"] = [w + g * _negative(w) for w in both]
        return weights

    def __call__(self, linear, weights, x, site):
        """Returns the map's output with the rule's gradient."""
        y = linear(ops.stop_gradient(x), weights["kernel"], weights["bias"])
        up, down = weights["up"], weights.get("down", [None])
        share = distribute(y, _by_sign(linear, x, site.nonnegative, up, down[0]), STABILIZER)
        if not site.rectified:
            below = distribute(y, _by_sign(linear, x, site.nonnegative, down, up[0]), STABILIZER)
            share = ops.where(y > 0, share, ops.where(y < 0, below, 0.0))
        return steer(y, share)


@dataclasses.dataclass(frozen=True)
class AlphaBeta:
    """LRP-alpha-beta: positive summands carry alpha, negative ones minus beta, `alpha - beta = 1`.

    `alpha` times the share of `f(x+; W+, b+) + f(x-; W-, 0)`, minus `beta` times that of
    `f(x+; W-, b-) + f(x-; W+, 0)`. The share of an empty sum is lost.

    Args:
        alpha: A number of at least 1; beta is `alpha - 1`.

    Source: Bach et al. 2015, eq. 60; the bias as in zennit.
    """

    alpha: float = 2.0

    probes = False

    def __post_init__(self):
        """Refuses an alpha whose beta would be negative."""
        _require_nonnegative("alpha", self.alpha)
        if self.alpha < 1:
            raise ValueError(f"alpha is at least 1, as beta = alpha - 1; received {self.alpha!r}.")

    def prepare(self, kernel, bias, site):
        """Returns the layer's weights and their positive and negative parts."""
        weights = {"kernel": kernel, "bias": bias}
        weights["positive"] = [_positive(kernel), _positive(bias)]
        if self.alpha > 1 or not site.nonnegative:
            weights["negative"] = [_negative(kernel), _negative(bias)]
        return weights

    def __call__(self, linear, weights, x, site):
        """Returns the map's output with the rule's gradient."""
        y = linear(ops.stop_gradient(x), weights["kernel"], weights["bias"])
        positive, negative = weights["positive"], weights.get("negative", [None])
        for_it = _by_sign(linear, x, site.nonnegative, positive, negative[0])
        share = self.alpha * distribute(y, for_it, STABILIZER)
        if self.alpha > 1:
            against = _by_sign(linear, x, site.nonnegative, negative, positive[0])
            share = share - (self.alpha - 1) * distribute(y, against, STABILIZER)
        return steer(y, share)


@dataclasses.dataclass(frozen=True)
class ZPlus(AlphaBeta):
    """LRP-z+: only the positive summands receive relevance; alpha-beta with alpha 1.

    Source: Montavon et al. 2017, Explaining nonlinear classification decisions with deep Taylor
    decomposition (Pattern Recognition 65), eq. 14; the bias as in zennit.
    """

    alpha: float = dataclasses.field(default=1.0, init=False, repr=False)


@dataclasses.dataclass(frozen=True)
class ZBox:
    """LRP-zB, for inputs that lie in a box, pixels above all.

    `z = f(x; W, b) - f(low; W+, b+) - f(high; W-, b-)`; the bias cancels.

    Args:
        low: The least value of each input, a number or what broadcasts with a row.
        high: The greatest.

    Source: Montavon et al. 2017, eq. 15.
    """

    low: object
    high: object

    probes = True

    def __post_init__(self):
        """Keeps bounds as plain nested tuples, so that records compare and print."""
        for name in ("low", "high"):
            bound = ops.convert_to_numpy(getattr(self, name))
            object.__setattr__(self, name, _as_tuples(bound.tolist()))

    def prepare(self, kernel, bias, site):
        """Returns the layer's weights and their positive and negative parts."""
        positive, negative = ([part(kernel), part(bias)] for part in (_positive, _negative))
        return {"kernel": kernel, "bias": bias, "positive": positive, "negative": negative}

    def __call__(self, linear, weights, x, site):
        """Returns the map's output with the rule's gradient."""
        y = linear(x, weights["kernel"], weights["bias"])
        low, high = (ops.convert_to_tensor(b, dtype=x.dtype) for b in (self.low, self.high))
        ones = probe(x)
        z = y - linear(low * ones, *weights["positive"]) - linear(high * ones, *weights["negative"])
        return steer(y, distribute(y, z, STABILIZER))


@dataclasses.dataclass(frozen=True)
class WSquare:
    """LRP-w^2: relevance by squared weight, whatever the input; `z = f(1; W^2, b^2)`.

    The squared bias absorbs its share, as in zennit.

    Source: Montavon et al. 2017, eq. 13.
    """

    probes = True

    def prepare(self, kernel, bias, site):
        """Returns the layer's weights and their squares."""
        squares = [None if weight is None else ops.square(weight) for weight in (kernel, bias)]
        return {"kernel": kernel, "bias": bias, "squares": squares}

    def __call__(self, linear, weights, x, site):
        """Returns the map's output with the rule's gradient."""
        y = linear(ops.stop_gradient(x), weights["kernel"], weights["bias"])
        z = linear(probe(x), *weights["squares"])
        return steer(y, distribute(y, z, STABILIZER))


@dataclasses.dataclass(frozen=True)
class Flat:
    """LRP-flat: relevance in equal parts to all inputs of a unit; `z = f(1; 1, 0)`.

    Source: Lapuschkin et al. 2019, Unmasking Clever Hans predictors (Nature Communications 10).
    """

    probes = True

    def prepare(self, kernel, bias, site):
        """Returns the layer's weights and ones in their place."""
        return {"kernel": kernel, "bias": bias, "ones": ops.ones_like(kernel)}

    def __call__(self, linear, weights, x, site):
        """Returns the map's output with the rule's gradient."""
        y = linear(ops.stop_gradient(x), weights["kernel"], weights["bias"])
        return steer(y, distribute(y, linear(probe(x), weights["ones"]), STABILIZER))


@dataclasses.dataclass(frozen=True)
class Pass:
    """Relevance passes unchanged from each output to the input of its place.

    What activations have; for a weighted layer only where outputs have the inputs' shape.
    """

    probes = True

    def prepare(self, kernel, bias, site):
        """Returns the weights that the call needs, here the layer's own."""
        return {"kernel": kernel, "bias": bias}

    def __call__(self, linear, weights, x, site):
        """Returns the map's output with the rule's gradient."""
        y = linear(ops.stop_gradient(x), weights["kernel"], weights["bias"])
        if tuple(y.shape[1:]) != tuple(x.shape[1:]):
            raise ValueError(
                f"The rule Pass needs outputs of the inputs' shape; {linear.layer.name!r} maps "
                f"{tuple(x.shape)} to {tuple(y.shape)}. Give it another rule."
            )
        return pass_on(y, x)


def _require_nonnegative(name, value):
    if not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"{name} is a finite non-negative number; received {value!r}.")


def _as_tuples(values):
    return tuple(map(_as_tuples, values)) if isinstance(values, list) else values
