"""Search strategies: how the settings of the next trial are drawn."""

from tuning import objectives

_AVAILABLE = "this version has strategy='random' and takes any keras_tuner.Oracle"
_PLANNED = ("grid", "bayesian", "hyperband", "optuna")


def make(strategy, objective, trials, seed):
    """Returns the `keras_tuner.Oracle` of a strategy.

    Args:
        strategy: `"random"`, or an oracle that has run no search; it brings its own objective and
            number of trials.
        objective: A `keras_tuner.Objective`.
        trials: How many trials to run.
        seed: A non-negative integer.

    Raises:
        NotImplementedError: A strategy that is planned.
        ValueError: An unknown strategy, or an oracle that was used before, that has no objective or
            that would optimize it in the wrong direction.
    """
    import keras_tuner

    if isinstance(strategy, keras_tuner.Oracle):
        return _require_usable(strategy)
    if strategy in _PLANNED:
        raise NotImplementedError(
            f"strategy={strategy!r} is not available in this version: {_AVAILABLE}. "
            "Pass strategy='random'."
        )
    if strategy != "random":
        raise ValueError(f"There is no strategy {strategy!r}; {_AVAILABLE}.")
    from tuning.oracles.random_search import RandomOracle

    return RandomOracle(objective, trials, seed)


def _require_usable(oracle):
    name, direction = oracle.objective.name, oracle.objective.direction
    if oracle.trials:
        raise ValueError(
            f"The {type(oracle).__name__} given as strategy has already run {len(oracle.trials)} "
            "trials. Make a new one for this search."
        )
    if name == "default_objective":
        raise ValueError(
            f"The {type(oracle).__name__} given as strategy has no objective. Make it with "
            "objective=keras_tuner.Objective('val_loss', 'min'), for example."
        )
    # Keras Tuner infers "min" for metrics that it does not know, val_f1_score among them.
    if objectives.known_direction(name, direction) != direction:
        raise ValueError(
            f"The {type(oracle).__name__} given as strategy takes {name!r} in the direction "
            f"{direction!r}. Make it with objective=keras_tuner.Objective({name!r}, "
            f"{objectives.known_direction(name)!r})."
        )
    return oracle
