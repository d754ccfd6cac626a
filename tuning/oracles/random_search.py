"""Random search: every trial's settings are drawn independently."""

from keras_tuner.oracles import RandomSearchOracle

from tuning import isolation
from tuning.oracles.durable import DurableOracle


class RandomOracle(DurableOracle, RandomSearchOracle):
    """Draws each setting from its range, and no combination twice.

    Args:
        objective: A `keras_tuner.Objective`.
        trials: How many trials to run, failed ones included.
        seed: A non-negative integer.
    """

    def __init__(self, objective, trials, seed):
        super().__init__(
            objective=objective,
            max_trials=trials,
            # Keras Tuner takes 0 for no seed, and counts on from the seed with every draw, so that
            # the seeds 0 and 1 would draw nearly the same settings.
            seed=1 + isolation.derive(seed),
            max_consecutive_failed_trials=None,
        )
