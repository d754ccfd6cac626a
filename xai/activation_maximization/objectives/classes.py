"""Objectives of a class."""

import dataclasses

from xai.activation_maximization.objectives.indices import check_index
from xai.activation_maximization.objectives.objective import Objective


@dataclasses.dataclass(frozen=True)
class _OfClass(Objective):
    class_: int

    def __post_init__(self):
        object.__setattr__(self, "class_", check_index(self.class_, "A class"))

    def check(self, reader):
        """Refuses a model without such a class."""
        reader.check_class(self.class_)


@dataclasses.dataclass(frozen=True)
class LogProbability(_OfClass):
    """The log-probability of a class in nats: at most zero, and flat where the model is sure.

    By a softmax over all classes; by a sigmoid where the model ends in one or has a single output.

    Attributes:
        class_: The index of the class.

    Raises:
        ValueError: It is no int from 0 on.

    Source: Simonyan, Vedaldi & Zisserman 2014, Deep inside convolutional networks (ICLR workshop),
    compare the logit with it; Montavon, Samek & Müller 2018 (Digital Signal Processing 73),
    equation 2.
    """

    def __call__(self, readings):
        """Returns `log p(class | x)`, `(rows,)`."""
        return readings.log_probabilities[:, self.class_]


@dataclasses.dataclass(frozen=True)
class Logit(_OfClass):
    """The logit of a class, before any softmax or sigmoid: without an upper limit.

    Attributes:
        class_: The index of the class.

    Raises:
        ValueError: It is no int from 0 on.

    Source: Simonyan, Vedaldi & Zisserman 2014, Deep inside convolutional networks (ICLR workshop),
    equation 1.
    """

    def __call__(self, readings):
        """Returns the logit, `(rows,)`."""
        return readings.scores[:, self.class_]
