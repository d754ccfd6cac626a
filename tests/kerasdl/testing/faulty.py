"""Components with one fault each, such as authors of plugins make: every one is to be found out."""

import random
import types

import keras
import numpy as np
from keras import ops

import kerasdl

faulty = kerasdl.register(package="faulty")


# Layers: configuration


class Scale(keras.layers.Layer):
    """Times a number; without a fault, to be given one."""

    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        return inputs * self.factor

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@faulty
class LosesFactor(Scale):
    """The configuration lacks an argument."""

    def get_config(self):
        config = super().get_config()
        del config["factor"]
        return config


@faulty
class StoresPercent(keras.layers.Layer):
    """The argument is stored in another unit, and returned in that."""

    def __init__(self, percent=50.0, **kwargs):
        super().__init__(**kwargs)
        self.percent = percent / 100

    def call(self, inputs):
        return inputs * self.percent

    def get_config(self):
        return {**super().get_config(), "percent": self.percent}


@faulty
class ConfiguresConstant(Scale):
    """The configuration holds the default instead of the argument."""

    def get_config(self):
        return {**super().get_config(), "factor": 2.0}


@faulty
class PopsFromConfig(Scale):
    """`from_config` takes things out of the dict that it is given."""

    @classmethod
    def from_config(cls, config):
        return cls(config.pop("factor"), **config)


@faulty
class TakesNoKeywords(keras.layers.Layer):
    """The constructor takes no name and no dtype."""

    def __init__(self, factor=2.0):
        super().__init__()
        self.factor = factor

    def call(self, inputs):
        return inputs * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}

    @classmethod
    def example_inputs(cls):
        return (np.linspace(-1, 2, 24, dtype="float32").reshape(6, 4),)


@faulty
class LosesName(Scale):
    """The constructor takes a name and drops it."""

    def __init__(self, factor=2.0, name=None, **kwargs):
        super().__init__(factor, **kwargs)


@faulty
class LosesInitializer(keras.layers.Layer):
    """An argument that is None by default is not configured."""

    def __init__(self, kernel_initializer=None, **kwargs):
        super().__init__(**kwargs)
        self.kernel_initializer = keras.initializers.get(kernel_initializer or "ones")

    def build(self, input_shape):
        self.kernel = self.add_weight((input_shape[-1],), initializer=self.kernel_initializer)

    def call(self, inputs):
        return inputs * self.kernel

    def get_config(self):
        return super().get_config()


@faulty
class HoldsLayerInConfig(keras.layers.Layer):
    """The configuration holds a layer that is not serialized, and the copy shares it."""

    def __init__(self, layer=None, **kwargs):
        super().__init__(**kwargs)
        self.layer = layer if layer is not None else keras.layers.Dense(3)

    def build(self, input_shape):
        self.layer.build(input_shape)

    def call(self, inputs):
        return self.layer(inputs)

    def get_config(self):
        return {**super().get_config(), "layer": self.layer}


@faulty
class HoldsSetInConfig(keras.layers.Layer):
    """The configuration holds what is no JSON."""

    def __init__(self, places=(0, 2), **kwargs):
        super().__init__(**kwargs)
        self.places = set(places)

    def call(self, inputs):
        return ops.take(inputs, sorted(self.places), axis=-1)

    def get_config(self):
        return {**super().get_config(), "places": self.places}


class UnregisteredLayer(Scale):
    """It lacks the decorator."""


# Layers: computation


@faulty
class CallsNumpy(keras.layers.Layer):
    """`call` computes with NumPy."""

    def call(self, inputs):
        return ops.convert_to_tensor(np.tanh(np.asarray(inputs)))


@faulty
class BranchesOnValues(keras.layers.Layer):
    """`call` has a Python if on a tensor."""

    def call(self, inputs):
        if ops.max(inputs) > 1:
            return inputs / 2
        return inputs


@faulty
class CreatesWeightsInCall(keras.layers.Layer):
    """The weight comes with the first call."""

    kernel = None

    def call(self, inputs):
        if self.kernel is None:
            self.kernel = self.add_weight((inputs.shape[-1],), initializer="ones")
        return inputs * self.kernel

    @classmethod
    def example_inputs(cls):
        return (np.linspace(-1, 2, 24, dtype="float32").reshape(6, 4),)


@faulty
class LeavesSublayerUnbuilt(keras.layers.Layer):
    """`build` makes a weight of its own, and not those of its sublayer."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(3)

    def build(self, input_shape):
        self.shift = self.add_weight((3,))

    def call(self, inputs):
        return self.dense(inputs) + self.shift


@faulty
class LeavesBuildOut(keras.layers.Layer):
    """There is no build: Keras warns, and a layer within another is loaded without weights."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(3)

    def call(self, inputs):
        return self.dense(inputs)


