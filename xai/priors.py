"""The densities over inputs that `xai.ActivationMaximization` takes."""

from xai.activation_maximization.priors import (
    DensityModel,
    Gaussian,
    GaussianMixture,
    Prior,
    Tabular,
)

__all__ = ["DensityModel", "Gaussian", "GaussianMixture", "Prior", "Tabular"]
