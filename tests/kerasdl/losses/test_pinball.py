import numpy as np
import pytest
from sklearn.metrics import mean_pinball_loss

from kerasdl.losses import Pinball
from tests.kerasdl.losses.evaluate import gradient, sample_losses
from tests.reference.components import finite_differences

LEVELS = (0.1, 0.5, 0.95)
Y_TRUE = np.array([0.5, -1.0, 3.0], "float32")
Y_PRED = np.array([[0.2, 0.6, 0.7], [-2.0, -0.5, 1.1], [2.0, 2.5, 4.0]], "float32")


def reference(y_pred):
    return [
        np.mean([mean_pinball_loss([t], [y], alpha=q) for q, y in zip(LEVELS, row, strict=True)])
        for t, row in zip(Y_TRUE, y_pred, strict=True)
    ]


def test_values_equal_those_of_scikit_learn():
    found = sample_losses(Pinball(LEVELS), Y_TRUE, Y_PRED)
    np.testing.assert_allclose(found, reference(Y_PRED), rtol=1e-6)


def test_gradients_equal_finite_differences():
    expected = finite_differences(lambda y: np.sum(reference(y)), Y_PRED)
    np.testing.assert_allclose(
        gradient(Pinball(LEVELS), Y_TRUE, Y_PRED), expected, rtol=1e-5, atol=1e-8
    )


@pytest.mark.parametrize("level", [0.1, 0.5, 0.8])
def test_the_best_constant_is_the_quantile(level):
    targets = np.random.default_rng(0).normal(size=101).astype("float32")
    grid = np.sort(targets)
    # All constants at once: the columns of one prediction.
    table = sample_losses(Pinball(level), np.tile(targets, (101, 1)), np.tile(grid, (101, 1)).T)
    assert abs(grid[np.argmin(table)] - np.quantile(targets, level)) < 0.05


def test_the_median_is_half_the_absolute_error():
    found = sample_losses(Pinball(0.5), np.tile(Y_TRUE[:, None], 3), Y_PRED)
    expected = np.mean(np.abs(Y_PRED - Y_TRUE[:, None]), axis=1) / 2
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_hit_has_no_gradient():
    np.testing.assert_array_equal(gradient(Pinball(0.9), Y_PRED, Y_PRED), 0)


@pytest.mark.parametrize("true_shape", [(2, 5), (2, 5, 1)])
def test_every_target_has_its_quantiles(true_shape):
    assert sample_losses(Pinball(LEVELS), np.ones(true_shape), np.zeros((2, 5, 3))).shape == (2, 5)


@pytest.mark.parametrize(
    ("true_shape", "pred_shape"), [((4,), (4, 2)), ((4, 3), (4, 3)), ((4,), (4,)), ((), (4, 3))]
)
def test_shapes_that_do_not_fit_are_refused(true_shape, pred_shape):
    with pytest.raises(ValueError, match=r"Pinball.* 3 predictions.*one value per quantile"):
        Pinball()(np.ones(true_shape), np.ones(pred_shape))


@pytest.mark.parametrize("quantiles", [0, 1.0, -0.5, (), (0.5, 2.0), ("a",), None, float("nan")])
def test_quantiles_outside_0_and_1_are_refused(quantiles):
    with pytest.raises(ValueError, match=r"Pinball\(quantiles=.*in \(0, 1\) or several. Use"):
        Pinball(quantiles)
