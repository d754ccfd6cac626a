"""LRP rules made for inputs of a known range: they give relevance to what is zero too.

Records as in `rules.py`; each works in hidden layers as well.
"""

import dataclasses

import numpy as np
from keras import ops

from xai.lrp.rules import each, negative, positive
from xai.lrp.steering import distribute, probe


@dataclasses.dataclass(frozen=True)
class ZBox:
    """LRP-zB, for inputs that lie in a box, pixels above all.

    `z = f(x; W, b) - f(low; W+, b+) - f(high; W-, b-)`; the bias cancels.

    Args:
        low: The least value of each input, a number or what broadcasts with a row. Where only
            preprocessing and padding lie between the model's input and the layer, of the model's.
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
        """Returns the layer's weights, their positive and negative parts, and the box."""
        bounds = np.broadcast_arrays(*map(site.image or np.asarray, (self.low, self.high)))
        corners = np.stack([np.minimum(*bounds), np.maximum(*bounds)])
        weights = {"positive": positive(kernel, bias), "negative": negative(kernel, bias)}
        if not corners[0].any():  # f(0; W+, b+) is b+; the other sum takes it
            weights = {"negative": [negative(kernel, None)[0], bias]}
        box = [ops.convert_to_tensor(corners, kernel.dtype), None]
        return {"own": [kernel, bias], "box": box, **weights}

    def __call__(self, linear, weights, x, site):
        """Returns the map's output with the rule's gradient."""
        z = y = linear(x, *weights["own"])
        corners, _ = weights["box"]
        ones = probe(x)
        if "positive" in weights:
            z = z - linear(corners[0] * ones, *weights["positive"])
        z = z - linear(corners[1] * ones, *weights["negative"])
        return distribute(y, z, site)


@dataclasses.dataclass(frozen=True)
class WSquare:
    """LRP-w^2: relevance by squared weight, whatever the input; `z = f(1; W^2, b^2)`.

    The squared bias absorbs its share, as in zennit.

    Source: Montavon et al. 2017, eq. 13.
    """

    probes = True

    def prepare(self, kernel, bias, site):
        """Returns the layer's weights and their squares."""
        return {"own": [kernel, bias], "squares": each(ops.square, kernel, bias)}

    def __call__(self, linear, weights, x, site):
        """Returns the map's output with the rule's gradient."""
        y = linear(ops.stop_gradient(x), *weights["own"])
        z = linear(probe(x), *weights["squares"])
        return distribute(y, z, site, sign=1)


@dataclasses.dataclass(frozen=True)
class Flat:
    """LRP-flat: relevance in equal parts to all inputs of a unit; `z = f(1; 1, 0)`.

    Source: Lapuschkin et al. 2019, Unmasking Clever Hans predictors (Nature Communications 10).
    """

    probes = True

    def prepare(self, kernel, bias, site):
        """Returns the layer's weights and ones in their place."""
        return {"own": [kernel, bias], "ones": [ops.ones_like(kernel), None]}

    def __call__(self, linear, weights, x, site):
        """Returns the map's output with the rule's gradient."""
        y = linear(ops.stop_gradient(x), *weights["own"])
        z = linear(probe(x), *weights["ones"])
        return distribute(y, z, site, sign=1)


def _as_tuples(values):
    return tuple(map(_as_tuples, values)) if isinstance(values, list) else values
