"""A user's Keras model of the density: a flow, an energy, an autoregressive model."""

import dataclasses

from keras import ops

from xai.activation_maximization.priors import network
from xai.activation_maximization.priors.network_prior import NetworkPrior


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class DensityModel(NetworkPrior):
    """A Keras model of the density, which maps `(batch, ...)` to `(batch,)` or `(batch, 1)`.

    Whether the density is normalized is up to the model; a constant changes no ascent. The model
    may be trained further: its present weights count, but `starts`, `scale` and `typical` stay.

    To be loaded, custom layers must be registered with `keras.saving.register_keras_serializable`,
    and Lambda layers allowed by `keras.config.enable_unsafe_deserialization()`.

    Example:
        >>> prior = xai.priors.DensityModel(flow, held_out=x_valid)
        >>> maximize = xai.ActivationMaximization(classifier, prior=prior)

    Attributes:
        model: The Keras model, with values in nats.
        low: The least value of each input element, by default that of `held_out`.
        high: The greatest value of each input element, by default that of `held_out`.
        held_out: Rows that the model was not trained on, `(rows, ...)`, 4 or more, of which 512 at
            most are kept.
    """

    def check_output(self, shape, expected):
        """Refuses an output that is not one log-density per row; see `NetworkPrior`."""
        if shape not in (expected[:1], (*expected[:1], 1)):
            raise ValueError(
                f"The model {self.model.name!r} maps rows of shape {expected} to {shape}; "
                "expected one log-density per row, (batch,) or (batch, 1). Sum the log-densities "
                "of the elements in the model."
            )

    def formula(self, parameters, x):
        """Returns the model's value for each row; see `NetworkPrior`."""
        return ops.reshape(network.run(self.model, parameters, x), (-1,))

    def drawn(self, rows, random):
        """Returns the rows as they are; see `NetworkPrior`."""
        return rows
