"""What a component does, as arrays: what two instances that are the same have in common."""

import inspect

import keras
import numpy as np
from keras import ops, tree

STEPS = (0, 1, 2, 10, 1000)  # at which schedules are compared
WEIGHT_SHAPES = ((6, 4), (3, 3, 2, 4))  # a dense kernel and a convolution's
_UPDATES = 4  # of an optimizer


def of(kind, component, inputs):
    """Returns what a component gives for its inputs, a list of arrays.

    Args:
        kind: Its kind.
        component: An instance; layers that hold random weights are compared after theirs are set.
        inputs: The arguments of a call; see `inputs.py`.
    """
    found = _BEHAVIOURS[kind](component, inputs)
    return [ops.convert_to_numpy(part) for part in tree.flatten(found)]


def tensors(inputs):
    """Returns arrays as tensors of their own dtype, float64 as Keras' default."""
    return tree.map_structure(_tensor, inputs)


def _tensor(array):
    array = np.asarray(array)
    if array.dtype == "float64":
        return ops.convert_to_tensor(array, keras.config.floatx())
    return ops.convert_to_tensor(array)


def trajectory(optimizer, updates=_UPDATES, shapes=((3, 2), (2,)), dtype="float32", scale=1.0):
    """Returns what variables are after every update by fixed gradients, a list per update."""
    random = np.random.default_rng(0)
    variables = [
        keras.Variable(random.normal(size=shape), dtype=dtype, name=name)
        for shape, name in zip(shapes, ("kernel", "bias"), strict=True)
    ]
    optimizer.build(variables)
    found = []
    for _ in range(updates):
        gradients = [
            ops.convert_to_tensor(scale * random.normal(size=shape), dtype) for shape in shapes
        ]
        optimizer.apply(gradients)
        found.append([np.array(ops.convert_to_numpy(variable)) for variable in variables])
    return found


def _of_layer(layer, inputs):
    return layer(*tensors(inputs), **inference(layer))


def inference(layer):
    """Returns the argument of a call that says it is no training, where the layer takes it."""
    return {"training": False} if "training" in inspect.signature(layer.call).parameters else {}


def called(layer, inputs, training):
    """Returns the outputs of a layer as a list of arrays."""
    takes = "training" in inspect.signature(layer.call).parameters
    found = layer(*tensors(inputs), **({"training": training} if takes else {}))
    return [np.asarray(ops.convert_to_numpy(part)) for part in tree.flatten(found)]


def _of_metric(metric, inputs):
    metric.reset_state()
    metric.update_state(*tensors(inputs))
    return metric.result()


_BEHAVIOURS = {
    "layer": _of_layer,
    "loss": lambda loss, inputs: loss(*tensors(inputs)),
    "metric": _of_metric,
    "optimizer": lambda optimizer, inputs: trajectory(optimizer),
    "schedule": lambda schedule, inputs: [
        ops.convert_to_tensor(schedule(ops.convert_to_tensor(step, "int32"))) for step in STEPS
    ],
    "initializer": lambda initializer, inputs: initializer(*inputs),
    "regularizer": lambda regularizer, inputs: regularizer(*tensors(inputs)),
    "constraint": lambda constraint, inputs: constraint(*tensors(inputs)),
    "activation": lambda activation, inputs: activation(*tensors(inputs)),
    "callback": lambda callback, inputs: [],
}
