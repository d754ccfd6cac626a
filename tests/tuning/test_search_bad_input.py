import pathlib

import keras
import keras_tuner
import numpy as np
import pytest


def uncompiled(hp):
    return keras.Sequential([keras.layers.Dense(1)])


def with_reserved_name(hp):
    hp.Int("epochs", 1, 3)
    return compiled()


def compiled():
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


class Uncopyable(keras.callbacks.Callback):
    def __deepcopy__(self, memo):
        raise TypeError("cannot pickle a lock")


X, Y = np.zeros((10, 3), "float32"), np.zeros(10, "float32")
NAN = np.where(np.arange(30).reshape(10, 3) == 7, np.nan, 0)

BAD_INPUT = [
    ({"build": None}, TypeError, "build is a function .* received None"),
    (
        {"build": lambda hp: 3},
        TypeError,
        r"must return a compiled Keras model; it returned 3 \(int",
    ),
    ({"build": uncompiled}, ValueError, "without compiling it"),
    ({"build": with_reserved_name}, ValueError, "'epochs' has the name of a column"),
    (
        {"build": lambda hp: compiled(), "x": np.zeros((20, 5))},
        ValueError,
        r"x has the shape \(16, 5",
    ),
    ({"x": X[:0], "y": Y[:0]}, ValueError, "x has no rows"),
    ({"x": X, "y": Y[:9]}, ValueError, "x has 10 rows and y has 9"),
    ({"x": NAN, "y": Y}, ValueError, "x holds NaN in 1 of 10 rows, the first of them row 2"),
    ({"x": X, "y": NAN[:, 1]}, ValueError, "y holds NaN in 1 of 10 rows"),
    ({"x": iter([X])}, TypeError, "x is a list_iterator.*takes arrays"),
    ({"validation_split": 1.0}, ValueError, r"validation_split is a share.*received 1\.0"),
    ({"validation_split": 0}, ValueError, "validation_split is a share.*received 0"),
    ({"validation_data": X}, TypeError, r"validation_data is None or a pair \(x, y\)"),
    ({"validation_data": (X[:, :2], Y)}, ValueError, r"not take the validation.*\(10, 2\)"),
    ({"validation_data": (X, Y[:9])}, ValueError, r"validation_data\[0\] has 10 .*\[1\] has 9"),
    ({"trials": 0}, ValueError, "trials is a whole number of at least 1; received 0"),
    ({"epochs": 2.5}, ValueError, r"epochs is a whole number of at least 1; received 2\.5"),
    ({"seed": -1}, ValueError, "seed is a whole number of at least 0; received -1"),
    ({"objective": "val_recal"}, ValueError, r"objective=\('val_recal', 'max'\)"),
    ({"objective": "val_accuracy"}, ValueError, "'val_accuracy' is not among .*'loss', 'val_loss'"),
    ({"objective": 3}, TypeError, "objective is the name of a metric.*received 3"),
    ({"objective": ["loss", "val_loss"]}, NotImplementedError, "several objectives are not avail"),
    ({"objective": keras_tuner.Objective("loss", "up")}, ValueError, "'min' or 'max'.*'up'"),
    ({"strategy": "bayesian"}, NotImplementedError, "not available.*Pass strategy='random'"),
    ({"strategy": "hyper"}, ValueError, "no strategy 'hyper'; this version has strategy='random'"),
    ({"repeats": 3}, NotImplementedError, "repeats=3 is not available in this version"),
    ({"time_limit": 60}, NotImplementedError, "time_limit=60 is not available in this version"),
    ({"callbacks": ["stop"]}, TypeError, "callbacks holds 'stop'"),
    ({"callbacks": keras.callbacks.Callback()}, TypeError, "callbacks is a list"),
    ({"callbacks": [Uncopyable()]}, ValueError, "Uncopyable that cannot be copied.*pickle a lock"),
    (
        {"directory": pathlib.Path(__file__, "run")},
        OSError,
        "bad_input.py/run' cannot be written to",
    ),
    ({"directory": "run[1]"}, ValueError, r"'run\[1\]' has one of the characters"),
    ({"directory": None}, TypeError, "directory is a path; received None"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), BAD_INPUT)
def test_bad_input_is_refused_before_any_work(search, tmp_path, arguments, error, message):
    with pytest.raises(error, match=message):
        search(**arguments)
    assert not (tmp_path / "run" / "trials").exists()


def test_an_existing_model_is_not_taken_for_a_function(search):
    with pytest.raises(NotImplementedError, match="existing model is not available"):
        search(compiled())


def test_an_oracle_without_objective_is_refused(search):
    oracle = keras_tuner.oracles.RandomSearchOracle()
    with pytest.raises(ValueError, match=r"no objective. Make it with objective=keras_tuner"):
        search(strategy=oracle)


def test_an_oracle_in_the_wrong_direction_is_refused(search):
    oracle = keras_tuner.oracles.RandomSearchOracle(objective="val_f1_score")  # taken for "min"
    with pytest.raises(ValueError, match=r"keras_tuner.Objective\('val_f1_score', 'max'\)"):
        search(strategy=oracle)


def test_a_search_over_several_processes_is_refused(search, monkeypatch):
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    with pytest.raises(NotImplementedError, match="several processes is not available"):
        search()
