"""The weight of the class term, chosen by what real data reach."""

import numpy as np

UNKNOWN_GOAL = np.log(0.95)  # where a prior has no held-out rows

# Beyond, float32 logits leave little to climb.
HIGHEST_GOAL = np.log(0.99999)

# A higher goal is a better picture up to what many real rows reach, and a worse one beyond. On 8x8
# digits, with goals at the median, the upper quartile and the 90th percentile of real rows, for
# models of 94 % accuracy: one Gaussian's pictures are taken for their class by 0.975, 1.0 and 1.0
# of three other models, their density under a kernel estimate on other data has a mean percentile
# of 0.56, 0.62 and 0.62 among real rows of the class, that of a mixture's 0.84, 0.83 and 0.78. For
# models of 84 %: 0.967, 0.989 and 1.0; 0.59, 0.63 and 0.60; 0.82, 0.79 and 0.69.
_GOAL_QUANTILE = 0.75

# A likely start that is of its class already needs no push: on 8x8 digits, six models, a mixture's
# ones start at 0.9996 to 0.99997; 0.99999 takes a sharpness of 10,000 to 100,000, and the closest
# comes within 0.39 of the median distance of real rows to their nearest training row, not 0.54.
_SURE = np.log(0.999)
_FEWEST_ROWS = 5
_LEAST_GROWTH, _MOST_GROWTH = 3.0, 30.0
_NO_GROWTH = 1.2


def goals(log_probabilities):
    """Returns the log-probability that an input of each class should reach, `(classes,)`.

    Every held-out real row counts with that of the class that the model takes it for. A class aims
    at the upper quartile of its own rows or of all rows, whichever is higher, 0.99999 at most: for
    a model of 98 % accuracy, classes that aim at the median of their own 14 rows alone stop at
    0.95.

    Args:
        log_probabilities: Of every class for the held-out rows, `(rows, classes)`.
    """
    predicted, reached = log_probabilities.argmax(axis=1), log_probabilities.max(axis=1)
    result = np.full(log_probabilities.shape[1], np.quantile(reached, _GOAL_QUANTILE))
    for label in np.unique(predicted):
        of_class = reached[predicted == label]
        if len(of_class) >= _FEWEST_ROWS:
            result[label] = max(result[label], np.quantile(of_class, _GOAL_QUANTILE))
    return np.minimum(result, HIGHEST_GOAL)


def lowered(goal, given):
    """Returns the goals of classes, `(rows,)`, with that of a row whose start is sure where it is.

    Args:
        goal: The log-probability to reach, `(rows,)`.
        given: The log-probability at the start, `(rows,)`.
    """
    return np.where(given >= _SURE, np.minimum(goal, _SURE), goal)


def first(given, goal, spread, log_prior, typical):
    """Returns where the sharpness begins to rise, `(rows,)`.

    Args:
        given: The objective at the start, `(rows,)`.
        goal: The value to reach, `(rows,)`.
        spread: The standard deviation of the objective over real rows, NaN for a log-probability,
            `(rows,)`.
        log_prior: `log p(start)`, `(rows,)`.
        typical: The median `log p(x)` of real rows, None where unknown.
    """
    of_class = first_sharpness(given, goal, log_prior, typical)
    if np.isnan(spread).all() or typical is None:
        return of_class
    of_others = first_sharpness_without_limit(given, goal, spread, log_prior, typical)
    return np.where(np.isnan(spread), of_class, of_others)


def first_sharpness(given, goal, log_prior, typical):
    """Returns where the sharpness of a class begins to rise, `(rows,)`.

    An ascent from `start` cannot end where `log p(x)` has fallen by more than the sharpness times
    `-log p(class | start)`. So that it can pay for the way from the start to a typical real row,
    the sharpness is the quotient of the two, at least 1. Where the model takes the start for the
    class already, there is no such way: it is what can pay for one nat, or 1 where the goal is
    reached. Less would not be felt: from 1 on, a mixture's rows take twice as many rounds.

    Args:
        given: `log p(class | start)`, `(rows,)`.
        goal: The log-probability to reach, `(rows,)`.
        log_prior: `log p(start)`, `(rows,)`.
        typical: The median `log p(x)` of real rows, None where unknown.
    """
    if typical is None:
        return np.ones_like(log_prior)
    way = np.where(given > np.log(0.5), 1.0, log_prior - typical)
    is_reached = given >= goal
    return np.where(is_reached, 1.0, np.maximum(1.0, way / np.where(is_reached, 1, -given)))


