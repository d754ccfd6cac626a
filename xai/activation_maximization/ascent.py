"""The ascent: projected Adam in the metric of the prior, all rows at once, compiled in chunks."""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np
from keras import ops, tree

from kerasdl.backend import jit, vjp
from xai.activation_maximization.priors import Prior

_CHUNK = 32  # steps per compiled call: few enough for a progress bar to move

# Steps are counted in the prior's scale, so that one rate does for any unit of the inputs. Measured
# on 8x8 digits with a Gaussian prior and sharpness 10, as the distance in nats from the maximum
# after 64 and 128 steps: 0.24 and 0.0001 with these; 1.3 and 0.016 with a second momentum of 0.999,
# as Adam has it; 2 and 0.1 with a rate of 0.02 to 0.05 in pixels instead of the prior's scale. A
# Keras optimizer would know neither the scale nor the bounds.
_RATE = 0.5
_MOMENTUM = 0.9
_SECOND_MOMENTUM = 0.9
_GRADIENT_FLOOR = 1e-3  # nats per scale; below it steps shrink instead of following rounding errors


class State(NamedTuple):
    """Where an ascent stands; tensors with a row per target."""

    x: object
    momentum: object
    square: object
    best: object
    best_log_probability: object
    best_log_prior: object


@dataclasses.dataclass(frozen=True, eq=False)
class Climb:
    """Where an ascent ended.

    Attributes:
        best: The inputs of the greatest objective among all that the ascent passed, `(rows, ...)`.
        log_probability: Of the class at `best`, in nats, `(rows,)`.
        log_prior: Of `best`, in nats, `(rows,)`.
        history: `log_probability`, `log_prior` and `sharpness` at every step, each `(steps, rows)`.
        remaining: An estimate of what more steps could gain, in nats, `(rows,)`.
    """

    best: np.ndarray
    log_probability: np.ndarray
    log_prior: np.ndarray
    history: dict
    remaining: np.ndarray

    def replaced(self, rows, later):
        """Returns the climb in which some rows went on, the others stayed.

        Args:
            rows: Which went on, bool `(rows,)`.
            later: The climb that began where this one ended.
        """
        stay = {
            "log_probability": self.log_probability,
            "log_prior": self.log_prior,
            "sharpness": self.history["sharpness"][-1],
        }
        history = {
            name: np.concatenate([values, np.where(rows, later.history[name], stay[name])])
            for name, values in self.history.items()
        }
        per_row = rows.reshape(-1, *(1,) * (self.best.ndim - 1))
        return Climb(
            best=np.where(per_row, later.best, self.best),
            log_probability=np.where(rows, later.log_probability, self.log_probability),
            log_prior=np.where(rows, later.log_prior, self.log_prior),
            history=history,
            remaining=np.where(rows, later.remaining, self.remaining),
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Ascent:
    """Maximizes `sharpness * objective(x, class) + log p(x)` over a box.

    Attributes:
        objective: A callable of tensors `(rows, ...)` and classes `(rows,)` to `(rows,)`.
        prior: What gives `log p(x)`.
        low: The least value of each input element, in a row's shape; its dtype is the ascent's.
        high: The greatest value of each input element.
        variables: The Keras variables that the objective reads.
    """

    objective: object
    prior: Prior
    low: np.ndarray
    high: np.ndarray
    variables: list

    def __call__(self, start, classes, sharpness, steps, report):
        """Returns the `Climb` from a start within the box.

        Args:
            start: `(rows, ...)`.
            classes: `(rows,)`.
            sharpness: `(rows,)`.
            steps: The number of gradients to compute.
            report: Called with the number of steps just taken and the last log-probabilities.
        """
        dtype = str(self.low.dtype)
        classes = ops.convert_to_tensor(classes)
        x, weight = ops.convert_to_tensor(start, dtype), ops.convert_to_tensor(sharpness, dtype)
        nothing = ops.full((len(start),), -np.inf, dtype)
        state = State(x, ops.zeros_like(x), ops.zeros_like(x), x, nothing, nothing)
        history = []
        for schedule in map(ops.convert_to_tensor, _schedule(steps, dtype)):
            state, terms = self._advance(self._constants, state, schedule, classes, weight)
            taken = min(_CHUNK, steps - _CHUNK * len(history))
            history.append(ops.convert_to_numpy(terms)[:taken])
            report(taken, history[-1][-1, 0])
        state = State(*map(ops.convert_to_numpy, state))
        return Climb(
            best=state.best,
            log_probability=state.best_log_probability,
            log_prior=state.best_log_prior,
            history=_named(np.concatenate(history), sharpness),
            remaining=self._remaining(state.x, state.momentum),
        )

    @functools.cached_property
    def _advance(self):
        def advance(constants, state, schedule, classes, sharpness):
            def body(index, carry):
                state, history = carry
                state, terms = self._step(constants, state, schedule[:, index], classes, sharpness)
                return state, ops.where(places == index, terms, history)

            places = ops.reshape(ops.arange(_CHUNK), (-1, 1, 1))
            history = ops.zeros((_CHUNK, 2, ops.shape(classes)[0]), state.x.dtype)
            return ops.fori_loop(0, _CHUNK, body, (state, history))

        return jit(advance, self.variables)

    @functools.cached_property
    def _constants(self):
        """The prior's parameters, the box and the scale as tensors.

        They are arguments: as constants they would be copied into every compiled function.
        """
        arrays = (self.prior.parameters, self.low, self.high, self.prior.scale)
        return tree.map_structure(
            lambda array: ops.convert_to_tensor(array, self.low.dtype), arrays
        )

    def _step(self, constants, state, now, classes, sharpness):
        """Returns the next state, and both terms of this one, `(2, rows)`."""
        parameters, low, high, scale = constants
        rate, number = now[0], now[1]

        def terms(x):
            return self.objective(x, classes), self.prior.log_density(parameters, x)

        (log_probability, log_prior), pullback = vjp(terms, state.x)
        gradient = scale * pullback((sharpness, ops.ones_like(sharpness)))
        momentum = _MOMENTUM * state.momentum + (1 - _MOMENTUM) * gradient
        square = _SECOND_MOMENTUM * state.square + (1 - _SECOND_MOMENTUM) * gradient**2
        size = ops.sqrt(square / (1 - _SECOND_MOMENTUM**number)) + _GRADIENT_FLOOR
        move = rate * scale * momentum / (1 - _MOMENTUM**number) / size
        x = ops.clip(state.x + move, low, high)
        best = _better(state, sharpness, log_probability, log_prior)
        return State(x, momentum, square, *best), ops.stack([log_probability, log_prior])

    def _remaining(self, x, momentum):
        """Half the squared gradient in the prior's metric, over the elements that may still move.

        Of a normal density with independent elements it is the gain itself. The gradient is Adam's
        mean over the last steps: at a kink of a piecewise linear model no single gradient vanishes.
        """
        held = ((x <= self.low) & (momentum < 0)) | ((x >= self.high) & (momentum > 0))
        free = np.where(held, 0, momentum).reshape(len(x), -1)
        return 0.5 * np.square(free).sum(axis=1)


def _better(state, sharpness, log_probability, log_prior):
    """Returns the best inputs so far and their two terms, the present ones included."""
    best = sharpness * state.best_log_probability + state.best_log_prior
    rises = sharpness * log_probability + log_prior > best
    per_row = ops.reshape(rises, (-1,) + (1,) * (len(state.x.shape) - 1))
    return (
        ops.where(per_row, state.x, state.best),
        ops.where(rises, log_probability, state.best_log_probability),
        ops.where(rises, log_prior, state.best_log_prior),
    )


def _named(terms, sharpness):
    """Returns the history of both terms, `(steps, 2, rows)`, by name."""
    return {
        "log_probability": terms[:, 0],
        "log_prior": terms[:, 1],
        "sharpness": np.tile(sharpness, (len(terms), 1)),
    }


def _schedule(steps, dtype):
    """Returns the rates and numbers of the steps in chunks, the last filled up with rate 0.

    The rate falls as a cosine, so that the ascent comes to rest.
    """
    chunks = -(-steps // _CHUNK)
    numbers = np.arange(chunks * _CHUNK)
    rates = np.where(numbers < steps, _RATE * (1 + np.cos(np.pi * numbers / steps)) / 2, 0)
    return np.split(np.stack([rates, numbers + 1]).astype(dtype), chunks, axis=1)
