"""What an activation maximization returns."""

import dataclasses

import numpy as np

from xai.activation_maximization.objectives import LogProbability


@dataclasses.dataclass(frozen=True, eq=False)
class Maximization:
    """Synthesized inputs, a row per target, with both terms of what they maximize.

    Attributes:
        inputs: The synthesized inputs, `(targets, ...)`, in a list or dict if the model takes one;
            the scores below are those of these very values.
        target: The class or the objective of each row, `(targets,)`.
        log_probability: The model's `log p(class | x)` in nats, or the value of the objective,
            `(targets,)`.
        log_prior: The prior's `log p(x)` in nats, `(targets,)`.
        sharpness: The weight of the class term at the end, `(targets,)`.
        history: `log_probability`, `log_prior` and `sharpness` at every step, each
            `(steps, targets)`; a row that was done before the others stays as it was.
        converged: Whether more steps would gain next to nothing and, where the sharpness was chosen
            by itself, whether the class probability reached its goal, `(targets,)`.
        settings: The settings that led here, by name.
        method: The method's name.
    """

    inputs: np.ndarray
    target: np.ndarray
    log_probability: np.ndarray
    log_prior: np.ndarray
    sharpness: np.ndarray
    history: dict
    converged: np.ndarray
    settings: dict
    method: str = "activation_maximization"

    @property
    def probability(self):
        """The model's probability of each row's class, NaN for other objectives, `(targets,)`."""
        are_classes = [isinstance(one, LogProbability | np.integer) for one in self.target]
        return np.exp(np.where(are_classes, self.log_probability, np.nan))

    def __len__(self):
        """The number of rows."""
        return len(self.target)
