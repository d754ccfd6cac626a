"""Random transforms of what a model sees, so that an ascent finds what survives them.

Geometric transforms of a sequence become one affine map per row and step, so that an image is
sampled once, with static shapes. NumPy draws the maps from the seeds of a row and the step alone: a
row does not depend on its batch, and all backends see the same.
"""

import abc
import dataclasses
import numbers

import numpy as np
from keras import ops

from xai.activation_maximization.noise import normal_noise
from xai.activation_maximization.resampling import resample


class Transform:
    """A random change of what a model sees of a row."""


class Geometric(Transform, abc.ABC):
    """A random affine map of a row's places, about 0 at its first element.

    Images are `(height, width, channels)`, signals `(steps, channels)`. Beyond the edges they go on
    as their mirror image.
    """

    least_rank = 2

    @abc.abstractmethod
    def matrix(self, random, size):
        """Returns a drawn map of places after the transform to those before, `(3, 3)`.

        Args:
            random: A NumPy generator.
            size: Width and height; a signal has its steps as width, and height 1.
        """


@dataclasses.dataclass(frozen=True)
class Jitter(Geometric):
    """Moves by whole elements on each axis, which keeps the image sharp.

    Attributes:
        pixels: The most elements in either direction; all numbers of them are equally likely.

    Raises:
        ValueError: It is no positive int.
    """

    pixels: int

    def __post_init__(self):
        if not isinstance(self.pixels, numbers.Integral) or self.pixels < 1:
            raise ValueError(f"Jitter takes a positive int of pixels; received {self.pixels!r}.")

    def matrix(self, random, size):
        """Returns a translation."""
        return _moved(random.integers(-self.pixels, self.pixels + 1, size=2))


@dataclasses.dataclass(frozen=True)
class Scale(Geometric):
    """Scales about the middle.

    Attributes:
        low: The least factor, positive; below 1 the image gets smaller.
        high: The greatest factor; the factors between are equally likely.

    Raises:
        ValueError: The factors are not finite, positive and in order.
    """

    low: float
    high: float

    def __post_init__(self):
        _check_range(self, np.inf)

    def matrix(self, random, size):
        """Returns a scaling that leaves the middle where it is."""
        factor = 1 / random.uniform(self.low, self.high)
        return _about_the_middle(np.diag([factor, factor, 1]), size)


@dataclasses.dataclass(frozen=True)
class Rotate(Geometric):
    """Rotates an image about its middle.

    Attributes:
        degrees: The greatest angle in either direction; the angles between are equally likely.

    Raises:
        ValueError: The angle is not finite and positive.
    """

    degrees: float
    least_rank = 3

    def __post_init__(self):
        _check_positive(self, self.degrees)

    def matrix(self, random, size):
        """Returns a rotation that leaves the middle where it is."""
        angle = np.deg2rad(random.uniform(-self.degrees, self.degrees))
        cosine, sine = np.cos(angle), np.sin(angle)
        rotation = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
        return _about_the_middle(rotation, size)


@dataclasses.dataclass(frozen=True)
class Crop(Geometric):
    """Shows a random box, enlarged to the full size.

    Attributes:
        low: The least share of each side that the box has, above 0.
        high: The greatest share, 1 at most; the shares between, and all places, are equally likely.

    Raises:
        ValueError: The shares are not above 0, up to 1 and in order.
    """

    low: float
    high: float

    def __post_init__(self):
        _check_range(self, 1)

    def matrix(self, random, size):
        """Returns the map of the full size to a box."""
        share = random.uniform(self.low, self.high)
        corner = random.uniform(size=2) * (1 - share) * size
        # Element i covers i to i + 1, and its place is its middle.
        return _moved(corner - 0.5) @ np.diag([share, share, 1]) @ _moved([0.5, 0.5])


@dataclasses.dataclass(frozen=True)
class Noise(Transform):
    """Adds normal noise to each element, after any resampling, wherever it stands in a sequence.

    Attributes:
        deviation: The standard deviation, in the unit of the inputs.

    Raises:
        ValueError: It is not finite and positive.
    """

    deviation: float

    def __post_init__(self):
        _check_positive(self, self.deviation)