@faulty
class HidesVariable(keras.layers.Layer):
    """An object hides a weight from Keras, which neither trains nor saves it."""

    def build(self, input_shape):
        start = keras.random.normal((input_shape[-1],))
        self.hidden = types.SimpleNamespace(kernel=keras.Variable(start))

    def call(self, inputs):
        return inputs * self.hidden.kernel


@faulty
class HidesOnes(keras.layers.Layer):
    """An object hides a weight that starts at one: it does no harm but that it is never trained."""

    def build(self, input_shape):
        start = ops.ones((input_shape[-1],))
        self.hidden = types.SimpleNamespace(kernel=keras.Variable(start))

    def call(self, inputs):
        return inputs * self.hidden.kernel


@faulty
class BuildsLayerTwice(keras.layers.Layer):
    """A layer within that comes out of a file built is built again."""

    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape):
        self.layer.build(input_shape)

    def call(self, inputs):
        return 2 * self.layer(inputs)

    def get_config(self):
        return {**super().get_config(), "layer": keras.saving.serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config):
        rest = {name: value for name, value in config.items() if name != "layer"}
        return cls(keras.saving.deserialize_keras_object(config["layer"]), **rest)

    @classmethod
    def example(cls):
        return cls(keras.layers.Dense(3))


@faulty
class DeclaresWrongShape(keras.layers.Layer):
    """`compute_output_shape` says that the shape stays."""

    def call(self, inputs):
        return ops.concatenate([inputs, -inputs], axis=-1)

    def compute_output_shape(self, input_shape):
        return input_shape


@faulty
class FixesBatchSize(keras.layers.Layer):
    """The batch size is that of `build`."""

    def build(self, input_shape):
        self.rows = input_shape[0]

    def call(self, inputs):
        return ops.reshape(inputs, (self.rows, -1))


@faulty
class GivesOneRow(keras.layers.Layer):
    """The batch axis is gone."""

    def call(self, inputs):
        return ops.sum(inputs, axis=0)


@faulty
class ComputesInFloat32(keras.layers.Layer):
    """The result is float32 whatever the policy."""

    def call(self, inputs):
        return ops.tanh(ops.cast(inputs, "float32"))


@faulty
class OverflowsInHalf(keras.layers.Layer):
    """Squares of large numbers are infinite in float16."""

    def call(self, inputs):
        return inputs * ops.sum(ops.square(inputs * 300.0), axis=-1, keepdims=True) * 1e-4


@faulty
class VanishesInHalf(keras.layers.Layer):
    """A sum of squares overflows in float16, and the quotient by it is silently 0."""

    def call(self, inputs):
        pixels = inputs * 255.0
        return pixels / ops.sqrt(1e-3 + ops.sum(ops.square(pixels), axis=-1, keepdims=True))


@faulty
class KeepsWeightsInHalf(keras.layers.Layer):
    """The weight has the dtype of the computation."""

    def build(self, input_shape):
        self.kernel = self.add_weight((input_shape[-1],), dtype=self.compute_dtype)

    def call(self, inputs):
        return inputs * self.kernel


# Layers: randomness and state


@faulty
class IsNoisyAtInference(keras.layers.Layer):
    """Noise is added outside of training too."""

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, inputs):
        return inputs + keras.random.normal(ops.shape(inputs), seed=self.generator)

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


