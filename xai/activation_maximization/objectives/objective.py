"""What every objective is, and sums of objectives."""

import abc
import dataclasses
import numbers

import numpy as np


@dataclasses.dataclass(frozen=True)
class Objective(abc.ABC):
    """What an ascent maximizes: a number per row, made of what a model makes of the inputs.

    Objectives can be added, subtracted and multiplied by numbers. They are equal when their values
    are; rows of equal objectives are evaluated together.

    A subclass is a frozen dataclass of hashable values.

    Example:
        >>> objective = xai.objectives.Channel("conv2", 5) - 0.1 * xai.objectives.Layer("conv1")
    """

    __array_ufunc__ = None  # leaves the product with a NumPy number to __rmul__

    @property
    def layers(self):
        """The names of the layers that it reads, a tuple."""
        return ()

    @property
    def compares_rows(self):
        """Whether a row's value depends on the other rows of the same objective."""
        return False

    @abc.abstractmethod
    def __call__(self, readings):
        """Returns the value of each row, `(rows,)`, for the `Readings` of the rows."""

    def check(self, reader):
        """Refuses a model, opened by a `Reader`, in which there is nothing to read.

        Raises:
            ValueError: Here, a layer whose output has no channels.
        """
        for layer in self.layers:
            reader.num_channels(layer)

    def __add__(self, other):
        if not isinstance(other, Objective):
            return NotImplemented
        return Sum(_terms(self) + _terms(other))

    def __sub__(self, other):
        return self + -other if isinstance(other, Objective) else NotImplemented

    def __neg__(self):
        return -1 * self

    def __mul__(self, factor):
        if not isinstance(factor, numbers.Real):
            return NotImplemented
        if not np.isfinite(factor):
            raise ValueError(f"The weight of an objective is a finite number; received {factor!r}.")
        return Sum(tuple((float(factor) * weight, part) for weight, part in _terms(self)))

    __rmul__ = __mul__


@dataclasses.dataclass(frozen=True)
class Sum(Objective):
    """The weighted sum of objectives.

    Attributes:
        terms: Pairs of a weight and an objective, a tuple.
    """

    terms: tuple

    @property
    def layers(self):
        """The names of the layers that any of the objectives reads."""
        return layers_of(objective for _, objective in self.terms)

    @property
    def compares_rows(self):
        """Whether any of the objectives does."""
        return any(objective.compares_rows for _, objective in self.terms)

    def __call__(self, readings):
        """Returns the sum for each row, `(rows,)`."""
        return sum(weight * objective(readings) for weight, objective in self.terms)

    def check(self, reader):
        """Refuses what one of the objectives refuses."""
        for _, objective in self.terms:
            objective.check(reader)


def _terms(objective):
    return objective.terms if isinstance(objective, Sum) else ((1.0, objective),)


def layers_of(objectives):
    """Returns the names of the layers that any of some objectives reads, each once."""
    return tuple(dict.fromkeys(name for objective in objectives for name in objective.layers))
