"""The standard normal density, over codes of any shape."""

import dataclasses
import math

import numpy as np
from keras import ops as keras_ops

from xai.activation_maximization.priors import Prior

_DRAWS = 256


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class StandardNormal(Prior):
    """The normal density of mean zero and variance one, over independent elements."""

    @classmethod
    def of(cls, shape):
        """Returns the density over rows of a shape; what is typical is known from draws."""
        nothing = np.zeros((0, *shape))
        prior = cls(low=np.full(shape, -np.inf), high=np.full(shape, np.inf), held_out=nothing)
        return dataclasses.replace(prior, held_out=prior.sample(_DRAWS))

    @property
    def parameters(self):
        """None."""
        return ()

    def log_density(self, parameters, x, ops=keras_ops):
        """Returns the log-density of each row; see `Prior`."""
        del parameters
        size = math.prod(self.shape)
        flat = ops.reshape(x, (-1, size))
        return -0.5 * ops.sum(flat * flat, axis=-1) - 0.5 * size * math.log(2 * math.pi)

    @property
    def starts(self):
        """The mean, `(1, ...)`."""
        return np.zeros((1, *self.shape))

    @property
    def scale(self):
        """One, the standard deviation."""
        return np.ones(self.shape)

    def sample(self, n, seed=0):
        """Returns `n` rows drawn from the density, `(n, ...)`."""
        return np.random.default_rng(seed).standard_normal((n, *self.shape))
