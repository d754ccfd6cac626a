"""A range test of the learning rate."""

import math
import numbers
from typing import ClassVar

import keras
import numpy as np
from keras import ops

from kerasdl.registry import register


@register
class LearningRateFinder(keras.callbacks.Callback):
    """Raises the learning rate exponentially over the first batches of a `fit`, then undoes all.

    ```
    rate(i) = min_learning_rate (max_learning_rate / min_learning_rate)**(i / (steps - 1))
    ```

    The `fit` that it is given to is the test: it ends after `steps` batches, or as soon as the loss
    is no longer finite or has grown to `stop_factor` times its smallest value (both smoothed), and
    leaves the weights and the optimizer as they were, the learning rate included. Then set the
    optimizer's learning rate and fit without it. Metrics are reset at each batch of the test.

    Keras tells callbacks nothing of an exception: if one ends the `fit` in the middle, call
    `restore()`, or fit again with the finder, which restores first.

    Args:
        min_learning_rate: The first rate, positive.
        max_learning_rate: The last rate, above the first.
        steps: Batches of the test, at least 3; they may span several epochs.
        smoothing: Decay of the moving average of the losses, in [0, 1); it is bias-corrected.
        stop_factor: See above; more than 1.

    Attributes:
        history: `{"learning_rate": [...], "loss": [...], "smoothed_loss": [...]}` by batch.
        suggestion: The rate at which the smoothed loss falls most steeply over the logarithm of the
            rate, before its smallest value; `None` where it never falls.

    Raises:
        ValueError: An argument is out of its range; or, at the start of `fit`, the optimizer
            follows a schedule, or the model runs several steps per execution.

    Example:
        >>> finder = LearningRateFinder(1e-5, 1.0)
        >>> model.fit(x_train, y_train, epochs=5, callbacks=[finder])
        >>> model.optimizer.learning_rate = finder.suggestion

    Source:
        Smith: Cyclical learning rates for training neural networks, 2017 (arXiv 1506.01186),
        section 3.3, which raises the rate linearly and reads the accuracy. The exponential rise,
        the smoothing and the suggestion follow what has become usual since fastai.
    """

    changes_training: ClassVar = True

    def __init__(
        self,
        min_learning_rate=1e-6,
        max_learning_rate=1.0,
        steps=100,
        smoothing=0.9,
        stop_factor=4.0,
    ):
        super().__init__()
        _check("min_learning_rate", min_learning_rate, 0, math.inf)
        _check("max_learning_rate", max_learning_rate, min_learning_rate, math.inf)
        _check("steps", steps, 2, math.inf)
        _check("smoothing", smoothing, math.nextafter(0, -1), 1)
        _check("stop_factor", stop_factor, 1, math.inf)
        self.min_learning_rate = min_learning_rate
        self.max_learning_rate = max_learning_rate
        self.steps = int(steps)
        self.smoothing = smoothing
        self.stop_factor = stop_factor
        self.history = {}
        self._saved = None

    @property
    def suggestion(self):
        """The rate of the steepest fall of the loss, or `None`."""
        losses = np.array(self.history.get("smoothed_loss", []))
        losses = losses[np.isfinite(losses)]
        falling = losses[: np.argmin(losses) + 1] if len(losses) else losses
        if len(falling) < 2:
            return None
        slopes = np.gradient(falling, np.log(self.history["learning_rate"][: len(falling)]))
        return self.history["learning_rate"][int(np.argmin(slopes))]

    def on_train_begin(self, logs=None):
        """Keeps the weights and the optimizer's state."""
        self.restore()
        model = self.model
        optimizer = model.optimizer
        if not isinstance(optimizer.learning_rate, keras.Variable):
            raise ValueError(
                "LearningRateFinder cannot set the learning rate of an optimizer that follows a "
                f"schedule or function ({type(optimizer).__name__}). Compile with a number for the "
                "test: optimizer=keras.optimizers.SGD(learning_rate=0.01)."
            )
        if model.steps_per_execution != 1:
            raise ValueError(
                "LearningRateFinder changes the learning rate with every batch, but the model runs "
                f"{model.steps_per_execution} per execution. Compile with steps_per_execution=1."
            )
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
        state = [*model.variables, *optimizer.variables]
        self._saved = [(variable, np.array(ops.convert_to_numpy(variable))) for variable in state]
        self.history = {"learning_rate": [], "loss": [], "smoothed_loss": []}
        self._average = 0.0

    def on_train_batch_begin(self, batch, logs=None):
        """Sets the next learning rate."""
        if self._saved is None:
            return
        model = self.model
        model.reset_metrics()  # the loss in the logs is an average since the last reset
        part = len(self.history["loss"]) / (self.steps - 1)
        ratio = self.max_learning_rate / self.min_learning_rate
        rate = self.min_learning_rate * ratio**part
        model.optimizer.learning_rate = rate
        self.history["learning_rate"].append(rate)

    def on_train_batch_end(self, batch, logs=None):
        """Records the loss and ends the test when it is time."""
        if self._saved is None:
            return
        losses = self.history["smoothed_loss"]
        self.history["loss"].append(float(logs["loss"]))
        self._average = self.smoothing * self._average + (1 - self.smoothing) * logs["loss"]
        losses.append(float(self._average / (1 - self.smoothing ** (len(losses) + 1))))
        diverged = not losses[-1] <= self.stop_factor * abs(min(losses))
        if diverged or len(losses) == self.steps:
            self.model.stop_training = True
            self._put_back()  # before validation and the callbacks at the end of the epoch

    def on_train_end(self, logs=None):
        """Restores the model, after what Keras does to the weights at the end of a training."""
        self.restore()

    def restore(self):
        """Gives the model and the optimizer the state from before the test, if one was begun."""
        if self._saved is not None:
            self._put_back()
            self._saved = None

    def _put_back(self):
        if self.model is None:
            return
        for variable, value in self._saved:
            variable.assign(value)


def _check(name, value, low, high):
    if not (isinstance(value, numbers.Real) and low < value < high):
        raise ValueError(
            f"LearningRateFinder({name}={value!r}): {name} must be a number above {low:g} and "
            f"below {high:g}. Leave it out for the default."
        )
