"""A small model around a component: what is trained, saved and loaded to examine it."""

import keras
import numpy as np
from keras import layers, ops, tree

from kerasdl.testing.inputs import normal
from kerasdl.testing.results import NotApplicableError

_ROWS = 6
_NO_GRADIENT = "No gradients provided for any variable", "does not require grad"
_TARGET = 0.5  # of every output where the component sets none


def host(kind, component, inputs, **compile_settings):
    """Returns a compiled model that holds a component, its inputs and its targets.

    Args:
        kind: The component's kind.
        component: An instance, which becomes part of the model.
        inputs: What the component is called with; see `inputs.py`.
        **compile_settings: Of `keras.Model.compile`.

    Returns:
        The model, and two lists of arrays.

    Raises:
        NotApplicableError: No model holds such a component.
    """
    model, x, y, settings = _HOSTS[kind](component, inputs)
    model.compile(**{"optimizer": Descent(0.01), "loss": "mse", **settings, **compile_settings})
    return model, x, y


def outcomes(model, x, y, steps=2):
    """Returns what a model gives, and gives after some steps of training on one batch, as arrays.

    Raises:
        Exception: Whatever the component raises.
    """
    found = [*_outputs(model, x), *_scores(model, x, y)]
    if _is_trainable(model):
        train(model, x, y, steps)
        found += _outputs(model, x)
    return [np.asarray(part) for part in found]


def train(model, x, y, steps):
    """Trains a model on one batch; one that has no gradient stays as it is."""
    for _ in range(steps):
        try:
            model.train_on_batch(_alone(x), _alone(y))
        except (ValueError, RuntimeError) as error:
            if not any(words in str(error) for words in _NO_GRADIENT):
                raise


def _outputs(model, x):
    found = model(_alone([ops.convert_to_tensor(one) for one in x]), training=False)
    return [ops.convert_to_numpy(part) for part in tree.flatten(found)]


def _scores(model, x, y):
    if not _is_trainable(model):
        return []
    scores = model.test_on_batch(_alone(x), _alone(y), return_dict=True)
    model.reset_metrics()
    return [np.asarray(scores[name]) for name in sorted(scores)]


def _is_trainable(model):
    outputs = [keras.backend.standardize_dtype(output.dtype) for output in model.outputs]
    return bool(model.trainable_variables) and all("float" in dtype for dtype in outputs)


def _alone(parts):
    return parts[0] if len(parts) == 1 else parts


@keras.saving.register_keras_serializable("kerasdl.testing")
class Descent(keras.optimizers.Optimizer):
    """Gradient descent that is the same class on every backend; Keras' own is not on torch."""

    def update_step(self, gradient, variable, learning_rate):
        """Moves one variable against its gradient."""
        self.assign_sub(variable, learning_rate * ops.cast(gradient, variable.dtype))


def _of_layer(layer, inputs):
    """Returns inputs, a trainable identity for each that is no integer, the layer, its outputs."""
    places = tree.map_structure(_place, inputs)
    given = tree.map_structure(_trainable_identity, places)
    outputs = tree.flatten(layer(*given))
    x = [np.asarray(part) for part in tree.flatten(inputs)]
    model = keras.Model(_alone(tree.flatten(places)), outputs)
    y = [np.full(part.shape, _TARGET, "float32") for part in _outputs(model, x)]
    settings = {"loss": ["mse"] * len(y)} if len(y) > 1 else {}
    return model, x, y, settings


def _place(array):
    return keras.Input(array.shape[1:], dtype=np.asarray(array).dtype.name)


def _trainable_identity(place):
    if "float" not in place.dtype or len(place.shape) < 2:
        return place
    return layers.Dense(place.shape[-1], kernel_initializer="identity", dtype=place.dtype)(place)


def _of_loss(loss, inputs):
    y_true, y_pred = inputs
    model, x, _, _ = _of_predictions(y_pred)
    return model, x, [y_true], {"loss": loss}


def _of_metric(metric, inputs):
    if len(inputs) != 2:
        raise NotApplicableError("a metric of one argument is not given to compile")
    y_true, y_pred = inputs
    model, x, _, _ = _of_predictions(y_pred)
    return model, x, [y_true], {"loss": predictions_only, "metrics": [metric]}


@keras.saving.register_keras_serializable("kerasdl.testing")
def predictions_only(y_true, y_pred):
    """A loss that takes any targets: those of a metric may be labels."""
    return ops.mean(y_pred**2, axis=-1)


def _of_predictions(y_pred):
    y_pred = y_pred if y_pred.ndim > 1 else y_pred[:, None]
    place = _place(y_pred)
    model = keras.Model(place, _trainable_identity(place))
    return model, [y_pred], [np.full(y_pred.shape, _TARGET)], {}


def perceptron(activation="tanh"):
    """Returns an uncompiled model of two layers, inputs and targets."""
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(5, activation=activation, kernel_initializer=_kernel(0.7)),
            layers.Dense(2, kernel_initializer=_kernel(0.5)),
        ]
    )
    return model, [normal(_ROWS, 4)], [normal(_ROWS, 2)]


def _kernel(scale):
    return keras.initializers.RandomNormal(0, scale, seed=3)


def _of_optimizer(optimizer, inputs):
    return *perceptron(), {"optimizer": optimizer}


def _of_schedule(schedule, inputs):
    return *perceptron(), {"optimizer": Descent(schedule)}


def _weighted(shape, **settings):
    """Returns an uncompiled model with a kernel of a shape, inputs and targets."""
    if len(shape) == 1:
        settings = {name.replace("kernel", "bias"): value for name, value in settings.items()}
        shape = (3, *shape)
    if len(shape) == 2:
        layer, x = layers.Dense(shape[1], **settings), normal(_ROWS, shape[0])
    else:
        kind = {3: layers.Conv1D, 4: layers.Conv2D, 5: layers.Conv3D}[len(shape)]
        layer = kind(shape[-1], shape[:-2], **settings)
        x = normal(_ROWS, *(size + 1 for size in shape[:-2]), shape[-2])
    model = keras.Sequential([keras.Input(x.shape[1:]), layer])
    return model, [x], [np.full((_ROWS, *model.output_shape[1:]), _TARGET)]


def _of_initializer(initializer, inputs):
    return *_weighted(inputs[0], kernel_initializer=initializer), {}


def _of_regularizer(regularizer, inputs):
    return *_weighted(inputs[0].shape, kernel_regularizer=regularizer), {}


def _of_constraint(constraint, inputs):
    return *_weighted(inputs[0].shape, kernel_constraint=constraint), {}


def _of_callback(callback, inputs):
    raise NotApplicableError("Keras saves no callbacks")


def _of_activation(activation, inputs):
    place = _place(inputs[0])
    model = keras.Model(place, layers.Dense(inputs[0].shape[-1], activation=activation)(place))
    shape = activation(ops.convert_to_tensor(inputs[0])).shape
    return model, [inputs[0]], [np.full(tuple(shape), _TARGET)], {}


_HOSTS = {
    "layer": _of_layer,
    "loss": _of_loss,
    "metric": _of_metric,
    "optimizer": _of_optimizer,
    "schedule": _of_schedule,
    "initializer": _of_initializer,
    "regularizer": _of_regularizer,
    "constraint": _of_constraint,
    "activation": _of_activation,
    "callback": _of_callback,
}
