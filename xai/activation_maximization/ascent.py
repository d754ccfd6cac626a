"""The ascent: projected Adam in the metric of the prior, all rows at once, compiled in chunks."""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np
from keras import ops, tree

from kerasdl.backend import jit, vjp
from xai.activation_maximization import transforms as random_transforms
from xai.activation_maximization.parameterizations import Parameterization
from xai.activation_maximization.priors import Prior

# Steps are counted in the prior's scale, so that one rate does for any unit of the inputs. Measured
# on 8x8 digits with a Gaussian prior and sharpness 10, as the distance in nats from the maximum
# after 64 and 128 steps: 0.24 and 0.0001 with these; 1.3 and 0.016 with a second momentum of 0.999,
# as Adam has it; 2 and 0.1 with a rate of 0.02 to 0.05 in pixels instead of the prior's scale. A
# Keras optimizer would know neither the scale nor the bounds.
_RATE = 0.5
_MOMENTUM = 0.9
_SECOND_MOMENTUM = 0.9
_GRADIENT_FLOOR = 1e-3  # nats per scale; below it steps shrink instead of following rounding errors


class Rows(NamedTuple):
    """What differs between the rows of an ascent.

    Attributes:
        start: The codes where they begin, `(rows, ...)`.
        classes: What each row climbs, as the objective takes it, `(rows,)`.
        seeds: Of the transforms of each row, `(rows, ints)`.
        low: The least value of each input element, in a row's shape or `(rows, ...)`.
        high: The greatest value of each input element, likewise.
        given: The value of the objective at the start, `(rows,)`.
    """

    start: np.ndarray
    classes: np.ndarray
    seeds: np.ndarray
    low: np.ndarray
    high: np.ndarray
    given: np.ndarray


class State(NamedTuple):
    """Where an ascent stands; tensors with a row per target."""

    code: object
    momentum: object
    square: object
    best: object
    best_value: object


@dataclasses.dataclass(frozen=True, eq=False)
class Climb:
    """Where an ascent ended.

    Attributes:
        best: The codes of the greatest objective among all that the ascent passed, `(rows, ...)`;
            the last ones where transforms make the objective a random number, or where the prior is
            no density but a gradient alone.
        inputs: What they are decoded into, `(rows, ...)`.
        log_probability: Of the class at `inputs`, in nats, `(rows,)`.
        log_prior: Of `inputs`, in nats, `(rows,)`.
        history: `log_probability`, `log_prior` and `sharpness` at every step, each `(steps, rows)`.
        remaining: An estimate of what more steps could gain, in nats, `(rows,)`.
    """

    best: np.ndarray
    inputs: np.ndarray
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
        ends = {
            field.name: _chosen(rows, getattr(later, field.name), getattr(self, field.name))
            for field in dataclasses.fields(self)
            if field.name != "history"
        }
        return Climb(history=history, **ends)


