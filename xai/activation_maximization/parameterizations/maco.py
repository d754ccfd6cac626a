"""Images of a fixed magnitude spectrum: only the phases climb."""

import dataclasses
import math

import numpy as np
from keras import ops as keras_ops

from xai.activation_maximization.parameterizations import colours
from xai.activation_maximization.parameterizations.box import require_finite
from xai.activation_maximization.parameterizations.parameterization import Parameterization
from xai.activation_maximization.parameterizations.spectrum import amplitudes


@dataclasses.dataclass(frozen=True, eq=False)
class MaCo(Parameterization):
    """Images of a fixed magnitude spectrum, that of natural images: only the phases climb.

    No frequency can be exaggerated, so that deep models show structure rather than noise. The
    spectrum is that of the images before they are squashed into the bounds by a sigmoid, and of
    their uncorrelated colours where there are three channels.

    Attributes:
        magnitude: Of the orthonormal Fourier transform, `(height, width, channels)`, the frequency
            zero first; there it has the sign of the mean. By default 1 over the frequency, with a
            variance of one before squashing, and the middle of the bounds as the mean.
        decorrelate: Whether three channels are colours, which natural images correlate.

    Raises:
        ValueError: The magnitude is not that of images.

    Example:
        >>> parameterization = MaCo.fit(x_train, bounds=(0, 1))

    Source: Fel et al. 2023, Unlocking feature visualization for deeper networks with magnitude
    constrained optimization (NeurIPS). Here phases are odd, so that the magnitude is exact, and the
    spectrum is measured where it is used.
    """

    magnitude: np.ndarray | None = None
    decorrelate: bool = True

    def __post_init__(self):
        if self.magnitude is None:
            return
        magnitude = np.asarray(self.magnitude, "float64")
        if magnitude.ndim != 3 or not np.allclose(magnitude, _opposite(magnitude[None], np)[0]):
            raise ValueError(
                "A magnitude is of shape (height, width, channels), the same at opposite "
                f"frequencies, without NaN; received shape {magnitude.shape}. Let MaCo.fit(images) "
                "measure it."
            )
        object.__setattr__(self, "magnitude", magnitude)

    @classmethod
    def fit(cls, images, bounds=(0, 1), decorrelate=True):
        """Returns the parameterization with the mean magnitude spectrum of images.

        Args:
            images: `(rows, height, width, channels)` in the shape of the model's inputs.
            bounds: The least and the greatest value of the inputs: two numbers or arrays.
            decorrelate: See the class.

        Raises:
            ValueError: No images, NaN, or values beyond the bounds.
        """
        images, (low, high) = np.asarray(images, "float64"), bounds
        if images.ndim != 4 or not images.size:
            raise ValueError(
                "MaCo is fitted on images (rows, height, width, channels); received shape "
                f"{images.shape}."
            )
        if not ((low <= images) & (images <= high)).all():
            raise ValueError(
                f"The images have NaN or values beyond the bounds {bounds!r}; they lie between "
                f"{images.min():.6g} and {images.max():.6g}. Pass the bounds of the model's inputs."
            )
        spectrum = cls(decorrelate=decorrelate)._spectrum(images, low, high)
        magnitude = np.abs(spectrum).mean(axis=0)
        magnitude[0, 0] = spectrum[:, 0, 0].real.mean(axis=0)
        return cls(magnitude, decorrelate)

    def check(self, low, high):
        """Refuses infinite bounds, and rows that are not images of the magnitude's shape."""
        require_finite(self, low, high)
        shape = np.shape(low)
        if len(shape) != 3 or (self.magnitude is not None and self.magnitude.shape != shape):
            images = "(height, width, channels)" if self.magnitude is None else self.magnitude.shape
            raise ValueError(
                f"This MaCo is for images of shape {images}; received rows of shape {shape}. Fit "
                "it on images of the model's size, or use Pixels."
            )

    def decode(self, code, low, high):
        """Returns the image of the magnitude and the odd part of the phases in a code."""
        shape = tuple(code.shape[1:])
        phase = code - _opposite(code, keras_ops)
        magnitude = keras_ops.convert_to_tensor(self._magnitude(shape), code.dtype)
        parts = (magnitude * keras_ops.cos(phase), magnitude * keras_ops.sin(phase))
        real, _ = keras_ops.ifft2(tuple(keras_ops.moveaxis(part, -1, 1) for part in parts))
        x = math.sqrt(shape[0] * shape[1]) * keras_ops.moveaxis(real, 1, -1)
        return colours.to_inputs(x, low, high, self.decorrelate)

    def encode(self, x, low, high):
        """Returns phases of inputs; they are decoded into the inputs with another magnitude."""
        return np.angle(self._spectrum(x, low, high)) / 2

    def start(self, seeds, low, high):
        """Returns phases that are all equally likely."""
        draws = (np.random.default_rng(seed) for seed in seeds)
        return np.stack([draw.uniform(-np.pi, np.pi, np.shape(low)) for draw in draws])

    def scale(self, low, high):
        """Returns one radian of each phase, to which both opposite frequencies contribute half."""
        return np.full(np.shape(low), 0.5)

    def _spectrum(self, x, low, high):
        """Returns the orthonormal Fourier transform of images before squashing."""
        x = colours.from_inputs(x, low, high, self.decorrelate)
        return np.fft.fft2(x, axes=(1, 2), norm="ortho")

    def _magnitude(self, shape):
        if self.magnitude is not None:
            return self.magnitude
        across, down = (np.fft.fftfreq(size) for size in (shape[1], shape[0]))
        falling = amplitudes(np.hypot(across, down[:, None]))
        falling[0, 0] = 0
        falling *= np.sqrt(falling.size / np.sum(falling**2))
        return np.broadcast_to(falling[..., None], shape)


def _opposite(spectra, ops):
    """Returns what spectra, `(rows, height, width, channels)`, have at the opposite frequencies."""
    return ops.roll(ops.flip(spectra, axis=(1, 2)), (1, 1), axis=(1, 2))
