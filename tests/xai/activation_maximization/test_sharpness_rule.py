"""The weight of the class term pays for the way to a typical row and rises by what is missing."""

import numpy as np
import pytest

from xai.activation_maximization import sharpness_rule


def log_probabilities(*rows):
    return np.log(np.array(rows))


def test_the_goal_is_the_median_of_the_rows_that_the_model_takes_for_the_class():
    high = [[p, 1 - p] for p in (0.6, 0.7, 0.8, 0.9, 0.95)]
    low = [[1 - p, p] for p in (0.7, 0.7, 0.7, 0.9, 0.9, 0.9, 0.9)]
    goals = sharpness_rule.goals(log_probabilities(*high, *low))
    np.testing.assert_allclose(np.exp(goals), [0.8, 0.9])


def test_a_goal_is_at_most_what_float32_can_tell_from_one():
    goals = sharpness_rule.goals(log_probabilities(*[[1 - 1e-9, 1e-9]] * 6))
    np.testing.assert_allclose(np.exp(goals[0]), 0.9999)


def test_a_class_of_few_held_out_rows_has_a_fixed_goal():
    goals = sharpness_rule.goals(log_probabilities(*[[0.7, 0.2, 0.1]] * 6, *[[0.1, 0.8, 0.1]] * 4))
    np.testing.assert_allclose(np.exp(goals), [0.7, 0.95, 0.95])


@pytest.mark.parametrize(
    ("log_probability", "log_prior", "expected"),
    [
        (-2.0, 30.0, 10.0),  # 20 nats to pay with 2
        (-30.0, 30.0, 1.0),  # pays already
        (-2.0, 5.0, 1.0),  # the start is less likely than a typical row
        (-0.1, 30.0, 1.0),  # the model takes the start for the class
    ],
)
def test_the_first_sharpness_pays_for_the_way_to_a_typical_row(
    log_probability, log_prior, expected
):
    terms = np.array([log_probability]), np.array([log_prior])
    assert sharpness_rule.first_sharpness(*terms, typical=10.0) == [expected]
    assert sharpness_rule.first_sharpness(*terms, typical=None) == [1.0]


def test_the_sharpness_rises_by_what_is_missing_where_the_goal_is_missed():
    goal = np.full(4, -0.01)
    log_probability = np.array([-0.005, -0.012, -0.05, -4.0])
    raised = sharpness_rule.raised(np.full(4, 2.0), log_probability, goal)
    np.testing.assert_allclose(raised, [2, 6, 10, 20])
