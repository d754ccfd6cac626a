"""The densities over inputs that `xai.ActivationMaximization` takes."""

from xai.activation_maximization.priors import (
    Gaussian,
    GaussianMixture,
    LowRankGaussian,
    Norm,
    PatchMixture,
    Prior,
    Spectral,
    TotalVariation,
)

__all__ = [
    "Gaussian",
    "GaussianMixture",
    "LowRankGaussian",
    "Norm",
    "PatchMixture",
    "Prior",
    "Spectral",
    "TotalVariation",
]
