"""The weight of the class term pays for the way to a typical row and rises by what is missing."""

import numpy as np
import pytest

from xai.activation_maximization import sharpness_rule
from xai.activation_maximization.ascent import Climb


def log_probabilities(*rows):
    return np.log(np.array(rows))


def test_the_goal_is_the_upper_quartile_of_the_rows_of_a_class_or_of_all_rows():
    sure = [[p, 1 - p] for p in (0.6, 0.7, 0.95, 0.95, 0.95)]
    unsure = [[1 - p, p] for p in (0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.8)]
    goals = sharpness_rule.goals(log_probabilities(*sure, *unsure))
    np.testing.assert_allclose(np.exp(goals), [0.95, 0.8])  # of thirteen rows ten have 0.8 or less


def test_a_goal_is_at_most_what_float32_can_tell_from_one():
    goals = sharpness_rule.goals(log_probabilities(*[[1 - 1e-9, 1e-9]] * 6))
    np.testing.assert_allclose(np.exp(goals), 0.99999)


def test_a_class_of_few_held_out_rows_has_the_goal_of_all_rows():
    rows = *[[0.7, 0.2, 0.1]] * 14, *[[0.1, 0.8, 0.1]] * 4
    goals = sharpness_rule.goals(log_probabilities(*rows))
    np.testing.assert_allclose(np.exp(goals), [0.7, 0.7, 0.7])


@pytest.mark.parametrize(
    ("given", "log_prior", "expected"),
    [
        (-2.0, 30.0, 10.0),  # 20 nats to pay with 2
        (-30.0, 30.0, 1.0),  # pays already
        (-2.0, 5.0, 1.0),  # the start is less likely than a typical row
        (-0.1, 30.0, 10.0),  # the model takes the start for the class: one nat to pay with 0.1
        (-0.005, 30.0, 1.0),  # the goal is reached
    ],
)
def test_the_first_sharpness_pays_for_the_way_to_a_typical_row_or_for_a_nat(
    given, log_prior, expected
):
    terms = np.array([given]), np.array([-0.01]), np.array([log_prior])
    assert sharpness_rule.first_sharpness(*terms, typical=10.0) == [expected]
    assert sharpness_rule.first_sharpness(*terms, typical=None) == [1.0]


def test_the_sharpness_grows_by_the_factor_that_is_missing():
    log_probability = np.array([-0.012, -0.05, -4.0, -4.0])
    growth = sharpness_rule.growth(log_probability, np.full(4, -0.01), np.array([10, 10, 10, 2.0]))
    np.testing.assert_allclose(growth, [3, 5, 10, 2])


def climber(log_prior_of):
    """A world of one number, the sharpness: the class is missed by one over it."""

    def climb_from(x, sharpness):
        history = {"sharpness": sharpness[None], "log_probability": x[None], "log_prior": x[None]}
        nothing = np.zeros_like(sharpness)
        ends = -1 / sharpness, log_prior_of(sharpness), history, nothing
        return Climb(sharpness, sharpness, *ends)

    return climb_from


def test_rows_rise_until_they_reach_their_goals_and_stay_there():
    start, goal = np.ones(3), np.array([-2.0, -1 / 7, -1 / 500])
    climb, sharpness = sharpness_rule.rise(
        climber(np.zeros_like), start, start, goal, -1.0, -np.inf, rounds=9
    )
    np.testing.assert_allclose(sharpness, [1, 7, 500])
    np.testing.assert_array_equal(climb.best, sharpness)
    np.testing.assert_allclose(climb.history["sharpness"][:, 1], [1, 7, 7])


def test_a_row_that_would_become_unlikely_goes_back_and_takes_a_smaller_rise():
    start, goal, least = np.ones(2), np.array([-1e-4, -1 / 40]), -100.0
    climb, sharpness = sharpness_rule.rise(
        climber(np.negative), start, start, goal, least, -np.inf, rounds=13
    )
    assert 100 / 1.4 < sharpness[0] <= 100
    assert climb.log_prior[0] == -sharpness[0]
    assert sharpness[1] == pytest.approx(90)  # 30 times, then the least rise


def test_a_class_aims_at_no_more_than_a_sure_start_has():
    given = np.log([0.5, 0.9989, 0.9991, 0.9999])
    goal = np.log([0.99, 0.99999, 0.99999, 0.95])
    lowered = np.exp(sharpness_rule.lowered(goal, given))
    np.testing.assert_allclose(lowered, [0.99, 0.99999, 0.999, 0.95])


@pytest.mark.parametrize("rounds", [1, 5])
def test_a_row_that_reaches_nothing_climbs_as_often_as_it_may(rounds):
    calls = []

    def climb_from(x, sharpness):
        calls.append(sharpness[0])
        return climber(np.zeros_like)(x, np.minimum(sharpness, 2))

    goal = np.array([-1e-9])
    sharpness_rule.rise(climb_from, np.ones(1), np.ones(1), goal, -1.0, -np.inf, rounds)
    assert len(calls) == rounds


@pytest.mark.parametrize("steps", [1, 7, 9, 63, 100, 128, 256, 1000])
def test_rounds_leave_a_quarter_of_the_steps_to_come_to_rest(steps):
    rounds, length = sharpness_rule.rounds_within(steps)
    assert rounds * length <= max(0.75 * steps, length)
    assert rounds >= 1
    assert 1 <= length <= min(32, steps)
