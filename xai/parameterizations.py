"""What climbs in an activation maximization, in place of the input elements."""

from xai.activation_maximization.parameterizations import (
    Cosine,
    Latent,
    MaCo,
    Parameterization,
    Pixels,
)

__all__ = ["Cosine", "Latent", "MaCo", "Parameterization", "Pixels"]
