"""The callback that keeps what a trial is worth: its learning curve and its best epoch's model."""

import math
import time

import keras

from tuning import storage


class EpochRecorder(keras.callbacks.Callback):
    """Writes the learning curve after every epoch and the whole model after every best one.

    Args:
        objective: A `keras_tuner.Objective`.
        folder: The trial's folder; what an interrupted run left there is removed.

    Attributes:
        history: Metric name -> one float per epoch, as in Keras' `History`.
        best_epoch: Index of the epoch with the best finite objective; None before there is one.
        best_value: The objective then.
    """

    def __init__(self, objective, folder):
        super().__init__()
        self.objective = objective
        self.folder = folder
        self.history = {}
        self.best_epoch = None
        self.best_value = None
        self._start = time.monotonic()
        for name in (storage.HISTORY_FILE, storage.MODEL_FILE):
            (folder / name).unlink(missing_ok=True)

    def on_epoch_end(self, epoch, logs=None):
        """Records an epoch's metrics and, if it is the best so far, its model.

        Raises:
            ValueError: The objective is not among the metrics.
        """
        for name, value in logs.items():
            self.history.setdefault(name, []).append(float(value))
        require_metric(self.objective, logs)
        value = float(self.objective.get_value(logs))
        if math.isfinite(value) and self._is_best(value):
            self.best_epoch, self.best_value = epoch, value
            with storage.replacing(self.folder / storage.MODEL_FILE) as partial:
                self.model.save(partial)
        self.write()

    def write(self):
        """Writes the learning curve and the time since the trial began, in seconds."""
        record = {
            "seconds": time.monotonic() - self._start,
            "best_epoch": self.best_epoch,
            "history": self.history,
        }
        storage.write_json(self.folder / storage.HISTORY_FILE, record)

    def _is_best(self, value):
        return self.best_value is None or self.objective.better_than(value, self.best_value)


def require_metric(objective, logs):
    """Raises a ValueError if an epoch's metrics do not include the objective."""
    if not objective.has_value(logs):
        raise ValueError(
            f"The objective {objective.name!r} is not among the model's metrics: "
            f"{', '.join(map(repr, logs))}. Pass one of these as objective, or add the metric in "
            "build's model.compile(metrics=[...])."
        )
