"""The densities over inputs that `xai.ActivationMaximization` takes."""

from xai.activation_maximization.priors import (
    Denoiser,
    DensityModel,
    Gaussian,
    GaussianMixture,
    Prior,
    Tabular,
)

__all__ = ["Denoiser", "DensityModel", "Gaussian", "GaussianMixture", "Prior", "Tabular"]
