"""Sound components that are unusual: every one is to pass."""

from typing import ClassVar

import keras
import numpy as np
from keras import ops

import kerasdl

sound = kerasdl.register(package="sound")


def _uniform(*shape):
    return np.random.default_rng(0).uniform(0.1, 0.9, shape).astype("float32")


# Layers: inputs and outputs


@sound
class WeightedPair(keras.layers.Layer):
    """A learned mixture of a list of two inputs."""

    def build(self, input_shape):
        first, _ = input_shape
        self.share = self.add_weight((first[-1],), initializer="ones", name="share")

    def call(self, inputs):
        first, second = inputs
        return self.share * first + (1 - self.share) * second

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    @classmethod
    def example_inputs(cls):
        return ([_uniform(4, 3), _uniform(4, 3) - 1],)


@sound
class TwoArguments(keras.layers.Layer):
    """Two tensors as two arguments, the second optional."""

    def call(self, query, value=None):
        return query if value is None else query * ops.sigmoid(value)


@sound
class Statistics(keras.layers.Layer):
    """A dict of outputs, of other ranks than the input."""

    def call(self, inputs):
        return {"mean": ops.mean(inputs, axis=-1), "scaled": 2 * inputs}

    def compute_output_shape(self, input_shape):
        return {"mean": input_shape[:-1], "scaled": input_shape}


@sound
class ReadsDict(keras.layers.Layer):
    """A dict of inputs."""

    def build(self, input_shape):
        self.dense = keras.layers.Dense(2)
        self.dense.build(input_shape["x"])

    def call(self, inputs):
        return self.dense(inputs["x"]) + inputs["shift"]

    @classmethod
    def example_inputs(cls):
        return ({"x": _uniform(4, 3), "shift": _uniform(4, 2)},)


@sound
class BestFeature(keras.layers.Layer):
    """A float and an integer output."""

    def call(self, inputs):
        return ops.max(inputs, axis=-1), ops.cast(ops.argmax(inputs, axis=-1), "int32")


@sound
class Tokens(keras.layers.Layer):
    """Integers to vectors."""

    def __init__(self, size=7, width=3, **kwargs):
        super().__init__(**kwargs)
        self.size, self.width = size, width

    def build(self, input_shape):
        self.table = self.add_weight((self.size, self.width), name="table")

    def call(self, inputs):
        return ops.take(self.table, ops.cast(inputs, "int32"), axis=0)

    def get_config(self):
        return {**super().get_config(), "size": self.size, "width": self.width}

    @classmethod
    def example_inputs(cls):
        return (np.arange(12).reshape(4, 3) % 7,)


# Layers: arguments


@sound
class TakesManyKinds(keras.layers.Layer):
    """Arguments that are a list, a dict and None."""

    other_settings: ClassVar = {
        "places": [1, 2],
        "factors": {"up": 3.0, "down": 0.25},
        "limit": 0.5,
    }

    def __init__(self, places=(0, 2), factors=None, limit=None, **kwargs):
        super().__init__(**kwargs)
        self.places = list(places)
        self.factors = dict(factors or {"up": 2.0, "down": 0.5})
        self.limit = limit

    def call(self, inputs):
        outputs = ops.take(inputs, self.places, axis=-1) * self.factors["up"]
        outputs = outputs - self.factors["down"]
        return outputs if self.limit is None else ops.clip(outputs, -self.limit, self.limit)

    def get_config(self):
        own = {"places": self.places, "factors": dict(self.factors), "limit": self.limit}
        return {**super().get_config(), **own}


@sound
class ChannelScale(keras.layers.Layer):
    """A factor for every channel, wherever the channels are."""

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = keras.config.image_data_format() if data_format is None else data_format

    def build(self, input_shape):
        shape = [1] * len(input_shape)
        place = -1 if self.data_format == "channels_last" else 1
        shape[place] = input_shape[place]
        self.factors = self.add_weight(tuple(shape), initializer="ones", name="factors")

    def call(self, inputs):
        return inputs * self.factors

    def get_config(self):
        return {**super().get_config(), "data_format": self.data_format}

    @classmethod
    def example_inputs(cls):
        return (_uniform(4, 6, 6, 3),)


