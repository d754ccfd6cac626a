"""What an activation maximization maximizes of a model.

Objectives can be added, subtracted and multiplied by numbers:

>>> xai.objectives.Logit(3) - 2 * xai.objectives.Diversity("conv2")
"""

from xai.activation_maximization.objectives import (
    Channel,
    Direction,
    Diversity,
    Layer,
    Logit,
    LogProbability,
    Neuron,
    Objective,
)

__all__ = [
    "Channel",
    "Direction",
    "Diversity",
    "Layer",
    "LogProbability",
    "Logit",
    "Neuron",
    "Objective",
]
