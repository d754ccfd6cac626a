"""What a metric must keep to."""

import numpy as np
from keras import ops, tree

from kerasdl.backend import jit
from kerasdl.testing.behaviour import tensors
from kerasdl.testing.results import FaultError, NotApplicableError, described
from kerasdl.testing.subject import batch_size, differ, numpy


def results_do_not_depend_on_the_batches(subject):
    """Batch after batch gives what all rows at once give."""
    once, parts = subject.clone(), subject.clone()
    once.update_state(*tensors(list(subject.inputs)))
    part = _part(subject)
    for rows in (slice(0, part), slice(part, None)):
        parts.update_state(*tensors([one[rows] for one in subject.inputs]))
    gap = differ(numpy(once.result()), numpy(parts.result()), 1e-4)
    if gap is not None:
        raise FaultError(
            f"{subject.name} in two batches differs from all rows at once by {gap:.2g} of its "
            "size: accumulate sums and counts, not the means of batches."
        )


def _part(subject):
    rows = batch_size(subject.inputs)
    if rows < 2:
        raise NotApplicableError("the inputs have a single row")
    return max(1, rows // 3)


def results_change_nothing(subject):
    """`result` may be read as often as one likes."""
    metric = _updated(subject.clone(), subject.inputs)
    if differ(numpy(metric.result()), numpy(metric.result()), 0) is not None:
        raise FaultError(f"{subject.name}.result() changes the state: compute from it only.")


def _updated(metric, inputs, **arguments):
    metric.update_state(*tensors(list(inputs)), **arguments)
    return metric


def a_reset_forgets_everything(subject):
    """After `reset_state` a metric is as new."""
    metric = _updated(subject.clone(), [one[:1] for one in subject.inputs])
    metric.reset_state()
    new = subject.clone()
    is_built = len(new.variables) == len(metric.variables)  # not with its first update
    if is_built and differ(_state(metric), _state(new), 0) is not None:
        raise FaultError(
            f"{subject.name}.reset_state leaves {_state(metric)} where a new metric has "
            f"{_state(new)}: set all variables back."
        )
    found, expected = (_updated(one, subject.inputs).result() for one in (metric, new))
    if differ(numpy(found), numpy(expected), 1e-6) is not None:
        raise FaultError(
            f"{subject.name} remembers after reset_state: keep all state in variables made by "
            "add_variable, and set them back."
        )


def _state(metric):
    return [np.array(ops.convert_to_numpy(variable)) for variable in metric.variables]


def sample_weights_weight_samples(subject):
    """Weights of 1 change nothing, and a weight of 0 takes a sample out."""
    rows, part = batch_size(subject.inputs), _part(subject)
    ones, some = np.ones(rows, "float32"), np.ones(rows, "float32")
    some[part:] = 0
    try:
        weighted = _updated(subject.clone(), subject.inputs, sample_weight=ops.array(ones))
    except TypeError as error:
        raise NotApplicableError(
            f"update_state takes no sample_weight ({described(error)})"
        ) from error
    plain = _updated(subject.clone(), subject.inputs)
    if differ(numpy(weighted.result()), numpy(plain.result()), 1e-4) is not None:
        raise FaultError(f"{subject.name} with weights of 1 differs from no weights.")
    without = _updated(subject.clone(), subject.inputs, sample_weight=ops.array(some))
    fewer = _updated(subject.clone(), [one[:part] for one in subject.inputs])
    if differ(numpy(without.result()), numpy(fewer.result()), 1e-3) is not None:
        raise FaultError(
            f"{subject.name} with weight 0 for some of the samples differs from one without them: "
            "weight both the sum and the count."
        )


def compiled_updates_are_those_of_a_call(subject):
    """The variables hold all state: an update within a compiled function is the same."""
    metric, eager = subject.clone(), subject.clone()
    _updated(metric, subject.inputs)
    metric.reset_state()
    variables = metric.variables

    def update(state, inputs):
        return metric.stateless_update_state(state, *inputs)

    try:
        compiled = jit(update, variables)
        state = [ops.convert_to_tensor(part) for part in _state(metric)]
        for _ in range(2):
            state = compiled(state, tensors(list(subject.inputs)))
        found = metric.stateless_result(state)
    except Exception as error:
        raise FaultError(
            f"{subject.name} cannot be compiled: {described(error)} Compute with keras.ops, and "
            "keep state in variables made by add_variable."
        ) from error
    for _ in range(2):
        _updated(eager, subject.inputs)
    if differ(numpy(found), numpy(eager.result()), 1e-4) is not None:
        raise FaultError(
            f"{subject.name} gives another result compiled: keep all state in variables made by "
            "add_variable, not in Python."
        )


def results_are_finite(subject):
    """A metric has a result after an update, and a new one that has its variables too."""
    new, updated = subject.clone(), _updated(subject.clone(), subject.inputs)
    metrics = {"after one update": updated}
    if len(new.variables) == len(updated.variables):
        metrics["before its first update"] = new
    for what, metric in metrics.items():
        if any(np.isnan(part).any() for part in tree.flatten(numpy(metric.result()))):
            raise FaultError(f"{subject.name} is NaN {what}: use ops.divide_no_nan.")


CHECKS = (
    results_do_not_depend_on_the_batches,
    results_change_nothing,
    a_reset_forgets_everything,
    sample_weights_weight_samples,
    compiled_updates_are_those_of_a_call,
    results_are_finite,
)
