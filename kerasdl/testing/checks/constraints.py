"""What a constraint must keep to."""

import keras
import numpy as np
from keras import ops

from kerasdl.testing.host import host, train
from kerasdl.testing.results import FaultError, described
from kerasdl.testing.subject import differ


def a_constrained_weight_stays_as_it_is(subject):
    """Applied again, a constraint changes nothing."""
    for scale in (1.0, 0.01, 100.0):
        once = _constrained(subject, scale * subject.inputs[0])
        gap = differ(once, _constrained(subject, once), 1e-4)
        if gap is not None:
            raise FaultError(
                f"{subject.name} applied twice differs from once by {gap:.2g} of the weight's "
                "size: what keeps to the constraint must be left as it is."
            )


def _constrained(subject, weight):
    found = subject.clone()(ops.convert_to_tensor(np.asarray(weight, "float32")))
    return ops.convert_to_numpy(found)


def shapes_and_dtypes_are_kept(subject):
    """The constrained weight has the weight's shape and dtype; zeros stay finite."""
    for dtype in ("float32", "bfloat16"):
        for weight in (subject.inputs[0], 0 * subject.inputs[0]):
            given = ops.convert_to_tensor(weight, dtype)
            found = subject.clone()(given)
            if tuple(found.shape) != tuple(given.shape):
                raise FaultError(
                    f"{subject.name} turns shape {tuple(given.shape)} into {tuple(found.shape)}."
                )
            if keras.backend.standardize_dtype(found.dtype) != dtype:
                raise FaultError(f"{subject.name} turns {dtype} into {found.dtype}: cast back.")
            if not np.isfinite(ops.convert_to_numpy(ops.cast(found, "float32"))).all():
                raise FaultError(f"{subject.name} gives infinities or NaN: divide by no zero norm.")


def variables_are_taken(subject):
    """Keras hands over the variable itself, which stays as it is until assigned to."""
    variable = keras.Variable(subject.inputs[0])
    try:
        found = ops.convert_to_numpy(subject.clone()(variable))
    except Exception as error:
        raise FaultError(
            f"{subject.name} raises {described(error)} for a keras.Variable: begin with "
            "ops.convert_to_tensor(weight)."
        ) from error
    if differ(found, _constrained(subject, subject.inputs[0]), 1e-6) is not None:
        raise FaultError(f"{subject.name} treats a keras.Variable in another way than its tensor.")
    if differ(ops.convert_to_numpy(variable), subject.inputs[0], 0) is not None:
        raise FaultError(f"{subject.name} assigns to the variable: return the constrained weight.")


def trained_weights_keep_to_it(subject):
    """After compiled steps of training the weight is one that the constraint leaves alone."""
    model, x, y = host("constraint", subject.clone(), subject.inputs)
    try:
        train(model, x, y, 3)
    except Exception as error:
        raise FaultError(
            f"a model with {subject.name} cannot be trained: {described(error)} Compute with "
            "keras.ops."
        ) from error
    layer = model.layers[-1]
    weight = layer.kernel if len(subject.inputs[0].shape) > 1 else layer.bias
    weight = ops.convert_to_numpy(weight)
    if differ(weight, _constrained(subject, weight), 1e-4) is not None:
        raise FaultError(f"{subject.name} does not hold after training.")


CHECKS = (
    a_constrained_weight_stays_as_it_is,
    shapes_and_dtypes_are_kept,
    variables_are_taken,
    trained_weights_keep_to_it,
)
