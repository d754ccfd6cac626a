"""Parameterizations: what climbs in place of the input elements."""

from xai.activation_maximization.parameterizations.cosine import Cosine
from xai.activation_maximization.parameterizations.latent import Latent
from xai.activation_maximization.parameterizations.maco import MaCo
from xai.activation_maximization.parameterizations.parameterization import Parameterization
from xai.activation_maximization.parameterizations.pixels import Pixels

__all__ = ["Cosine", "Latent", "MaCo", "Parameterization", "Pixels"]
