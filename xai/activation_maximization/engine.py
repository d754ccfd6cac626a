"""Activation maximization: the likely input that a model takes for a class."""

import numpy as np

from xai.activation_maximization import checks, sharpness_rule
from xai.activation_maximization.ascent import Ascent
from xai.activation_maximization.maximization import Maximization
from xai.activation_maximization.objectives import ClassLogProbability
from xai.activation_maximization.start import Start
from xai.model import open_model

_TOLERANCE = 0.01  # nats that more steps might gain


class ActivationMaximization:
    """Synthesizes inputs that are likely and that a model takes for a class.

    It maximizes `sharpness * log p(class | x) + log p(x)` over the box `bounds`, where the first
    term is the model's and `p(x)` a density fitted on data. All targets climb together; a row does
    not depend on the others. The model is never changed.

    Args:
        model: A built Sequential or Functional model of one input and one output
            `(batch, classes)`. A final softmax or sigmoid is replaced by its logarithm.
        prior: A density over the model's inputs, such as `xai.priors.GaussianMixture.fit(x_train)`.
        sharpness: The weight of the class term, a positive number; 1 is the posterior by Bayes'
            rule. `"auto"` chooses one for each row: it begins where the class term can pay for the
            way from the start to a typical real row, and rises until the class probability reaches
            the median of held-out real rows, 0.9999 at most, or else `p(x)` would fall below that
            of a typical real row.
        bounds: The least and the greatest value of the inputs: two numbers, or two arrays in the
            shape of a row; infinite ones are none.
        parameterization: None; others are not in this version.
        transforms: Empty; others are not in this version.
        seed: Of the draws from the prior that begin an ascent where units are dead.

    Raises:
        TypeError: No Keras model, or no prior.
        ValueError: An unbuilt model, one of several inputs or of integers, a prior fitted on rows
            of another shape, bounds that do not enclose its data, an unknown sharpness, or what is
            not in this version.

    Example:
        >>> prior = xai.priors.GaussianMixture.fit(x_train)
        >>> maximize = xai.ActivationMaximization(model, prior=prior, bounds=(0, 1))
        >>> result = maximize(target=range(10))
        >>> result.inputs, result.probability, result.converged

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
        self.prior = checks.check_prior(prior)
        self.sharpness = checks.check_sharpness(sharpness)
        self.seed = checks.check_seed(seed)
        checks.check_absent(parameterization=parameterization, transforms=transforms)
        self._open = open_model(model)
        self._open.require_classes()
        dtype = checks.check_input(self._open, prior)
        low, high = checks.check_bounds(bounds, prior, dtype)
        self.bounds = bounds
        objective = ClassLogProbability(self._open)
        self._start = Start(objective, prior, low, high, seed)
        self._ascent = Ascent(objective, prior, low, high, model.variables)

    def __call__(self, target, steps=256, progress=False):
        """Returns one synthesized input per target.

        Args:
            target: The classes, a sequence of ints or one int.
            steps: The number of gradient steps from the start; when the sharpness is chosen by
                itself, of each of its rounds, 13 at most.
            progress: Whether to show a progress bar over the steps.

        Returns:
            An `xai.activation_maximization.Maximization` with a row per target.

        Raises:
            ValueError: No target, one out of range, no step, a model without a gradient path, or
                one that gives NaN.
        """
        classes = checks.check_classes(self._open, target)
        steps = checks.check_steps(steps)
        start = self._start(classes)
        sharpness, goal = self._first_sharpness(start, classes)
        climb, sharpness = self._climb(start, classes, sharpness, goal, steps, progress)
        return Maximization(
            inputs=climb.best,
            target=classes,
            log_probability=climb.log_probability,
            log_prior=self.prior.log_prob(climb.best),
            sharpness=sharpness,
            history=climb.history,
            converged=(climb.remaining < _TOLERANCE) & (climb.log_probability >= goal),
            settings=self._settings(steps),
        )

    def _first_sharpness(self, start, classes):
        """Returns the sharpness of the first ascent and the log-probability to reach, per row."""
        if self.sharpness != "auto":
            return np.full(len(classes), float(self.sharpness)), np.full(len(classes), -np.inf)
        goal = np.full(self._open.num_outputs, sharpness_rule.UNKNOWN_GOAL)
        if len(self.prior.held_out):
            goal = sharpness_rule.goals(self._start.log_probabilities(self.prior.held_out))
        given = self._start.log_probabilities(start)[np.arange(len(classes)), classes]
        log_prior = self.prior.log_prob(start)
        first = sharpness_rule.first_sharpness(given, log_prior, self.prior.typical)
        return first, goal[classes]

    def _climb(self, start, classes, sharpness, goal, steps, progress):
        """Returns the last climb and its sharpness."""
        from tqdm import tqdm

        least = -np.inf if self.prior.typical is None else self.prior.typical
        with tqdm(total=0, disable=not progress, unit="step") as bar:

            def report(taken, log_probability):
                bar.update(taken)
                bar.set_postfix(least_probability=f"{np.exp(log_probability.min()):.3f}")

            def climb_from(x, sharpness):
                bar.total += steps
                return self._ascent(x, classes, sharpness, steps, report)

            return sharpness_rule.rise(climb_from, start, sharpness, goal, least)

    def _settings(self, steps):
        return {
            "prior": type(self.prior).__name__,
            "sharpness": self.sharpness,
            "bounds": self.bounds,
            "steps": steps,
            "seed": self.seed,
        }
