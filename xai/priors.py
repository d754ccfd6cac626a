"""The densities over inputs that `xai.ActivationMaximization` takes."""

from xai.activation_maximization.priors import (
    Denoiser,
    DensityModel,
    Gaussian,
    GaussianMixture,
    LowRankGaussian,
    Norm,
    PatchMixture,
    Prior,
    Spectral,
    Tabular,
    TotalVariation,
)

__all__ = [
    "Denoiser",
    "DensityModel",
    "Gaussian",
    "GaussianMixture",
    "LowRankGaussian",
    "Norm",
    "PatchMixture",
    "Prior",
    "Spectral",
    "Tabular",
    "TotalVariation",
]
