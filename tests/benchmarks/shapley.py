"""Sampled Shapley values measured: the time of evaluations against raw forward passes.

    python tests/benchmarks/shapley.py time [--rounds 7] [--evaluations 2048] [--rows 8] [--shap]

`KERAS_BACKEND` chooses the backend. Ratios are medians over rounds in which every method runs in
turn; machines are shared, so that seconds alone say little.

`raw us` is microseconds per input of the compiled model alone, its batches on the device already;
the other columns are the time of a whole call, per evaluation, as a ratio to it: `inputs` where
blends are put together as whole inputs, `units` where they go by the units of the first Dense layer
(xai/shapley/first_layer.py), which never makes an input. shap's columns, with `--shap`, are its
PermutationExplainer on a direct call of the model and on `predict`, and its KernelExplainer on a
direct call, each for one row.

TensorFlow 2.21, 2 cores, November 2026; 2,048 evaluations of 8 rows, batches of 512:

                                         raw us   inputs    units
    CNN 32x32x3, 1,024 pixels             274.1     1.14
    CNN 32x32x3, 64 patches               279.9     1.20
    MLP 784-128-10, 784 elements            8.1     1.93     0.58
    MLP 784-128-10, 49 patches              6.8     1.82     0.78
    MLP 784-512-512-10, 784 elements       33.5     1.24     0.76
    MLP 30-64-10, 30 elements               2.4     3.16     2.36

The machine was busy: raw is four times as fast on a quiet one, the ratios are alike. With a model
as small as the last, what is left is the fixed part of a call, about 10 ms. Working out what each
player changes takes as long as 100 evaluations of the first layer, a blend as long as the products
of 100 units. Hence units from 512 coalitions on, where players are at most half of the features, or
units at most 256. Along permutations units pay at any width; from 160 players on they are running
sums: with 64, 128, 256 and 512 players of MLP 784-128-10 these take 0.88, 0.74, 0.60 and 0.56 of
raw, products with masks 0.61, 0.70, 0.95 and 1.13.
"""

import argparse
import os
import pathlib
import sys
import time
import unittest.mock
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

import keras
import numpy as np
from keras import layers, ops

import xai
from kerasdl.backend import jit
from xai.shapley.first_layer import FirstLayer


def convolutional():
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10),
        ]
    )


def perceptron(features, *units):
    hidden = [layers.Dense(count, activation="relu") for count in units]
    return keras.Sequential([keras.Input((features,)), *hidden, layers.Dense(10)])


GRID = np.arange(784).reshape(28, 28)
CASES = {  # a model and its players
    "CNN 32x32x3, 1,024 pixels": (convolutional, None),
    "CNN 32x32x3, 64 patches": (convolutional, 4),
    "MLP 784-128-10, 784 elements": (lambda: perceptron(784, 128), None),
    "MLP 784-128-10, 49 patches": (
        lambda: perceptron(784, 128),
        (GRID // 28 // 4 * 7 + GRID % 28 // 4).ravel(),
    ),
    "MLP 784-512-512-10, 784 elements": (lambda: perceptron(784, 512, 512), None),
    "MLP 30-64-10, 30 elements": (lambda: perceptron(30, 64), None),
}


def raw_forward(model, x, evaluations, size):
    """Returns a run of the compiled model on as many inputs, `size` at a time, scores fetched."""
    forward = jit(lambda rows: model(rows, training=False), model.variables)
    batch = ops.convert_to_tensor(np.resize(x, (size, *x.shape[1:])))
    count = -(-evaluations * len(x) // size)

    def run():
        return [ops.convert_to_numpy(part) for part in [forward(batch) for _ in range(count)]]

    return run


def sampled(model, x, players, evaluations, size, units):
    """Returns a run of our explainer, by way of the first layer's units or of whole inputs."""
    shapley = xai.SampledShapley(model, 0.0, players, batch_size=size)
    if units and shapley._first_layer is None:
        return None

    def run():
        with unittest.mock.patch.object(FirstLayer, "is_worthwhile", return_value=units):
            return shapley(x, 0, evaluations, "permutation")

    return run


def by_shap(model, x, evaluations, size, kind):
    """Returns a run of an explainer of shap on one row, each input element a player."""
    import shap

    flat, shape = x.reshape(len(x), -1), x.shape[1:]

    def direct(rows):
        rows = rows.reshape(-1, *shape).astype("float32")
        return ops.convert_to_numpy(model(rows, training=False))

    def predict(rows):
        return model.predict(rows.reshape(-1, *shape), verbose=0)

    if kind == "kernel":
        explainer = shap.KernelExplainer(direct, 0 * flat[:1])
        return lambda: explainer.shap_values(flat[:1], nsamples=evaluations, silent=True)
    masker = shap.maskers.Image(0.0, shape) if len(shape) == 3 else 0 * flat[:1]
    call, rows = (direct if kind == "direct" else predict), (x if len(shape) == 3 else flat)
    explainer = shap.explainers.Permutation(call, masker, seed=0)
    most = max(evaluations, 2 * flat.shape[1] + 1)
    return lambda: explainer(rows[:1], max_evals=most, batch_size=size, silent=True)


def seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def time_evaluations(given):
    evaluations, rows, size = given.evaluations, given.rows, given.size
    print(f"{keras.backend.backend()}, {evaluations} evaluations of {rows} rows, batch {size}")
    kinds = ["direct", "predict", "kernel"] if given.shap else []
    names = ["raw us", "inputs", "units", *kinds]
    print(f"{'':34}" + "".join(f"{name:>9}" for name in names), flush=True)
    cases = {name: case for name, case in CASES.items() if given.case in name}
    for name, (build, players) in cases.items():
        keras.utils.set_random_seed(0)
        model = build()
        shape = (rows, *model.input_shape[1:])
        x = np.random.default_rng(0).uniform(size=shape).astype("float32")
        runs = {
            "raw": raw_forward(model, x, evaluations, size),
            "inputs": sampled(model, x, players, evaluations, size, units=False),
            "units": sampled(model, x, players, evaluations, size, units=True),
            **{kind: by_shap(model, x, evaluations, size, kind) for kind in kinds},
        }
        report(name, runs, given.rounds, evaluations, rows)


def report(name, runs, rounds, evaluations, rows):
    """Prints a row of ratios to the raw pass, each for as many evaluations."""
    runs = {key: run for key, run in runs.items() if run}
    spent = {"raw": evaluations * rows}
    for key, run in runs.items():
        result = run()  # compiles
        spent.setdefault(key, getattr(result, "evaluations", evaluations) * rows)
    for key in ("direct", "predict", "kernel"):
        spent[key] = evaluations
    times = {key: [] for key in runs}
    for _ in range(rounds):
        for key, run in runs.items():
            times[key].append(seconds(run) / spent[key])
    raw = np.array(times.pop("raw"))
    cells = [f"{1e6 * np.median(raw):9.1f}"]
    for key in ("inputs", "units", "direct", "predict", "kernel"):
        ratio = f"{np.median(np.array(times[key]) / raw):9.2f}" if key in times else f"{'':9}"
        cells.append(ratio)
    print(f"{name:34}" + "".join(cells), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["time"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--evaluations", type=int, default=2048)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--shap", action="store_true")
    parser.add_argument("--case", default="", help="part of the names to run")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    time_evaluations(given)


if __name__ == "__main__":
    main()