def check_transforms(transforms, shape):
    """Returns transforms as a tuple.

    Args:
        transforms: A sequence of transforms; it may be empty.
        shape: The shape of a row.

    Raises:
        TypeError: Something else than a sequence of transforms.
        ValueError: One that rows of this shape do not have.
    """
    if not isinstance(transforms, list | tuple) or not all(
        isinstance(one, Transform) for one in transforms
    ):
        raise TypeError(
            "Transforms are a sequence of Jitter, Scale, Rotate, Crop and Noise; received "
            f"{transforms!r}."
        )
    ranks = {2: "signals (steps, channels)", 3: "images (height, width, channels)"}
    for one in _geometric(transforms):
        if not one.least_rank <= len(shape) <= 3:
            fitting = " and ".join(ranks[rank] for rank in range(one.least_rank, 4))
            raise ValueError(
                f"{one!r} transforms {fitting}; received rows of shape {tuple(shape)}. Leave it "
                "out, or reshape within the model."
            )
    return tuple(transforms)


def draw(transforms, seeds, steps, shape):
    """Returns what `apply` needs of every step and row.

    Args:
        transforms: A sequence of transforms.
        seeds: An int or a sequence of ints for each row, `(rows,)` or `(rows, ints)`.
        steps: The numbers of the steps, ints.
        shape: The shape of a row.

    Returns:
        Coefficients of affine maps as `resample` takes them, float32 `(steps, rows, 8)`, and seeds
        of noise, int32 `(steps, rows, 2)`. They depend on the seeds of a row and the step alone.
    """
    drawn = [
        [_draw_one(transforms, np.append(seed, step), shape) for seed in seeds] for step in steps
    ]
    numbers_of = (len(drawn), len(seeds), -1)
    coefficients = np.array([[one for one, _ in row] for row in drawn], "float32")
    noise_seeds = np.array([[one for _, one in row] for row in drawn], "int32")
    return coefficients.reshape(numbers_of), noise_seeds.reshape(numbers_of)


def apply(transforms, x, coefficients, noise_seeds):
    """Returns transformed rows, of the shape of `x`.

    Args:
        transforms: A sequence of transforms.
        x: A tensor `(rows, ...)`.
        coefficients: Of one step, `(rows, 8)`.
        noise_seeds: Of one step, `(rows, 2)`.
    """
    if _geometric(transforms):
        images = x if len(x.shape) == 4 else x[:, None]
        x = ops.reshape(resample(images, coefficients), ops.shape(x))
    deviations = [one.deviation for one in transforms if isinstance(one, Noise)]
    if deviations:
        noise = ops.cast(normal_noise(noise_seeds, x.shape[1:]), x.dtype)
        x = x + float(np.linalg.norm(deviations)) * noise
    return x


def _geometric(transforms):
    return [one for one in transforms if isinstance(one, Geometric)]


def _draw_one(transforms, seeds, shape):
    """Returns the coefficients and the seeds of noise of one row at one step."""
    random = np.random.default_rng(seeds)
    noise_seeds = random.integers(2**31, size=2)
    size = np.array([shape[-2], shape[0] if len(shape) == 3 else 1]) if len(shape) > 1 else None
    # The last transform is the first to be undone on the way from the result to the image.
    matrix = np.eye(3)
    for one in _geometric(transforms):
        matrix = matrix @ one.matrix(random, size)
    return matrix[[0, 0, 0, 1, 1, 1, 2, 2], [0, 1, 2, 0, 1, 2, 0, 1]], noise_seeds


def _moved(by):
    """Returns a translation of x and y."""
    matrix = np.eye(3)
    matrix[:2, 2] = by
    return matrix


def _about_the_middle(matrix, size):
    middle = (size - 1) / 2
    return _moved(middle) @ matrix @ _moved(-middle)


def _check_positive(transform, value):
    if not isinstance(value, numbers.Real) or not 0 < value < np.inf:
        raise ValueError(f"{type(transform).__name__} takes a positive number; received {value!r}.")


def _check_range(transform, most):
    """Refuses a range that is not within 0 (excluded) and `most`, in order."""
    low, high = transform.low, transform.high
    are_numbers = all(isinstance(value, numbers.Real) for value in (low, high))
    if not are_numbers or not (0 < low <= high <= most) or high == np.inf:
        raise ValueError(
            f"{type(transform).__name__} takes a low and a high number above 0"
            f"{'' if most == np.inf else f' and up to {most}'}, in this order; received "
            f"({low!r}, {high!r})."
        )
