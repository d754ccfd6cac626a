"""A Keras model within a prior: with its weights as arguments, and as bytes."""

import pathlib
import tempfile

import keras
import numpy as np
from keras import ops


def check_model(model, shape):
    """Refuses what is no built Keras model of one input and one output.

    Args:
        model: What was given.
        shape: Of the rows that the model is to take.

    Raises:
        TypeError: It is no Keras model.
        ValueError: It is not built, has several inputs or outputs, or takes other rows.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"Expected a Keras model; received {type(model).__name__}: {model!r}.")
    if not model.built:
        raise ValueError(f"The model {model.name!r} is not built. Call it on a batch first.")
    inputs, outputs = (getattr(model, name, None) or () for name in ("inputs", "outputs"))
    if len(inputs) > 1 or len(outputs) > 1:
        raise ValueError(
            f"The model {model.name!r} has {len(inputs)} inputs and {len(outputs)} outputs; a "
            "prior takes a model of one input and one output."
        )
    for place in inputs:
        expected = place.shape[1:]
        fits = len(expected) == len(shape) and all(
            size in (None, given) for size, given in zip(expected, shape, strict=True)
        )
        if not fits:
            raise ValueError(
                f"The model {model.name!r} takes {('batch', *expected)}; received held_out rows of "
                f"shape {shape}. Pass rows as the model takes them."
            )


def weights(model):
    """Returns the values of a model's floating-point variables, float64 arrays."""
    return tuple(
        np.asarray(ops.convert_to_numpy(variable), "float64") for variable in _variables(model)
    )


def run(model, weights, x):
    """Returns the output for a tensor, in its dtype, with the given values of the variables.

    On JAX, variables that a compiled function reads by itself would be constants of it.

    Args:
        model: A built Keras model.
        weights: Those of `weights`, as tensors.
        x: `(batch, ...)`.
    """
    mapping = zip(_variables(model), weights, strict=True)
    with keras.StatelessScope(state_mapping=mapping):
        return ops.cast(model(x, training=False), x.dtype)


def to_bytes(model):
    """Returns the model's `.keras` file as a uint8 array."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.keras")
        keras.saving.save_model(model, path)
        return np.frombuffer(path.read_bytes(), "uint8")


def from_bytes(array):
    """Returns the model of a `.keras` file that is given as a uint8 array."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.keras")
        path.write_bytes(array.tobytes())
        return keras.saving.load_model(path, compile=False)


def _variables(model):
    return [variable for variable in model.variables if "float" in variable.dtype]
