"""The layer that covers a fixed part of every image."""

from typing import ClassVar

import keras
import numpy as np
from keras import ops

from kerasdl.layers import arguments
from kerasdl.registry import register


@register
class RegionMask(keras.layers.Layer):
    """Covers the same box of every image, in training and at inference.

    It keeps a network from learning what only the data set has there: a watermark, a date, the
    ruler beside a lesion. What is filled in does not depend on what was covered, and no gradient
    reaches it:

    ```
    number:  the number
    "mean":  the mean of the channel outside the box, image by image
    "noise": in training, Gaussian noise of that mean and of the standard deviation outside the
             box; at inference, the mean
    ```

    Args:
        region: The box `(top, left, height, width)` in pixels.
        fill: A number, `"mean"` or `"noise"`.
        data_format: `"channels_last"` or `"channels_first"`. Default: that of
            `keras.config.image_data_format()`.
        seed: An integer, or `None` for random noise.
        **kwargs: `name`, `dtype` and the other arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)`; height and width
        need not be known.

    Output shape:
        The input's.

    Raises:
        ValueError: `region` holds no four whole numbers of a box, `fill` or `data_format` is none
            of those above; at the first call: the input has not four axes, or the box reaches
            beyond a known height or width.

    Example:
        >>> y = RegionMask((0, 0, 16, 64), fill="mean")(keras.Input((224, 224, 3)))

    Source:
        The founding notes, which crop or blur what biases a data set.
    """

    other_settings: ClassVar[dict] = {"region": (0, 2, 3, 1), "fill": "mean"}

    @classmethod
    def example(cls):
        """Returns a layer that covers a box of four pixels."""
        return cls((1, 1, 2, 2), fill=0.5)

    @classmethod
    def example_inputs(cls):
        """Returns images."""
        return np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype("float32")

    def __init__(self, region, fill=0.0, data_format=None, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.region = _box(region)
        self.fill = fill
        if not isinstance(fill, str) or fill not in ("mean", "noise"):
            remedy = 'Or use "mean" or "noise".'
            self.fill = arguments.number("RegionMask", "fill", fill, remedy)
        formats = ("channels_last", "channels_first")
        data_format = data_format or keras.config.image_data_format()
        self.data_format = arguments.choice("RegionMask", "data_format", data_format, formats)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        """Refuses what is no batch of images, or too small for the box."""
        sizes = [input_shape[axis] for axis in self._axes] if len(input_shape) == 4 else None
        top, left, height, width = self.region
        ends = (top + height, left + width)
        if sizes is None or any(
            size is not None and size < end for size, end in zip(sizes, ends, strict=True)
        ):
            raise ValueError(
                f"RegionMask(region={self.region}, data_format={self.data_format!r}) got an input "
                f"of shape {tuple(input_shape)}, but needs a batch of images of at least "
                f"{ends[0]} x {ends[1]} pixels. Move the box or resize the images."
            )

    def call(self, inputs, training=None):
        """Returns the images with the box covered."""
        inputs = ops.cast(inputs, self.compute_dtype)
        inside = self._inside(inputs)
        if isinstance(self.fill, float):
            return ops.where(inside, ops.full_like(inputs, self.fill), inputs)
        filling = self._filling(inputs, inside, self.fill == "noise" and training)
        return ops.where(inside, ops.cast(filling, inputs.dtype), inputs)

    def compute_output_shape(self, input_shape):
        """Returns the input's shape."""
        return input_shape

    def get_config(self):
        """Returns the constructor's arguments."""
        own = {name: getattr(self, name) for name in ("region", "fill", "data_format", "seed")}
        return {**super().get_config(), **own}

    @property
    def _axes(self):
        return (1, 2) if self.data_format == "channels_last" else (2, 3)

    def _inside(self, inputs):
        """Whether a pixel is covered, broadcastable to the images."""
        top, left, height, width = self.region
        sizes = [ops.shape(inputs)[axis] for axis in self._axes]
        rows, columns = (ops.arange(size) for size in sizes)
        rows = ops.logical_and(rows >= top, rows < top + height)
        columns = ops.logical_and(columns >= left, columns < left + width)
        box = ops.logical_and(ops.expand_dims(rows, 1), ops.expand_dims(columns, 0))
        return ops.expand_dims(box, (0, 3) if self.data_format == "channels_last" else (0, 1))

    def _filling(self, inputs, inside, noisy):
        x = ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
        x = ops.where(inside, ops.zeros_like(x), x)
        outside = ops.cast(ops.logical_not(inside), x.dtype)
        # A box over the whole image leaves nothing to take a mean of: it becomes 0.
        count = ops.maximum(ops.sum(outside), 1)
        mean = ops.sum(x, axis=self._axes, keepdims=True) / count
        if not noisy:
            return mean
        squares = ops.square((x - mean) * outside)
        variance = ops.sum(squares, axis=self._axes, keepdims=True) / count
        deviation = ops.sqrt(ops.stop_gradient(variance))
        noise = keras.random.normal(ops.shape(x), dtype=x.dtype, seed=self.seed_generator)
        return mean + deviation * noise


def _box(region):
    box = tuple(region) if isinstance(region, list | tuple) else ()
    whole = all(isinstance(size, int | np.integer) for size in box)
    if len(box) != 4 or not whole or min(box) < 0 or min(box[2:]) < 1:
        raise ValueError(
            f"RegionMask(region={region!r}): region must be (top, left, height, width) in whole "
            "pixels, top and left at least 0, height and width at least 1. Use (0, 0, 8, 8) for "
            "the corner of 8 x 8 pixels."
        )
    return tuple(int(size) for size in box)
