"""What is explained: one class of each row, all outputs, or a function of them."""

import dataclasses

import numpy as np
from keras import ops, tree

from xai.model import class_scores, scorer

ALL = "all"


@dataclasses.dataclass(frozen=True, eq=False)
class Target:
    """The scores to explain.

    Attributes:
        given: An int array `(batch,)`, -1 for the predicted class; a callable; or `"all"`.
        output: The index of the model's output that has the classes.
        settings: What was asked for, as plain values.
    """

    given: object
    output: int
    settings: dict

    @classmethod
    def of(cls, model, target, batch):
        """Returns the target that a user means.

        Args:
            model: An `OpenModel`.
            target: None, an int, one int per row, `"all"`, a callable, or a pair of an output and
                one of the first four.
            batch: The number of rows.

        Raises:
            ValueError: It fits no output or class of the model.
        """
        output, target = model.choose_output(target)
        is_all = isinstance(target, str) and target == ALL
        checked = model.check_target(None if is_all else target, batch, output)
        settings = {"target": _plain(target, checked)}
        if len(model.output_names) > 1 and not callable(target):
            settings["target_output"] = model.output_names[output]
        return cls(ALL if is_all else checked, output, settings)

    @property
    def is_all(self):
        """Whether all outputs are explained at once."""
        return isinstance(self.given, str)

    @property
    def has_classes(self):
        """Whether one class of each row is explained."""
        return isinstance(self.given, np.ndarray)

    @property
    def key(self):
        """What a function compiled for this target can be found by."""
        return ("classes" if self.has_classes else self.given), self.output

    def classes(self, outputs):
        """Returns the class of each row `(batch,)`, given the model's outputs."""
        scores = class_scores(outputs, self.output)
        if not self.has_classes:
            return np.zeros(len(scores), "int32")
        return np.where(self.given < 0, scores.argmax(axis=-1), self.given).astype("int32")

    def scores(self, outputs, classes):
        """Returns the scores to explain, `(batch, outputs)`."""
        if self.is_all:
            return class_scores(outputs, self.output)
        return scorer(self.given, self.output)(outputs, classes)[:, None]

    def known_scores(self, outputs, classes):
        """Returns what `scores` does, of arrays."""
        if self.has_classes:
            return np.take_along_axis(class_scores(outputs, self.output), classes[:, None], axis=1)
        tensors = tree.map_structure(ops.convert_to_tensor, outputs)
        return ops.convert_to_numpy(self.scores(tensors, classes))


def name_of(function):
    """Returns the name of a function, of an object that can be called that of its class."""
    return getattr(function, "__name__", type(function).__name__)


def _plain(target, checked):
    if target is None:
        return "predicted"
    if callable(target):
        return name_of(target)
    return target if isinstance(target, str) else checked
