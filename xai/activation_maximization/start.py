"""Where an ascent begins: at the likely input that the model gives most to the class."""

import dataclasses
import functools

import numpy as np
from keras import ops

from kerasdl.backend import jit, vjp
from xai.activation_maximization.objectives import ClassLogProbability
from xai.activation_maximization.priors import Prior

_DRAWS = 32


@dataclasses.dataclass(frozen=True, eq=False)
class Start:
    """Chooses a start for every class.

    Attributes:
        objective: The class log-probability.
        prior: Whose `starts` are the candidates.
        low: The least value of each input element, in a row's shape; its dtype is the ascent's.
        high: The greatest value of each input element.
        seed: Of the draws that replace a start without a gradient.
    """

    objective: ClassLogProbability
    prior: Prior
    low: np.ndarray
    high: np.ndarray
    seed: int

    def __call__(self, classes):
        """Returns inputs within the box, `(rows, ...)`, that depend on a row's own class alone.

        Raises:
            ValueError: The model has no gradient path, or gives values that are not finite.
        """
        candidates = self._boxed(self.prior.starts)
        chosen = self.log_probabilities(candidates).argmax(axis=0)
        starts = candidates[chosen[classes]]
        if not self._moves(starts, classes).all():
            self.objective.model.check_gradient(starts)
            starts = self._recovered(starts, classes)
        return starts

    def log_probabilities(self, x):
        """Returns the log-probability of every class, `(rows, classes)`, for an array.

        Raises:
            ValueError: The model gives values that are not finite.
        """
        tensor = ops.convert_to_tensor(x, str(self.low.dtype))
        values = ops.convert_to_numpy(self._every_class(tensor))
        if not np.isfinite(values).all():
            raise ValueError(
                f"The model {self.objective.model.model.name!r} gives NaN or infinite scores to "
                "inputs that the prior takes for likely: look for NaN in its weights, and whether "
                "the prior was fitted on inputs that are scaled as the model's."
            )
        return values

    def _recovered(self, starts, classes):
        """Replaces starts of dead units, whose gradient is zero, by draws from the prior."""
        starts = starts.copy()
        moves = self._moves(starts, classes)
        for row in np.flatnonzero(~moves & (self._given(starts, classes) < -1e-6)):
            draws = self._boxed(self.prior.sample(_DRAWS, seed=[self.seed, int(classes[row])]))
            same = np.full(_DRAWS, classes[row])
            given = np.where(self._moves(draws, same), self._given(draws, same), -np.inf)
            if np.isfinite(given.max()):
                starts[row] = draws[given.argmax()]
        return starts

    def _given(self, x, classes):
        return self.log_probabilities(x)[np.arange(len(classes)), classes]

    def _moves(self, x, classes):
        """Returns whether each row's class has a gradient at all, `(rows,)`."""
        gradient = self._gradient(ops.convert_to_tensor(x), ops.convert_to_tensor(classes))
        return ops.convert_to_numpy(gradient).reshape(len(x), -1).any(axis=1)

    def _boxed(self, x):
        return np.clip(x, self.low, self.high, dtype=self.low.dtype, casting="same_kind")

    @functools.cached_property
    def _every_class(self):
        return jit(self.objective.every_class, self.objective.model.model.variables)

    @functools.cached_property
    def _gradient(self):
        def gradient(x, classes):
            values, pullback = vjp(lambda inputs: self.objective(inputs, classes), x)
            return pullback(ops.ones_like(values))

        return jit(gradient, self.objective.model.model.variables)
