"""What a callback must keep to."""

import copy

import numpy as np

from kerasdl.testing.host import perceptron
from kerasdl.testing.results import FaultError, NotApplicableError, described
from kerasdl.testing.subject import differ


def two_trainings_may_follow_one_another(subject):
    """A callback takes part in `fit` twice, with validation data and without."""
    _fit(subject, [_copied(subject)])


def numbers_are_left_as_they_are(subject):
    """Training ends at the same weights with the callback and without it."""
    subject.require_undeclared("changes_training", "to change training is its purpose")
    gap = differ(_fit(subject, []), _fit(subject, [_copied(subject)]), 1e-5)
    if gap is not None:
        raise FaultError(
            f"{subject.name} changes the weights by {gap:.2g} of their size: put back what it "
            "changes, or declare changes_training = True."
        )


def _copied(subject):
    return copy.deepcopy(subject.component)


def _fit(subject, callbacks):
    model, (x,), (y,) = perceptron(activation="relu")
    model.compile("sgd", "mse")
    x, y = np.concatenate([x] * 3), np.concatenate([y] * 3)
    for number, split in enumerate((0.0, 0.34)):
        settings = {"verbose": 0, "shuffle": False, "validation_split": split}
        try:
            model.fit(x, y, 6, 2, callbacks=callbacks, **settings)
        except Exception as error:
            if isinstance(error, ValueError) and not number:
                raise NotApplicableError(f"it refuses a usual model: {error}") from error
            raise FaultError(f"fit with {subject.name} raises {described(error)}") from error
    return model.get_weights()


CHECKS = (two_trainings_may_follow_one_another, numbers_are_left_as_they_are)