def first_sharpness_without_limit(given, goal, spread, log_prior, typical):
    """Returns where the sharpness of an objective without an upper limit begins to rise, `(rows,)`.

    Likewise what can pay for the way to a typical real row, where what there is to gain is the way
    to the goal, or the spread of real rows where that is more; see `first`.
    """
    gain = np.fmax(goal - given, spread)
    # A unit that no real row moves says nothing of its own size.
    return np.maximum(log_prior - typical, 1.0) / np.where(gain > 1e-9, gain, 1.0)


def rounds_within(steps):
    """Returns how many rounds may search for the sharpness, and the steps of one.

    They leave a quarter of all steps to come to rest. Shorter rounds end off their maxima: with 16
    of 256 steps instead of 32, the pictures of one Gaussian miss the goals that the rounds had
    reached for 8 of 10 digits.
    """
    length = min(steps, 8 * min(max(steps // 64, 1), 4))
    return max(1, 3 * steps // (4 * length)), length


def rise(climb_from, start, sharpness, goal, least, given, rounds):
    """Returns the last climb and its sharpness, raised from climb to climb where a goal is missed.

    A row whose climb ends at a lower `log p(x)` than `least` goes back and takes a smaller rise;
    when that is next to none, no likely input reaches the goal, and the row stays.

    Args:
        climb_from: A callable of inputs and sharpness `(rows,)` that returns a `Climb`.
        start: Inputs, `(rows, ...)`.
        sharpness: Of the first climb, `(rows,)`.
        goal: The log-probability to reach, `(rows,)`.
        least: The least `log p(x)` that a risen row may have.
        given: The log-probability at the start; a row whose climb ended below it begins there
            again, for units may be dead where the prior has drawn it.
        rounds: The most climbs.
    """
    climb = climb_from(start, sharpness)
    most = np.full(len(goal), _MOST_GROWTH)
    for _ in range(rounds - 1):
        missing = (climb.log_probability < goal) & (most >= _NO_GROWTH)
        if not missing.any():
            break
        factor = np.where(missing, growth(climb.log_probability, goal, most), 1)
        # All rows climb again, for another batch size would compile anew.
        later = climb_from(_better(start, given, climb), factor * sharpness)
        risen = missing & (later.log_prior >= least)
        climb = climb.replaced(risen, later)
        sharpness = np.where(risen, factor * sharpness, sharpness)
        most = np.where(missing & ~risen, np.sqrt(factor), most)
    return climb, sharpness


def _better(start, given, climb):
    """Returns the start of the rows whose climb lost what they began with, the end of others."""
    lost = climb.log_probability < given
    return np.where(lost.reshape(-1, *(1,) * (start.ndim - 1)), start, climb.best)


def growth(log_probability, goal, most):
    """Returns the factor by which the sharpness of rows that miss their goal grows, `(rows,)`.

    Where the model is nearly sure, `-log p(class | x)` at the maximum falls as one over the
    sharpness, for their product balances the prior's gradient. So the sharpness grows by the factor
    that is missing, within 3 and `most`. Too much costs little, as `log p(x)` falls with the
    logarithm of the sharpness: by 0.7 of 73 nats from 13 to 2,400 on 8x8 digits with one Gaussian,
    which takes 5 rounds so, and 19 in steps of 1.5.
    """
    missing = np.divide(log_probability, goal, where=goal < 0, out=np.ones_like(log_probability))
    return np.minimum(np.maximum(missing, _LEAST_GROWTH), most)
