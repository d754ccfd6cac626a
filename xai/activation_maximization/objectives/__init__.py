"""Objectives: what an ascent maximizes of a model."""

from xai.activation_maximization.objectives.class_log_probability import ClassLogProbability
from xai.activation_maximization.objectives.classes import Logit, LogProbability
from xai.activation_maximization.objectives.diversity import Diversity
from xai.activation_maximization.objectives.objective import Objective
from xai.activation_maximization.objectives.reader import Reader
from xai.activation_maximization.objectives.readings import Readings
from xai.activation_maximization.objectives.units import Channel, Direction, Layer, Neuron
from xai.activation_maximization.objectives.values import values

__all__ = [
    "Channel",
    "ClassLogProbability",
    "Direction",
    "Diversity",
    "Layer",
    "LogProbability",
    "Logit",
    "Neuron",
    "Objective",
    "Reader",
    "Readings",
    "values",
]
