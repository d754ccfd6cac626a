"""Runs the trials of a search, one after the other, on Keras Tuner's engine."""

import contextlib
import copy
import gc
import logging
import pathlib
import traceback

from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import TrialStatus
from keras_tuner.errors import FailedTrialError, FatalError
from tqdm import tqdm

from tuning import isolation, storage
from tuning.epoch_recorder import EpochRecorder
from tuning.result import Trial


class TrialRunner(BaseTuner):
    """Keras Tuner's loop around trials that repeat exactly and fail alone.

    A trial that raises, or whose objective is never finite, is recorded as failed with its message,
    and the search goes on.

    Args:
        oracle: The strategy, a `keras_tuner.Oracle`.
        build: Function of hyperparameters that returns a compiled model.
        directory: The search's directory; a search that was begun there goes on.
        seed: With a trial's number it decides the trial's random numbers.
        progress: Whether to write a line after each trial.
    """

    def __init__(self, oracle, build, directory, *, seed, progress):
        self._seed = seed
        self._progress = progress
        oracle.verbose = 0
        with isolation.reproducible(seed):
            super().__init__(oracle, build, directory, project_name=storage.TRIALS_FOLDER)
        if pathlib.Path(self.project_dir, storage.ORACLE_FILE).exists():
            self.reload()

    def run_trial(self, trial, x, y, *, validation_data, epochs, callbacks):
        """Builds and fits one model; returns its best epoch's objective.

        Raises:
            FailedTrialError: The objective is not finite in any epoch.
        """
        objective = self.oracle.objective
        recorder = EpochRecorder(objective, pathlib.Path(self.get_trial_dir(trial.trial_id)))
        try:
            number = storage.trial_number(trial.trial_id)
            with isolation.reproducible(self._seed, number), _without_retracing_warnings():
                self.hypermodel.build(trial.hyperparameters).fit(
                    x,
                    y,
                    validation_data=validation_data,
                    epochs=epochs,
                    callbacks=[*copy.deepcopy(callbacks), recorder],
                    verbose=0,
                )
        finally:
            recorder.write()
        if recorder.best_value is None:
            values = recorder.history.get(objective.name, [])
            raise FailedTrialError(f"{objective.name} is not finite in any epoch: {values}")
        return {objective.name: recorder.best_value}

    def _try_run_and_update_trial(self, trial, *fit_args, **fit_kwargs):
        # In place of Keras Tuner's, which prints the traceback of every failure.
        try:
            metrics = self.run_trial(trial, *fit_args, **fit_kwargs)
            self.oracle.update_trial(trial.trial_id, metrics)
            trial.status = TrialStatus.COMPLETED
        except FatalError:
            raise
        except Exception as error:  # whatever the user's model raises: it fails this trial alone
            never_again = isinstance(error, FailedTrialError)
            trial.status = TrialStatus.FAILED if never_again else TrialStatus.INVALID
            trial.message = traceback.format_exc()

    def on_trial_end(self, trial):
        """Records the trial's outcome and reports it."""
        super().on_trial_end(trial)
        # Models are cycles of few objects and large arrays, and Python counts objects: left to
        # itself it kept up to 350 MB of models of 36 MB, on JAX and on torch.
        gc.collect()
        if self._progress:
            tqdm.write(self._report(trial))

    def save(self):
        """Saves the oracle; the tuner has no state of its own."""
        self.oracle.save()

    def reload(self):
        """Reloads the oracle."""
        self.oracle.reload()

    def _report(self, trial):
        record = Trial.read(self.get_trial_dir(trial.trial_id))
        outcome = record.status
        if record.score is not None:
            outcome = f"{self.oracle.objective.name} {record.score:.4g}"
        best = self.oracle.get_best_trials(1)[0].score  # None while no trial is complete
        total = f"/{self.oracle.max_trials}" if self.oracle.max_trials else ""
        parts = [
            f"trial {record.number}{total}",
            outcome,
            None if best is None else f"best {best:.4g}",
            f"{record.seconds:.1f} s",
            " ".join(f"{name}={_short(value)}" for name, value in record.hyperparameters.items()),
            record.failure,
        ]
        return "  ".join(part for part in parts if part)


def _short(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@contextlib.contextmanager
def _without_retracing_warnings():
    # TensorFlow takes a new model in every trial for a function that is traced again by mistake.
    logger = logging.getLogger("tensorflow")
    logger.addFilter(_is_no_retracing)
    try:
        yield
    finally:
        logger.removeFilter(_is_no_retracing)


def _is_no_retracing(record):
    return "triggered tf.function retracing" not in record.getMessage()
