"""What holds for every metric, at settings that are not the defaults."""

import keras
import numpy as np
import pytest

from kerasdl import metrics

random = np.random.default_rng(0)
LABELS = random.integers(0, 3, 40)
SCORES = random.normal(size=(40, 3)).astype("float32")
SCORES[np.arange(40), LABELS] += 0.7
SCORES[::5] = 0
WEIGHTS = random.uniform(size=40).astype("float32")

METRICS = [
    metrics.CohenKappa(3, weighting="linear", threshold=0.2),
    metrics.ExpectedCalibrationError(bins=4, from_logits=True),
    metrics.MatthewsCorrelation(3, threshold=0.2),
    metrics.Sparsity(threshold=0.5),
]
every_metric = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)


def fresh(metric, **changes):
    return type(metric).from_config({**metric.get_config(), **changes})


def value(metric, *batches):
    metric = fresh(metric)
    for labels, scores, weights in batches:
        metric.update_state(labels, scores, sample_weight=weights)
    return float(metric.result())


def test_the_table_holds_every_metric():
    assert {type(metric).__name__ for metric in METRICS} == set(metrics.__all__)


@every_metric
def test_a_weight_of_2_counts_twice_and_of_0_not_at_all(metric):
    rows = [0, 1, 1, 3, 4, 5, 5, 7]
    weights = np.array([1, 2, 0, 1, 1, 2, 0, 1], "float32")
    expected = value(metric, (LABELS[rows], SCORES[rows], None))
    assert value(metric, (LABELS[:8], SCORES[:8], weights)) == pytest.approx(expected, abs=1e-6)
    column = (LABELS[:8, None], SCORES[:8], weights[:, None])
    assert value(metric, column) == pytest.approx(expected, abs=1e-6)


@every_metric
def test_it_is_0_before_the_first_sample_and_after_a_reset(metric):
    metric = fresh(metric)
    assert float(metric.result()) == 0
    metric.update_state(LABELS, SCORES)
    assert float(metric.result()) != 0
    metric.reset_state()
    assert float(metric.result()) == 0


@every_metric
def test_time_steps_count_as_samples(metric):
    labels, scores, weights = (a.reshape(8, 5, *a.shape[1:]) for a in (LABELS, SCORES, WEIGHTS))
    expected = value(metric, (LABELS, SCORES, WEIGHTS))
    assert value(metric, (labels, scores, weights)) == pytest.approx(expected, abs=1e-6)
    rows = WEIGHTS[:8]
    expected = value(metric, (LABELS, SCORES, np.repeat(rows, 5)))
    assert value(metric, (labels, scores, rows)) == pytest.approx(expected, abs=1e-6)


@every_metric
def test_evaluate_reports_it(metric):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Identity()])
    model.compile(loss="mse", metrics=[fresh(metric)])
    one_hot = np.eye(3, dtype="float32")[LABELS]
    reported = model.evaluate(SCORES, one_hot, batch_size=7, verbose=0, return_dict=True)
    assert reported[metric.name] == pytest.approx(value(metric, (LABELS, SCORES, None)), abs=1e-6)


@every_metric
def test_a_model_compiles_by_its_name_under_which_it_is_reported(metric):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    name = f"kerasdl>{type(metric).__name__}"
    model.compile(optimizer="sgd", loss="mse", metrics=[name])
    history = model.fit(SCORES[:, :2], SCORES[:, :2] > 0, batch_size=16, verbose=0).history
    assert np.isfinite(history[name]).all()


@every_metric
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bits_round_only_the_result(metric, dtype):
    short = fresh(metric, dtype=dtype)
    short.update_state(LABELS, SCORES)
    result = short.result()
    assert keras.backend.standardize_dtype(result.dtype) == dtype
    expected = value(metric, (LABELS, SCORES, None))
    assert float(result) == pytest.approx(expected, rel=2**-8)
    assert all(variable.dtype == "float32" for variable in short.variables)


@every_metric
def test_weights_of_more_axes_than_samples_are_refused(metric):
    with pytest.raises(ValueError, match=r"sample_weight has the shape \(40, 3\).*Give one weight"):
        fresh(metric).update_state(LABELS, SCORES, sample_weight=np.ones((40, 3)))


def test_a_mask_leaves_padding_out():
    tokens = np.array([[1, 2, 0, 0], [2, 1, 1, 0]])
    inputs = keras.Input((None,), dtype="int32")
    hidden = keras.layers.Embedding(3, 3, mask_zero=True, embeddings_initializer="identity")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3, kernel_initializer="identity")(hidden))
    correlation = metrics.MatthewsCorrelation(3)
    model.compile(loss="sparse_categorical_crossentropy", metrics=[correlation])
    wrong_on_padding = np.array([[1, 2, 1, 1], [2, 1, 1, 2]])
    reported = model.evaluate(tokens, wrong_on_padding, verbose=0, return_dict=True)
    assert reported["matthews_correlation"] == pytest.approx(1)
