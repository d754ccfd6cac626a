"""Random numbers of layers: in training alone, anew at every step, and by the seed."""

import numpy as np
from keras import ops, tree

from kerasdl.testing.behaviour import called
from kerasdl.testing.results import FaultError, NotApplicableError
from kerasdl.testing.subject import differ

_DRAWS = 8  # a few rows are often all kept, or all dropped


def draws_numbers(layer):
    """Returns whether a layer, or one within it, owns generators of random numbers."""
    return any(_generators(part) for part in layer._flatten_layers())


def inference_is_repeatable_and_changes_nothing(subject):
    """Without training two calls give the same, and no variable changes."""
    subject.require_undeclared("random_at_inference", "its inference is random by design")
    layer = subject.clone()
    first = called(layer, subject.inputs, training=False)
    before = [np.array(ops.convert_to_numpy(v)) for v in layer.weights]
    second = called(layer, subject.inputs, training=False)
    after = [ops.convert_to_numpy(v) for v in layer.weights]
    if getattr(layer, "stateful", False):
        raise NotApplicableError("a stateful layer changes with every call")
    if differ(first, second, 0) is not None:
        raise FaultError(
            f"{subject.name} gives another result at every call with training=False: draw random "
            "numbers in training only, or declare random_at_inference = True."
        )
    if differ(before, after, 0) is not None:
        raise FaultError(
            f"{subject.name} changes its weights with training=False: do so in training."
        )


def random_numbers_differ_from_step_to_step(subject):
    """What is random in training is drawn anew at every step, compiled as well, and by the seed."""
    layer = subject.clone()
    before = _seed_states(layer)
    calls = _trained_calls(layer, subject.inputs)
    if not draws_numbers(layer) and _are_equal(calls):
        _require_no_frozen_draw(subject, layer)
        raise NotApplicableError("the layer draws no random numbers")
    if _are_equal([*calls, called(layer, subject.inputs, training=False)]):
        raise NotApplicableError("training and inference give the same")
    if not draws_numbers(layer):
        raise FaultError(
            f"{subject.name} draws random numbers without a generator of its own: create "
            "self.seed_generator = keras.random.SeedGenerator(seed) in the constructor and pass it "
            "as seed. Others are drawn once when a function is compiled, and are then constants."
        )
    if _are_equal(calls):
        if differ(before, _seed_states(layer), 0) is not None:
            raise NotApplicableError("what it draws does not show in these inputs")
        raise FaultError(
            f"{subject.name} draws the same random numbers at every step: pass the SeedGenerator "
            "itself as seed, not an int."
        )
    _require_seeded(subject)


def _require_no_frozen_draw(subject, layer):
    """Requires that training tells nothing apart that is equal: a frozen draw would."""
    row = tree.map_structure(lambda a: np.repeat(np.asarray(a)[:1], len(a), 0), subject.inputs)
    ones = tree.map_structure(np.ones_like, subject.inputs)
    of_rows, of_ones = (called(layer, given, training=True) for given in (row, ones))
    plain = called(layer, ones, training=False)
    rows_differ = any(_floats(one) and differ(one, one[:1] + 0 * one) for one in of_rows)
    ones_differ = any(
        _floats(one) and np.ptp(one) > 0 and np.ptp(other) == 0
        for one, other in zip(of_ones, plain, strict=True)
    )
    if rows_differ or ones_differ:
        raise FaultError(
            f"{subject.name} tells equal rows or elements apart in training, in the same way at "
            "every step: it draws the same random numbers every time. Pass a "
            "keras.random.SeedGenerator as seed, made in the constructor, not an int."
        )


def _floats(array):
    return array.ndim and array.dtype.kind == "f"


def _seed_states(layer):
    generators = [one for part in layer._flatten_layers() for one in _generators(part)]
    return [np.array(ops.convert_to_numpy(one.state)) for one in generators]


def _generators(layer):
    return getattr(layer, "_seed_generators", [])


def _trained_calls(layer, inputs):
    """Returns what calls in training give, all with the same weights."""
    called(layer, inputs, training=False)
    weights, calls = layer.get_weights(), []
    for _ in range(_DRAWS):
        layer.set_weights(weights)
        calls.append(called(layer, inputs, training=True))
    layer.set_weights(weights)
    return calls


def _require_seeded(subject):
    if "seed" not in subject.config:
        return
    if _has_weights(subject):
        return  # which are random too
    first, again = (called(subject.clone(seed=1), subject.inputs, training=True) for _ in range(2))
    if differ(first, again, 0) is not None:
        raise FaultError(f"{subject.name}(seed=1) gives other numbers in another instance.")
    seeds = range(2, 2 + _DRAWS)
    others = [called(subject.clone(seed=seed), subject.inputs, training=True) for seed in seeds]
    if _are_equal([first, *others]):
        raise FaultError(f"{subject.name} ignores its seed: different ones give the same numbers.")


def _has_weights(subject):
    layer = subject.clone()
    called(layer, subject.inputs, training=False)
    return bool(layer.weights)


def _are_equal(calls):
    return all(differ(calls[0], other, 0) is None for other in calls[1:])


CHECKS = (
    inference_is_repeatable_and_changes_nothing,
    random_numbers_differ_from_step_to_step,
)
