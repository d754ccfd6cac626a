"""What this package uses of Keras Tuner and Keras that is not public; each must fail loudly."""

import keras
import keras_tuner
import pytest

from tuning import isolation
from tuning.oracles.durable import DurableOracle
from tuning.oracles.random_search import RandomOracle

MOVED = "Keras Tuner {} has no {}: tuning.oracles.durable must find another way"


@pytest.mark.parametrize(
    "name",
    [
        "_get_oracle_fname",
        "_get_trial_dir",
        "_save_trial",
        "_record_values",
        "_retry_queue",
        "start_order",
        "end_order",
    ],
)
def test_an_oracle_has_what_the_durable_one_overrides_or_repairs(name):
    oracle = keras_tuner.oracles.RandomSearchOracle()
    assert hasattr(oracle, name), MOVED.format(keras_tuner.__version__, name)


def test_a_tuner_has_the_step_that_the_trial_runner_replaces():
    assert hasattr(keras_tuner.engine.base_tuner.BaseTuner, "_try_run_and_update_trial"), (
        f"Keras Tuner {keras_tuner.__version__} has no BaseTuner._try_run_and_update_trial: "
        "tuning.trial_runner must record failures, and keep them from being printed, elsewhere"
    )


def test_an_oracle_writes_only_through_what_the_durable_one_overrides(search, monkeypatch):
    def refuse(path, content):
        pytest.fail(f"Keras Tuner writes {path} past tuning.storage: a kill would tear the file")

    monkeypatch.setattr("keras_tuner.src.utils.save_json", refuse)
    assert len(search().trials) == 1
    assert len(search(trials=2).trials) == 2


def test_a_trials_state_has_the_entries_that_a_result_reads():
    trial = keras_tuner.engine.trial.Trial(keras_tuner.HyperParameters(), trial_id="00")
    state = trial.get_state()
    assert {"trial_id", "status", "score", "message", "hyperparameters"} <= set(state)
    assert set(state["hyperparameters"]) == {"space", "values"}
    assert isinstance(trial.metrics, type(trial.metrics)), "metrics are cleared by a new instance"


def test_trials_are_counted_from_zero_with_padding():
    oracle = RandomOracle(keras_tuner.Objective("loss", "min"), 10, 0)
    oracle.hyperparameters.Float("a", 0.0, 1.0)
    oracle._save_trial = lambda trial: None
    oracle.save = lambda: None
    oracle.verbose = 0
    assert [oracle.create_trial(str(tuner)).trial_id for tuner in range(2)] == ["00", "01"]


def test_the_durable_oracle_comes_before_keras_tuners_in_the_method_order():
    assert RandomOracle.save is DurableOracle.save
    assert RandomOracle._save_trial is DurableOracle._save_trial


def test_keras_keeps_its_counters_and_seeds_where_they_are_looked_for():
    from keras.src.backend.common import global_state

    keras.layers.Dense(1)
    keras.utils.set_random_seed(1)
    keras.random.uniform(())
    for name in isolation._KERAS_ATTRIBUTES:
        assert global_state.get_global_attribute(name) is not None, (
            f"Keras {keras.__version__} has no global attribute {name!r}: "
            "tuning.isolation must find another way to number a trial's layers and metrics anew"
        )