@faulty
class FreezesMask(keras.layers.Layer):
    """The mask of training is drawn once, in `build`."""

    def __init__(self, seed=3, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed

    def build(self, input_shape):
        noise = np.random.default_rng(self.seed).uniform(size=input_shape[1:])
        self.kept = (noise < 0.5).astype("float32")

    def call(self, inputs, training=False):
        return inputs * self.kept if training else inputs

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


@faulty
class DrawsByInt(keras.layers.Layer):
    """An int as seed draws the same numbers at every call."""

    def __init__(self, seed=3, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed

    def call(self, inputs, training=False):
        if not training:
            return inputs
        return inputs + keras.random.normal(ops.shape(inputs), seed=self.seed)

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


@faulty
class DrawsFromGlobal(keras.layers.Layer):
    """Numbers are drawn by Keras' global generator."""

    def call(self, inputs, training=False):
        return inputs + keras.random.normal(ops.shape(inputs)) if training else inputs


@faulty
class DrawsFromNumpy(keras.layers.Layer):
    """Numbers are drawn by NumPy, once for every compilation."""

    def call(self, inputs, training=False):
        noise = np.random.default_rng().normal(size=inputs.shape[1:])
        return inputs + ops.cast(noise, inputs.dtype) if training else inputs


@faulty
class DrawsInPython(keras.layers.Layer):
    """The branch of a stochastic depth is drawn in Python."""

    def call(self, inputs, training=False):
        return inputs * (2.0 if random.random() < 0.5 else 0.0) if training else inputs


@faulty
class IgnoresSeed(keras.layers.Layer):
    """The generator does not know of the seed."""

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.generator = keras.random.SeedGenerator()

    def call(self, inputs, training=False):
        noise = keras.random.normal(ops.shape(inputs), seed=self.generator)
        return inputs + noise if training else inputs

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


@faulty
class CountsAtInference(keras.layers.Layer):
    """A variable changes at inference."""

    def build(self, input_shape):
        self.mean = self.add_weight((input_shape[-1],), initializer="zeros", trainable=False)

    def call(self, inputs):
        self.mean.assign(0.9 * self.mean + 0.1 * ops.mean(inputs, axis=0))
        return inputs - ops.stop_gradient(ops.convert_to_tensor(self.mean))


@faulty
class CountsInPython(keras.layers.Layer):
    """Steps of training are counted in Python, where a compiled function counts once."""

    steps = 0

    def call(self, inputs, training=False):
        if training:
            self.steps += 1
        return inputs * (1 + 0.5 * self.steps if training else 1.0)


@faulty
class ReducesOverBatch(keras.layers.Layer):
    """The mean is that of the batch."""

    def call(self, inputs):
        return inputs - ops.mean(inputs, axis=0, keepdims=True)


@faulty
class ChangesInputs(keras.layers.Layer):
    """An augmented assignment writes into a tensor of torch."""

    def call(self, inputs):
        inputs *= 2
        return inputs


@faulty
class AveragesMaskedSteps(keras.layers.Layer):
    """The mask is taken, and ignored by the mean over time."""

    def call(self, inputs, mask=None):
        return ops.mean(inputs, axis=1)


@faulty
class PassesMaskOn(keras.layers.Layer):
    """The axis of time is gone, and the mask stays."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs):
        return ops.mean(inputs, axis=1)


# Layers: gradients


@faulty
class LosesGradient(keras.layers.Layer):
    """The gradient ends within the layer."""

    def call(self, inputs):
        return inputs * ops.stop_gradient(ops.tanh(inputs))


@faulty
class TellsWrongGradient(keras.layers.Layer):
    """The values are squares, the gradient that of another function."""

    def call(self, inputs):
        cubes = inputs**3
        return cubes + ops.stop_gradient(ops.square(inputs) - cubes)


@faulty
class HasNoGradientAtZero(keras.layers.Layer):
    """The root of a sum of squares has no gradient at 0."""

    def call(self, inputs):
        return ops.sqrt(ops.sum(ops.square(inputs), axis=-1, keepdims=True))


@faulty
class OverflowsForLarge(keras.layers.Layer):
    """The exponential is infinite for large inputs."""

    def call(self, inputs):
        return ops.log(1 + ops.exp(inputs))


@faulty
class HidesNanInWhere(keras.layers.Layer):
    """The branch that ops.where does not take has a gradient of NaN."""

    def call(self, inputs):
        return ops.where(inputs > 0, ops.sqrt(inputs), 0.0)


# Losses


@faulty
class IsScalar(keras.losses.Loss):
    """`call` reduces over the batch."""

    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred))


@faulty
class WeighsItself(keras.losses.Loss):
    """`__call__` is overridden and takes the mean over the sum of the weights."""

    def __call__(self, y_true, y_pred, sample_weight=None):
        values = self.call(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred))
        if sample_weight is None:
            return ops.mean(values)
        return ops.sum(values * sample_weight) / ops.sum(sample_weight)

    def call(self, y_true, y_pred):
        return ops.mean(ops.square(ops.cast(y_true, "float32") - y_pred), axis=-1)


@faulty
class IgnoresWeights(keras.losses.Loss):
    """`__call__` is overridden and leaves the weights out."""

    def __call__(self, y_true, y_pred, sample_weight=None):
        return super().__call__(y_true, y_pred)

    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)


@faulty
class LosesDelta(keras.losses.Loss):
    """The configuration lacks an argument."""

    def __init__(self, delta=1.0, **kwargs):
        super().__init__(**kwargs)
        self.delta = delta

    def call(self, y_true, y_pred):
        return self.delta * ops.mean(ops.square(y_true - y_pred), axis=-1)

    def get_config(self):
        return super().get_config()


@faulty
class TakesNoReduction(keras.losses.Loss):
    """The constructor takes no reduction, name or dtype."""

    def __init__(self, delta=1.0):
        super().__init__()
        self.delta = delta

    def call(self, y_true, y_pred):
        return self.delta * ops.mean(ops.square(y_true - y_pred), axis=-1)

    def get_config(self):
        return {**super().get_config(), "delta": self.delta}


@faulty
class FixesReduction(keras.losses.Loss):
    """The constructor takes a reduction and drops it."""

    def __init__(self, reduction="sum", name=None):
        super().__init__(reduction="sum_over_batch_size", name=name)

    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)

    @classmethod
    def from_config(cls, config):
        return cls(config["reduction"], config["name"])


@faulty
class HasNoGradientAtEquality(keras.losses.Loss):
    """The distance of equal points has a gradient of NaN."""

    def call(self, y_true, y_pred):
        return ops.sqrt(ops.sum(ops.square(y_true - y_pred), axis=-1))


@faulty
class TakesLogarithmOfZero(keras.losses.Loss):
    """A probability of 0 has an infinite loss."""

    def call(self, y_true, y_pred):
        return -ops.sum(y_true * ops.log(y_pred), axis=-1)


@faulty
class OverflowsForLargeLogits(keras.losses.Loss):
    """The logistic loss is computed by an exponential that overflows."""

    def call(self, y_true, y_pred):
        return ops.mean(ops.log(1 + ops.exp(y_pred)) - y_true * y_pred, axis=-1)


@faulty
class NormalizesByBatch(keras.losses.Loss):
    """A sample's loss is divided by the greatest target of the batch."""

    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1) / ops.max(y_true)


@faulty
class ComparesByNumpy(keras.losses.Loss):
    """`call` computes with NumPy."""

    def call(self, y_true, y_pred):
        difference = ops.convert_to_numpy(y_true) - ops.convert_to_numpy(y_pred)
        return ops.convert_to_tensor((difference**2).mean(axis=-1))


@faulty
class BranchesOnLoss(keras.losses.Loss):
    """`call` has a Python if on a tensor."""

    def call(self, y_true, y_pred):
        difference = ops.abs(y_true - y_pred)
        if ops.max(difference) > 0.5:
            return ops.mean(difference, axis=-1)
        return ops.mean(ops.square(difference), axis=-1)


@faulty
class HasNoGradient(keras.losses.Loss):
    """The accuracy has no gradient that would train anything."""

    def call(self, y_true, y_pred):
        certain = ops.round(y_pred)
        return ops.mean(ops.square(y_true - certain - ops.stop_gradient(y_pred)), axis=-1)


@faulty
class ComputesInHalf(keras.losses.Loss):
    """The loss has the dtype of half-precision predictions and is computed in it."""

    def __call__(self, y_true, y_pred, sample_weight=None):
        y_pred = ops.convert_to_tensor(y_pred)
        y_true = ops.cast(y_true, y_pred.dtype)
        values = self.call(y_true, y_pred)
        if sample_weight is not None:
            values = values * ops.cast(sample_weight, values.dtype)
        if self.reduction is None:
            return values
        return ops.sum(values) if self.reduction == "sum" else ops.mean(values)

    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)


