"""No prior: all inputs within the bounds are alike."""

import dataclasses

import numpy as np
from keras import ops as keras_ops

from xai.activation_maximization.priors.prior import Prior


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Flat(Prior):
    """A log-density of zero everywhere, where the parameterization says what is likely."""

    @classmethod
    def over(cls, low, high):
        """Returns the flat prior over a box, given arrays in a row's shape."""
        return cls(low=low, high=high, held_out=np.zeros((0, *low.shape)))

    @property
    def parameters(self):
        """None."""
        return ()

    def log_density(self, parameters, x, ops=keras_ops):
        """Returns zeros, `(batch,)`."""
        del parameters
        return 0 * ops.sum(ops.reshape(x, (-1, self.low.size)), axis=-1)

    @property
    def starts(self):
        """None."""
        return self.held_out

    @property
    def scale(self):
        """A tenth of the width of the box."""
        return (self.high - self.low) / 10
