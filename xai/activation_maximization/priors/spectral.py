"""A stationary normal density, given by its power spectrum."""

import dataclasses
import functools

import numpy as np
from keras import ops as keras_ops

from xai.activation_maximization.priors import normal
from xai.activation_maximization.priors.image_shape import image_shape
from xai.activation_maximization.priors.prior import Prior, split

_FEWEST_ROWS = 2
_ROUNDS = 10  # of 9 colour images of 64x64, others get 2 nats less after 5, and no more after 30

# Eight rows of photographs, 640 steps of 3 channels, give others 3,450 nats on average, and 3,310
# where every frequency has a variance of its own.
_SAMPLES_PER_RING = 32
_LEAST_VARIANCE = 1e-6  # as a share of the mean one: about what rounding to 8 bits leaves

# Mean and principal components of the colours of ImageNet, RGB between 0 and 1.
_MEAN = np.array([0.485, 0.456, 0.406])
_VARIANCES = np.array([0.2175, 0.0188, 0.0045])
_DIRECTIONS = np.array(
    [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Spectral(Prior):
    """A stationary normal density over images or signals: a variance per frequency.

    The cosine coefficients `z = C_h (x - mean) C_w^T`, of orthonormal matrices, are independent,
    each with the covariance `variance(frequency) * colour` over channels. That is a normalized
    density, stationary but for the edges, where an image is taken to go on mirrored. It has few
    parameters, so that few images are enough, of any size; but of what stands where in an image it
    knows nothing: where images are aligned, as digits or faces, `Gaussian` knows more.

    Attributes:
        mean: Of each channel, `(channels,)`.
        variances: Of the coefficients by frequency, `(height, width)` or `(steps,)`.
        colour: The covariance of the channels at variance 1, `(channels, channels)`.
        low: The least value of each input element in the data.
        high: The greatest value of each input element.
        held_out: Rows that the fit did not see, `(rows, ...)`.

    Source: Field 1987, Relations between the statistics of natural images and the response
    properties of cortical cells (J. Opt. Soc. Am. A 4); Strang 1999, The discrete cosine transform
    (SIAM Review 41), for the cosines of mirrored images.
    """

    mean: np.ndarray
    variances: np.ndarray
    colour: np.ndarray

    @classmethod
    def fit(cls, x, seed=0):
        """Returns the density of greatest likelihood whose variances are alike on rings.

        A ring holds the frequencies of one rounded distance from zero; rings of fewer than about 32
        coefficients in all the data are joined.

        Args:
            x: Images `(rows, height, width, channels)` or signals `(rows, steps, channels)`; some
                tens of images are enough.
            seed: Of the choice of the rows that are held out to know what density is typical.

        Raises:
            ValueError: Rows that are no images or signals, longer than 7,071 along an axis, too few
                rows, NaN, or rows that are all alike.

        Example:
            >>> prior = xai.priors.Spectral.fit(images)
        """
        fitted, data = split(x, seed, _FEWEST_ROWS)
        height, width, channels = _image_shape(data["low"].shape)
        fitted = fitted.reshape(-1, height, width, channels)
        mean = fitted.mean(axis=(0, 1, 2))
        coefficients = _transform(fitted - mean, cosines(height), cosines(width), np)
        rings = _rings(height, width, _SAMPLES_PER_RING / (len(fitted) * channels))
        variances, colour = _spectrum(coefficients.reshape(len(fitted), -1, channels), rings)
        return cls(
            mean=mean, variances=variances.reshape(data["low"].shape[:-1]), colour=colour, **data
        )

    @classmethod
    def natural(cls, shape, low=0.0, high=1.0):
        """Returns the density of photographs, for models whose data are not at hand.

        The power falls as one over the squared frequency; the colours are those of ImageNet. There
        are no held-out rows.

        Args:
            shape: Of an image, `(height, width, channels)`, with 3 channels, red first, or 1.
            low: What stands for black: a number, or one per channel.
            high: What stands for white.

        Raises:
            ValueError: Another shape, or black that is not below white.

        Example:
            >>> prior = xai.priors.Spectral.natural((224, 224, 3), low=-1, high=1)

        Source: Field 1987; Tolhurst, Tadmor & Chao 1992, Amplitude spectra of natural images
        (Ophthalmic Physiol. Opt. 12), who find exponents of the power from 1.6 to 3, and 2.4 on
        average. Krizhevsky, Sutskever & Hinton 2012, ImageNet classification with deep
        convolutional neural networks (NeurIPS), section 4.1, for the colours' components; their
        figures as published with fb.resnet.torch.
        """
        if len(shape) != 3 or shape[-1] not in (1, 3):
            raise ValueError(
                "Spectral.natural knows images (height, width, 3) or (height, width, 1); received "
                f"{tuple(shape)}. For others use Spectral.fit on data."
            )
        height, width, channels = _image_shape(tuple(shape))
        low, high = _check_range(low, high, channels)
        colour = _DIRECTIONS * _VARIANCES @ _DIRECTIONS.T
        mean = _MEAN
        if channels == 1:
            colour, mean = colour.mean(keepdims=True), mean.mean(keepdims=True)
        power = np.maximum(_radius(height, width), 1) ** -2.0
        return cls(
            mean=low + (high - low) * mean,
            variances=power / power.mean(),
            colour=colour * np.outer(high - low, high - low),
            low=np.broadcast_to(low, shape),
            high=np.broadcast_to(high, shape),
            held_out=np.zeros((0, *shape)),
        )

    @functools.cached_property
    def parameters(self):
        """The mean, both cosine matrices, and what whitens frequencies and channels; the peak."""
        height, width, channels = _image_shape(self.shape)
        whitening, log_volume = normal.factor(np.ones(1), self.colour[np.newaxis])
        roots = self.variances.reshape(height, width, 1) ** -0.5
        peak = log_volume[0] * height * width + channels * np.log(roots).sum()
        return self.mean, cosines(height), cosines(width), roots, whitening[0], peak

    def log_density(self, parameters, x, ops=keras_ops):
        """Returns the log-density of each row; see `Prior`."""
        mean, rows, columns, roots, whitening, peak = parameters
        images = ops.reshape(x, (-1, *_image_shape(self.shape)))
        coefficients = _transform(images - mean, rows, columns, ops)
        white = ops.matmul(coefficients, whitening) * roots
        return peak - 0.5 * ops.sum(white * white, axis=(1, 2, 3))

    @property
    def starts(self):
        """The mean, `(1, ...)`."""
        return np.broadcast_to(self.mean, (1, *self.shape))

    @functools.cached_property
    def scale(self):
        """The standard deviation of each element when all others are given, in a row's shape."""
        _, rows, columns, roots, whitening, _ = self.parameters
        precision = np.square(rows).T @ np.square(roots[..., 0]) @ np.square(columns)
        of_channel = np.square(whitening).sum(axis=-1)
        return (np.multiply.outer(precision, of_channel) ** -0.5).reshape(self.shape)

    def sample(self, n, seed=0):
        """Returns `n` rows drawn from the density, `(n, ...)`."""
        _, rows, columns, roots, _, _ = self.parameters
        shape = n, *_image_shape(self.shape)
        white = np.random.default_rng(seed).standard_normal(shape)
        coefficients = white @ np.linalg.cholesky(self.colour).T / roots
        images = self.mean + _transform(coefficients, rows.T, columns.T, np)
        return images.reshape(n, *self.shape)


def cosines(size):
    """Returns the orthonormal matrix of the discrete cosine transform (II), `(size, size)`.

    A row per frequency, from 0 on; the k-th has k half periods.
    """
    places = (np.arange(size) + 0.5) / size
    matrix = np.cos(np.pi * np.outer(np.arange(size), places))
    return matrix / np.sqrt(np.square(matrix).sum(axis=1, keepdims=True))


def _transform(images, rows, columns, ops):
    """Returns `rows @ image @ columns^T` of every channel, `(batch, height, width, channels)`."""
    shape = (-1, *images.shape[1:])
    vertical = ops.matmul(rows, ops.reshape(images, (-1, shape[1], shape[2] * shape[3])))
    return ops.matmul(columns, ops.reshape(vertical, shape))


def _image_shape(shape):
    """Returns height, width and channels; a signal is an image of width 1.

    Raises:
        ValueError: Neither an image nor a signal, or one too long.
    """
    if max(shape[:-1], default=0) ** 2 > normal.MOST_ENTRIES:
        raise ValueError(
            f"The rows have shape {shape}: a Spectral prior holds the cosines of up to "
            f"{int(normal.MOST_ENTRIES**0.5)} places along an axis. Crop the rows."
        )
    return image_shape(shape, "Spectral")


def _check_range(low, high, channels):
    """Returns black and white per channel, `(channels,)` each.

    Raises:
        ValueError: Neither numbers nor one per channel, or black that is not below white.
    """
    try:
        ends = [np.broadcast_to(np.asarray(end, "float64"), (channels,)) for end in (low, high)]
    except (TypeError, ValueError):
        raise ValueError(
            f"low and high are numbers, or {channels} each; received {low!r} and {high!r}."
        ) from None
    if not (ends[0] < ends[1]).all():
        raise ValueError(f"Black lies below white; received low={low!r} and high={high!r}.")
    return ends


def _radius(height, width):
    """Returns the distance of every frequency from zero, `(height, width)`.

    The unit is the least frequency along the longer axis, half a period.
    """
    longer = max(height, width)
    vertical, horizontal = (np.arange(n) * (longer / n) for n in (height, width))
    return np.hypot(vertical[:, np.newaxis], horizontal)


def _rings(height, width, least):
    """Returns the ring of every frequency, `(height * width,)`, numbered from 0.

    A ring goes on until it holds about as many frequencies as `least` says.
    """
    rounded = np.rint(_radius(height, width)).astype(int).ravel()
    counts = np.bincount(rounded)
    before = np.cumsum(counts) - counts
    ring_of_distance = (before // max(least, 1)).astype(int)
    return np.unique(ring_of_distance[rounded], return_inverse=True)[1]


def _spectrum(coefficients, rings):
    """Returns variances and colour of greatest likelihood, each fitted in turn to the other.

    Args:
        coefficients: `(rows, frequencies, channels)`.
        rings: Of each frequency, `(frequencies,)`; those of one ring have one variance.

    Returns:
        The variances `(frequencies,)`, and the covariance of the channels, whose mean variance is
        1, `(channels, channels)`.
    """
    rows, frequencies, channels = coefficients.shape
    mean = np.square(coefficients).mean()
    colour = np.eye(channels)
    for _ in range(_ROUNDS):
        whitening = np.linalg.inv(np.linalg.cholesky(colour)).T
        power = np.square(coefficients @ whitening).mean(axis=(0, 2))
        variances = (np.bincount(rings, power) / np.bincount(rings))[rings]
        variances = np.maximum(variances, _LEAST_VARIANCE * mean)
        scaled = (coefficients / np.sqrt(variances)[:, np.newaxis]).reshape(-1, channels)
        colour = scaled.T @ scaled / (rows * frequencies)
        colour /= np.trace(colour) / channels
        colour += _LEAST_VARIANCE * np.eye(channels)
    return variances, colour