@sound
class WithRegularizer(keras.layers.Layer):
    """A kernel with initializer, regularizer and constraint, given as anything Keras takes."""

    def __init__(
        self,
        units=3,
        kernel_initializer="glorot_uniform",
        kernel_regularizer=None,
        kernel_constraint=None,
        activation=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = units
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        self.kernel = self.add_weight(
            (input_shape[-1], self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )

    def call(self, inputs):
        return self.activation(ops.matmul(inputs, self.kernel))

    def get_config(self):
        own = {
            "units": self.units,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "kernel_constraint": keras.constraints.serialize(self.kernel_constraint),
            "activation": keras.activations.serialize(self.activation),
        }
        return {**super().get_config(), **own}


# Layers: layers within


@sound
class Around(keras.layers.Layer):
    """A layer around a layer, with a from_config of its own."""

    other_settings: ClassVar = {"layer": lambda: keras.layers.Dense(2)}

    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape):
        if not self.layer.built:
            self.layer.build(input_shape)

    def call(self, inputs):
        return 2 * self.layer(inputs)

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        return {**super().get_config(), "layer": keras.saving.serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config["layer"]), **_without_layer(config))

    @classmethod
    def example(cls):
        return cls(keras.layers.Dense(3))


def _without_layer(config):
    return {name: value for name, value in config.items() if name != "layer"}


@sound
class AroundTwice(keras.layers.Wrapper):
    """Keras' own base class of wrappers, around a wrapper."""

    other_settings: ClassVar = {"layer": lambda: Around(keras.layers.Dense(2))}

    def call(self, inputs):
        return self.layer(inputs) + 1

    @classmethod
    def example(cls):
        return cls(Around(keras.layers.Dense(3)))


@sound
class Tower(keras.layers.Layer):
    """Sublayers in a list."""

    def __init__(self, widths=(4, 3), **kwargs):
        super().__init__(**kwargs)
        self.widths = list(widths)
        self.stages = [keras.layers.Dense(width, "tanh") for width in self.widths]

    def build(self, input_shape):
        for stage in self.stages:
            stage.build(input_shape)
            input_shape = stage.compute_output_shape(input_shape)

    def call(self, inputs):
        for stage in self.stages:
            inputs = stage(inputs)
        return inputs

    def get_config(self):
        return {**super().get_config(), "widths": self.widths}


