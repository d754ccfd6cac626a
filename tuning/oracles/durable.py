"""What an oracle needs so that a kill at any moment loses no trial and counts none twice."""

import os

from keras_tuner.engine.trial import TrialStatus

from tuning import storage

_FINISHED = (TrialStatus.COMPLETED, TrialStatus.FAILED)


class DurableOracle:
    """A mixin for `keras_tuner.Oracle`: atomic writes, and a reload that trusts the trials' files.

    Keras Tuner writes its files in place, and a trial's own file before the oracle's. A kill
    between the two leaves a finished trial that would run again, or a begun one that never would.

    Example:
        >>> class DurableBayesian(DurableOracle, keras_tuner.oracles.BayesianOptimizationOracle):
        ...     pass
    """

    def save(self):
        """Writes the oracle's state in one step."""
        storage.write_json(self._get_oracle_fname(), self.get_state())

    def _save_trial(self, trial):
        path = os.path.join(self._get_trial_dir(trial.trial_id), storage.TRIAL_FILE)
        storage.write_json(path, trial.get_state())

    def reload(self):
        """Reads the state back; unfinished trials are to be run again, from their beginning."""
        super().reload()
        trials = sorted(self.trials.values(), key=lambda trial: int(trial.trial_id))
        for trial in trials:
            self.update_space(trial.hyperparameters)
            self._record_values(trial)
            _add_missing(self.start_order, trial.trial_id)
            if trial.status in _FINISHED:
                _add_missing(self.end_order, trial.trial_id)
        unfinished = [trial for trial in trials if trial.status not in _FINISHED]
        for trial in unfinished:
            # Keras Tuner keeps an earlier run's metrics and would ignore those of the next one.
            trial.metrics = type(trial.metrics)()
        self._retry_queue = [trial.trial_id for trial in reversed(unfinished)]  # the last is next


def _add_missing(identifiers, trial_id):
    if trial_id not in identifiers:
        identifiers.append(trial_id)