@dataclasses.dataclass(frozen=True, eq=False)
class Ascent:
    """Maximizes `sharpness * objective(x, class) + log p(x)` over codes of inputs within a box.

    Attributes:
        objective: A callable of tensors `(rows, ...)` and classes `(rows,)` to `(rows,)`.
        prior: What gives `log p`, of codes if it is the parameterization's own.
        parameterization: What decodes codes into inputs.
        transforms: What the model sees of the inputs; the prior sees the inputs.
        scale: How far each element of a code can move alone, in a code's shape.
        shape: Of a row of inputs.
        dtype: Of the ascent.
        variables: The Keras variables that the objective reads.
        chunk: The number of steps of a compiled call.
    """

    objective: object
    prior: Prior
    parameterization: Parameterization
    transforms: tuple
    scale: np.ndarray
    shape: tuple
    dtype: str
    variables: list
    chunk: int = 32

    def __call__(self, rows, sharpness, steps, report):
        """Returns the `Climb`.

        Args:
            rows: The `Rows`.
            sharpness: The weight of the objective, `(rows,)`.
            steps: The number of gradients to compute.
            report: Called with the number of steps just taken, the last log-probabilities and a
                function that returns the inputs.
        """
        constants = self._constants(rows)
        classes = ops.convert_to_tensor(rows.classes)
        weight = ops.convert_to_tensor(sharpness, self.dtype)
        state, history = self._first_state(rows.start), []
        for schedule in self._schedule(rows.seeds, steps):
            state, terms = self._advance(constants, state, schedule, classes, weight)
            taken = min(self.chunk, steps - self.chunk * len(history))
            history.append(ops.convert_to_numpy(terms)[:taken])
            report(taken, history[-1][-1, 0], functools.partial(self.decoded, rows, state.code))
        inputs, log_probability, log_prior = self.evaluate(rows, state.best)
        return Climb(
            best=ops.convert_to_numpy(state.best),
            inputs=inputs,
            log_probability=log_probability,
            log_prior=log_prior,
            history=_named(np.concatenate(history), sharpness),
            remaining=self._remaining(state, rows),
        )

    def decoded(self, rows, codes):
        """Returns what codes are decoded into."""
        return self.evaluate(rows, codes)[0]

    def evaluate(self, rows, codes):
        """Returns what codes are decoded into, and both terms of it, without transforms."""
        found = self._evaluate(
            self._constants(rows),
            ops.convert_to_tensor(codes, self.dtype),
            ops.convert_to_tensor(rows.classes),
        )
        return tuple(map(ops.convert_to_numpy, found))

    def _first_state(self, start):
        code = ops.convert_to_tensor(start, self.dtype)
        nothing = ops.full((len(start),), -np.inf, self.dtype)
        return State(code, ops.zeros_like(code), ops.zeros_like(code), code, nothing)

    @functools.cached_property
    def _advance(self):
        def advance(constants, state, schedule, classes, sharpness):
            def body(index, carry):
                state, history = carry
                now = tree.map_structure(lambda part: part[index], schedule)
                state, terms = self._step(constants, state, now, classes, sharpness)
                return state, ops.where(places == index, terms, history)

            places = ops.reshape(ops.arange(self.chunk), (-1, 1, 1))
            history = ops.zeros((self.chunk, 2, ops.shape(classes)[0]), self.dtype)
            return ops.fori_loop(0, self.chunk, body, (state, history))

        return jit(advance, self._variables)

    @functools.cached_property
    def _evaluate(self):
        def evaluate(constants, code, classes):
            parameters, low, high, _ = constants
            x = self.parameterization.decode(code, low, high)
            return x, self.objective(x, classes), self._log_prior(parameters, code, x)

        return jit(evaluate, self._variables)

    @property
    def _variables(self):
        return [*self.variables, *self.parameterization.variables]

    @functools.cached_property
    def _parameters(self):
        """The prior's parameters as tensors.

        They are arguments: as constants they would be copied into every compiled function.
        """
        arrays = self.prior.parameters, self.scale
        return tree.map_structure(lambda a: ops.convert_to_tensor(a, self.dtype), arrays)

    def _constants(self, rows):
        """Returns the prior's parameters, the box and the scale."""
        parameters, scale = self._parameters
        box = (ops.convert_to_tensor(bound, self.dtype) for bound in (rows.low, rows.high))
        return parameters, *box, scale

    def _log_prior(self, parameters, code, x):
        of_code = self.parameterization.prior is not None
        return self.prior.log_density(parameters, code if of_code else x)

    def _step(self, constants, state, now, classes, sharpness):
        """Returns the next state, and both terms of this one, `(2, rows)`."""
        parameters, low, high, scale = constants
        rate, number, drawn = now[0][0], now[0][1], now[1:]

        def terms(code):
            x = self.parameterization.decode(code, low, high)
            seen = random_transforms.apply(self.transforms, x, *drawn) if self.transforms else x
            return self.objective(seen, classes), self._log_prior(parameters, code, x)

        (log_probability, log_prior), pullback = vjp(terms, state.code)
        gradient = scale * pullback((sharpness, ops.ones_like(sharpness)))
        momentum = _MOMENTUM * state.momentum + (1 - _MOMENTUM) * gradient
        square = _SECOND_MOMENTUM * state.square + (1 - _SECOND_MOMENTUM) * gradient**2
        size = ops.sqrt(square / (1 - _SECOND_MOMENTUM**number)) + _GRADIENT_FLOOR
        move = rate * scale * momentum / (1 - _MOMENTUM**number) / size
        code = self.parameterization.confine(state.code + move, low, high)
        best = self._better(state, sharpness * log_probability + log_prior)
        return State(code, momentum, square, *best), ops.stack([log_probability, log_prior])

    def _better(self, state, value):
        """Returns the best codes so far and their values, the present ones included."""
        rises = value > state.best_value
        if self.transforms or not self.prior.is_density:
            rises = ops.ones_like(rises)
        per_row = ops.reshape(rises, (-1,) + (1,) * (len(state.code.shape) - 1))
        return ops.where(per_row, state.code, state.best), ops.where(rises, value, state.best_value)

    def _schedule(self, seeds, steps):
        """Yields the rates and numbers of a chunk of steps, and what its transforms take.

        The rate falls as a cosine, so that the ascent comes to rest; the last chunk is filled up
        with rate 0.
        """
        for first in range(0, steps, self.chunk):
            numbers = np.arange(first, first + self.chunk)
            rates = np.where(numbers < steps, _RATE * (1 + np.cos(np.pi * numbers / steps)) / 2, 0)
            parts = [np.stack([rates, numbers + 1], axis=1).astype(self.dtype)]
            if self.transforms:
                parts += random_transforms.draw(self.transforms, seeds, numbers, self.shape)
            yield [ops.convert_to_tensor(part) for part in parts]

    def _remaining(self, state, rows):
        """Half the squared gradient in the prior's metric, over the elements that may still move.

        Of a normal density with independent elements it is the gain itself. The gradient is Adam's
        mean over the last steps: at a kink of a piecewise linear model no single gradient vanishes.
        """
        ahead = state.code + ops.sign(state.momentum) * ops.convert_to_tensor(
            self.scale, self.dtype
        )
        moves = self.parameterization.confine(ahead, rows.low, rows.high) - state.code
        free = np.where(ops.convert_to_numpy(moves), ops.convert_to_numpy(state.momentum), 0)
        return 0.5 * np.square(free, dtype="float64").reshape(len(free), -1).sum(axis=1)


def _chosen(rows, later, earlier):
    return np.where(rows.reshape(-1, *(1,) * (later.ndim - 1)), later, earlier)


def _named(terms, sharpness):
    """Returns the history of both terms, `(steps, 2, rows)`, by name."""
    return {
        "log_probability": terms[:, 0],
        "log_prior": terms[:, 1],
        "sharpness": np.tile(sharpness, (len(terms), 1)),
    }
