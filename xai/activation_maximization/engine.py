"""Activation maximization: the likely input that a model takes for a class."""

import numpy as np

from xai.activation_maximization import checks, sharpness_rule
from xai.activation_maximization.ascent import Ascent, Rows
from xai.activation_maximization.look import Look
from xai.activation_maximization.maximization import Maximization
from xai.activation_maximization.objectives import LogProbability, Reader
from xai.activation_maximization.parameterizations import Pixels
from xai.activation_maximization.priors.flat import Flat
from xai.activation_maximization.several_inputs import inputs_of
from xai.activation_maximization.start import Start
from xai.activation_maximization.targets import ClassTargets, ObjectiveTargets, seeds
from xai.activation_maximization.transforms import check_transforms
from xai.model import open_model

_TOLERANCE = 0.01  # nats that more steps might gain
_CHUNK, _SHORT_CHUNK = 32, 8  # steps of a compiled call; the short for callbacks or few steps


class ActivationMaximization:
    """Synthesizes inputs that are likely and that a model takes for a class.

    It maximizes `sharpness * log p(class | x) + log p(x)` over the box `bounds`, where the first
    term is the model's and `p(x)` a density fitted on data. In place of the first term any
    objective of `xai.objectives` may stand. All targets climb together; a row does not depend on
    the others, unless its objective has `Diversity`. The model is never changed.

    Args:
        model: A built Keras model. A final softmax or sigmoid is replaced by its logarithm.
        prior: A density over the model's inputs, such as `xai.priors.GaussianMixture.fit(x_train)`.
            None for none, where the parameterization alone says what is likely. For several inputs
            one for each, in their list or dict, or one row of an input to hold it at.
        sharpness: The weight of the class term, a positive number; 1 is the posterior by Bayes'
            rule. `"auto"` chooses one for each row: it begins where the class term can pay for the
            way from the start to a typical real row, and rises until the class probability reaches
            the median of held-out real rows, 0.9999 at most (other objectives: the greatest of
            held-out real rows), or else `p(x)` would fall below that of a typical real row.
        bounds: The least and the greatest value of the inputs: two numbers, or two arrays in the
            shape of a row; infinite ones are none. None for those of the prior's data. For several
            inputs each may be a list or dict.
        parameterization: What climbs, of `xai.parameterizations`; None for the input elements.
        transforms: What the model sees of the inputs: a sequence of `xai.transforms`, drawn anew at
            every step. The terms of the result are those of the inputs themselves.
        seed: Of the transforms, and of draws that begin an ascent.

    Raises:
        TypeError: No Keras model, no prior, no parameterization, or no transforms.
        ValueError: An unbuilt model, one whose climbing inputs are integers, a prior fitted on rows
            of another shape, bounds that do not enclose its data, or an unknown sharpness.

    Example:
        >>> prior = xai.priors.GaussianMixture.fit(x_train)
        >>> maximize = xai.ActivationMaximization(model, prior=prior, bounds=(0, 1))
        >>> result = maximize(target=range(10))
        >>> result.inputs, result.probability, result.converged

        Any unit, robust to shifts:

        >>> jitter = [xai.transforms.Jitter(2)]
        >>> maximize = xai.ActivationMaximization(model, prior, transforms=jitter)
        >>> maximize([xai.objectives.Channel("conv2", channel) for channel in range(16)])

    Source: Montavon, Samek & Müller 2018, Methods for interpreting and understanding deep neural
    networks (Digital Signal Processing 73), equation 2 with an expert `p(x)`. The
    sharpness is ours.
    """

    def __init__(
        self,
        model,
        prior,
        sharpness="auto",
        bounds=(0, 1),
        parameterization=None,
        transforms=(),
        seed=0,
    ):
        self.model = model
        self.sharpness = checks.check_sharpness(sharpness)
        self.seed = checks.check_seed(seed)
        self.parameterization = checks.check_parameterization(parameterization)
        self.bounds = bounds
        self._open = open_model(model)
        self._inputs = inputs_of(self._open, prior)
        if self._inputs:
            self._open = open_model(self._inputs.flat_model(model))
            prior, bounds = self._inputs.prior, self._inputs.joined_bounds(bounds)
        prior = checks.check_prior(prior, self.parameterization)
        shape = prior.shape if prior else checks.check_known_shape(self._open)
        self._dtype = checks.check_input(self._open, shape)
        self._low, self._high = checks.check_bounds(bounds, shape, prior, self._dtype)
        self.parameterization.check(self._low, self._high)
        self.prior = prior or Flat.over(self._low, self._high)
        self.transforms = check_transforms(transforms, self.prior.shape)
        self._climbed = self.parameterization.prior or self.prior
        self._compiled = {}

    def __call__(self, target, steps=256, progress=False, *, start=None, callbacks=()):
        """Returns one synthesized input per target.

        Args:
            target: The classes, a sequence of ints or one int; or objectives of `xai.objectives`,
                or some of both.
            steps: The number of gradient steps. Where the sharpness is chosen by itself, three in
                four at most search for it, in rounds of 8 to 32.
            progress: Whether to show a progress bar over the steps.
            start: Inputs to begin at, `(...)` or `(targets, ...)`; None for the likely ones that
                the model gives most to each target. Immutable columns of a `Tabular` prior keep
                its values.
            callbacks: Functions of the number of steps so far and the inputs, `(targets, ...)`,
                called every 8 steps; such as an `xai.activation_maximization.Frames`.

        Returns:
            An `xai.activation_maximization.Maximization` with a row per target.

        Raises:
            ValueError: No target, one out of range, no step, a start of another shape, a model
                without a gradient path, or one that gives NaN.
        """
        targets, steps = self._targets(target), checks.check_steps(steps)
        choose, ascend = self._compile(targets, is_short=bool(callbacks) or steps < 8 * _CHUNK)
        rows = self._rows(targets, choose, start)
        sharpness, goal = self._first_sharpness(targets, choose, rows)
        with Look(steps, progress, callbacks, self._structured) as look:
            climb, sharpness = self._climb(ascend, rows, sharpness, goal, steps, look)
        inputs, log_probability = self._snapped(climb, ascend, rows)
        return Maximization(
            inputs=self._structured(inputs),
            target=targets.names,
            log_probability=log_probability,
            log_prior=self._log_prior(climb.best, inputs),
            sharpness=sharpness,
            history=climb.history,
            converged=(climb.remaining < _TOLERANCE) & (log_probability >= goal),
            settings=self._settings(steps),
        )

    def _targets(self, target):
        """Returns what the rows climb."""
        found = checks.check_target(target)
        if all(isinstance(one, int) for one in found):
            self._open.require_classes()
            return ClassTargets(self._open, self._open.check_target(np.array(found), len(found)))
        objectives = tuple(LogProbability(one) if isinstance(one, int) else one for one in found)
        return ObjectiveTargets(Reader.of(self._open, objectives), objectives)

    def _compile(self, targets, is_short):
        """Returns what starts and what ascends; the last of both is kept."""
        key = targets.key, is_short
        if key not in self._compiled:
            of_box = self._open, self.prior, self.parameterization, self._low, self._high
            ascend = Ascent(
                objective=targets.objective,
                prior=self._climbed,
                parameterization=self.parameterization,
                transforms=self.transforms,
                scale=self._scale(),
                shape=self.prior.shape,
                dtype=self._dtype,
                variables=self.model.variables,
                chunk=_SHORT_CHUNK if is_short else _CHUNK,
            )
            self._compiled = {key: (Start(targets, *of_box), ascend)}
        return self._compiled[key]

    def _scale(self):
        """Returns how far each element of a code can move alone."""
        if isinstance(self.parameterization, Pixels) or self._is_of_codes:
            return self._climbed.scale
        return self.parameterization.scale(self._low, self._high)

    def _rows(self, targets, choose, start):
        """Returns the rows of an ascent."""
        own = seeds(targets, self.seed)
        if start is None:
            checks.check_nothing_immutable(self.prior)
            codes, low, high = choose(targets.columns, own), self._low, self._high
        else:
            start = self._inputs.joined(start) if self._inputs else start
            start = checks.check_start(start, self.prior.shape, len(own))
            codes, held = choose.encoded(start), self.prior.immutable
            low, high = (np.where(held, start, b).astype(b.dtype) for b in (self._low, self._high))
        return Rows(codes, targets.columns, own, low, high, choose.given(codes, targets.columns))

    def _first_sharpness(self, targets, choose, rows):
        """Returns the sharpness of the first ascent and the value to reach, for each row."""
        count = len(rows.classes)
        if self.sharpness != "auto" or isinstance(self._climbed, Flat):
            number = 1.0 if self.sharpness == "auto" else float(self.sharpness)
            return np.full(count, number), np.full(count, -np.inf)
        inputs = choose.decoded(rows.start)
        goal, spread = (values[rows.classes] for values in self._goals(targets, choose))
        are_classes = targets.limits[rows.classes] == 0
        goal = np.where(are_classes, sharpness_rule.lowered(goal, rows.given), goal)
        way = self._log_prior(rows.start, inputs), self._climbed.typical
        return sharpness_rule.first(rows.given, goal, spread, *way), goal

    def _goals(self, targets, choose):
        """Returns what each distinct target is to reach, and its spread over real rows."""
        held_out = self._climbed.held_out
        if not len(held_out):
            checks.check_limits(targets.limits)
            unknown = np.full(len(targets.limits), sharpness_rule.UNKNOWN_GOAL)
            return unknown, np.zeros(len(unknown))
        reached = choose.values(choose.decoded(held_out) if self._is_of_codes else held_out)
        spread = np.where(np.isfinite(targets.limits), np.nan, reached.std(axis=0))
        return targets.goals(reached), spread

    def _climb(self, ascend, rows, sharpness, goal, steps, look):
        """Returns the climb to rest and its sharpness."""
        if np.isinf(goal).all():
            return ascend(rows, sharpness, steps, look), sharpness
        least = -np.inf if self._climbed.typical is None else self._climbed.typical

        rounds, length = sharpness_rule.rounds_within(steps)

        def climb_from(codes, sharpness, count=length):
            return ascend(rows._replace(start=codes), sharpness, count, look)

        searched = rows.start, sharpness, goal, least, rows.given
        climb, sharpness = sharpness_rule.rise(climb_from, *searched, rounds)
        left = steps - len(climb.history["sharpness"])
        if left:
            last = climb_from(climb.best, sharpness, left)
            climb = climb.replaced(np.full(len(goal), True), last)
        return climb, sharpness

    def _snapped(self, climb, ascend, rows):
        """Returns the nearest inputs that there can be, and the log-probability there."""
        inputs = self.prior.snapped(climb.inputs).astype(climb.inputs.dtype)
        if (inputs == climb.inputs).all():
            return climb.inputs, climb.log_probability
        _, log_probability, _ = ascend.evaluate(rows, inputs)
        return inputs, log_probability

    def _structured(self, inputs):
        """Returns inputs as the model takes them."""
        return self._inputs.split(inputs) if self._inputs else inputs

    def _log_prior(self, codes, inputs):
        return self._climbed.log_prob(codes if self._is_of_codes else inputs)

    @property
    def _is_of_codes(self):
        return self.parameterization.prior is not None

    def _settings(self, steps):
        return {
            "prior": type(self._climbed).__name__,
            "sharpness": self.sharpness,
            "bounds": self.bounds,
            "parameterization": type(self.parameterization).__name__,
            "transforms": tuple(map(repr, self.transforms)),
            "steps": steps,
            "seed": self.seed,
        }
