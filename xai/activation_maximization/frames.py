"""A film of an ascent."""

import math
import os

import numpy as np

from xai.replacing import replacing

_GAP = 2  # pixels between images
_LEAST_SIDE = 96  # of a shown image in pixels; smaller ones are enlarged by whole factors
_LAST = 1500  # milliseconds that the last frame stands


class Frames:
    """A callback that keeps what an ascent of images passes, and writes it as a GIF.

    Args:
        bounds: The values shown as black and white, or two arrays in an image's shape.
        every: Of the looks, one in so many is kept; there is one every 8 steps.

    Raises:
        ValueError: `every` is no positive int.

    Example:
        >>> frames = xai.activation_maximization.Frames()
        >>> maximize(range(10), callbacks=[frames])
        >>> frames.save("ascent.gif")
    """

    def __init__(self, bounds=(0, 1), every=1):
        if not isinstance(every, int) or every < 1:
            raise ValueError(f"every is a positive int; received {every!r}.")
        self.bounds = bounds
        self.every = every
        self.steps = []
        self.inputs = []
        self._looks = 0

    def __call__(self, step, inputs):
        """Keeps the inputs, `(targets, height, width, channels)`, at a step.

        Raises:
            ValueError: They are no images of 1 or 3 channels.
        """
        if np.ndim(inputs) != 4 or np.shape(inputs)[-1] not in (1, 3):
            raise ValueError(
                "Frames show images (targets, height, width, 1 or 3); received inputs of shape "
                f"{np.shape(inputs)}."
            )
        if self._looks % self.every == 0:
            self.steps.append(step)
            self.inputs.append(np.asarray(inputs))
        self._looks += 1

    def save(self, path, columns=5, milliseconds=80):
        """Writes the frames to an animated GIF, beside `path` and renamed.

        Args:
            path: Where to write, ending in `.gif`.
            columns: The most images in a row of a frame.
            milliseconds: How long a frame stands; the last one stands for 1.5 seconds.

        Raises:
            ValueError: `path` does not end in `.gif`, or there is no frame.
            OSError: The directory does not exist or cannot be written.
        """
        from PIL import Image

        path = os.fspath(path)
        if not path.endswith(".gif"):
            raise ValueError(f"Frames are saved as .gif; received {path!r}.")
        if not self.inputs:
            raise ValueError("There is no frame yet: pass the frames to an ascent as a callback.")
        tiled = [self._tiled(inputs, columns) for inputs in self.inputs]
        palette = Image.fromarray(np.concatenate(tiled)).quantize(256)  # one for all: no flicker
        first, *others = [Image.fromarray(picture).quantize(palette=palette) for picture in tiled]
        durations = [milliseconds] * len(others) + [_LAST]
        film = {"save_all": True, "append_images": others, "duration": durations, "loop": 0}
        with replacing(path) as beside:
            first.save(beside, "GIF", **film)

    def _tiled(self, images, columns):
        """Returns images side by side as uint8, `(height, width, 3)`."""
        low, high = self.bounds
        shown = np.clip((images - low) / (np.asarray(high) - low), 0, 1) * 255
        shown = np.broadcast_to(np.round(shown).astype("uint8"), (*images.shape[:-1], 3))
        factor = max(1, -(-_LEAST_SIDE // max(images.shape[1:3])))
        shown = shown.repeat(factor, axis=1).repeat(factor, axis=2)
        columns = min(columns, len(shown))
        rows = math.ceil(len(shown) / columns)
        height, width = (side + _GAP for side in shown.shape[1:3])
        canvas = np.full((rows * height + _GAP, columns * width + _GAP, 3), 255, "uint8")
        for number, image in enumerate(shown):
            row, column = divmod(number, columns)
            top, left = _GAP + row * height, _GAP + column * width
            canvas[top : top + len(image), left : left + image.shape[1]] = image
        return canvas
