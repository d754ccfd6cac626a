"""LRP measured: time and memory against a compiled gradient, every application, float32 precision.

    python tests/benchmarks/lrp.py speed [--nets VGG16 ResNet50] [--batches 8 1] [--rounds 7]
    python tests/benchmarks/lrp.py memory [--nets ...] [--batches ...]
    python tests/benchmarks/lrp.py applications
    python tests/benchmarks/lrp.py precision

`KERAS_BACKEND` chooses the backend. Ratios are medians over rounds in which every method runs in
turn; machines are shared, so that seconds alone say little.

On TensorFlow 2.21 with 2 cores, November 2026. Time as a ratio to the gradient's, and the
first call's likewise:

                     ResNet50, batch 8   batch 1       VGG16, batch 8   batch 1
    epsilon             1.06 (0.77)    1.02 (0.79)      1.04 (0.95)   1.04 (1.31)
    epsilon_plus        1.45 (1.02)    1.38 (0.97)      1.51 (1.34)   1.46 (1.64)
    epsilon_gamma_box   1.80 (1.31)    1.67 (1.12)      1.52 (1.34)   1.43 (1.62)

These are plain graphs. XLA was 0 to 20 % slower than they at batch 8, gradient included, and has to
compile each batch size anew (an XLA gradient of ResNet50: 0.85 s, a plain one 0.74 s).

Memory on ResNet50 above the model's own, as a ratio to the gradient's peak, and what of it is the
explainer's own weights, held whatever the batch:

                         batch 8 (gradient 390 MiB)   batch 1 (85 MiB)     own weights
    epsilon                      1.6                        2.0               57 MiB
    epsilon_plus                 1.9                        3.3              152 MiB
    epsilon_gamma_box            2.0                        3.4              165 MiB

On VGG16 resident memory shows nothing: making its weights leaves 800 MiB that TensorFlow keeps for
later use.

Applications, biases zeroed: every family has a rule for each node, finite relevances, and an
epsilon residual of 6e-6 to 2e-4 of the score. With epsilon_plus it is up to 0.4 (Xception, NASNet):
z+ of negative outputs that nothing positive supports has nobody to give their relevance to.

Float32 against float64 on a trained ResNet of 22 weighted layers (accuracy 0.975): 2e-7 to 2.5e-5,
the worst row 2.5e-4; with a stabilized division at each Add 4e-5 to 1.1e-3.
"""

import argparse
import ctypes
import dataclasses
import itertools
import os
import pathlib
import subprocess
import sys
import time
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

import keras
import numpy as np
from keras import layers, ops

import xai
from kerasdl.backend import jit, vjp
from xai import graph as graphs
from xai.lrp.steering import redirect, stabilize
from xai.model import open_model
from xai.tracing import flatten

COMPOSITES = {
    "epsilon": xai.rules.Epsilon(1e-6),
    "epsilon_plus": "epsilon_plus",
    "epsilon_gamma_box": xai.composites.epsilon_gamma_box(0, 1),
}
FAMILIES = (
    "VGG16",
    "ResNet50",
    "ResNet50V2",
    "DenseNet121",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Small",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "Xception",
    "InceptionV3",
    "InceptionResNetV2",
    "NASNetMobile",
    "ConvNeXtTiny",
)


def application(name, **settings):
    return getattr(keras.applications, name)(weights=None, **settings)


def images(model, batch, high=1.0):
    shape = (batch, *(size or 224 for size in model.input_shape[1:]))
    return np.random.default_rng(0).uniform(0, high, shape).astype("float32")


def gradient_of(model):
    """Returns the compiled gradient of the predicted class' score: what LRP is measured against."""
    opened = open_model(model)

    def gradient(x):
        scores, pullback = vjp(opened.scores, x)
        return pullback(ops.one_hot(ops.argmax(scores, axis=-1), scores.shape[-1])), scores

    compiled = jit(gradient, model.variables)
    return lambda x: keras.tree.map_structure(
        ops.convert_to_numpy, compiled(ops.convert_to_tensor(x))
    )


