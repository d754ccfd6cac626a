"""Optimizers measured: the time of their training step, and what they reach on digits.

python tests/benchmarks/optimizers.py time [--rounds 9] [--steps 50]
python tests/benchmarks/optimizers.py digits [--seeds 3] [--epochs 15]

`time`: seconds of a training step relative to Keras' Adam, the median of rounds in which all take
their turn. SharpnessAware takes two passes by design. `digits`: mean accuracy on test rows of
scikit-learn's digits after training on half of them; rates are rough choices, not tuned, so that
the table says which optimizer is broken and not which is best.

November 2026, 2 cores, TensorFlow, `time --rounds 3` (ratios to Keras' Adam) and `digits`:

                           CNN step  MLP step   CNN on digits  MLP on digits
    Keras' Adam                1.00      1.00           0.973          0.964
    ADOPT                      0.99      1.03           0.982          0.947
    AdaBelief                  1.02      0.98           0.970          0.963
    Adan                       1.03      0.99           0.981          0.964
    EMAMomentumSGD             1.11      1.02           0.986          0.945
    GradientTransform          0.98      0.97           0.985          0.971
    LARS                       1.01      0.99           0.964          0.948
    Lookahead                  0.74      0.98           0.981          0.962
    Prodigy                    1.00      1.00           0.985          0.971
    RAdam                      0.79      1.00           0.967          0.961
    ScheduleFreeAdamW          1.01      1.05           0.986          0.970
    ScheduleFreeSGD            1.10      1.04           0.978          0.967
    SharpnessAware             1.46      1.00           0.973          0.970
"""

import argparse
import os
import pathlib
import sys
import time
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

import keras
import numpy as np
from small_images import convolutional, digits, perceptron

from kerasdl import optimizers

NETS = {"CNN": convolutional, "MLP": perceptron}
BATCH = 32
CREATE = {
    "Keras' Adam": lambda: keras.optimizers.Adam(0.002),
    "ADOPT": lambda: optimizers.ADOPT(0.002),
    "AdaBelief": lambda: optimizers.AdaBelief(0.002),
    "Adan": lambda: optimizers.Adan(0.005),
    "EMAMomentumSGD": lambda: optimizers.EMAMomentumSGD(0.5),
    "GradientTransform": lambda: optimizers.GradientTransform(
        keras.optimizers.Adam(0.002), centralize=True, clip_factor=0.1, noise=1e-6
    ),
    "LARS": optimizers.LARS,
    "Lookahead": lambda: optimizers.Lookahead(keras.optimizers.Adam(0.002)),
    "Prodigy": optimizers.Prodigy,
    "RAdam": lambda: optimizers.RAdam(0.002),
    "ScheduleFreeAdamW": lambda: optimizers.ScheduleFreeAdamW(0.005),
    "ScheduleFreeSGD": optimizers.ScheduleFreeSGD,
    "SharpnessAware": lambda: keras.optimizers.Adam(0.002),
}


def compiled(name, build, rows, seed):
    """Returns a new model, to be trained by the optimizer of a name."""
    keras.utils.set_random_seed(seed)
    model = build(rows.x.shape[1:], 10)
    if name == "SharpnessAware":
        model = optimizers.SharpnessAware(model)
    model.compile(CREATE[name](), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def time_steps(rounds, steps):
    """Prints the time of a step with each optimizer as a ratio to Keras' Adam."""
    rows = digits(0).training
    batches = np.resize(rows.x, (steps * BATCH, *rows.x.shape[1:])).astype("float32")
    labels = np.resize(rows.y, steps * BATCH)
    print(f"{'':20}" + "".join(f"{name + ' ms':>9}{'ratio':>9}" for name in NETS))
    columns = {name: [] for name in CREATE}
    for build in NETS.values():
        models = {name: compiled(name, build, rows, 0) for name in CREATE}
        for model in models.values():
            seconds(model, batches, labels)  # compiles
        times = [
            {name: seconds(model, batches, labels) for name, model in models.items()}
            for _ in range(rounds)
        ]
        for name in CREATE:
            columns[name].append(1000 * np.median([row[name] for row in times]) / steps)
            columns[name].append(np.median([row[name] / row["Keras' Adam"] for row in times]))
    for name, figures in columns.items():
        print(f"{name:20}" + "".join(f"{figure:9.2f}" for figure in figures))


def seconds(model, x, y):
    start = time.perf_counter()
    model.fit(x, y, batch_size=BATCH, verbose=0)
    return time.perf_counter() - start


def train_digits(seeds, epochs):
    """Prints the mean accuracy on test rows with each optimizer."""
    print(f"{'':20}" + "".join(f"{name:>9}" for name in NETS))
    for name in CREATE:
        means = [
            np.mean([accuracy(name, build, seed, epochs) for seed in range(seeds)])
            for build in NETS.values()
        ]
        print(f"{name:20}" + "".join(f"{mean:9.3f}" for mean in means), flush=True)


def accuracy(name, build, seed, epochs):
    splits = digits(seed)
    model = compiled(name, build, splits.training, seed)
    model.fit(splits.training.x, splits.training.y, batch_size=BATCH, epochs=epochs, verbose=0)
    return model.evaluate(splits.test.x, splits.test.y, verbose=0)[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["time", "digits"])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=15)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    if given.what == "time":
        return time_steps(given.rounds, given.steps)
    train_digits(given.seeds, given.epochs)


if __name__ == "__main__":
    main()
