"""Initial weights that give every layer outputs of variance 1 on given data."""

import contextlib
import dataclasses
import math

import keras
import numpy as np
from keras import ops

_LAYERS = (
    keras.layers.Dense,
    keras.layers.EinsumDense,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
)


@dataclasses.dataclass(frozen=True)
class LayerScaling:
    """What became of one layer: its variances, the factor of its kernel and the rounds it took."""

    name: str
    variance_before: float
    variance_after: float
    scale: float
    iterations: int


def lsuv(model, x, *, tolerance=0.1, max_iterations=10, seed=0):
    """Initializes a model, in place, so that each layer's outputs have variance 1 on `x`.

    **The weights of the given model are overwritten**: that is its purpose. Layer by layer, in the
    order in which they run, the kernel becomes orthogonal and is then divided by the standard
    deviation of the layer's outputs, before its activation, until their variance is 1:

    ```
    while |variance - 1| >= tolerance:  kernel = kernel / sqrt(variance)
    ```

    Dense, einsum, convolution, transposed and depthwise convolution layers are initialized, in
    Sequential, functional, subclassed and nested models; layers with `trainable=False`, within
    wrappers, attention or recurrent layers, and all biases stay as they are. A shared layer is
    scaled for all its calls together. Each round runs the whole model once.

    Args:
        model: A Keras model; it is built if it is not.
        x: A batch of inputs, as the model takes them; some hundred samples suffice.
        tolerance: How far the variance may lie from 1, positive; 0.1 in the paper.
        max_iterations: Rounds per layer at most; 10 in the paper. With biases of 0 one suffices.
        seed: For the orthogonal kernels.

    Returns:
        A list of records `(name, variance_before, variance_after, scale, iterations)`, one for each
        layer in the order of their calls; a layer in a nested model is named `"model/layer"`.

    Raises:
        ValueError: A bad argument, no layer to initialize, or outputs whose variance is 0 or not
            finite; the model then has its former weights.

    Example:
        >>> model = keras.applications.MobileNetV2(weights=None)
        >>> for layer in kerasdl.initializers.lsuv(model, x_train[:256]): ...

    Source:
        Mishkin, Matas: All you need is a good init, 2016 (arXiv 1511.06422), algorithm 1.
    """
    _check(tolerance, max_iterations)
    model(x, training=False)  # builds it
    layers = _layers(model)
    order = list(_variances(model, x, layers))
    if not order:
        raise ValueError(
            f"The model {model.name!r} has no trainable layer that lsuv initializes: "
            f"{', '.join(layer.__name__ for layer in _LAYERS)}."
        )
    former = model.get_weights()
    orthogonal = keras.initializers.Orthogonal(seed=keras.random.SeedGenerator(seed))

    def measure(name):
        return _variances(model, x, {name: layers[name]})[name]

    try:
        for name in order:
            kernel = layers[name].kernel
            kernel.assign(ops.cast(orthogonal(kernel.shape, "float32"), kernel.dtype))
        return [
            _scale(layers[name].kernel, name, measure, tolerance, max_iterations) for name in order
        ]
    except ValueError:
        model.set_weights(former)
        raise


def _check(tolerance, max_iterations):
    if not 0 < tolerance < math.inf:
        raise ValueError(
            f"lsuv(tolerance={tolerance!r}): tolerance must be positive. Use 0.1 as the paper does."
        )
    if max_iterations < 1:
        raise ValueError(
            f"lsuv(max_iterations={max_iterations!r}): at least one round is needed. Use 10."
        )


def _layers(model, path=""):
    """The layers to initialize by name, those of nested models included."""
    found = {}
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found.update(_layers(layer, f"{path}{layer.name}/"))
        elif isinstance(layer, _LAYERS) and layer.trainable:
            found[path + layer.name] = layer
    return found


def _variances(model, x, layers):
    """The variances before the activation on `x` by name, in the order of the layers' calls."""
    outputs = {}
    with contextlib.ExitStack() as stack:
        for name, layer in layers.items():
            stack.enter_context(_recorded(layer, outputs, name))
        model(x, training=False)
    return {
        name: float(np.var(np.concatenate(parts), dtype="float64"))
        for name, parts in outputs.items()
    }


@contextlib.contextmanager
def _recorded(layer, outputs, name):
    """Notes what the layer gives to its activation, with the activation replaced meanwhile."""
    activation = layer.activation

    def note(z):
        values = ops.convert_to_numpy(ops.cast(z, "float32"))
        outputs.setdefault(name, []).append(values.ravel())
        return z if activation is None else activation(z)

    layer.activation = note
    try:
        yield
    finally:
        layer.activation = activation


def _scale(kernel, name, measure, tolerance, max_iterations):
    before = variance = _usable(measure(name), name)
    scale, iterations = 1.0, 0
    while abs(variance - 1) >= tolerance and iterations < max_iterations:
        factor = 1 / math.sqrt(variance)
        kernel.assign(ops.multiply(kernel, ops.cast(factor, kernel.dtype)))
        variance = _usable(measure(name), name)
        scale, iterations = scale * factor, iterations + 1
    return LayerScaling(name, before, variance, scale, iterations)


def _usable(variance, name):
    if not 0 < variance < math.inf:
        raise ValueError(
            f"The outputs of the layer {name!r} have variance {variance} on x, which no scale of "
            "its kernel can make 1. Give data that varies and reaches the layer."
        )
    return variance