def methods(model, names=("gradient", *COMPOSITES)):
    """Returns the functions of images that are compared, by name."""
    return {
        name: xai.LRP(model, COMPOSITES[name]) if name in COMPOSITES else gradient_of(model)
        for name in names
    }


def seconds(function, x):
    start = time.perf_counter()
    function(x)
    return time.perf_counter() - start


def speed(nets, batches, rounds):
    print(f"{'net':10} {'batch':>5} {'method':18} {'seconds':>8} {'ratio':>6} {'first call':>10}")
    for net in nets:
        model = application(net)
        functions = methods(model)
        for batch in batches:
            x = images(model, batch)
            first = {name: seconds(function, x) for name, function in functions.items()}
            table = [
                {name: seconds(function, x) for name, function in functions.items()}
                for _ in range(rounds)
            ]
            for name in functions:
                ratio = np.median([row[name] / row["gradient"] for row in table])
                middle = np.median([row[name] for row in table])
                start = first[name] / first["gradient"]
                print(f"{net:10} {batch:5} {name:18} {middle:8.3f} {ratio:6.2f} {start:10.2f}")


def memory(nets, batches):
    """Prints what each method holds and its peak, above the model's, each in its own process."""
    print(f"{'net':10} {'batch':>5} {'method':18} {'held MiB':>8} {'peak MiB':>8} {'ratio':>6}")
    for net, batch in itertools.product(nets, batches):
        peaks = {}
        for name in ("gradient", *COMPOSITES):
            command = [sys.executable, __file__, "peak", "--nets", net, "--method", name]
            command += ["--batches", str(batch)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            held, peaks[name] = map(float, done.stdout.split())
            ratio = peaks[name] / peaks["gradient"]
            print(f"{net:10} {batch:5} {name:18} {held:8.0f} {peaks[name]:8.0f} {ratio:6.2f}")


def peak(net, method, batch):
    """Prints by how many MiB a method, and then two calls of it, raise this process' memory."""
    model = application(net)
    gradient_of(residual_net(blocks=1))(np.zeros((1, 8, 8, 1), "float32"))  # starts the backend
    ctypes.CDLL(None).malloc_trim(0)  # what building the model has freed would hide the rest
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before = resident("VmRSS")
    function = methods(model, [method])[method]
    held = resident("VmRSS") - before
    for _ in range(2):
        function(images(model, batch))
    print(held, resident("VmHWM") - before)


def resident(what):
    """Returns this process' resident memory, VmRSS, or its peak, VmHWM, in MiB; on Linux."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split(f"{what}:")[1].split()[0]) / 1024


def without_biases(model, x):
    """Zeroes all that is added, and lets each BatchNormalization keep activations of order one.

    Untrained MobileNets and EfficientNets otherwise shrink them to 1e-18, where any epsilon absorbs
    the whole score.
    """
    for variable in model.variables:
        if variable.name in ("bias", "beta", "moving_mean"):
            variable.assign(ops.zeros_like(variable))

    def calibrate(node, args, kwargs):
        layer = node.operation
        if isinstance(layer, layers.BatchNormalization):
            axes = [a for a in range(len(args[0].shape)) if a != layer.axis % len(args[0].shape)]
            layer.moving_variance.assign(ops.mean(ops.square(args[0]), axis=axes))
        return graphs.call(node, args, kwargs)

    flatten(model).run(ops.convert_to_tensor(x), calibrate)


def applications(families):
    print(f"{'family':18} {'nodes':>5} {'no rule':>7} {'finite':>6} {'epsilon':>9} {'eps+plus':>9}")
    for name in families:
        keras.utils.set_random_seed(0)
        model = application(name, classifier_activation="softmax")
        x = images(model, 2, high=255.0)
        without_biases(model, x)
        parts = []
        for composite in (xai.rules.Epsilon(1e-6), "epsilon_plus"):
            explainer = xai.LRP(model, composite, strict=True)
            attribution = explainer(x)
            parts.append(np.abs(attribution.residual / attribution.score).max())
            finite = np.isfinite(attribution.values).all()
        table = explainer.summary()
        fallbacks = table.fallback.sum()
        print(
            f"{name:18} {len(table):5} {fallbacks:7} {finite!s:>6} {parts[0]:9.1e} {parts[1]:9.1e}",
            flush=True,
        )
        keras.backend.clear_session()


def residual_net(dtype="float32", blocks=10, width=16):
    """Returns a ResNet of 2 * blocks + 2 weighted layers for the 8x8 digits."""
    settings = {"padding": "same", "use_bias": False, "dtype": dtype}
    inputs = keras.Input((8, 8, 1), dtype=dtype)
    x = layers.Conv2D(width, 3, **settings)(inputs)
    x = layers.BatchNormalization(momentum=0.9, dtype=dtype)(x)
    for _ in range(blocks):
        y = layers.Conv2D(width, 3, **settings)(layers.ReLU(dtype=dtype)(x))
        y = layers.ReLU(dtype=dtype)(layers.BatchNormalization(momentum=0.9, dtype=dtype)(y))
        y = layers.BatchNormalization(momentum=0.9, dtype=dtype)(
            layers.Conv2D(width, 3, **settings)(y)
        )
        x = layers.Add(dtype=dtype)([x, y])
    x = layers.GlobalAveragePooling2D(dtype=dtype)(layers.ReLU(dtype=dtype)(x))
    outputs = layers.Dense(10, activation="softmax", dtype=dtype)(x)
    return keras.Model(inputs, outputs)


def dividing_at_sums(explainer):
    """Changes an explainer to divide by `y + 1e-6 sign(y)` at each Add, as zennit's Norm does."""
    steps = explainer._surrogate.steps
    for node, step in steps.items():
        if isinstance(node.operation, layers.Add):

            def run(weights, args, kwargs, step=step):
                y = step.run(weights, args, kwargs)
                return redirect(y, (y, y / stabilize(y, 1e-6)))

            steps[node] = dataclasses.replace(step, run=run)
    return explainer


def precision():
    from sklearn.datasets import load_digits

    keras.utils.set_random_seed(0)
    x, y = load_digits(return_X_y=True)
    x = (x / 16).reshape(-1, 8, 8, 1)
    single, double = residual_net(), residual_net("float64")
    single.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    single.fit(x[:1400], y[:1400], epochs=15, batch_size=64, verbose=0)
    accuracy = single.evaluate(x[1400:], y[1400:], verbose=0)[1]
    double.set_weights(single.get_weights())
    rows = x[1400:1528].astype("float32")
    print(f"accuracy {accuracy:.3f}; relative L2 of 128 rows against float64")
    print(f"{'composite':22} {'ours':>9} {'worst row':>9} {'with division at Add':>21}")
    rules = {**COMPOSITES, "zero": xai.rules.Zero(), "alpha2_beta1": xai.rules.AlphaBeta(2.0)}
    for name, composite in rules.items():
        exact = xai.LRP(double, composite)(rows).values
        ours = xai.LRP(single, composite)(rows).values
        divided = dividing_at_sums(xai.LRP(single, composite))(rows).values
        errors = [distance(ours, exact), by_row(ours, exact).max(), distance(divided, exact)]
        print(f"{name:22} {errors[0]:9.1e} {errors[1]:9.1e} {errors[2]:21.1e}", flush=True)


def distance(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def by_row(a, b):
    axes = tuple(range(1, a.ndim))
    return np.sqrt(np.sum((a - b) ** 2, axis=axes) / np.sum(b**2, axis=axes))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["speed", "memory", "peak", "applications", "precision"])
    parser.add_argument("--nets", nargs="+", default=[])
    parser.add_argument("--batches", nargs="+", type=int, default=[8, 1])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--method", default="gradient")
    given = parser.parse_args()
    nets = given.nets or ["VGG16", "ResNet50"]
    warnings.simplefilter("error", UserWarning)
    match given.what:
        case "speed":
            speed(nets, given.batches, given.rounds)
        case "memory":
            memory(given.nets or ["ResNet50"], given.batches)
        case "peak":
            peak(given.nets[0], given.method, given.batches[0])
        case "applications":
            applications(given.nets or FAMILIES)
        case "precision":
            precision()


if __name__ == "__main__":
    main()
