"""The density of several inputs that are independent, over their flat rows end to end."""

import dataclasses
import functools
import math

import numpy as np
from keras import ops as keras_ops

from xai.activation_maximization.priors.prior import Prior


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Joint(Prior):
    """The product of the densities of several inputs.

    Attributes:
        parts: The prior of each input, a tuple.
        low: The least value of each element of all inputs, flat, `(elements,)`.
        high: The greatest value of each element.
        held_out: Held-out rows of all inputs side by side, as many as the fewest, `(rows,
            elements)`.
    """

    parts: tuple

    @classmethod
    def of(cls, parts):
        """Returns the product of priors."""
        count = min(len(part.held_out) for part in parts)
        held_out = [part.held_out[:count].reshape(count, -1) for part in parts]
        return cls(
            parts=tuple(parts),
            low=np.concatenate([part.low.ravel() for part in parts]),
            high=np.concatenate([part.high.ravel() for part in parts]),
            held_out=np.concatenate(held_out, axis=1),
        )

    @functools.cached_property
    def places(self):
        """Where the elements of each input begin and end."""
        ends = np.cumsum([math.prod(part.shape) for part in self.parts]).tolist()
        return list(zip([0, *ends[:-1]], ends, strict=True))

    @property
    def is_density(self):
        """Whether all are."""
        return all(part.is_density for part in self.parts)

    @property
    def immutable(self):
        """Which elements stay at a given row's values, `(elements,)`."""
        masks = [np.broadcast_to(part.immutable, part.shape).ravel() for part in self.parts]
        return np.concatenate(masks)

    @property
    def parameters(self):
        """Those of all priors."""
        return tuple(part.parameters for part in self.parts)

    def log_density(self, parameters, x, ops=keras_ops):
        """Returns the sum of the log-densities; see `Prior`."""
        terms = zip(self.parts, parameters, self.split(x, ops), strict=True)
        return sum(part.log_density(own, rows, ops) for part, own, rows in terms)

    def split(self, x, ops=np):
        """Returns the rows of each input, `(batch, ...)`, given flat ones."""
        return [
            ops.reshape(x[:, start:end], (-1, *part.shape))
            for part, (start, end) in zip(self.parts, self.places, strict=True)
        ]

    @functools.cached_property
    def starts(self):
        """Starts of all priors side by side, as many as the most; shorter ones begin again."""
        count = max(len(part.starts) for part in self.parts)
        return _side_by_side(
            [part.starts[np.arange(count) % len(part.starts)] for part in self.parts]
        )

    @functools.cached_property
    def scale(self):
        """Those of all priors."""
        return np.concatenate([np.ravel(part.scale) for part in self.parts])

    def snapped(self, x):
        """Returns the nearest rows that all inputs can be."""
        rows = zip(self.parts, self.split(x), strict=True)
        return _side_by_side([part.snapped(own) for part, own in rows])

    def sample(self, n, seed=0):
        """Returns `n` rows drawn from the density, `(n, elements)`."""
        parts = enumerate(self.parts)
        return _side_by_side([part.sample(n, [*np.ravel(seed), i]) for i, part in parts])


def _side_by_side(parts):
    return np.concatenate([np.reshape(part, (len(part), -1)) for part in parts], axis=1)
