"""What the rows of an ascent are to climb: classes, or any objectives."""

import dataclasses
import functools
import zlib

import numpy as np
from keras import ops

from xai.activation_maximization import sharpness_rule
from xai.activation_maximization.objectives import (
    ClassLogProbability,
    LogProbability,
    Reader,
    values,
)


@dataclasses.dataclass(frozen=True, eq=False)
class ClassTargets:
    """Classes: one compiled ascent does for all of them.

    Attributes:
        model: The opened model.
        columns: The class of each row, `(rows,)`.
    """

    model: object
    columns: np.ndarray

    key = "classes"

    @functools.cached_property
    def objective(self):
        """A callable of inputs and the classes of the rows to their log-probabilities."""
        return ClassLogProbability(self.model)

    def every(self, x):
        """Returns the log-probability of every class, `(batch, classes)`."""
        return self.objective.every_class(x)

    @property
    def names(self):
        """The target of each row as results have it, `(rows,)`."""
        return self.columns

    @property
    def repetitions(self):
        """None: rows of one class are alike, `(rows,)`."""
        return np.zeros(len(self.columns), int)

    @property
    def limits(self):
        """What each class cannot exceed, `(classes,)`."""
        return np.zeros(self.model.num_outputs)

    def goals(self, reached):
        """Returns what each class is to reach, given `every` of real rows."""
        return sharpness_rule.goals(reached)


@dataclasses.dataclass(frozen=True, eq=False)
class ObjectiveTargets:
    """Objectives, which may be another for each row.

    Attributes:
        reader: What reads the model for all of them.
        objectives: One for each row, a tuple.
    """

    reader: Reader
    objectives: tuple

    @property
    def key(self):
        """What tells a compiled ascent from others."""
        return self.objectives

    def objective(self, x, columns):
        """Returns the value of each row's own objective, `(rows,)`."""
        del columns  # which objective is whose is part of the compiled function
        return values(self.objectives, self.reader(x))

    def every(self, x):
        """Returns the value of every distinct objective, `(batch, objectives)`."""
        readings = self.reader(x)
        return ops.stack([objective(readings) for objective in self._distinct], axis=1)

    @property
    def columns(self):
        """The place of each row's objective among the distinct ones, `(rows,)`."""
        return np.array([self._distinct.index(objective) for objective in self.objectives])

    @property
    def names(self):
        """The target of each row as results have it, `(rows,)`."""
        names = np.empty(len(self.objectives), object)
        names[:] = self.objectives
        return names

    def goals(self, reached):
        """Returns what each objective is to reach, given `every` of real rows: their greatest."""
        most = np.where(np.isfinite(self.limits), sharpness_rule.HIGHEST_GOAL, np.inf)
        return np.minimum(reached.max(axis=0), most)

    @property
    def repetitions(self):
        """For each row how many rows before it are to differ from it, `(rows,)`."""
        return np.array(
            [
                self.objectives[:row].count(objective) if objective.compares_rows else 0
                for row, objective in enumerate(self.objectives)
            ]
        )

    @property
    def limits(self):
        """What each distinct objective cannot exceed, `(objectives,)`."""
        are_classes = [isinstance(objective, LogProbability) for objective in self._distinct]
        return np.where(are_classes, 0.0, np.inf)

    @functools.cached_property
    def _distinct(self):
        return list(dict.fromkeys(self.objectives))


def seeds(targets, seed):
    """Returns a seed for each row, which depends on its own target alone, `(rows, ints)`."""
    own = [zlib.crc32(str(name).encode()) for name in targets.names]
    return np.stack([np.full(len(own), seed), own, targets.repetitions], axis=1)
