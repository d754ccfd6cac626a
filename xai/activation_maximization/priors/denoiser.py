"""The score of a denoising autoencoder: a direction to likely inputs, without a density."""

import dataclasses
import numbers

import numpy as np
from keras import ops

from xai.activation_maximization.priors import denoising_network, network
from xai.activation_maximization.priors.network_prior import NetworkPrior
from xai.activation_maximization.priors.prior import split

_FEWEST_ROWS = 40

# Of the deviation of the data, as noise. On 8x8 digits, inputs maximized with shares of 0.15, 0.3,
# 0.5, 0.8 and 1.2 have mean percentiles of 0.53, 0.63, 0.64, 0.64 and 0.51 of the density under a
# kernel estimate on other data; with one normal density 0.56.
_SHARE = 0.5


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Denoiser(NetworkPrior):
    """The score of a model that removes noise: `(r(x) - x) / sigma^2`.

    A model r that was trained to restore rows from normal noise of deviation sigma points, where it
    is best, along the gradient of the log-density of the data with that noise. An ascent follows it
    exactly.

    The value is no log-density, nor does its own slope equal that gradient. It is
    `-|x - r(x)|^2 / (2 sigma^2)` in nats, at most 0: how far the model would move `x`. It orders
    rows by how well they are restored, which is what `typical` and the choice of the sharpness
    then compare.

    Attributes:
        model: The Keras model r, which maps `(batch, ...)` to the same shape.
        sigma: The standard deviation of the noise that it was trained on, in units of the inputs.
        low: The least value of each input element, by default that of `held_out`.
        high: The greatest value of each input element, by default that of `held_out`.
        held_out: Rows without noise that the model was not trained on, `(rows, ...)`, 4 or more, of
            which 512 at most are kept.

    Raises:
        ValueError: The output has another shape than the input, or sigma is not positive.

    Source: Vincent 2011, A connection between score matching and denoising autoencoders (Neural
    Computation 23); Alain & Bengio 2014, What regularized auto-encoders learn from the
    data-generating distribution (JMLR 15).
    """

    sigma: float
    is_density = False

    def __post_init__(self):
        object.__setattr__(self, "sigma", _check_sigma(self.sigma))
        super().__post_init__()

    @classmethod
    def fit(cls, x, sigma=None, epochs=100, seed=0):
        """Returns the score of a small denoising autoencoder trained on data.

        Args:
            x: Data, `(rows, features)` or `(rows, height, width, channels)`; the elements should
                share one unit, as pixels do, for they get the same noise.
            sigma: The standard deviation of the noise, in units of the data; by default half the
                root mean variance of the elements.
            epochs: How often each row is seen, each time with other noise.
            seed: Of the training, and of the choice of the tenth of the rows, 512 at most, that is
                held out; the prior keeps these rows.

        Raises:
            ValueError: Too few rows, NaN, rows that are all alike or of other axes, or epochs or
                sigma are not positive.

        Example:
            >>> prior = xai.priors.Denoiser.fit(x_train, seed=0)
            >>> maximize = xai.ActivationMaximization(model, prior=prior)
        """
        if not isinstance(epochs, numbers.Integral) or epochs < 1:
            raise ValueError(f"epochs is a positive int; received {epochs!r}.")
        fitted, data = split(x, seed, _FEWEST_ROWS)
        shape = data["low"].shape
        if len(shape) not in (1, 3):
            raise ValueError(
                "Denoiser.fit takes vectors, (features,), or images, (height, width, channels); "
                f"received rows of shape {shape}. Reshape them, or train a model of your own and "
                "pass it as xai.priors.Denoiser(model, sigma=..., held_out=...)."
            )
        sigma = _SHARE * fitted.var(axis=0).mean() ** 0.5 if sigma is None else sigma
        rows = fitted.reshape(-1, *shape)
        model = denoising_network.train(rows, _check_sigma(sigma), int(epochs), seed)
        return cls(model, sigma=sigma, **data)

    def check_output(self, shape, expected):
        """Refuses an output in another shape than the input's; see `NetworkPrior`."""
        if shape != expected:
            raise ValueError(
                f"The model {self.model.name!r} maps rows of shape {expected} to {shape}; a model "
                "that removes noise returns the shape of its input."
            )

    def formula(self, parameters, x):
        """Returns a value whose gradient is the score, by automatic differentiation."""
        restored = ops.stop_gradient(network.run(self.model, parameters, x))
        moves = ops.reshape((x - restored) / self.sigma, (-1, self.low.size))
        return -0.5 * ops.sum(moves**2, axis=-1)

    def drawn(self, rows, random):
        """Returns the rows with noise, which the score is that of; see `NetworkPrior`."""
        return rows + self.sigma * random.standard_normal(rows.shape)


def _check_sigma(sigma):
    """Returns the deviation of the noise.

    Raises:
        ValueError: It is no positive number.
    """
    sigma = sigma.item() if isinstance(sigma, np.ndarray) else sigma  # as `load` reads it
    is_number = isinstance(sigma, numbers.Real) and not isinstance(sigma, bool)
    if not is_number or not 0 < sigma < np.inf:
        raise ValueError(f"sigma is a positive number in units of the inputs; received {sigma!r}.")
    return float(sigma)
