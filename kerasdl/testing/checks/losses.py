"""What a loss must keep to."""

import keras
import numpy as np
from keras import ops

from kerasdl.backend import jit
from kerasdl.testing import gradients
from kerasdl.testing.behaviour import tensors
from kerasdl.testing.results import FaultError, NotApplicableError, described
from kerasdl.testing.subject import batch_size, differ


def each_sample_has_a_loss_of_its_own(subject):
    """`call` keeps the batch axis, so that sample weights mean something."""
    values = _call(subject.clone(), subject.inputs)
    rows = batch_size(subject.inputs)
    if values.shape[:1] != (rows,):
        raise FaultError(
            f"{subject.name}.call returns shape {values.shape} for {rows} samples: return one "
            "value per sample, (batch,), such as a mean over axis=-1; Keras weights and reduces "
            "them."
        )


def _call(loss, inputs):
    y_true, y_pred = (loss_tensor(part) for part in inputs)
    return ops.convert_to_numpy(loss.call(y_true, y_pred))


def loss_tensor(array):
    """Returns an array as the base class hands it to `call`, which knows floats alone."""
    return ops.convert_to_tensor(array, "float32")


def samples_do_not_depend_on_one_another(subject):
    """A sample's loss is the same whatever the others are."""
    subject.require_undeclared("rows_interact", "its samples interact by design")
    loss, (y_true, y_pred) = subject.clone(), subject.inputs
    values = _call(loss, (y_true, y_pred))
    if values.shape[:1] != (len(y_true),):
        raise NotApplicableError("call does not return a value per sample")
    parts = [_call(loss, (y_true[rows], y_pred[rows])) for rows in (slice(0, 2), slice(-2, None))]
    if differ([values[:2], values[-2:]], parts, 1e-4) is not None:
        raise FaultError(
            f"{subject.name}: the loss of a sample changes with the others in the batch. Reduce "
            "over other axes than the first, or declare rows_interact = True."
        )


def sample_weights_weight_samples(subject):
    """With reduction "sum" the loss is the weighted sum of the samples' losses."""
    loss = _reducing(subject, "sum")
    y_true, y_pred = (ops.convert_to_tensor(part) for part in tensors(list(subject.inputs)))
    values = _call(loss, subject.inputs)
    weights = np.linspace(0, 1.5, batch_size(subject.inputs)).astype("float32")
    given = ops.convert_to_tensor(weights.reshape(-1, *(1,) * (values.ndim - 1)))
    found = float(loss(y_true, y_pred, sample_weight=given))
    if values.shape[:1] != weights.shape:
        raise FaultError(
            f"{subject.name} cannot be weighted: call returns shape {values.shape}, not a value "
            "per sample."
        )
    expected = float((values.reshape(len(weights), -1).sum(axis=1) * weights).sum())
    if differ(expected, found, 1e-4) is not None:
        raise FaultError(
            f"{subject.name} with sample weights is {found:.5g}, where the weighted sum of its "
            f"samples' losses is {expected:.5g}: leave weights to the base class' __call__."
        )


def _reducing(subject, reduction):
    if "reduction" not in subject.config:
        raise NotApplicableError("its configuration has no reduction")
    try:
        return subject.clone(reduction=reduction)
    except TypeError as error:
        raise FaultError(
            f"{subject.name} takes no reduction ({described(error)}): let the constructor take "
            "reduction and name, or **kwargs, and pass them to the base class."
        ) from error


def every_reduction_is_followed(subject):
    """None keeps a value per sample; "sum" and "sum_over_batch_size" are its sum and mean."""
    values = _reduced(subject, None)
    if _masks_samples(subject):
        raise NotApplicableError("call leaves samples out by a mask")
    for reduction, expected in (("sum", values.sum()), ("sum_over_batch_size", values.mean())):
        found = _reduced(subject, reduction)
        if found.shape != ():
            raise FaultError(f'{subject.name}(reduction="{reduction}") gives shape {found.shape}.')
        if differ(expected, found, 1e-4) is not None:
            raise FaultError(
                f'{subject.name}(reduction="{reduction}") gives {float(found):.5g}, where its '
                f"values give {float(expected):.5g}: in call reduce a sample's axes alone."
            )


def _masks_samples(subject):
    found = subject.clone().call(*map(loss_tensor, subject.inputs))
    return getattr(found, "_keras_mask", None) is not None


def _reduced(subject, reduction):
    loss = _reducing(subject, reduction)
    return ops.convert_to_numpy(loss(*tensors(list(subject.inputs))))


def compiled_values_are_those_of_a_call(subject):
    """The loss is the same compiled, and follows its inputs."""
    loss = subject.clone()
    compiled = jit(lambda y_true, y_pred: loss(y_true, y_pred))
    y_true, y_pred = subject.inputs
    for rows in (slice(None), slice(None, None, -1)):
        given = tensors([np.ascontiguousarray(y_true), np.ascontiguousarray(y_pred[rows])])
        try:
            found = ops.convert_to_numpy(compiled(*given))
        except Exception as error:
            raise FaultError(
                f"{subject.name} cannot be compiled: {described(error)} Compute with keras.ops, "
                "and decide by ops.where, not by if."
            ) from error
        if differ(found, ops.convert_to_numpy(loss(*given)), 1e-4) is not None:
            raise FaultError(
                f"{subject.name} gives another value compiled: compute with keras.ops."
            )


def gradients_are_those_of_the_loss(subject):
    """The gradient is the finite difference, and finite for equal, zero and large predictions."""
    loss, (y_true, y_pred) = subject.clone(), subject.inputs
    targets = ops.convert_to_tensor(y_true)

    def function(inputs):
        return loss(targets, inputs[0])

    places = [y_pred]
    if y_true.shape == y_pred.shape and y_true.dtype.kind == "f":
        places.append(y_true)
    for place in places:
        gradients.require_finite(subject.name, function, [np.asarray(place, "float32")])
    _require_finite_at(subject, function, np.asarray(y_true), y_pred)
    subject.require_undeclared("surrogate_gradient", "its gradient is no derivative by design")
    gradients.require_derivative(subject.name, function, [np.asarray(y_pred, "float32")])


def _require_finite_at(subject, function, y_true, y_pred):
    if y_true.shape != y_pred.shape or y_true.dtype.kind != "f":
        return
    _, found = gradients.gradient(function, [y_true.astype("float32")])
    if np.isnan(found[0]).any():
        raise FaultError(
            f"{subject.name} has a gradient of NaN where predictions equal targets: keep roots "
            "and logarithms away from 0."
        )


def half_precision_predictions_give_a_finite_loss(subject):
    """Predictions in half precision are computed with in float32."""
    loss, (y_true, y_pred) = subject.clone(), subject.inputs
    found = loss(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred, "float16"))
    dtype = keras.backend.standardize_dtype(found.dtype)
    if dtype != "float32":
        raise FaultError(f"{subject.name} gives {dtype} for float16 predictions, not float32.")
    exact = ops.convert_to_numpy(loss(*tensors([y_true, y_pred])))
    if differ(exact, ops.convert_to_numpy(found), 0.05) is not None:
        raise FaultError(f"{subject.name} loses its value for float16 predictions.")


CHECKS = (
    each_sample_has_a_loss_of_its_own,
    samples_do_not_depend_on_one_another,
    sample_weights_weight_samples,
    every_reduction_is_followed,
    compiled_values_are_those_of_a_call,
    gradients_are_those_of_the_loss,
    half_precision_predictions_give_a_finite_loss,
)
