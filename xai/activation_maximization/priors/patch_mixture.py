"""The expected patch log-likelihood: a mixture of normals over every patch of an image."""

import dataclasses
import functools

import numpy as np
from keras import ops as keras_ops

from kerasdl.backend import with_gradient
from xai.activation_maximization.priors import normal
from xai.activation_maximization.priors.image_shape import image_shape
from xai.activation_maximization.priors.prior import Prior, split

_SIDE = 8
_FEWEST_ROWS = 2

# Of photographs in colour, other patches get 625, 630 and 621 nats on average from 5, 10 and 20
# components, and 595, 587 and 544 from 5,000 patches; at a quarter of the size 464, 459 and 449.
_MOST_PATCHES = 15_000
_TOLERANCE = 1e-2  # nats per patch
_MOST_ITERATIONS = 500
_ENTRIES_AT_ONCE = 2**24  # of whitened patches: 64 MB in float32

# Added to each component's variances, as a share of the mean variance of the patches' elements: a
# deviation of about one of 256 grey levels, below which a density of photographs means nothing.
_REGULARIZATION = 1e-4


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class PatchMixture(Prior):
    """The log-density of all overlapping patches of an image under a mixture of normals.

    `log p(x) = sum over patches of log p(patch) / c`, where `c` is the number of patches that cover
    a pixel on average, 64 within large images: the expected patch log-likelihood as a composite
    likelihood, in which every pixel counts about once. It is a log-density only for images of the
    size of a patch; of larger ones it is not normalized, and differences between images are what
    it tells. It knows edges and textures, of images of any size, and nothing of where they stand.

    A step at 224 x 224 x 3 with 10 components takes 35 thousand million multiplications per image:
    for such images use a GPU, or `Spectral`.

    Attributes:
        weights: Of the components, `(components,)`.
        means: `(components, patch height, patch width, channels)`.
        covariances: Of the flat patches, `(components, elements, elements)`.
        low: The least value of each input element in the data.
        high: The greatest value of each input element.
        held_out: Rows that the fit did not see, `(rows, ...)`; `sample` draws from them.

    Source: Zoran & Weiss 2011, From learning models of natural image patches to whole image
    restoration (ICCV). They do not divide by the number of patches that cover a pixel,
    and take the mean off each patch, where our mixture has means of its own.
    """

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    @classmethod
    def fit(cls, x, components=10, seed=0):
        """Returns the mixture fitted to 15,000 patches by expectation maximization.

        Patches are of 8 x 8 pixels with all channels, or of the images' size along an axis where
        that is less.

        Args:
            x: Images `(rows, height, width, channels)`, of which a few large ones are enough, or
                signals `(rows, steps, channels)`.
            components: The number of normal densities.
            seed: Of the fit, of the patches, and of the choice of the held-out rows.

        Raises:
            ValueError: No images or signals, too few, NaN, rows that are all alike, patches of too
                many elements, fewer than two per component, or `components` is no positive int.

        Example:
            >>> prior = xai.priors.PatchMixture.fit(images)
        """
        from sklearn.mixture import GaussianMixture as Estimator

        normal.check_components(components)
        fitted, data = split(x, seed, _FEWEST_ROWS)
        shape = image_shape(data["low"].shape, cls.__name__)
        patches = _draw_patches(fitted.reshape(-1, *shape), seed)
        flat = patches.reshape(len(patches), -1)
        normal.check_size(flat.shape[1], components)
        _check_number(len(flat), components)
        regularization = _REGULARIZATION * flat.var(axis=0).mean()
        settings = {"reg_covar": regularization, "tol": _TOLERANCE, "max_iter": _MOST_ITERATIONS}
        estimator = Estimator(components, random_state=seed, **settings).fit(flat)
        return cls(
            weights=estimator.weights_,
            means=estimator.means_.reshape(components, *patches.shape[1:]),
            covariances=estimator.covariances_,
            **data,
        )

    @functools.cached_property
    def parameters(self):
        """The means, the whitening matrices and the components' log-densities at their means."""
        means = self.means.reshape(len(self.means), -1)
        return means, *normal.factor(self.weights, self.covariances)

    def log_density(self, parameters, x, ops=keras_ops):
        """Returns the composite log-likelihood of each row; see `Prior`.

        Patches are whitened some rows at a time, and of each only its gradient is kept for the way
        back, so that memory does not grow with the number of components.
        """
        images = ops.reshape(x, (-1, *image_shape(self.shape, "PatchMixture")))
        patches = _patches(images, *self.means.shape[1:3], ops)
        _, rows, columns, elements = patches.shape
        at_once = max(1, _ENTRIES_AT_ONCE // (columns * elements * len(self.weights)))
        total = 0.0
        for top in range(0, rows, at_once):
            block = patches[:, top : top + at_once]
            logs = _log_densities(parameters, ops.reshape(block, (-1, elements)), ops)
            total = total + ops.sum(ops.reshape(logs, (-1, block.shape[1] * columns)), axis=1)
        return total / self._coverage

    @property
    def starts(self):
        """Flat images in the mean colour of each component, `(components, ...)`."""
        colours = self.means.mean(axis=(1, 2))
        places = (1,) * (len(self.shape) - 1)
        return np.broadcast_to(
            colours.reshape(-1, *places, self.shape[-1]), (len(colours), *self.shape)
        )

    @functools.cached_property
    def scale(self):
        """The standard deviation of each element given the others, averaged over components.

        It is that within a patch, and so the same for every pixel but for its place in a patch,
        over which it is averaged too.
        """
        _, whitening, _ = self.parameters
        deviations = np.square(whitening).sum(axis=-1) ** -0.5
        of_channel = (self.weights @ deviations).reshape(self.means.shape[1:]).mean(axis=(0, 1))
        return np.broadcast_to(of_channel, self.shape)

    @property
    def _coverage(self):
        """How many patches cover a pixel on average."""
        side = np.array(self.means.shape[1:3])
        size = np.array(image_shape(self.shape, "PatchMixture")[:2])
        return float(np.prod((size - side + 1) * side / size))


def _log_densities(parameters, patches, ops):
    """Returns the log-density of each flat patch, which keeps its gradient and nothing else."""
    if ops is np:
        return normal.log_density(parameters, patches, np)
    held = ops.stop_gradient(patches)
    logs, score = normal.log_density_and_score(parameters, held, ops)
    return with_gradient(
        logs, lambda given, score: [ops.expand_dims(given, -1) * score], [score], [patches]
    )


def _patches(images, height, width, ops):
    """Returns all patches of images, flat, `(batch, rows, columns, height * width * channels)`."""
    rows, columns = images.shape[1] - height + 1, images.shape[2] - width + 1
    strips = [images[:, :, left : left + columns] for left in range(width)]
    wide = ops.concatenate(strips, axis=-1)
    return ops.concatenate([wide[:, top : top + rows] for top in range(height)], axis=-1)


def _draw_patches(images, seed):
    """Returns different patches at random, `(patches, height, width, channels)`."""
    sides = tuple(min(_SIDE, size) for size in images.shape[1:3])
    windows = np.lib.stride_tricks.sliding_window_view(images, sides, axis=(1, 2))
    places = windows.shape[:3]
    total = int(np.prod(places))
    chosen = np.random.default_rng(seed).choice(total, min(total, _MOST_PATCHES), replace=False)
    return np.moveaxis(windows[np.unravel_index(chosen, places)], 1, -1)


def _check_number(patches, components):
    """Refuses fewer patches than two per component.

    Raises:
        ValueError: There are fewer.
    """
    if patches < 2 * components:
        raise ValueError(
            f"The images have {patches} patches; {components} components need at least "
            f"{2 * components}. Pass more images, or fewer components."
        )
