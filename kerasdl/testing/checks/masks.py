"""How a layer treats masked steps."""

import inspect

import keras
import numpy as np
from keras import ops, tree

from kerasdl.testing.behaviour import inference
from kerasdl.testing.inputs import FEATURES, ROWS, normal
from kerasdl.testing.results import FaultError, NotApplicableError, described
from kerasdl.testing.subject import differ, numpy

_STEPS, _KEPT = 5, 3


def masked_steps_do_not_matter(subject):
    """A layer whose call takes a mask gives the same whatever masked steps hold."""
    layer = _sequence_layer(subject)
    if "mask" not in inspect.signature(layer.call).parameters:
        raise NotApplicableError("its call takes no mask")
    subject.require_undeclared("random_at_inference", "its inference is random by design")
    sequences = normal(ROWS, _STEPS, FEATURES)
    other = sequences.copy()
    other[:, _KEPT:] = other[:, _KEPT:] * -3 + 1
    these, those = (_masked(layer, one) for one in (sequences, other))
    for one, another in zip(these, those, strict=True):
        if one.shape[1:2] == (_STEPS,):
            one, another = one[:, :_KEPT], another[:, :_KEPT]
        if differ(one, another, 1e-4) is not None:
            raise FaultError(
                f"{subject.name}: what masked steps hold changes the result of others. Leave "
                "masked steps out of every sum, mean, maximum and softmax over time."
            )


def masks_fit_the_outputs(subject):
    """A mask that is passed on has the shape of the outputs' first axes."""
    layer = _sequence_layer(subject)
    if not layer.supports_masking:
        raise NotApplicableError("it does not support masks")
    place = keras.Input((None, FEATURES))
    try:
        masked = keras.layers.Masking(0.0)(place)
        outputs = tree.flatten(layer(masked))
    except ValueError as error:
        raise NotApplicableError(f"it refuses such masks: {described(error)}") from error
    except Exception as error:
        raise FaultError(
            f"{subject.name} after a Masking layer raises {described(error)}"
        ) from error
    sequences = normal(ROWS, _STEPS, FEATURES)
    sequences[:, _KEPT:] = 0
    model = keras.Model(place, outputs)
    try:
        results = tree.flatten(model(ops.convert_to_tensor(sequences), training=False))
    except ValueError as error:
        raise NotApplicableError(f"it refuses such masks: {described(error)}") from error
    for output in results:
        mask = getattr(output, "_keras_mask", None)
        if mask is not None and tuple(mask.shape) != tuple(output.shape)[: len(mask.shape)]:
            raise FaultError(
                f"{subject.name} passes on a mask of shape {tuple(mask.shape)} with outputs of "
                f"shape {tuple(output.shape)}: define compute_mask, which returns None where the "
                "axis of time is gone."
            )


def _sequence_layer(subject):
    """Returns an instance that takes sequences.

    Raises:
        NotApplicableError: It takes none.
    """
    layer = subject.clone()
    if len(subject.inputs) > 1 or not isinstance(subject.inputs[0], np.ndarray):
        raise NotApplicableError("it takes several inputs")
    try:
        layer(ops.convert_to_tensor(normal(ROWS, _STEPS, FEATURES)), **inference(layer))
    except Exception as error:
        raise NotApplicableError("it takes no sequences") from error
    return layer


def _masked(layer, sequences):
    mask = np.zeros((ROWS, _STEPS), bool)
    mask[:, :_KEPT] = True
    try:
        found = layer(
            ops.convert_to_tensor(sequences), mask=ops.convert_to_tensor(mask), **inference(layer)
        )
    except ValueError as error:
        raise NotApplicableError(f"it refuses such masks: {described(error)}") from error
    except Exception as error:
        raise FaultError(f"{type(layer).__name__} raises {described(error)} with a mask") from error
    return [np.asarray(part) for part in tree.flatten(numpy(found))]


CHECKS = (masked_steps_do_not_matter, masks_fit_the_outputs)
