import logging
import random
import re
import sys

import keras
import keras_tuner
import numpy as np
import pytest

import tuning


def table(result):
    """The table without the only column that may differ between two runs of the same search."""
    return result.table.drop(columns="seconds")


def test_the_same_seed_gives_the_same_table(search, two_trials):
    again = search(trials=2)
    assert table(again).equals(table(two_trials))
    assert again.trials[0].history == two_trials.trials[0].history


def test_neighbouring_seeds_draw_unrelated_settings(search, two_trials):
    assert not set(search(trials=2, seed=1).table["rate"]) & set(two_trials.table["rate"])


def test_a_search_leaves_random_states_and_names_as_they_were(search):
    number = int(keras.layers.Dense(1).name.rpartition("_")[2] or 0)
    keras.utils.set_random_seed(3)
    expected = random.random(), np.random.random(), float(keras.random.uniform(()))
    keras.utils.set_random_seed(3)
    search()
    assert (random.random(), np.random.random(), float(keras.random.uniform(()))) == expected
    assert keras.layers.Dense(1).name == f"dense_{number + 1}"


def test_every_trial_numbers_its_layers_and_metrics_anew(search):
    class Constant(keras.metrics.Metric):
        def update_state(self, *arguments, **settings):
            pass

        def result(self):
            return 1.0

    def build(hp):
        hp.Int("unused", 1, 9)
        model = keras.Sequential([keras.layers.Dense(1), keras.layers.Dense(1)])
        model.compile("sgd", "mse", metrics=[Constant()], run_eagerly=True)
        return model

    result = search(build, objective=("val_constant", "max"), trials=2)
    assert list(result.table["status"]) == ["COMPLETED"] * 2
    model = keras.saving.load_model(result.trials[1].folder / "model.keras", compile=False)
    assert [layer.name for layer in model.layers] == ["dense", "dense_1"]


def test_a_search_needs_no_tensorboard(search, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    assert list(search().table["status"]) == ["COMPLETED"]


def test_progress_is_one_line_a_trial_and_nothing_else(search, capfd):
    search(progress=True, trials=2)
    lines = capfd.readouterr().out.splitlines()
    number = r"\d+(\.\d+)?(e-\d+)?"
    line = rf"trial %d/2  val_loss {number}  best {number}  {number} s  rate={number}"
    assert len(lines) == 2
    assert all(re.fullmatch(line % (i + 1), text) for i, text in enumerate(lines)), lines


def test_without_progress_nothing_is_written(search, capfd):
    search()
    search(trials=2)  # resuming, of which Keras Tuner tells
    assert capfd.readouterr().out == ""


def test_tensorflow_does_not_warn_that_each_trial_is_a_new_model(search, caplog):
    def warn():
        logging.getLogger("tensorflow").warning("5 calls to f triggered tf.function retracing.")

    class Warn(keras.callbacks.LambdaCallback):
        def on_epoch_end(self, epoch, logs=None):
            warn()

    search(callbacks=[Warn()])
    assert not caplog.records
    warn()
    assert len(caplog.records) == 1


@pytest.fixture(scope="module")
def with_failures(rows, tmp_path_factory):
    """A search of three kinds of model: one that trains, one that does not, one that raises."""
    kinds = ["good", "nan", "raising"]

    def build(hp):
        kind = hp.Choice("kind", kinds)
        if kind == "raising":
            raise MemoryError("this model is too large")
        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile("sgd", "mse" if kind == "good" else not_a_number, run_eagerly=True)
        return model

    def not_a_number(y_true, y_pred):
        return keras.ops.mean(y_pred, axis=-1) * float("nan")

    settings = {"strategy": "random", "trials": 3, "epochs": 1, "progress": False}
    return tuning.search(build, *rows, directory=tmp_path_factory.mktemp("failures"), **settings)


def test_failing_trials_fail_alone(with_failures):
    statuses = {trial.hyperparameters["kind"]: trial.status for trial in with_failures.trials}
    assert statuses == {"good": "COMPLETED", "nan": "FAILED", "raising": "FAILED"}


def test_failed_trials_say_why(with_failures):
    failures = {trial.hyperparameters["kind"]: trial.failure for trial in with_failures.trials}
    assert failures["good"] is None
    assert failures["nan"].endswith("FailedTrialError: val_loss is not finite in any epoch: [nan]")
    assert failures["raising"] == "MemoryError: this model is too large"


def test_failures_in_a_row_are_reported_in_a_line_each_and_stop_no_search(search, capfd):
    class Raising(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("no")

    result = search(trials=4, callbacks=[Raising()], progress=True)
    assert list(result.table["status"]) == ["FAILED"] * 4
    output = capfd.readouterr()
    assert "Traceback" not in output.err
    assert re.search(r"^trial 4/4  FAILED  .*  RuntimeError: no$", output.out, re.MULTILINE)


def test_a_space_with_fewer_settings_than_trials_ends_with_a_warning(search):
    def build(hp):
        model = keras.Sequential([keras.layers.Dense(1, use_bias=hp.Boolean("bias"))])
        model.compile("sgd", "mse", run_eagerly=True)
        return model

    with pytest.warns(UserWarning, match="ended after 2 of 4 trials"):
        assert len(search(build, trials=4).trials) == 2


def test_an_oracle_brings_its_own_objective_and_number_of_trials(search):
    oracle = keras_tuner.oracles.RandomSearchOracle(
        objective=keras_tuner.Objective("loss", "min"), max_trials=1, seed=1
    )
    result = search(strategy=oracle, trials=5)
    assert (result.objective, len(result.trials)) == ("loss", 1)
    with pytest.raises(ValueError, match="already run 1 trials"):
        search(strategy=oracle)


def test_each_trial_gets_its_own_copies_of_the_callbacks(search):
    class Counter(keras.callbacks.Callback):
        count = 0

        def on_epoch_end(self, epoch, logs=None):
            self.count += 1
            logs["count"] = self.count

    counter = Counter()
    result = search(trials=2, epochs=2, callbacks=[counter])
    assert [trial.history["count"] for trial in result.trials] == [[1, 2], [1, 2]]
    assert counter.count == 0


def test_a_callback_may_add_the_objective(search):
    class Score(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_f1_score"] = float(epoch)

    result = search(epochs=3, objective="val_f1_score", callbacks=[Score()])
    assert (result.direction, result.best_score, result.best_trial.best_epoch) == ("max", 2.0, 2)


def test_validation_data_are_the_rows_of_the_score(search, rows):
    x, y = rows
    result = search(x=x[:10], y=y[:10], validation_data=(x[10:], y[10:]))
    assert result.best_model().evaluate(x[10:], y[10:], verbose=0) == pytest.approx(
        result.best_score, rel=1e-6
    )