@sound
class SmallModel(keras.Model):
    """A subclassed model as a component, without a build method."""

    def __init__(self, width=4, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.first = keras.layers.Dense(width, "tanh")
        self.drop = keras.layers.Dropout(0.3, seed=1)
        self.last = keras.layers.Dense(2)

    def call(self, inputs, training=False):
        return self.last(self.drop(self.first(inputs), training=training))

    def get_config(self):
        return {**super().get_config(), "width": self.width}


@sound
class Recurrent(keras.layers.Layer):
    """A cell of Keras within, and its mask."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.recurrence = keras.layers.SimpleRNN(units)

    def build(self, input_shape):
        self.recurrence.build(input_shape)

    def call(self, inputs, mask=None, training=False):
        return self.recurrence(inputs, mask=mask, training=training)

    def get_config(self):
        return {**super().get_config(), "units": self.units}

    @classmethod
    def example_inputs(cls):
        return (_uniform(3, 3, 2),)


# Layers: masks, randomness and state


@sound
class MaskedMean(keras.layers.Layer):
    """The mean over the steps that the mask keeps; the mask ends here."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        if mask is None:
            return ops.mean(inputs, axis=1)
        weights = ops.expand_dims(ops.cast(mask, inputs.dtype), -1)
        return ops.sum(inputs * weights, axis=1) / ops.maximum(ops.sum(weights, axis=1), 1)

    def compute_mask(self, inputs, mask=None):
        return None

    @classmethod
    def example_inputs(cls):
        return (_uniform(4, 5, 3),)


@sound
class AlwaysDropping(keras.layers.Layer):
    """Random at inference by design."""

    random_at_inference = True

    def __init__(self, rate=0.5, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate, self.seed = rate, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs):
        return keras.random.dropout(inputs, self.rate, seed=self.seed_generator)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@sound
class NoisyInTraining(keras.layers.Layer):
    """Noise of a learned size in training."""

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        self.size = self.add_weight((), initializer="ones", name="size")

    def call(self, inputs, training=False):
        if not training:
            return inputs
        noise = keras.random.normal(ops.shape(inputs), dtype=inputs.dtype, seed=self.seed_generator)
        return inputs + self.size * noise

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


@sound
class CountsTraining(keras.layers.Layer):
    """A counter that grows in training alone, and a factor that follows it."""

    def build(self, input_shape):
        self.steps = self.add_weight((), "zeros", dtype="int32", trainable=False, name="steps")

    def call(self, inputs, training=False):
        if training:
            self.steps.assign_add(1)
        return inputs / (1 + 0.1 * ops.cast(self.steps, inputs.dtype))


@sound
class CentersByBatch(keras.layers.Layer):
    """In training the batch's mean, at inference the moving one."""

    def build(self, input_shape):
        self.mean = self.add_weight((input_shape[-1],), "zeros", trainable=False, name="mean")

    def call(self, inputs, training=False):
        mean = ops.convert_to_tensor(self.mean)
        if training:
            mean = ops.mean(ops.cast(inputs, "float32"), axis=0)
            self.mean.assign(0.9 * self.mean + 0.1 * ops.stop_gradient(mean))
        return inputs - ops.cast(mean, inputs.dtype)

    @classmethod
    def example_inputs(cls):
        return (_uniform(4, 3),)


@sound
class SubtractsBatchMean(keras.layers.Layer):
    """Rows that interact by design."""

    rows_interact = True

    def call(self, inputs):
        return inputs - ops.mean(inputs, axis=0, keepdims=True)


@sound
class Standardize(keras.layers.Layer):
    """Mean and deviation of data that `adapt` has seen."""

    def build(self, input_shape):
        width = (input_shape[-1],)
        self.mean = self.add_weight(width, "zeros", trainable=False, name="mean")
        self.deviation = self.add_weight(width, "ones", trainable=False, name="deviation")

    def adapt(self, data):
        if not self.built:
            self.build(data.shape)
            self.built = True
        flat = np.reshape(data, (-1, np.shape(data)[-1]))
        self.mean.assign(flat.mean(axis=0))
        self.deviation.assign(flat.std(axis=0) + 1e-3)

    def call(self, inputs):
        mean, deviation = (ops.cast(v, inputs.dtype) for v in (self.mean, self.deviation))
        return (inputs - mean) / deviation


@sound
class AddsPenalty(keras.layers.Layer):
    """A loss of its own, beside what it returns."""

    def __init__(self, strength=0.1, **kwargs):
        super().__init__(**kwargs)
        self.strength = strength

    def call(self, inputs):
        self.add_loss(self.strength * ops.mean(ops.square(ops.cast(inputs, "float32"))))
        return inputs

    def get_config(self):
        return {**super().get_config(), "strength": self.strength}


@sound
class RoundsStraightThrough(keras.layers.Layer):
    """A gradient that is no derivative by design."""

    surrogate_gradient = True

    def call(self, inputs):
        return inputs + ops.stop_gradient(ops.round(inputs) - inputs)


@sound
class KeepsLargest(keras.layers.Layer):
    """Everything but the two largest features is zero, in float32 within."""

    def call(self, inputs):
        values = ops.cast(inputs, "float32")
        least = ops.min(ops.top_k(values, 2)[0], axis=-1, keepdims=True)
        return ops.cast(ops.where(values >= least, values, 0.0), self.compute_dtype)


# Losses


@sound
class StepwiseError(keras.losses.Loss):
    """Values of shape (batch, time)."""

    def call(self, y_true, y_pred):
        return ops.mean(ops.abs(y_true - y_pred), axis=-1)

    @classmethod
    def example_inputs(cls):
        return _uniform(6, 5, 2), 1 - _uniform(6, 5, 2) ** 2


@sound
class LabelMargin(keras.losses.Loss):
    """Integer labels, which the base class hands over as floats."""

    def __init__(self, margin=1.0, reduction="sum_over_batch_size", name="label_margin", **kwargs):
        super().__init__(reduction=reduction, name=name, **kwargs)
        self.margin = margin

    def call(self, y_true, y_pred):
        classes = ops.shape(y_pred)[-1]
        own = ops.one_hot(ops.cast(y_true, "int32"), classes, dtype=y_pred.dtype)
        right = ops.sum(own * y_pred, axis=-1, keepdims=True)
        return ops.sum((1 - own) * ops.relu(self.margin + y_pred - right), axis=-1)

    def get_config(self):
        return {**super().get_config(), "margin": self.margin}

    @classmethod
    def example_inputs(cls):
        return np.arange(6) % 3, _uniform(6, 3)


@sound
class Contrast(keras.losses.Loss):
    """Samples that interact by design."""

    rows_interact = True

    def call(self, y_true, y_pred):
        similarities = ops.matmul(y_pred, ops.transpose(y_true))
        rows = ops.arange(ops.shape(y_pred)[0])
        return keras.losses.sparse_categorical_crossentropy(rows, similarities, from_logits=True)

    @classmethod
    def example_inputs(cls):
        return _uniform(6, 4), 1 - _uniform(6, 4) ** 2


# Metrics


@sound
class CountMatrix(keras.metrics.Metric):
    """A matrix as state and as result."""

    def __init__(self, classes=3, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.classes = classes
        self.counts = self.add_variable((classes, classes), "zeros", name="counts")

    def update_state(self, y_true, y_pred, sample_weight=None):
        rows = ops.one_hot(ops.cast(y_true, "int32"), self.classes, dtype=self.dtype)
        columns = ops.one_hot(ops.argmax(y_pred, axis=-1), self.classes, dtype=self.dtype)
        if sample_weight is not None:
            rows = rows * ops.expand_dims(ops.cast(sample_weight, self.dtype), -1)
        self.counts.assign_add(ops.matmul(ops.transpose(rows), columns))

    def result(self):
        return 1.0 * self.counts

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}

    @classmethod
    def example_inputs(cls):
        return np.arange(6) % 3, _uniform(6, 3)


@sound
class Largest(keras.metrics.Metric):
    """The largest value of one argument so far; no weights."""

    def __init__(self, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.largest = self.add_variable((), "zeros", name="largest")

    def update_state(self, values):
        self.largest.assign(ops.maximum(self.largest, ops.max(ops.abs(values))))

    def result(self):
        return 1.0 * self.largest


@sound
class MeanByColumn(keras.metrics.Metric):
    """State that the first update makes, and a dict as result."""

    def __init__(self, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.built_for = None

    def build(self, width):
        self.built_for = width
        self.total = self.add_variable((width,), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        if self.built_for is None:
            self.build(y_pred.shape[-1])
        weights = ops.ones_like(y_pred[:, 0])
        if sample_weight is not None:
            weights = weights * ops.cast(sample_weight, weights.dtype)
        self.total.assign_add(ops.sum(y_pred * ops.expand_dims(weights, -1), axis=0))
        self.count.assign_add(ops.sum(weights))

    def result(self):
        means = ops.divide_no_nan(self.total, self.count)
        return {"least": ops.min(means), "most": ops.max(means)}

    def reset_state(self):
        if self.built_for is not None:
            super().reset_state()


# Optimizers


@sound
class TwoSlots(keras.optimizers.Optimizer):
    """Two slots for every variable, and the largest gradient of all as a number."""

    def __init__(self, learning_rate=0.05, momentum=0.9, name="two_slots", **kwargs):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.momentum = momentum

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.means = self.add_optimizer_variables(variables, "mean")
        self.squares = self.add_optimizer_variables(variables, "square")
        self.largest = self.add_variable((), "zeros", name="largest")

    def update_step(self, gradient, variable, learning_rate):
        place = self._get_variable_index(variable)
        gradient = ops.cast(gradient, variable.dtype)
        rate, share = (ops.cast(one, variable.dtype) for one in (learning_rate, self.momentum))
        mean = share * self.means[place] + (1 - share) * gradient
        square = share * self.squares[place] + (1 - share) * ops.square(gradient)
        self.assign(self.means[place], mean)
        self.assign(self.squares[place], square)
        largest = ops.cast(ops.max(ops.abs(gradient)), self.largest.dtype)
        self.assign(self.largest, ops.maximum(self.largest, largest))
        self.assign_sub(variable, rate * mean / (ops.sqrt(square) + 1e-3))

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum}


@sound
class Signs(keras.optimizers.Optimizer):
    """Steps by signs, twice as long every other time."""

    def __init__(self, learning_rate=0.01, name="signs", **kwargs):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)

    def update_step(self, gradient, variable, learning_rate):
        is_odd = ops.cast(self.iterations % 2, variable.dtype)
        rate = ops.cast(learning_rate, variable.dtype) * (1 + is_odd)
        self.assign_sub(variable, rate * ops.sign(ops.cast(gradient, variable.dtype)))


# Schedules


@sound
class Staircase(keras.optimizers.schedules.LearningRateSchedule):
    """Rates that change at steps."""

    def __init__(self, rates=(0.1, 0.01, 0.001), steps=(5, 50)):
        self.rates, self.steps = list(rates), list(steps)

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rate = ops.cast(self.rates[0], "float32")
        for later, start in zip(self.rates[1:], self.steps, strict=True):
            rate = ops.where(step >= start, later, rate)
        return rate

    def get_config(self):
        return {"rates": self.rates, "steps": self.steps}


@sound
class Delayed(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that holds another."""

    other_settings: ClassVar = {
        "after": lambda: keras.optimizers.schedules.ExponentialDecay(0.2, 10, 0.5)
    }

    def __init__(self, after=None, steps=10):
        self.after = after or keras.optimizers.schedules.CosineDecay(0.1, 100)
        self.steps = steps

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rate = self.after(ops.maximum(step - self.steps, 0.0))
        return ops.where(step < self.steps, 0.0, rate)

    def get_config(self):
        after = keras.saving.serialize_keras_object(self.after)
        return {"after": after, "steps": self.steps}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config["after"]), config["steps"])


# Initializers


@sound
class RotatedIdentity(keras.initializers.Initializer):
    """Square matrices alone."""

    def __init__(self, seed=None):
        self.seed = seed

    def __call__(self, shape, dtype=None):
        if len(shape) != 2 or shape[0] != shape[1]:
            raise ValueError(f"RotatedIdentity takes square matrices; received {shape}.")
        noise = keras.random.normal(shape, dtype="float32", seed=self.seed)
        return ops.cast(ops.qr(noise)[0], dtype or keras.config.floatx())

    def get_config(self):
        return {"seed": self.seed}

    @classmethod
    def example_inputs(cls):
        return ((12, 12),)


@sound
class Checkerboard(keras.initializers.Initializer):
    """A fixed pattern, without a seed."""

    def __init__(self, value=0.5):
        self.value = value

    def __call__(self, shape, dtype=None):
        signs = np.where(np.indices(shape).sum(axis=0) % 2, -1.0, 1.0)
        return ops.convert_to_tensor(self.value * signs, dtype or keras.config.floatx())

    def get_config(self):
        return {"value": self.value}


# Regularizers


@sound
class SmoothFilters(keras.regularizers.Regularizer):
    """Differences of neighbours in kernels of convolutions; a ValueError otherwise."""

    def __init__(self, strength=0.1):
        self.strength = strength

    def __call__(self, x):
        if len(x.shape) != 4:
            raise ValueError(f"SmoothFilters takes weights of rank 4; received {tuple(x.shape)}.")
        down, right = x[1:] - x[:-1], x[:, 1:] - x[:, :-1]
        return self.strength * (ops.sum(ops.square(down)) + ops.sum(ops.abs(right)))

    def get_config(self):
        return {"strength": self.strength}


# Constraints


@sound
class UnitColumns(keras.constraints.Constraint):
    """Matrices alone: columns of length at most one."""

    def __init__(self, limit=1.0):
        self.limit = limit

    def __call__(self, w):
        w = ops.convert_to_tensor(w)
        if len(w.shape) != 2:
            raise ValueError(f"UnitColumns takes matrices; received shape {tuple(w.shape)}.")
        norms = ops.sqrt(ops.sum(ops.square(ops.cast(w, "float32")), axis=0, keepdims=True))
        return w * ops.cast(self.limit / ops.maximum(norms, self.limit), w.dtype)

    def get_config(self):
        return {"limit": self.limit}


@sound
class Symmetric(keras.constraints.Constraint):
    """Square matrices that equal their transpose."""

    def __call__(self, w):
        w = ops.convert_to_tensor(w)
        return (w + ops.transpose(w)) / 2

    @classmethod
    def example_inputs(cls):
        return (np.random.default_rng(0).normal(size=(4, 4)).astype("float32"),)


# Activations


@sound
def kinked(x):
    """Flat between two kinks."""
    return ops.sign(x) * ops.relu(ops.abs(x) - 0.5)


@sound
def shares(x):
    """Features that sum to one."""
    return ops.softmax(x, axis=-1)


# Callbacks


@sound
class Records(keras.callbacks.Callback):
    """What it saw, for each fit anew."""

    def __init__(self, every=2):
        super().__init__()
        self.every = every

    def on_train_begin(self, logs=None):
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        if epoch % self.every == 0:
            self.seen.append(dict(logs or {}))


@sound
class LowersLearningRate(keras.callbacks.Callback):
    """Training is changed by design."""

    changes_training = True

    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.learning_rate = 0.01 / (1 + epoch)
