"""Activation maximization: likely inputs that a model takes for a class."""

from xai.activation_maximization.engine import ActivationMaximization
from xai.activation_maximization.frames import Frames
from xai.activation_maximization.maximization import Maximization

__all__ = ["ActivationMaximization", "Frames", "Maximization"]
