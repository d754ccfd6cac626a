"""Where an ascent begins: at the likely input that the model gives most to the target."""

import dataclasses
import functools

import numpy as np
from keras import ops

from kerasdl.backend import jit, vjp
from xai.activation_maximization.parameterizations import Parameterization, Pixels
from xai.activation_maximization.priors import Prior

_DRAWS = 32
_ROWS_AT_ONCE = 512


@dataclasses.dataclass(frozen=True, eq=False)
class Start:
    """Chooses a code to start from for every target.

    Attributes:
        targets: What is to be climbed; see `targets.py`.
        model: The opened model.
        prior: Whose `starts` are the candidates where the input elements themselves climb.
        parameterization: Which makes the candidates where something else does.
        low: The least value of each input element, in a row's shape; its dtype is the ascent's.
        high: The greatest value of each input element.
    """

    targets: object
    model: object
    prior: Prior
    parameterization: Parameterization
    low: np.ndarray
    high: np.ndarray

    def __call__(self, columns, seeds):
        """Returns codes within the box, `(rows, ...)`, that depend on a row's own target alone.

        Rows that are to differ begin at one candidate after the other.

        Args:
            columns: Which of the distinct targets each row has, `(rows,)`.
            seeds: Of each row, the last of them the number of rows before that it is to differ
                from; for draws where there are no more candidates or where no unit lives.

        Raises:
            ValueError: The model has no gradient path, or gives values that are not finite.
        """
        candidates = self._candidates()
        order = np.argsort(-self.values(self.decoded(candidates)), axis=0, kind="stable")
        repeated = seeds[:, -1]
        starts = candidates[order[repeated % len(order), columns]]
        for row in np.flatnonzero(repeated >= len(order)):
            starts[row] = self._draws(1, seeds[row])[0]
        if not self._moves(starts, columns).all():
            self.model.check_gradient(self.decoded(starts))
            starts = self._recovered(starts, columns, seeds)
        return starts

    def values(self, x):
        """Returns the value of every distinct target, `(batch, targets)`, for an array of inputs.

        Raises:
            ValueError: The model gives values that are not finite.
        """
        parts = np.split(np.asarray(x), range(_ROWS_AT_ONCE, len(x), _ROWS_AT_ONCE))
        tensors = (ops.convert_to_tensor(part, str(self.low.dtype)) for part in parts)
        values = np.concatenate([ops.convert_to_numpy(self._every(part)) for part in tensors])
        if not np.isfinite(values).all():
            raise ValueError(
                f"The model {self.model.model.name!r} gives NaN or infinite scores to "
                "inputs that the prior takes for likely: look for NaN in its weights, and whether "
                "the prior was fitted on inputs that are scaled as the model's."
            )
        return values

    def encoded(self, x):
        """Returns the codes of inputs, moved into the box first.

        Raises:
            ValueError: The parameterization knows no way back.
        """
        codes = self.parameterization.encode(self._boxed(x), self.low, self.high)
        return np.asarray(codes, self.low.dtype)

    def decoded(self, codes):
        """Returns the inputs of codes."""
        return ops.convert_to_numpy(self._decode(ops.convert_to_tensor(codes)))

    def _candidates(self):
        if isinstance(self.parameterization, Pixels) and len(self.prior.starts):
            return self._boxed(self.prior.starts)
        return self._draws(_DRAWS, [0])

    def _draws(self, count, seed):
        """Returns codes of random inputs that may be likely."""
        if isinstance(self.parameterization, Pixels) and self.prior.starts.size:
            return self._boxed(self.prior.sample(count, seed=list(seed)))
        each = [[*seed, number] for number in range(count)]
        codes = self.parameterization.start(each, self.low, self.high)
        return np.asarray(codes, self.low.dtype)

    def _recovered(self, starts, columns, seeds):
        """Replaces starts of dead units, whose gradient is zero, by draws that move."""
        starts = starts.copy()
        least = self.targets.limits[columns] - 1e-6
        stuck = ~self._moves(starts, columns) & (self.given(starts, columns) < least)
        for row in np.flatnonzero(stuck):
            draws, same = self._draws(_DRAWS, seeds[row]), np.full(_DRAWS, columns[row])
            given = np.where(self._moves(draws, same), self.given(draws, same), -np.inf)
            if np.isfinite(given.max()):
                starts[row] = draws[given.argmax()]
        return starts

    def given(self, codes, columns):
        """Returns the value of each row's own target at its code, `(rows,)`."""
        return self.values(self.decoded(codes))[np.arange(len(columns)), columns]

    def _moves(self, codes, columns):
        """Returns whether each row's target has a gradient at all, `(rows,)`."""
        gradient = self._gradient(ops.convert_to_tensor(codes), ops.convert_to_tensor(columns))
        return ops.convert_to_numpy(gradient).reshape(len(codes), -1).any(axis=1)

    def _boxed(self, x):
        return np.clip(x, self.low, self.high, dtype=self.low.dtype, casting="same_kind")

    @functools.cached_property
    def _every(self):
        return jit(self.targets.every, self._variables)

    @functools.cached_property
    def _decode(self):
        return jit(self._decoding, self._variables)

    @functools.cached_property
    def _gradient(self):
        def gradient(codes, columns):
            def values(codes):
                every = self.targets.every(self._decoding(codes))
                return ops.take_along_axis(every, columns[:, None], axis=1)[:, 0]

            values, pullback = vjp(values, codes)
            return pullback(ops.ones_like(values))

        return jit(gradient, self._variables)

    def _decoding(self, codes):
        return self.parameterization.decode(
            codes, *map(ops.convert_to_tensor, (self.low, self.high))
        )

    @property
    def _variables(self):
        return [*self.model.model.variables, *self.parameterization.variables]
