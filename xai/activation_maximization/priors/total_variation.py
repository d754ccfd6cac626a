"""Total variation as a density: neighbours are alike but for a few edges."""

import dataclasses
import functools

import numpy as np
from keras import ops as keras_ops

from xai.activation_maximization.priors import generalized_normal
from xai.activation_maximization.priors.image_shape import image_shape
from xai.activation_maximization.priors.prior import Prior, split

_FEWEST_ROWS = 2
_LEAST_SLOPE = 1e-3  # as a share of the elements' deviation, for data that are flat
_AVERAGE_ROWS = 0.3  # that many rows more have the variance of the elements as that of their mean


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class TotalVariation(Prior):
    """A Laplace density on the differences between neighbours, a normal one on each channel's mean.

    `log p(x) = -sum over channels and pixels of |gradient of x| / slope` plus the log-density of
    the channels' means. The gradient is that of forward differences, its length rounded off within
    a tenth of the slope. Of signals, whose differences and mean are free coordinates with a
    determinant of 1, it is a normalized density. Of images it is one up to a constant, since their
    differences must agree around every pixel: the constant depends on the size of the image alone,
    not on the slopes, which are scales of the elements. So differences of `log p`, and the slopes
    of greatest likelihood, are those of the normalized density.

    Edges cost no more than slopes, so that the maximum has flat regions. It knows nothing of where
    things stand in an image.

    Attributes:
        mean: Of each channel, `(channels,)`.
        variances: Of each channel's mean over an image, `(channels,)`.
        slopes: The mean length of each channel's gradient, `(channels,)`.
        low: The least value of each input element in the data.
        high: The greatest value of each input element.
        held_out: Rows that the fit did not see, `(rows, ...)`; `sample` draws from them.

    Source: Rudin, Osher & Fatemi 1992, Nonlinear total variation based noise removal algorithms
    (Physica D 60); Pereyra, Bioucas-Dias & Figueiredo 2015, Maximum-a-posteriori estimation with
    unknown regularisation parameters (EUSIPCO), for the constant of homogeneous densities.
    """

    mean: np.ndarray
    variances: np.ndarray
    slopes: np.ndarray

    @classmethod
    def fit(cls, x, seed=0):
        """Returns the density of greatest likelihood, but for the rounding of the gradient.

        Args:
            x: Images `(rows, height, width, channels)` or signals `(rows, steps, channels)`; a few
                are enough.
            seed: Of the choice of the rows that are held out to know what density is typical.

        Raises:
            ValueError: Rows that are no images or signals, or of one pixel, too few rows, NaN, or
                rows that are all alike.

        Example:
            >>> prior = xai.priors.TotalVariation.fit(images)
        """
        fitted, data = split(x, seed, _FEWEST_ROWS)
        height, width, channels = image_shape(data["low"].shape, cls.__name__)
        if height * width == 1:
            raise ValueError("The rows have one pixel each: without neighbours nothing varies.")
        images = fitted.reshape(-1, height, width, channels)
        lengths = np.sqrt(_squared_gradient(images, np)).sum(axis=(1, 2)).mean(axis=0)
        means, variance = images.mean(axis=(1, 2)), images.var()
        known = len(means) * means.var(axis=0) + _AVERAGE_ROWS * variance
        return cls(
            mean=means.mean(axis=0),
            variances=known / (len(means) + _AVERAGE_ROWS),
            slopes=np.maximum(lengths / (height * width - 1), _LEAST_SLOPE * variance**0.5),
            **data,
        )

    @functools.cached_property
    def parameters(self):
        """The mean, the means' deviations, the slopes and the log-density of a flat mean image."""
        height, width, channels = image_shape(self.shape, "TotalVariation")
        of_means = -0.5 * np.log(2 * np.pi * self.variances).sum()
        normalizers = np.log(self.slopes).sum() + channels * generalized_normal.log_normalizer(1)
        peak = of_means - (height * width - 1) * normalizers
        return self.mean, self.variances**0.5, self.slopes, peak

    def log_density(self, parameters, x, ops=keras_ops):
        """Returns the log-density of each row, of images up to a constant; see `Prior`."""
        mean, deviations, slopes, peak = parameters
        images = ops.reshape(x, (-1, *image_shape(self.shape, "TotalVariation")))
        squares = _squared_gradient(images / slopes, ops)
        energy = ops.sum(generalized_normal.energy(squares, 1), axis=(1, 2, 3))
        white = (ops.mean(images, axis=(1, 2)) - mean) / deviations
        return peak - energy - 0.5 * ops.sum(white * white, axis=-1)

    @property
    def starts(self):
        """The flat image in the mean colour, `(1, ...)`."""
        return np.broadcast_to(self.mean, (1, *self.shape))

    @property
    def scale(self):
        """The standard deviation of an element whose neighbours are all alike, in a row's shape.

        Moving it alone tilts its own gradient and, one axis at a time, those of the neighbours
        before it: by a length of `2 + sqrt(2)` for each unit in an image, of 2 in a signal.
        """
        height, width, _ = image_shape(self.shape, "TotalVariation")
        tilt = 2 if 1 in (height, width) else 2 + 2**0.5
        return np.broadcast_to(self.slopes * 2**0.5 / tilt, self.shape)


def _squared_gradient(images, ops):
    """Returns the squared length of the forward differences, 0 beyond the edges, in their shape."""
    below = ops.concatenate([images[:, 1:], images[:, -1:]], axis=1)
    beside = ops.concatenate([images[:, :, 1:], images[:, :, -1:]], axis=2)
    return (below - images) ** 2 + (beside - images) ** 2
