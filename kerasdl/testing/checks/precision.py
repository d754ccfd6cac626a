"""Layers in half precision."""

import contextlib
import re

import keras
import numpy as np
from keras import ops, tree

from kerasdl.testing import behaviour
from kerasdl.testing.checks.layers import attempted, float_leaves
from kerasdl.testing.checks.randomness import draws_numbers
from kerasdl.testing.results import FaultError, NotApplicableError
from kerasdl.testing.subject import differ

_LACKING = "Could not find device for node|not implemented for|not in the list of allowed values"
_HALF_TOLERANCE = 0.2  # of the greatest value: a coarse look at what is lost altogether


def mixed_precision_is_kept_to(subject):
    """Under a half-precision policy weights are float32 and outputs are finite halves."""
    half = "bfloat16" if keras.backend.backend() == "torch" else "float16"
    policy = keras.DTypePolicy(f"mixed_{half}")
    if not float_leaves(subject.inputs):
        raise NotApplicableError("the inputs are integers")
    if isinstance(subject.component, keras.Model):
        raise NotApplicableError("a model has the policies of its layers")
    exact = subject.clone()
    plain = behaviour.of("layer", exact, subject.inputs)
    if not all(part.dtype.kind == "f" for part in plain):
        raise NotApplicableError("the outputs are integers")
    layer, found = _called_under(policy, subject)
    if any(part.compute_dtype != half for part in layer._flatten_layers(include_self=False)):
        raise NotApplicableError("its layers have policies of their own")
    _require_halves(subject, found, half)
    layer.set_weights(exact.get_weights())
    again = behaviour.of("layer", layer, subject.inputs)
    if differ(plain, again, _HALF_TOLERANCE) is not None and not draws_numbers(layer):
        raise FaultError(f"{subject.name} loses its values in {half}: compute in float32.")
    wrong = [v.path for v in layer.weights if "float" in v.dtype and v.dtype != "float32"]
    if wrong:
        raise FaultError(
            f"{subject.name} has weights that are not float32 under mixed_{half}: {wrong}."
        )


def _called_under(policy, subject):
    """Returns a layer that was made and built under a policy for all, and its outputs."""
    with _global_policy(policy):
        layer = subject.clone(dtype=policy)
        given = behaviour.tensors(subject.inputs)
        try:
            return layer, tree.flatten(attempted(layer, *given, action=f"called in {policy.name}"))
        except FaultError as fault:
            if re.search(_LACKING, str(fault)):
                raise NotApplicableError(f"{policy.name} lacks an operation here") from fault
            raise


def _require_halves(subject, found, half):
    for output in found:
        dtype = keras.backend.standardize_dtype(output.dtype)
        if dtype != half:
            raise FaultError(
                f"{subject.name} gives {dtype} under mixed_{half}, not {half}: cast results of "
                "float32 computations to self.compute_dtype."
            )
        if not np.isfinite(ops.convert_to_numpy(ops.cast(output, "float32"))).all():
            raise FaultError(
                f"{subject.name} gives infinities or NaN in {half}: compute in float32."
            )


@contextlib.contextmanager
def _global_policy(policy):
    """Gives layers that are made within others the policy that users set for all."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


CHECKS = (mixed_precision_is_kept_to,)
