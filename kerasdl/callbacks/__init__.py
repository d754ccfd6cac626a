"""Callbacks: what watches a training, and what acts on it."""

from kerasdl.callbacks.schedule_free_evaluation import ScheduleFreeEvaluation

__all__ = ["ScheduleFreeEvaluation"]
