"""Densities over inputs, fitted on data: what an ascent takes for likely."""

from xai.activation_maximization.priors.denoiser import Denoiser
from xai.activation_maximization.priors.density_model import DensityModel
from xai.activation_maximization.priors.gaussian import Gaussian
from xai.activation_maximization.priors.gaussian_mixture import GaussianMixture
from xai.activation_maximization.priors.prior import Prior
from xai.activation_maximization.priors.tabular import Tabular

__all__ = ["Denoiser", "DensityModel", "Gaussian", "GaussianMixture", "Prior", "Tabular"]
