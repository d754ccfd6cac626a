"""Sampled Shapley values: of any game, and of a trained model's inputs."""

from xai.shapley.estimate import shapley_values
from xai.shapley.estimators import Estimate
from xai.shapley.explainer import SampledShapley

__all__ = ["Estimate", "SampledShapley", "shapley_values"]
