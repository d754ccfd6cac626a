"""The front door: one call that searches, or goes on with a search that was interrupted."""

import copy
import os
import warnings

import keras

from tuning import building, data, objectives, oracles, storage
from tuning.result import Result


def search(
    build,
    x,
    y,
    *,
    validation_data=None,
    validation_split=0.2,
    objective="val_loss",
    strategy="bayesian",
    trials=20,
    directory="runs/digits",
    resume=True,
    seed=0,
    repeats=1,
    time_limit=None,
    epochs=10,
    callbacks=(),
    progress=True,
):
    """Trains models of different settings and keeps each one's learning curve and best epoch.

    Every trial sees the same rows, and starts from random numbers that follow from `seed` and its
    number: the same search gives the same table. A search that was killed goes on when the same
    call is made again; the interrupted trial is repeated with the same settings. A trial that
    raises, or whose objective is never finite, fails alone.

    Args:
        build: Function of a `keras_tuner.HyperParameters` that returns a compiled Keras model.
        x: An array `(rows, ...)`, or a list, tuple or dict of arrays for several inputs.
        y: Targets, likewise; None for a model that needs none.
        validation_data: A pair `(x, y)`; otherwise the last rows are held out, as Keras does it.
        validation_split: The share of rows to hold out, above 0 and below 1.
        objective: The metric to optimize as Keras logs it; where its direction is not known, a
            pair `("val_digit_accuracy", "max")` or a `keras_tuner.Objective`. A trial's score is
            its best epoch's.
        strategy: `"random"`, or a new `keras_tuner.Oracle`, whose own objective and number of
            trials then count.
        trials: How many trials to run, failed ones included. Asking for more on resuming adds some.
        directory: Where all files of the search go; see `tuning.Result`.
        resume: Whether to go on with the search that `directory` holds. Otherwise that search, and
            no other file, is deleted.
        seed: A non-negative integer.
        repeats: 1; more is not available in this version.
        time_limit: None; a limit is not available in this version.
        epochs: How many epochs to train each model for, at most.
        callbacks: Keras callbacks; each trial gets copies.
        progress: Whether to write a line after each trial.

    Returns:
        A `tuning.Result`.

    Raises:
        ValueError: Unequal or no rows, NaN, rows that do not fit the model, a metric that the model
            does not have or whose direction is not known, a directory with another search, a number
            out of range.
        TypeError: An argument of the wrong kind, or a `build` that returns no model.
        OSError: The directory cannot be written to.
        NotImplementedError: Something that this version does not have.

    Example:
        >>> def build(hp):
        ...     model = keras.Sequential([keras.layers.Dense(hp.Int("units", 8, 64)), ...])
        ...     optimizer = tuning.choose(hp, "optimizer", names=["adam", "sgd"])
        ...     model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        ...     return model
        >>> result = tuning.search(build, x, y, objective="val_accuracy", strategy="random")
        >>> result.best_model()
    """
    _require_numbers(trials=trials, epochs=epochs, repeats=repeats, seed=seed)
    _require_available(repeats, time_limit)
    callbacks = _require_callbacks(callbacks)
    oracle = oracles.make(strategy, objectives.resolve(objective), trials, seed)
    objective = objectives.resolve(oracle.objective)
    build = building.checked(build)
    training, validation = data.split(x, y, validation_data, validation_split)
    space = building.probe(build, training, validation, objective, callbacks)
    storage.require_writable(directory)
    description = {
        "objective": {"name": objective.name, "direction": objective.direction},
        "strategy": strategy if isinstance(strategy, str) else type(strategy).__name__,
        "seed": seed,
        "epochs": epochs,
        "rows": [data.count_rows(rows[0]) for rows in (training, validation)],
        "space": space,
        "trials": oracle.max_trials,
    }
    storage.begin(directory, description, resume)
    # Imported here, as it loads Keras Tuner.
    from tuning.trial_runner import TrialRunner

    runner = TrialRunner(oracle, build, directory, seed=seed, progress=progress)
    runner.search(*training, validation_data=validation, epochs=epochs, callbacks=callbacks)
    result = Result.load(directory)
    _warn_if_exhausted(result, oracle)
    return result


def _require_numbers(**numbers):
    for name, value in numbers.items():
        least = 0 if name == "seed" else 1
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name} is a whole number of at least {least}; received {value!r}.")


def _require_available(repeats, time_limit):
    if repeats != 1:
        raise NotImplementedError(
            f"repeats={repeats} is not available in this version; every trial is run once. "
            "Pass repeats=1."
        )
    if time_limit is not None:
        raise NotImplementedError(
            f"time_limit={time_limit!r} is not available in this version; trials and epochs limit "
            "a search, and a killed one can be resumed. Pass time_limit=None."
        )
    if "KERASTUNER_ORACLE_IP" in os.environ:
        raise NotImplementedError(
            "KERASTUNER_ORACLE_IP is set, but a search over several processes is not available in "
            "this version. Unset it."
        )


def _require_callbacks(callbacks):
    if not isinstance(callbacks, list | tuple):
        raise TypeError(f"callbacks is a list of Keras callbacks; received {callbacks!r}.")
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(f"callbacks holds {callback!r}, which is no keras.callbacks.Callback.")
        try:
            copy.deepcopy(callback)
        except Exception as error:  # whatever an attribute of the callback raises
            raise ValueError(
                f"callbacks holds a {type(callback).__name__} that cannot be copied; each trial "
                f"needs its own: {type(error).__name__}: {error}. Make what cannot be copied in "
                "on_train_begin instead of __init__."
            ) from error
    return list(callbacks)


def _warn_if_exhausted(result, oracle):
    if oracle.max_trials and len(result.trials) < oracle.max_trials:
        warnings.warn(
            f"The search ended after {len(result.trials)} of {oracle.max_trials} trials: the "
            "strategy found no settings that were not tried before.",
            stacklevel=3,
        )
