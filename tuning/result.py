"""What a search found: the table of its trials and the best model, read from its directory."""

import dataclasses
import math
import pathlib

import kerasdl
from tuning import storage

_FINISHED = ("COMPLETED", "PRUNED", "FAILED")

RESERVED_COLUMNS = ("trial", "status", "score", "epochs", "seconds")


@dataclasses.dataclass(frozen=True)
class Trial:
    """One finished trial.

    Attributes:
        number: From 1, in the order in which the trials were begun.
        status: `"COMPLETED"`, `"PRUNED"` or `"FAILED"`.
        score: The objective after the best epoch; None unless completed.
        hyperparameters: Name -> value, of those that were active.
        history: The learning curves, metric name -> one float per epoch, as in Keras' `History`.
        best_epoch: Index into `history` of the epoch of `score` and of the kept model, or None.
        seconds: From building the model to the last epoch's end.
        message: Why the trial failed, with the traceback; None otherwise.
        folder: Where the trial's files lie.
    """

    number: int
    status: str
    score: float | None
    hyperparameters: dict
    history: dict
    best_epoch: int | None
    seconds: float
    message: str | None
    folder: pathlib.Path

    @classmethod
    def read(cls, folder):
        """Returns the trial whose files lie in `folder`."""
        folder = pathlib.Path(folder)
        state = storage.read_json(folder / storage.TRIAL_FILE)
        curve = {"history": {}, "best_epoch": None, "seconds": math.nan}
        if (folder / storage.HISTORY_FILE).exists():
            curve = storage.read_json(folder / storage.HISTORY_FILE)
        return cls(
            number=storage.trial_number(state["trial_id"]),
            status=state["status"],
            score=state["score"],
            hyperparameters=state["hyperparameters"]["values"],
            message=state["message"],
            folder=folder,
            **curve,
        )

    @property
    def epochs(self):
        """The number of epochs that were finished."""
        return max(map(len, self.history.values()), default=0)

    @property
    def row(self):
        """The trial's row of the table, a dict."""
        fixed = (self.number, self.status, self.score, self.epochs, self.seconds)
        return {**dict(zip(RESERVED_COLUMNS, fixed, strict=True)), **self.hyperparameters}

    @property
    def failure(self):
        """The last line of `message`, which names the error; None if the trial did not fail."""
        return self.message.strip().splitlines()[-1] if self.message else None


@dataclasses.dataclass(frozen=True)
class Result:
    """The finished trials of a search.

    Attributes:
        directory: The search's directory.
        objective: Name of the metric that scores are of.
        direction: `"min"` or `"max"`.
        trials: The finished trials, a tuple of `Trial`, by number.
    """

    directory: pathlib.Path
    objective: str
    direction: str
    trials: tuple

    @classmethod
    def load(cls, directory):
        """Reads a search's directory, in any process and also while the search runs.

        Args:
            directory: What was given to `tuning.search`.

        Raises:
            FileNotFoundError: The directory holds no search.

        Example:
            >>> tuning.Result.load("runs/digits").table
        """
        description = storage.read_description(directory)
        if description is None:
            raise FileNotFoundError(
                f"{directory} holds no search: it has no {storage.SEARCH_FILE}. Give the directory "
                "that was given to tuning.search."
            )
        begun = [Trial.read(folder) for folder in storage.trial_folders(directory)]
        finished = [trial for trial in begun if trial.status in _FINISHED]
        return cls(
            directory=pathlib.Path(directory),
            objective=description["objective"]["name"],
            direction=description["objective"]["direction"],
            trials=tuple(sorted(finished, key=lambda trial: trial.number)),
        )

    @property
    def table(self):
        """A `pandas.DataFrame` with one row a trial.

        Columns: `trial` (its number), `status`, `score`, `epochs`, `seconds`, and one for each
        hyperparameter by its name, where it was active.
        """
        import pandas as pd

        rows = [trial.row for trial in self.trials]
        columns = dict.fromkeys([*RESERVED_COLUMNS, *(name for row in rows for name in row)])
        return pd.DataFrame(rows, columns=list(columns)).astype({"score": float})

    @property
    def best_trial(self):
        """The completed trial with the best score, the first one of equals.

        Raises:
            RuntimeError: No trial is complete; the message says why those that failed did.
        """
        completed = [trial for trial in self.trials if trial.status == "COMPLETED"]
        if not completed:
            raise RuntimeError(self._nothing_complete())
        choose = min if self.direction == "min" else max
        return choose(completed, key=lambda trial: trial.score)

    @property
    def best_score(self):
        """The best trial's score, a float."""
        return self.best_trial.score

    @property
    def best_hyperparameters(self):
        """The best trial's `keras_tuner.HyperParameters`, which `build` takes."""
        import keras_tuner

        state = storage.read_json(self.best_trial.folder / storage.TRIAL_FILE)
        return keras_tuner.HyperParameters.from_config(state["hyperparameters"])

    def best_model(self):
        """Returns the best trial's model as it was when it was scored, optimizer included.

        Raises:
            RuntimeError: No trial is complete.
            kerasdl.registry.UnknownComponentError: A component's package is not installed.
        """
        return kerasdl.load_model(self.best_trial.folder / storage.MODEL_FILE)

    def _nothing_complete(self):
        if not self.trials:
            return f"No trial of {self.directory} has ended yet."
        failures = "".join(f"\n  trial {trial.number}: {trial.failure}" for trial in self.trials)
        return f"None of the {len(self.trials)} trials of {self.directory} completed:{failures}"
