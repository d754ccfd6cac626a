"""A mixture of normal densities that knows nothing of classes."""

import dataclasses
import functools

import numpy as np
from keras import ops as keras_ops

from xai.activation_maximization.priors import normal
from xai.activation_maximization.priors.prior import Prior, split

# Inputs synthesized with 12, 16 and 20 components, from 600 to 1,200 rows of 8x8 digits for eight
# models each, have a mean percentile of 0.81, 0.83 and 0.86 of the density under a kernel estimate
# on other data; at sharpness 1 the least class probability is 0.93, 0.96 and 0.985. The closest of
# ten to its nearest row lies at 0.64, 0.59 and 0.57 of the median distance of real ones. More
# components, or fewer rows for each, leave some with a single row, which they copy.
_MOST_COMPONENTS = 20
_ROWS_OF_A_COMPONENT = 30

# Added to each component's variances, as a share of the mean variance of the data's elements. On
# 8x8 digits with 16 components, held-out rows get 66, 60 and 49 nats on average at 0.01, 0.03 and
# 0.1; with 40 components from half the rows -92, 17 and 43: 0.03 memorizes little.
_REGULARIZATION = 0.03
_MOST_ITERATIONS = 500


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class GaussianMixture(Prior):
    """A mixture of normal densities with full covariances.

    Attributes:
        weights: Of the components, `(components,)`.
        means: `(components, ...)`, each in the shape of one row.
        covariances: Of the flat rows, `(components, elements, elements)`.
        low: The least value of each input element in the data.
        high: The greatest value of each input element.
        held_out: Rows that the fit did not see, `(rows, ...)`.
    """

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    @classmethod
    def fit(cls, x, components=None, seed=0):
        """Returns the density fitted on data by expectation maximization.

        Args:
            x: Data in the shape of the model's inputs, `(rows, ...)`; classes are not needed.
            components: The number of normal densities; None for one to every 30 rows, 20 at most.
            seed: Of the fit, and of the choice of the tenth of the rows, 512 at most, that is held
                out to know what density is typical; the prior keeps these rows.

        Raises:
            ValueError: Too few rows, NaN, rows that are all alike, of too many elements, or
                `components` is no positive int.

        Example:
            >>> prior = xai.priors.GaussianMixture.fit(x_train, components=16, seed=0)
            >>> prior.save("prior.npz")

        Source: Dempster, Laird & Rubin 1977, Maximum likelihood from incomplete data via the EM
        algorithm (J. R. Stat. Soc. B 39), as scikit-learn computes it.
        """
        from sklearn.mixture import GaussianMixture as Estimator

        if components is not None:
            normal.check_components(components)
        fitted, data = split(x, seed, max(8, 2 * (components or 1)))
        components = components or _as_many_as_do_not_copy(len(fitted))
        normal.check_size(fitted.shape[1], components)
        regularization = _REGULARIZATION * fitted.var(axis=0).mean()
        estimator = Estimator(
            components, reg_covar=regularization, max_iter=_MOST_ITERATIONS, random_state=seed
        )
        estimator.fit(fitted)
        means = estimator.means_.reshape(components, *data["low"].shape)
        weights, covariances = estimator.weights_, estimator.covariances_
        return cls(weights=weights, means=means, covariances=covariances, **data)

    @functools.cached_property
    def parameters(self):
        """The means, the whitening matrices and the components' log-densities at their means."""
        means = self.means.reshape(len(self.means), -1)
        return means, *normal.factor(self.weights, self.covariances)

    def log_density(self, parameters, x, ops=keras_ops):
        """Returns the log-density of each row; see `Prior`."""
        return normal.log_density(parameters, x, ops)

    @property
    def starts(self):
        """The components' means, `(components, ...)`."""
        return self.means

    @functools.cached_property
    def scale(self):
        """The standard deviation of each element when all others are given, over all components."""
        _, whitening, _ = self.parameters
        precision = self.weights @ np.square(whitening).sum(axis=-1)
        return (precision**-0.5).reshape(self.shape)

    def sample(self, n, seed=0):
        """Returns `n` rows drawn from the density, `(n, ...)`."""
        random = np.random.default_rng(seed)
        components = random.choice(len(self.weights), n, p=self.weights)
        means = self.means.reshape(len(self.means), -1)
        rows = normal.sample(means, self.covariances, components, random)
        return rows.reshape(n, *self.shape)


def _as_many_as_do_not_copy(rows):
    return min(max(1, rows // _ROWS_OF_A_COMPONENT), _MOST_COMPONENTS)
