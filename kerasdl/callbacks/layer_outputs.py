"""The outputs of a model's layers on given data, for callbacks that watch them."""

import contextlib
import difflib
import operator

import keras
import numpy as np
from keras import ops, tree


def layers_of(model, path=""):
    """Returns the layers by name; those of nested models are named `"model/layer"`.

    A wrapper or a recurrent layer counts as one layer.
    """
    found = {}
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found.update(layers_of(layer, f"{path}{layer.name}/"))
        elif not isinstance(layer, keras.layers.InputLayer):
            found[path + layer.name] = layer
    return found


def chosen_layers(owner, model, names):
    """Returns the layers of these names.

    Raises:
        ValueError: The model has no layer of one of the names.
    """
    layers = layers_of(model)
    for name in names:
        if name not in layers:
            near = difflib.get_close_matches(str(name), layers, n=3, cutoff=0.0)
            raise ValueError(
                f"{type(owner).__name__}(layers=...): the model {model.name!r} has no layer "
                f"{name!r}; the nearest are {', '.join(map(repr, near))}."
            )
    return {name: layers[name] for name in names}


def channel_axis(layer, ndim):
    """Returns the axis of a layer's outputs along which its units lie."""
    return 1 if getattr(layer, "data_format", None) == "channels_first" else ndim - 1


def batches(data, batch_size):
    """Yields slices of arrays of any structure; all have the same length."""
    for start in range(0, len(tree.flatten(data)[0]), batch_size):
        yield tree.map_structure(operator.itemgetter(slice(start, start + batch_size)), data)


def layer_outputs(model, layers, x, batch_size):
    """Yields the name and the outputs of every call of a layer, inference mode, on `x`.

    Args:
        model: The model that calls the layers.
        layers: Layers by name.
        x: The model's inputs.
        batch_size: Samples per run of the model.

    Yields:
        `(name, units)`, with `units` a NumPy array of shape `(rows, units)`, float32: a row for
        each sample and position. Layers with several outputs are left out.
    """
    for batch in batches(x, batch_size):
        with contextlib.ExitStack() as stack:
            calls = []
            for name, layer in layers.items():
                stack.enter_context(_recorded(layer, name, calls))
            model(batch, training=False)
        for name, output in calls:
            if ops.is_tensor(output) and len(output.shape) >= 2:
                yield name, _rows(output, channel_axis(layers[name], len(output.shape)))


@contextlib.contextmanager
def _recorded(layer, name, calls):
    """Notes what a layer returns; the instance hides its method meanwhile."""
    call = layer.call

    def note(*arguments, **settings):
        output = call(*arguments, **settings)
        calls.append((name, output))
        return output

    vars(layer)["call"] = note
    try:
        yield
    finally:
        del vars(layer)["call"]


def _rows(output, axis):
    values = ops.convert_to_numpy(ops.cast(output, "float32"))
    return np.moveaxis(values, axis, -1).reshape(-1, values.shape[axis])
