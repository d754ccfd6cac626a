import dataclasses
import json
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

import kerasdl
import tuning

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def searched(rows, tmp_path_factory):
    """A search whose models have state of every kind: of weights, of layers, of the optimizer."""

    def build(hp):
        layers = [
            keras.layers.Dense(hp.Int("units", 2, 9), activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(1),
        ]
        model = keras.Sequential(layers)
        optimizer = tuning.choose(hp, "optimizer", ["adam", "kerasdl>EMAMomentumSGD"])
        model.compile(optimizer, "kerasdl>LogCosh", metrics=["mae"])
        return model

    settings = {"strategy": "random", "trials": 2, "epochs": 2, "progress": False}
    directory = tmp_path_factory.mktemp("searched")
    return build, tuning.search(build, *rows, directory=directory, **settings)


@pytest.fixture(scope="module")
def result(searched):
    return searched[1]


def test_every_kept_model_is_the_one_that_was_scored(result, rows):
    x, y = (array[16:] for array in rows)
    for trial in result.trials:
        model = kerasdl.load_model(trial.folder / "model.keras")
        # The same rows in the same batch: float32 sums differ in their last bits at most.
        assert model.evaluate(x, y, verbose=0)[0] == pytest.approx(trial.score, rel=1e-6)
        assert int(model.optimizer.iterations) == trial.best_epoch + 1  # one batch an epoch


def test_the_best_model_evaluates_to_the_best_score(result, rows):
    x, y = (array[16:] for array in rows)
    loss = result.best_model().evaluate(x, y, verbose=0)[0]
    assert loss == pytest.approx(result.best_score, rel=1e-6)
    assert result.best_score == min(result.table["score"])


def test_a_score_is_the_best_of_the_learning_curve(result):
    for trial in result.trials:
        assert sorted(trial.history) == ["loss", "mae", "val_loss", "val_mae"]
        assert trial.score == min(trial.history["val_loss"])
        assert trial.score == trial.history["val_loss"][trial.best_epoch]
        assert trial.epochs == len(trial.history["val_loss"]) == 2


def test_the_table_has_a_row_a_trial_and_a_column_a_hyperparameter(result):
    table = result.table
    assert list(table.columns)[:5] == ["trial", "status", "score", "epochs", "seconds"]
    assert list(table["trial"]) == [1, 2]
    assert set(table["status"]) == {"COMPLETED"}
    assert (table["seconds"] > 0).all()
    for trial, (_, row) in zip(result.trials, table.iterrows(), strict=True):
        assert row[["units", "optimizer"]].to_dict().items() <= trial.hyperparameters.items()


def test_settings_of_a_component_that_was_not_chosen_are_missing_in_the_table(result):
    table = result.table
    assert set(table["optimizer"]) == {"adam", "kerasdl>EMAMomentumSGD"}
    chosen = table["optimizer"] == "adam"
    assert (table["optimizer.adam.learning_rate"].notna() == chosen).all()
    assert (table["optimizer.kerasdl>EMAMomentumSGD.momentum"].isna() == chosen).all()


def test_the_best_hyperparameters_build_the_best_model_anew(searched):
    build, result = searched
    assert result.best_hyperparameters.values == result.best_trial.hyperparameters
    model = build(result.best_hyperparameters)
    assert model.layers[0].units == result.best_hyperparameters["units"]


FRESH_PROCESS = """
import json, sys, numpy, keras
before = set(sys.modules)
import tuning
heavy = {"keras_tuner", "pandas", "sklearn", "matplotlib", "tensorboard", "grpc", "six"}
loaded = sorted(heavy & (set(sys.modules) - before))
x = numpy.random.default_rng(0).normal(size=(20, 3)).astype("float32")
predictions = tuning.Result.load(sys.argv[1]).best_model().predict(x, verbose=0)
print(json.dumps([loaded, type(tuning.search).__name__, predictions.tolist()]))
"""


@pytest.fixture(scope="module")
def fresh_process(result):
    command = [sys.executable, "-c", FRESH_PROCESS, str(result.directory)]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return json.loads(output)


def test_importing_tuning_loads_no_more_than_keras_does(fresh_process):
    loaded, type_of_search, _ = fresh_process
    assert (loaded, type_of_search) == ([], "function")


def test_a_fresh_process_needs_only_the_directory(fresh_process, result, rows):
    expected = result.best_model().predict(rows[0], verbose=0)
    # The same program on the same machine; the order of float32 sums may differ by thread.
    np.testing.assert_allclose(fresh_process[2], expected, rtol=1e-5)


def test_a_result_cannot_be_changed(result):
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign"):
        result.objective = "loss"


def write_trials(directory, direction, *trials):
    """Writes the files of a search that had these trials, each a dict of what matters of it."""
    objective = {"name": "val_loss", "direction": direction}
    (directory / "search.json").write_text(json.dumps({"format": 1, "objective": objective}))
    for index, trial in enumerate(trials):
        folder = directory / "trials" / f"trial_{index:02d}"
        folder.mkdir(parents=True)
        state = {"trial_id": f"{index:02d}", "hyperparameters": {"space": [], "values": {}}}
        state |= {"status": "COMPLETED", "score": None, "message": None, **trial}
        (folder / "trial.json").write_text(json.dumps(state))
    return tuning.Result.load(directory)


@pytest.mark.parametrize(("direction", "best"), [("min", 0.25), ("max", 0.75)])
def test_the_direction_decides_which_score_is_best(tmp_path, direction, best):
    result = write_trials(tmp_path, direction, {"score": 0.5}, {"score": 0.25}, {"score": 0.75})
    assert result.best_score == best


def test_unfinished_trials_are_not_in_the_table(tmp_path):
    result = write_trials(tmp_path, "min", {"status": "RUNNING"}, {"score": 0.5})
    assert list(result.table["trial"]) == [2]


def test_trials_are_sorted_by_number_whatever_the_width_of_their_identifiers(tmp_path):
    result = write_trials(tmp_path, "min", {"trial_id": "04"}, {"trial_id": "3"})
    assert list(result.table["trial"]) == [4, 5]


def test_where_all_trials_failed_the_error_lists_why(tmp_path):
    failures = [{"status": "FAILED", "message": f"Traceback\n{m}\n"} for m in ("E: a", "E: b")]
    result = write_trials(tmp_path, "min", *failures)
    assert np.isnan(result.table["score"]).all()
    with pytest.raises(RuntimeError, match=r"None of the 2 .*\n  trial 1: E: a\n  trial 2: E: b"):
        result.best_model()


def test_where_no_trial_has_ended_the_error_says_so(tmp_path):
    result = write_trials(tmp_path, "min", {"status": "RUNNING"})
    assert list(result.table.columns) == ["trial", "status", "score", "epochs", "seconds"]
    with pytest.raises(RuntimeError, match=r"No trial of .* has ended yet"):
        result.best_score  # noqa: B018


def test_a_directory_that_holds_no_search_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no search: it has no search\.json"):
        tuning.Result.load(tmp_path)


@pytest.mark.parametrize("content", ["{}", "[]", "no JSON"])
def test_a_search_file_of_something_else_is_named(tmp_path, content):
    (tmp_path / "search.json").write_text(content)
    with pytest.raises(ValueError, match=r"search\.json was not written by this version"):
        tuning.Result.load(tmp_path)
