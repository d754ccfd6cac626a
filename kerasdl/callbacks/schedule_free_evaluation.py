"""Averaged weights for validation and checkpoints while a schedule-free optimizer trains."""

import keras

from kerasdl.registry import register


@register
class ScheduleFreeEvaluation(keras.callbacks.Callback):
    """Validates and saves with the averaged weights of a schedule-free optimizer.

    From a validation, or at the latest from the end of an epoch, until the next epoch begins, the
    model holds the averaged weights; then it trains on. Put it first in the list of callbacks, so
    that `ModelCheckpoint` and others see these weights also in epochs without a validation. A
    second `fit` with this callback goes on exactly where the first one ended.

    The optimizer may be within others, such as `keras.optimizers.LossScaleOptimizer`.

    Raises:
        ValueError: When training begins, if no part of the model's optimizer is schedule-free.

    Example:
        >>> checkpoint = keras.callbacks.ModelCheckpoint("best.keras", save_best_only=True)
        >>> model.compile(optimizer="kerasdl>ScheduleFreeAdamW", loss="mse")
        >>> model.fit(x, y, validation_split=0.1, callbacks=[ScheduleFreeEvaluation(), checkpoint])

    Source:
        Defazio, Yang, Mehta, Mishchenko, Khaled, Cutkosky: The road less scheduled, 2024
        (arXiv 2405.15682).
    """

    def on_train_begin(self, logs=None):
        """Puts the training weights into the model."""
        self._optimizer().switch_to_training()

    def on_epoch_begin(self, epoch, logs=None):
        """Puts the training weights into the model."""
        self._optimizer().switch_to_training()

    def on_test_begin(self, logs=None):
        """Puts the averaged weights into the model."""
        self._optimizer().switch_to_average()

    def on_epoch_end(self, epoch, logs=None):
        """Puts the averaged weights into the model."""
        self._optimizer().switch_to_average()

    def _optimizer(self):
        """Returns the schedule-free optimizer, which a wrapper may hold."""
        optimizer = self.model.optimizer
        while optimizer is not None and not hasattr(optimizer, "switch_to_average"):
            held = getattr(optimizer, "inner_optimizer", None)
            optimizer = held or getattr(optimizer, "inner", None)
        if optimizer is None:
            raise ValueError(
                f"ScheduleFreeEvaluation needs a schedule-free optimizer; the model was compiled "
                f"with {self.model.optimizer!r}. Compile it with optimizer="
                "'kerasdl>ScheduleFreeAdamW' or 'kerasdl>ScheduleFreeSGD', or leave it out."
            )
        return optimizer
