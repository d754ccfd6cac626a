"""LRP rules: each gives a linear map the gradient of the pre-activation that the rule prescribes.

With `R = a * d(score)/d a` for every tensor `a`, a layer's rule is a choice of gradient. A rule
replaces the layer's output `y` by `share + stop_gradient(y - share)`, `share = z * y / z` with the
quotient held constant: the value stays `y`, the gradient becomes that of `z`, scaled so that the
relevance of `y` is distributed in proportion to the summands of `z`.

A rule is a frozen record with two steps: `prepare` derives what it needs from kernel and bias, once
per explainer; the call runs the layer.
"""

import dataclasses
import math

from keras import ops

STABILIZER = 1e-6  # zennit's, in every denominator that a rule without an epsilon has


def stabilize(z, epsilon):
    """Moves `z` away from zero by `epsilon`; zero itself counts as positive."""
    return z + ops.where(z < 0, -epsilon, epsilon)


def distribute(y, z, epsilon):
    """Returns the value `y` with the gradient that shares its relevance in proportion to `z`."""
    share = z * ops.stop_gradient(y / stabilize(z, epsilon))
    return share + ops.stop_gradient(y - share)


@dataclasses.dataclass(frozen=True)
class Epsilon:
    """LRP-epsilon: relevance in proportion to each summand of the pre-activation.

    `R_j = a_j sum_k w_jk R_k / (z_k + epsilon sign(z_k))`, with `z_k = sum_j a_j w_jk + b_k` and
    `sign(0) = 1`. The bias and epsilon absorb their share.

    Args:
        epsilon: The stabilizer, a non-negative number in the units of the pre-activation.

    Source: Bach et al. 2015, On pixel-wise explanations (PLoS ONE 10(7)), eq. 58.
    """

    epsilon: float = 1e-6

    def __post_init__(self):
        """Refuses an epsilon that is no stabilizer."""
        if not isinstance(self.epsilon, int | float) or not 0 <= self.epsilon < math.inf:
            raise ValueError(f"epsilon is a finite non-negative number; received {self.epsilon!r}.")

    def prepare(self, kernel, bias, nonnegative):
        """Returns the weights that the call needs, here the layer's own."""
        return {"kernel": kernel, "bias": bias}

    def __call__(self, linear, weights, x):
        """Returns the map's output with the rule's gradient."""
        y = linear(x, weights["kernel"], weights["bias"])
        return distribute(y, y, self.epsilon)


@dataclasses.dataclass(frozen=True)
class ZPlus:
    """LRP-z+: only the positive summands of the pre-activation receive relevance.

    `z_k = sum_j (a_j w_jk)+ + b_k+`; for inputs of both signs, negative inputs count with negative
    weights. Equals alpha-beta with alpha 1 and beta 0.

    Source: Montavon et al. 2017, Explaining nonlinear classification decisions with deep Taylor
    decomposition (Pattern Recognition 65), eq. 14; the bias as in zennit.
    """

    def prepare(self, kernel, bias, nonnegative):
        """Returns the layer's weights and their positive (and, if needed, negative) parts."""
        weights = {"kernel": kernel, "bias": bias, "positive": ops.maximum(kernel, 0)}
        weights["positive_bias"] = None if bias is None else ops.maximum(bias, 0)
        if not nonnegative:
            weights["negative"] = ops.minimum(kernel, 0)
        return weights

    def __call__(self, linear, weights, x):
        """Returns the map's output with the rule's gradient."""
        y = linear(ops.stop_gradient(x), weights["kernel"], weights["bias"])
        if "negative" not in weights:
            z = linear(x, weights["positive"], weights["positive_bias"])
        else:
            z = linear(ops.maximum(x, 0), weights["positive"], weights["positive_bias"])
            z = z + linear(ops.minimum(x, 0), weights["negative"])
        return distribute(y, z, STABILIZER)
