"""The densities over inputs that `xai.ActivationMaximization` takes."""

from xai.activation_maximization.priors import (
    Gaussian,
    GaussianMixture,
    Prior,
    Tabular,
)

__all__ = ["Gaussian", "GaussianMixture", "Prior", "Tabular"]
