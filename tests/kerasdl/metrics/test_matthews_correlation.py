import keras
import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef

from kerasdl.metrics import MatthewsCorrelation

random = np.random.default_rng(0)


def correlation(y_true, y_pred, num_classes=2, weights=None, **settings):
    return float(
        MatthewsCorrelation(num_classes, **settings)(y_true, y_pred, sample_weight=weights)
    )


@pytest.mark.parametrize("num_classes", [2, 3, 7])
@pytest.mark.parametrize("weights", [None, random.uniform(size=60)], ids=["plain", "weighted"])
def test_it_equals_scikit_learn(num_classes, weights):
    labels = random.integers(0, num_classes, 60)
    scores = random.normal(size=(60, num_classes)) + np.eye(num_classes)[labels]
    expected = matthews_corrcoef(labels, scores.argmax(axis=1), sample_weight=weights)
    found = correlation(labels, scores, num_classes, weights)
    assert found == pytest.approx(expected, abs=1e-6)


def test_it_keeps_its_digits_where_one_class_is_rare():
    labels = np.zeros(100_000, "int32")
    predicted = np.zeros(100_000, "int32")
    labels[:10], predicted[4:15] = 1, 1
    expected = matthews_corrcoef(labels, predicted)
    assert correlation(labels, predicted) == pytest.approx(expected, rel=1e-5)


def test_all_right_is_1_and_of_two_classes_all_wrong_is_minus_1():
    labels = random.integers(0, 2, 20)
    assert correlation(labels, labels) == pytest.approx(1, abs=1e-6)
    assert correlation(labels, 1 - labels) == pytest.approx(-1, abs=1e-6)
    classes = np.arange(5).repeat(4)
    assert correlation(classes, classes, 5) == pytest.approx(1, abs=1e-6)


def test_one_class_everywhere_is_0():
    assert correlation(np.zeros(5, "int32"), random.normal(size=(5, 2))) == 0
    assert correlation(random.integers(0, 2, 5), np.zeros(5, "int32")) == 0


@pytest.mark.parametrize(
    ("y_true", "y_pred"),
    [
        (np.array([1, 0, 1, 0]), np.array([[0.2, 0.8], [0.6, 0.4], [0.7, 0.3], [0.9, 0.1]])),
        (np.array([[1], [0], [1], [0]]), np.array([[-3.0, 8.0], [6, 4], [7, 3], [9, 1]])),
        (np.eye(2)[[1, 0, 1, 0]], np.array([[0.8], [0.4], [0.3], [0.1]])),
        (np.array([1.0, 0, 1, 0]), np.array([0.8, 0.4, 0.3, 0.1])),
        (np.array([1, 0, 1, 0]), np.array([1, 0, 0, 0])),
        (np.array([[1], [0], [1], [0]]), np.array([[1], [0], [0], [0]])),
        (np.array([1, 0, 1, 0, -1, 2]), np.array([1, 0, 0, 0, 1, 0])),
    ],
    ids=["columns", "logits", "one column", "no column", "classes", "class column", "padding"],
)
def test_labels_and_predictions_come_in_many_forms(y_true, y_pred):
    assert correlation(y_true, y_pred) == pytest.approx(3**-0.5, abs=1e-6)


def test_the_threshold_is_for_logits_of_one_column():
    logits = np.array([[0.4], [-0.4], [-1.0], [-2.0]])
    assert correlation(np.array([1, 0, 1, 0]), logits, threshold=0) == pytest.approx(3**-0.5)


def test_early_stopping_knows_that_more_is_better():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse", metrics=[MatthewsCorrelation()])
    stopping = keras.callbacks.EarlyStopping("matthews_correlation", patience=3)
    x, y = random.normal(size=(8, 2)), random.integers(0, 2, 8)
    model.fit(x, y, callbacks=[stopping], verbose=0)
    assert stopping.monitor_op is keras.ops.greater


@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        (np.zeros(4), np.zeros((4, 2)), r"num_classes=3\).*\(4, 2\). Set num_classes"),
        (np.zeros(4), np.zeros((4, 1)), r"num_classes=3\).*\(4, 1\). Set num_classes"),
        (np.zeros((4, 2)), np.zeros((4, 3)), r"y_true has the shape \(4, 2\).*3 columns"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        correlation(y_true, y_pred, 3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_classes": 1}, r"MatthewsCorrelation\(num_classes=1\).*at least 2. Give"),
        ({"num_classes": 2.0}, r"MatthewsCorrelation\(num_classes=2.0\)"),
        ({"threshold": None}, r"MatthewsCorrelation\(threshold=None\).*Use 0.5"),
        ({"threshold": float("nan")}, r"MatthewsCorrelation\(threshold=nan\)"),
    ],
)
def test_bad_arguments_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        MatthewsCorrelation(**settings)
