import keras
import numpy as np
import pandas as pd
import pytest

from tuning import data

X, Y = np.arange(20.0).reshape(10, 2), np.arange(10)


def test_the_last_rows_are_held_out_as_keras_does_it():
    (x, y), (validation_x, validation_y) = data.split(X, Y, None, 0.25)
    np.testing.assert_array_equal(x, X[:7])
    np.testing.assert_array_equal(y, Y[:7])
    np.testing.assert_array_equal(validation_x, X[7:])
    np.testing.assert_array_equal(validation_y, Y[7:])


@pytest.mark.parametrize(
    "convert",
    [np.ndarray.tolist, pd.DataFrame, lambda x: keras.Variable(x).value],
    ids=["lists", "pandas", "tensor"],  # a variable's, which torch's NumPy conversion refuses
)
def test_anything_that_is_an_array_to_numpy_or_keras_is_taken(convert):
    (x, _), (validation_x, _) = data.split(convert(X), Y.tolist(), None, 0.5)
    np.testing.assert_array_equal(np.concatenate([x, validation_x]), X)


def test_several_inputs_and_outputs_keep_their_structure():
    (x, y), (validation_x, validation_y) = data.split({"a": X, "b": Y}, [X, Y], None, 0.5)
    assert (sorted(x), type(y)) == (["a", "b"], list)
    np.testing.assert_array_equal(validation_x["b"], Y[5:])
    np.testing.assert_array_equal(validation_y[0], X[5:])


def test_targets_may_be_absent():
    assert data.split(X, None, None, 0.5)[0][1] is None


def test_given_validation_data_leave_all_rows_for_training():
    training, validation = data.split(X, Y, (X[:2], Y[:2]), 0.5)
    assert [data.count_rows(rows[0]) for rows in (training, validation)] == [10, 2]


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (None, Y, TypeError, "x is None"),
        (X, "labels", TypeError, "y is a str"),
        (3, Y, TypeError, "x is a int"),
        ([[1], [1, 2]], Y, ValueError, "x is no array"),
        (np.float32(3), Y, ValueError, "x is a single number"),
        ([X, Y[:4]], Y, ValueError, r"x has 10 rows and x has 4"),
        (X[:1], Y[:1], ValueError, "leaves none to train on"),
    ],
)
def test_bad_rows_are_refused(x, y, error, message):
    with pytest.raises(error, match=message):
        data.split(x, y, None, 0.5)


def test_a_dataset_is_refused_with_what_is_taken():
    class Rows(keras.utils.PyDataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return X, Y

    with pytest.raises(TypeError, match=r"x is a Rows. This version takes arrays"):
        data.split(Rows(), None, None, 0.5)
