"""Callbacks: what watches a training, and what acts on it."""

from kerasdl.callbacks.activation_drift import ActivationDrift
from kerasdl.callbacks.batch_size_schedule import BatchSizeSchedule, ScheduledBatches
from kerasdl.callbacks.dead_units import DeadUnits
from kerasdl.callbacks.gradient_health import GradientHealth
from kerasdl.callbacks.learning_rate_finder import LearningRateFinder
from kerasdl.callbacks.schedule_free_evaluation import ScheduleFreeEvaluation
from kerasdl.callbacks.stochastic_weight_averaging import StochasticWeightAveraging

__all__ = [
    "ActivationDrift",
    "BatchSizeSchedule",
    "DeadUnits",
    "GradientHealth",
    "LearningRateFinder",
    "ScheduleFreeEvaluation",
    "ScheduledBatches",
    "StochasticWeightAveraging",
]