@faulty
class RemembersScale(keras.losses.Loss):
    """A running mean in Python divides the loss."""

    calls = 0

    def call(self, y_true, y_pred):
        self.calls += 1
        return ops.mean(ops.square(y_true - y_pred), axis=-1) / self.calls


# Metrics


class MeanOf(keras.metrics.Metric):
    """A mean by a sum and a count; without a fault, to be given one."""

    def __init__(self, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.total = self.add_variable((), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def values(self, y_true, y_pred):
        return ops.mean(ops.abs(ops.cast(y_true, "float32") - ops.cast(y_pred, "float32")), axis=-1)

    def update_state(self, y_true, y_pred, sample_weight=None):
        values = self.values(y_true, y_pred)
        weights = ops.ones_like(values)
        if sample_weight is not None:
            weights = weights * ops.cast(sample_weight, values.dtype)
        self.add(values, weights)

    def add(self, values, weights):
        self.total.assign_add(ops.sum(values * weights))
        self.count.assign_add(ops.sum(weights))

    def result(self):
        return ops.divide_no_nan(self.total, self.count)


@faulty
class AveragesBatches(MeanOf):
    """The mean is that of the batches' means."""

    def values(self, y_true, y_pred):
        # The halves of a batch have other shares of the greatest differences.
        difference = ops.abs(ops.cast(y_true, "float32") - ops.cast(y_pred, "float32"))
        return ops.max(difference, axis=-1) ** 3

    def add(self, values, weights):
        self.total.assign_add(ops.divide_no_nan(ops.sum(values * weights), ops.sum(weights)) ** 2)
        self.count.assign_add(1.0)


@faulty
class AveragesUnequalBatches(MeanOf):
    """The mean of the batches' means, which is right for batches of equal size alone."""

    def add(self, values, weights):
        self.total.assign_add(ops.divide_no_nan(ops.sum(values * weights), ops.sum(weights)))
        self.count.assign_add(1.0)


@faulty
class SumsInPython(keras.metrics.Metric):
    """Sum and count are attributes in Python."""

    def __init__(self, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.reset_state()

    def reset_state(self):
        self.total, self.count = 0.0, 0

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total = self.total + ops.sum(ops.cast(y_pred, "float32"))
        self.count = self.count + int(y_pred.shape[0])

    def result(self):
        return self.total / max(self.count, 1)


@faulty
class CountsInPythonToo(MeanOf):
    """The count alone is an attribute in Python."""

    def add(self, values, weights):
        self.seen = getattr(self, "seen", 0) + 1
        self.total.assign_add(ops.sum(values * weights))

    def reset_state(self):
        super().reset_state()
        self.seen = 0

    def result(self):
        return self.total / max(1, getattr(self, "seen", 0))


@faulty
class ForgetsToReset(MeanOf):
    """The count is not set back."""

    def reset_state(self):
        self.total.assign(0.0)


@faulty
class IgnoresSampleWeights(MeanOf):
    """Weights are taken and ignored."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_true, y_pred)


@faulty
class WeightsTheSumAlone(MeanOf):
    """Weights enter the sum, not the count."""

    def add(self, values, weights):
        super().add(values * weights, ops.ones_like(weights))


@faulty
class ChangesWithItsResult(MeanOf):
    """`result` sets the sum back."""

    def result(self):
        found = ops.divide_no_nan(self.total, self.count)
        self.total.assign(self.total / 2)
        return found


@faulty
class GivesItsVariable(MeanOf):
    """`result` is the variable itself: on TensorFlow it does not follow a stateless update."""

    def result(self):
        return ops.convert_to_tensor(self.total)


@faulty
class IsNanWhenNew(MeanOf):
    """Zero is divided by zero before the first update."""

    def result(self):
        return self.total / self.count


@faulty
class MeasuresByNumpy(MeanOf):
    """The update computes with NumPy."""

    def values(self, y_true, y_pred):
        difference = ops.convert_to_numpy(y_true) - ops.convert_to_numpy(y_pred)
        return ops.convert_to_tensor(np.abs(difference).mean(axis=-1), "float32")


@faulty
class LosesThreshold(MeanOf):
    """The configuration lacks an argument."""

    def __init__(self, threshold=0.5, **kwargs):
        super().__init__(**kwargs)
        self.threshold = threshold

    def values(self, y_true, y_pred):
        return ops.mean(ops.cast(y_pred > self.threshold, "float32"), axis=-1)

    def get_config(self):
        return super().get_config()


@faulty
class TakesNoDtype(MeanOf):
    """The constructor takes neither name nor dtype."""

    def __init__(self):
        super().__init__()


# Optimizers


class Descent(keras.optimizers.Optimizer):
    """Gradient descent; without a fault, to be given one."""

    def __init__(self, learning_rate=0.05, name="descent", **kwargs):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)

    def update_step(self, gradient, variable, learning_rate):
        rate = ops.cast(learning_rate, variable.dtype)
        self.assign_sub(variable, rate * ops.cast(gradient, variable.dtype))


@faulty
class Ascends(Descent):
    """Steps go along the gradient."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(-gradient, variable, learning_rate)


@faulty
class IgnoresLearningRate(Descent):
    """The learning rate is a number in the code."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, 0.01)


@faulty
class FixesLearningRate(Descent):
    """The learning rate is read once, in the constructor: neither schedule nor setter matters."""

    def __init__(self, learning_rate=0.05, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.rate = learning_rate

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, self.rate)


class Momentum(Descent):
    """Descent with momentum; without a fault, to be given one."""

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.momenta = self.add_optimizer_variables(variables, "momentum")

    def slot(self, variable):
        return self.momenta[self._get_variable_index(variable)]

    def update_step(self, gradient, variable, learning_rate):
        slot = self.slot(variable)
        momentum = ops.cast(0.9, variable.dtype) * slot + ops.cast(gradient, variable.dtype)
        self.assign(slot, momentum)
        super().update_step(momentum, variable, learning_rate)


@faulty
class SharesOneSlot(Momentum):
    """Variables of the same shape have one slot together."""

    def slot(self, variable):
        return next(one for one in self.momenta if one.shape == variable.shape)


@faulty
class KeepsMomentumInPython(Descent):
    """The momentum is a tensor in a dict."""

    def update_step(self, gradient, variable, learning_rate):
        if not hasattr(self, "momenta"):
            self.momenta = {}
        momentum = 0.9 * self.momenta.get(variable.path, 0.0) + gradient
        self.momenta[variable.path] = momentum
        super().update_step(momentum, variable, learning_rate)


@faulty
class CountsStepsInPython(Descent):
    """The step is an int in Python."""

    steps = 0

    def update_step(self, gradient, variable, learning_rate):
        self.steps += 1
        super().update_step(gradient, variable, learning_rate / self.steps**0.5)


@faulty
class AssignsSlotInBuild(Descent):
    """A slot gets its first value by an assignment, which TensorFlow loses in a compiled step."""

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.starts = self.add_optimizer_variables(variables, "start")
        for start, variable in zip(self.starts, variables, strict=True):
            start.assign(variable)

    def update_step(self, gradient, variable, learning_rate):
        start = self.starts[self._get_variable_index(variable)]
        rate = ops.cast(learning_rate, variable.dtype)
        drift = (variable - start) * rate + (start - variable) * ops.cast(0.01, variable.dtype)
        self.assign_sub(variable, rate * ops.cast(gradient, variable.dtype) - drift)


@faulty
class OverridesApply(Descent):
    """`apply` is overridden, with which clipping and accumulation are lost."""

    def apply(self, grads, trainable_variables=None):
        variables = trainable_variables or self._trainable_variables
        if not self.built:
            self.build(variables)
        for gradient, variable in zip(grads, variables, strict=True):
            self.update_step(gradient, variable, self.learning_rate)
        self._iterations.assign_add(1)


@faulty
class DecaysTheExcluded(Descent):
    """Weight decay is subtracted from every variable."""

    def __init__(self, learning_rate=0.05, weight_decay=0.01, **kwargs):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)

    def _apply_weight_decay(self, variables):
        for variable in variables:
            rate = ops.cast(self.learning_rate * (self.weight_decay or 0.0), variable.dtype)
            variable.assign_sub(variable * rate)


@faulty
class CountsIterationsItself(Descent):
    """`iterations` grows in the update step too."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate)
        self._iterations.assign_add(1)


@faulty
class CreatesSlotsInUpdate(Descent):
    """Slots are created with the first step."""

    def update_step(self, gradient, variable, learning_rate):
        if not hasattr(self, "momenta"):
            self.momenta = self.add_optimizer_variables(self._trainable_variables, "momentum")
        slot = self.momenta[self._get_variable_index(variable)]
        self.assign(slot, 0.9 * slot + gradient)
        super().update_step(ops.convert_to_tensor(slot), variable, learning_rate)


@faulty
class LosesMomentum(Momentum):
    """The configuration lacks an argument."""

    def __init__(self, learning_rate=0.05, momentum=0.9, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.momentum = momentum

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(self.momentum * gradient, variable, learning_rate)

    def get_config(self):
        return super().get_config()


@faulty
class BranchesOnStep(Descent):
    """A Python if decides by the step."""

    def update_step(self, gradient, variable, learning_rate):
        rate = learning_rate if self.iterations < 5 else learning_rate / 10
        super().update_step(gradient, variable, rate)


@faulty
class TakesNoClipping(Descent):
    """The constructor takes nothing of the base class."""

    def __init__(self, learning_rate=0.05, name="descent"):
        super().__init__(learning_rate, name)


@faulty
class LosesAverages(Descent):
    """`finalize_variable_values` is overridden without the base class'."""

    def finalize_variable_values(self, var_list):
        return


# Schedules


@faulty
class BranchesOnTheStep(keras.optimizers.schedules.LearningRateSchedule):
    """A Python if on the step."""

    def __init__(self, rate=0.1):
        self.rate = rate

    def __call__(self, step):
        return self.rate if step < 10 else self.rate / 10

    def get_config(self):
        return {"rate": self.rate}


@faulty
class CountsInInt32(keras.optimizers.schedules.LearningRateSchedule):
    """The power of an int32 step overflows."""

    def __init__(self, rate=0.1):
        self.rate = rate

    def __call__(self, step):
        fourth = step * step * step * step
        return self.rate / (1.0 + 1e-6 * ops.cast(fourth, "float32"))

    def get_config(self):
        return {"rate": self.rate}


@faulty
class RemembersTheStep(keras.optimizers.schedules.LearningRateSchedule):
    """The rate falls with every call."""

    def __init__(self, rate=0.1):
        self.rate = rate
        self.now = rate

    def __call__(self, step):
        self.now = self.now * 0.9
        return self.now

    def get_config(self):
        return {"rate": self.rate}


@faulty
class FallsBelowZero(keras.optimizers.schedules.LearningRateSchedule):
    """The rate becomes negative after 100 steps."""

    def __init__(self, rate=0.1):
        self.rate = rate

    def __call__(self, step):
        return self.rate * (1 - ops.cast(step, "float32") / 100)

    def get_config(self):
        return {"rate": self.rate}


@faulty
class StartsAtInfinity(keras.optimizers.schedules.LearningRateSchedule):
    """The first step is divided by."""

    def __init__(self, rate=0.1):
        self.rate = rate

    def __call__(self, step):
        return self.rate / ops.sqrt(ops.cast(step, "float32"))

    def get_config(self):
        return {"rate": self.rate}


@faulty
class LosesDecay(keras.optimizers.schedules.LearningRateSchedule):
    """The configuration lacks an argument."""

    def __init__(self, rate=0.1, decay=0.99):
        self.rate, self.decay = rate, decay

    def __call__(self, step):
        return self.rate * self.decay ** ops.cast(step, "float32")

    def get_config(self):
        return {"rate": self.rate}


# Initializers


@faulty
class IgnoresDtype(keras.initializers.Initializer):
    """The values are float32."""

    def __call__(self, shape, dtype=None):
        return ops.full(shape, 0.5, "float32")


@faulty
class IgnoresShape(keras.initializers.Initializer):
    """A kernel is always a matrix."""

    def __call__(self, shape, dtype=None):
        return ops.eye(shape[0], shape[0], dtype=dtype or keras.config.floatx())


@faulty
class IgnoresItsSeed(keras.initializers.Initializer):
    """The seed is not passed on."""

    def __init__(self, seed=None):
        self.seed = seed

    def __call__(self, shape, dtype=None):
        return keras.random.normal(shape, dtype=dtype)

    def get_config(self):
        return {"seed": self.seed}


@faulty
class HasOneSeed(keras.initializers.Initializer):
    """All seeds give the values of one."""

    def __init__(self, seed=None):
        self.seed = seed

    def __call__(self, shape, dtype=None):
        return keras.random.normal(shape, dtype=dtype, seed=42)

    def get_config(self):
        return {"seed": self.seed}


@faulty
class DrawsByNumpy(keras.initializers.Initializer):
    """NumPy's global generator draws, which takes no seed."""

    def __init__(self, seed=None):
        self.seed = seed

    def __call__(self, shape, dtype=None):
        values = np.random.normal(size=shape)
        return ops.convert_to_tensor(values, dtype or keras.config.floatx())

    def get_config(self):
        return {"seed": self.seed}


@faulty
class GivesFloat64(keras.initializers.Initializer):
    """Without a dtype the values are NumPy's float64."""

    def __call__(self, shape, dtype="float64"):
        return ops.convert_to_tensor(np.ones(shape), dtype)


@faulty
class LosesGain(keras.initializers.Initializer):
    """The configuration lacks an argument."""

    def __init__(self, gain=2.0):
        self.gain = gain

    def __call__(self, shape, dtype=None):
        return ops.full(shape, self.gain, dtype or keras.config.floatx())

    def get_config(self):
        return {}


@faulty
class DrawsItsScale(keras.initializers.Initializer):
    """The standard deviation depends on the seed."""

    def __init__(self, seed=None):
        self.seed = seed

    def __call__(self, shape, dtype=None):
        scale = 1 + keras.random.uniform((), 0, 3, dtype=dtype, seed=self.seed)
        return keras.random.normal(shape, dtype=dtype, seed=self.seed) * scale

    def get_config(self):
        return {"seed": self.seed}


# Regularizers


@faulty
class IsVector(keras.regularizers.Regularizer):
    """The penalty is one for every column."""

    def __call__(self, x):
        return ops.sum(ops.square(x), axis=0)

    def get_config(self):
        return {}


@faulty
class IsNegative(keras.regularizers.Regularizer):
    """The penalty is a reward."""

    def __call__(self, x):
        return -ops.sum(ops.square(x))

    def get_config(self):
        return {}


@faulty
class HasNoGradientAtZeroWeights(keras.regularizers.Regularizer):
    """The norm has a gradient of NaN at 0."""

    def __call__(self, x):
        return ops.sqrt(ops.sum(ops.square(x)))

    def get_config(self):
        return {}


@faulty
class DividesByNorm(keras.regularizers.Regularizer):
    """The penalty of zeros is NaN."""

    def __call__(self, x):
        return ops.sum(ops.abs(x)) / ops.sqrt(ops.sum(ops.square(x)))

    def get_config(self):
        return {}


@faulty
class PenalizesByNumpy(keras.regularizers.Regularizer):
    """The penalty is computed with NumPy."""

    def __call__(self, x):
        return ops.convert_to_tensor(np.square(ops.convert_to_numpy(x)).sum())

    def get_config(self):
        return {}


@faulty
class WantsMatrix(keras.regularizers.Regularizer):
    """A bias raises an IndexError."""

    def __call__(self, x):
        return ops.sum(ops.square(x)) / x.shape[1]

    def get_config(self):
        return {}


@faulty
class LosesStrength(keras.regularizers.Regularizer):
    """The configuration lacks an argument."""

    def __init__(self, strength=0.1):
        self.strength = strength

    def __call__(self, x):
        return self.strength * ops.sum(ops.square(x))

    def get_config(self):
        return {}


@faulty
class PenalizesInHalf(keras.regularizers.Regularizer):
    """The penalty is computed in float16."""

    def __call__(self, x):
        return ops.sum(ops.cast(ops.square(x), "float16"))

    def get_config(self):
        return {}


# Constraints


@faulty
class ShrinksAgain(keras.constraints.Constraint):
    """What keeps to the constraint is changed again."""

    def __call__(self, w):
        return ops.convert_to_tensor(w) * 0.9


@faulty
class DividesByZero(keras.constraints.Constraint):
    """Zeros are divided by their norm."""

    def __call__(self, w):
        w = ops.convert_to_tensor(w)
        return w / ops.sqrt(ops.sum(ops.square(w), axis=0, keepdims=True))


@faulty
class AssignsToVariable(keras.constraints.Constraint):
    """The constraint writes into the variable."""

    def __call__(self, w):
        clipped = ops.clip(ops.convert_to_tensor(w), -0.5, 0.5)
        if isinstance(w, keras.Variable):
            w.assign(clipped)
        return clipped


@faulty
class ConstrainsInFloat32(keras.constraints.Constraint):
    """The weight comes back in float32."""

    def __call__(self, w):
        return ops.clip(ops.cast(w, "float32"), -0.5, 0.5)


@faulty
class ConstrainsByNumpy(keras.constraints.Constraint):
    """The weight is clipped by NumPy."""

    def __call__(self, w):
        return ops.convert_to_tensor(np.clip(ops.convert_to_numpy(w), -0.5, 0.5))


@faulty
class ChangesShape(keras.constraints.Constraint):
    """The weight comes back flat."""

    def __call__(self, w):
        return ops.reshape(ops.clip(ops.convert_to_tensor(w), -0.5, 0.5), (-1,))


@faulty
class LosesLimit(keras.constraints.Constraint):
    """The configuration lacks an argument."""

    def __init__(self, limit=0.5):
        self.limit = limit

    def __call__(self, w):
        return ops.clip(ops.convert_to_tensor(w), -self.limit, self.limit)

    def get_config(self):
        return {}


# Activations


@faulty
def gives_float32(x):
    """The values are float32."""
    return ops.tanh(ops.cast(x, "float32"))


@faulty
def has_no_gradient_at_zero(x):
    """The root has a gradient of NaN at 0."""
    return ops.sqrt(ops.abs(x))


@faulty
def overflows(x):
    """The exponential overflows."""
    return ops.log(1 + ops.exp(x))


@faulty
def squashes_by_numpy(x):
    """The values are computed with NumPy."""
    return ops.convert_to_tensor(np.tanh(ops.convert_to_numpy(x)))


@faulty
def branches(x):
    """A Python if on a tensor."""
    return x if ops.max(x) > 0 else -x


@faulty
def loses_gradient(x):
    """The gate has no gradient."""
    return x * ops.stop_gradient(ops.sigmoid(x))


# Callbacks


@faulty
class ChangesWeights(keras.callbacks.Callback):
    """The weights shrink after every epoch."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.set_weights([0.9 * weight for weight in self.model.get_weights()])


@faulty
class KeepsLearningRate(keras.callbacks.Callback):
    """A learning rate is set and not set back."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.optimizer.learning_rate = 0.001


@faulty
class FailsAtSecondFit(keras.callbacks.Callback):
    """What the first `fit` made is taken for granted, then gone."""

    def __init__(self):
        super().__init__()
        self.history = []

    def on_epoch_end(self, epoch, logs=None):
        self.history.append(logs["loss"])

    def on_train_end(self, logs=None):
        del self.history


@faulty
class WantsValidation(keras.callbacks.Callback):
    """The logs are expected to have a validation loss."""

    def on_epoch_end(self, epoch, logs=None):
        self.last = logs["val_loss"]


@faulty
class TurnsTrainingOff(keras.callbacks.Callback):
    """The model is frozen and not thawed."""

    def on_train_end(self, logs=None):
        self.model.layers[0].trainable = False
        self.model.compile("sgd", "mse")
