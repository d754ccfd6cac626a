"""The codes of a user's generator."""

import dataclasses
import functools

import keras
import numpy as np
from keras import ops, tree

from xai.activation_maximization.parameterizations.parameterization import Parameterization
from xai.activation_maximization.parameterizations.standard_normal import StandardNormal
from xai.activation_maximization.priors import Prior
from xai.model import open_model

_SCALE = 0.1  # of that of the prior


@dataclasses.dataclass(frozen=True, eq=False)
class Latent(Parameterization):
    """The codes of a generator, such as the decoder of a variational autoencoder.

    What it makes is likely as far as the generator knows the data; it hides what a model takes for
    a class beyond them. An input of greatest density need not have the code of greatest density.

    Attributes:
        decoder: A built Keras model of one input, the code, to inputs of the model, within its
            bounds; beyond them it is clipped.
        code_prior: A prior over codes; None for the standard normal density.

    Raises:
        TypeError: The decoder is no Keras model.
        ValueError: It is not built, does not have one input of known shape and one output, or the
            prior is over codes of another shape.

    Source: Nguyen et al. 2016, Synthesizing the preferred inputs for neurons in neural networks via
    deep generator networks (NeurIPS).
    """

    decoder: keras.Model
    code_prior: Prior | None = None

    def __post_init__(self):
        graph = self._opened.graph
        takes, makes = ([p.shape for p in tree.flatten(s)] for s in (graph.inputs, graph.outputs))
        if len(takes) != 1 or len(makes) != 1 or None in takes[0][1:]:
            raise ValueError(
                "A decoder maps one code of known shape to one output; the inputs of "
                f"{self.decoder.name!r} have the shapes {takes}, its outputs {makes}."
            )
        if self.prior.shape != self.code_shape():
            raise ValueError(
                f"The prior over codes was fitted on rows of shape {self.prior.shape}; the decoder "
                f"{self.decoder.name!r} takes codes of shape {self.code_shape()}."
            )

    @functools.cached_property
    def prior(self):
        """The prior over codes."""
        return StandardNormal.of(self.code_shape()) if self.code_prior is None else self.code_prior

    @property
    def variables(self):
        """Those of the decoder."""
        return self.decoder.variables

    def check(self, low, high):
        """Refuses rows of another shape than the decoder makes."""
        (made,) = tree.flatten(self._opened.graph.outputs)
        if made.shape[1:] != np.shape(low):
            raise ValueError(
                f"The decoder {self.decoder.name!r} makes rows of shape {made.shape[1:]}; the "
                f"model takes {np.shape(low)}."
            )

    def code_shape(self, shape=None):
        """Returns the shape of the decoder's input, whatever it makes."""
        del shape
        (taken,) = tree.flatten(self._opened.graph.inputs)
        return taken.shape[1:]

    def decode(self, code, low, high):
        """Returns what the decoder makes, clipped to the bounds."""
        return ops.clip(ops.cast(self._opened.scores(code), code.dtype), low, high)

    def start(self, seeds, low, high):
        """Returns draws from the prior over codes."""
        return np.concatenate([self.prior.sample(1, seed) for seed in seeds])

    def scale(self, low, high):
        """Returns a tenth of the scale of the prior over codes."""
        return _SCALE * self.prior.scale

    @functools.cached_property
    def _opened(self):
        return open_model(self.decoder, output="probability")
