"""Activation maximization measured: the quality of what it synthesizes, and its time.

python tests/benchmarks/maximization.py quality [--data digits textures] [--seeds 3] [--save .]
python tests/benchmarks/maximization.py time [--rounds 7] [--steps 256]

`quality`: `p` is the class probability after rounding to 8 bits; `own` and `all` the part of real
test rows, of the class and of all, that are less likely under a kernel density of other rows;
`1-NN` the part whose nearest training row is of the class; `nearest` the least distance to one, as
a part of the median distance of real rows to theirs; `top-1` and `p others` what three other models
say; `spectrum` the distance of the log radial power from the data's. Controls: nearly no prior
(1e6), a model of random weights, the real rows that the model gives most.

November 2026, TensorFlow, `quality`, means over 3 seeds, `p min` and `nearest` the least of them:

    digits                  p min   own mean    1-NN   nearest   top-1   spectrum
    mixture, auto            1.00      0.87      1.0      0.56    1.00      0.70
    mixture, 1               0.99      0.87      1.0      0.56    1.00      0.71
    Gaussian, auto           1.00      0.60      1.0      0.75    1.00      0.94
    Gaussian, 10             0.98      0.20      1.0      1.12    0.78      1.66
    Gaussian, 1              0.82      0.13      0.6      1.21    0.71      1.79
    Gaussian, 1e6            1.00      0.63      1.0      0.80    1.00      0.59
    independent, 1e6         1.00      0.35      1.0      0.89    1.00      0.66
    random weights           0.10      0.37      0.1      0.64    0.10      0.63
    real                     1.00      0.60      1.0      0.69    1.00      0.27

    textures, seed 0        p min   own mean    1-NN   nearest   top-1   spectrum
    patches, auto            1.00      0.73      0.8      0.19    1.00       3.78
    Gaussian, auto           1.00      0.25      1.0      1.32    0.93       2.40
    spectral, auto           1.00      0.08      0.4      5.60    0.93       3.30
    Gaussian, 10             0.93      0.37      0.2      3.02    0.53       3.87
    Gaussian, 1e6            1.00      0.39      1.0      0.87    1.00       2.06
    independent, 1e6         1.00      0.09      0.2      5.71    0.67       3.16
    random weights           0.22      0.05      0.2      5.71    0.20       3.28
    real                     1.00      0.37      0.8      0.29    0.93       0.52

Crops of one stripe overlap and some are of one colour, hence the real rows' 0.29. `time`, in ratios
to as many compiled gradient steps, the first call in seconds:

                        TensorFlow            JAX          torch
    mixture, 1          0.82   0.7 s    1.27   2.2 s    1.38   0.8 s
    mixture, auto       0.86   0.7 s    1.45   1.8 s    1.44   0.8 s
    Gaussian, 1         0.82   0.7 s    1.22   1.7 s    1.36   0.8 s
    Gaussian, auto      0.86   0.7 s    1.36   1.9 s    1.37   0.9 s
"""

import argparse
import functools
import os
import pathlib
import sys
import time
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

import numpy as np
from keras import ops
from scipy.special import logsumexp
from sklearn.metrics import pairwise_distances
from small_images import convolutional, digits, normalized, perceptron, textures, trained

import xai
from kerasdl.backend import jit, vjp
from xai.activation_maximization.objectives import ClassLogProbability
from xai.model import open_model

SPLITS = {"digits": digits, "textures": textures}
MIXTURE, GAUSSIAN = xai.priors.GaussianMixture, xai.priors.Gaussian
ASCENTS = {  # a prior and the sharpness; the first also for a model of random weights
    "digits": {
        "mixture, auto": (MIXTURE, "auto"),
        "mixture, 1": (MIXTURE, 1),
        "Gaussian, auto": (GAUSSIAN, "auto"),
        "Gaussian, 10": (GAUSSIAN, 10),
        "Gaussian, 1": (GAUSSIAN, 1),
        "Gaussian, 1e6": (GAUSSIAN, 1e6),
        "independent, 1e6": (xai.priors.Norm, 1e6),
    },
    "textures": {
        "Gaussian, auto": (GAUSSIAN, "auto"),
        "patches, auto": (xai.priors.PatchMixture, "auto"),
        "spectral, auto": (xai.priors.Spectral, "auto"),
        "Gaussian, 10": (GAUSSIAN, 10),
        "Gaussian, 1": (GAUSSIAN, 1),
        "Gaussian, 1e6": (GAUSSIAN, 1e6),
        "independent, 1e6": (xai.priors.Norm, 1e6),
    },
}
STEPS = 300
EPOCHS = {"digits": 15, "textures": 8}
COLUMNS = (
    *("p min", "p mean", "own min", "own mean", "all mean"),
    *("1-NN", "nearest", "top-1", "p others", "spectrum", "weight"),
)
WIDTHS = np.geomspace(0.02, 2, 41)  # of a kernel; images are of 0 to 1


class Judge:
    """A kernel density of the judging rows, as wide as the training rows find most likely.

    scikit-learn's KernelDensity is off by up to 150 nats at such widths, hence the plain formula.
    """

    def __init__(self, splits):
        self.x, self.test = splits.judging.x, splits.test
        squares = distances(splits.training.x, self.x) ** 2
        means = [self._log_density(squares, width).mean() for width in WIDTHS]
        self.width = WIDTHS[np.argmax(means)]
        self.reference = self(self.test.x)

    def __call__(self, x):
        """Returns the log-density of each row."""
        return self._log_density(distances(x, self.x) ** 2, self.width)

    def _log_density(self, squares, width):
        kernels = -squares / (2 * width**2) - self.x[0].size * np.log(width)
        return logsumexp(kernels, axis=1)  # up to a constant

    def percentiles(self, x):
        """Returns the part of test rows less likely than each class' row: of the class, of all."""
        values = self(x)
        of_class = [
            (self.reference[self.test.y == label] < value).mean()
            for label, value in enumerate(values)
        ]
        return np.array(of_class), np.array([(self.reference < value).mean() for value in values])


def distances(x, others):
    return pairwise_distances(x.reshape(len(x), -1), others.reshape(len(others), -1))


def probabilities(model, x):
    return ops.convert_to_numpy(model(ops.convert_to_tensor(x, "float32"), training=False))


def spectra(x):
    """Returns the log-power of each image by its distance from frequency zero, that left out.

    The power of rounding to 8 bits is added, for there may be none.
    """
    power = np.abs(np.fft.fft2(x, axes=(1, 2))) ** 2
    size = x.shape[1]
    power = power.mean(axis=-1) / size**2 + 1 / (12 * 255**2)
    steps = np.fft.fftfreq(size, 1 / size)
    radius = np.round(np.hypot(*np.meshgrid(steps, steps))).astype(int)
    rings = [power[:, radius == r].mean(axis=1) for r in range(1, size // 2 + 1)]
    return np.log(np.stack(rings, axis=1))


def spectral_distance(x, test):
    """Returns the root mean square difference of log-power from the mean of each class' rows."""
    real = np.stack([spectra(test.x[test.y == label]).mean(axis=0) for label in range(len(x))])
    return np.sqrt(np.mean((spectra(x) - real) ** 2))


def quality(data, seeds, folder):
    """Prints a table for every seed, and how much the pictures differ between the seeds."""
    found = [table(data, seed) for seed in range(seeds)]
    if seeds > 1:
        print("diversity over the seeds, real rows 1:", end=" ")
        real = np.stack([pictures["real"] for pictures in found])
        for name in found[0]:
            pictures = np.stack([pictures[name] for pictures in found])
            print(f"{name} {diversity(pictures) / diversity(real):.2f}", end="; ")
        print(flush=True)
    if folder:
        rows = np.concatenate(list(found[0].values()))
        figure = xai.plot.images(rows, columns=len(found[0]["real"]))
        figure.savefig(pathlib.Path(folder) / f"{data}.png")


def table(data, seed):
    """Prints the table of one seed, of splits and weights; returns the pictures by name."""
    splits = SPLITS[data](seed)
    model = trained(convolutional, splits.training, 10 * seed, EPOCHS[data])
    others = [
        trained(build, splits.training, 10 * seed + number, 2 * EPOCHS[data])
        for number, build in enumerate([convolutional, normalized, perceptron], start=1)
    ]
    judge, pictures = Judge(splits), {}
    accuracies = [f"{accuracy(net, splits.test):.3f}" for net in (model, *others)]
    print(f"{data}, seed {seed}, {[len(rows.x) for rows in splits]} rows, accuracies", *accuracies)
    print(f"{'':20}" + "".join(f"{column:>9}" for column in COLUMNS), flush=True)
    for name, climbed, result in synthesized(data, splits, model, seed):
        figures = measure(result.inputs, splits, judge, climbed, others)
        show(name, [*figures, np.median(result.sharpness)])
        pictures[name] = result.inputs
    pictures["real"] = exemplars(model, splits.test)
    show("real", measure(pictures["real"], splits, judge, model, others))
    return pictures


def show(name, figures):
    print(f"{name:20}" + "".join(f"{figure:9.3g}" for figure in figures), flush=True)


def synthesized(data, splits, model, seed):
    """Yields a name, the model climbed and the result of every ascent."""
    untrained = trained(convolutional, splits.training, seed, epochs=0)
    ascents = ASCENTS[data]
    cases = [(name, model, *ascent) for name, ascent in ascents.items()]
    cases.append(("random weights", untrained, *next(iter(ascents.values()))))
    priors = {fit: fit.fit(splits.training.x) for fit, _ in ascents.values()}
    for name, climbed, fit, sharpness in cases:
        maximize = xai.ActivationMaximization(climbed, priors[fit], sharpness, bounds=(0, 1))
        yield name, climbed, maximize(range(splits.test.y.max() + 1), steps=STEPS)


def measure(x, splits, judge, model, others):
    """Returns the figures of inputs, one for each class, in the order of their columns."""
    x, classes = np.round(255 * x) / 255, np.arange(len(x))
    own = probabilities(model, x)[classes, classes]
    of_class, of_all = judge.percentiles(x)
    away = distances(x, splits.training.x)
    usual = np.median(distances(splits.test.x, splits.training.x).min(axis=1))
    given = np.stack([probabilities(other, x) for other in others])
    return [
        own.min(),
        own.mean(),
        of_class.min(),
        of_class.mean(),
        of_all.mean(),
        (splits.training.y[away.argmin(axis=1)] == classes).mean(),
        away.min() / usual,
        (given.argmax(axis=-1) == classes).mean(),
        given[:, classes, classes].mean(),
        spectral_distance(x, splits.test),
    ]


def exemplars(model, test):
    """Returns for each class the test row that the model gives most to it."""
    return test.x[probabilities(model, test.x).argmax(axis=0)]


def accuracy(model, rows):
    return (probabilities(model, rows.x).argmax(axis=1) == rows.y).mean()


def diversity(pictures):
    """Returns the mean distance between pictures `(seeds, classes, ...)` of the same class."""
    pairs = [distances(same, same) for same in np.swapaxes(pictures, 0, 1)]
    return np.mean([pair[np.triu_indices(len(pair), 1)] for pair in pairs])


def time_ascents(rounds, steps):
    """Prints the time of ascents as a ratio to as many compiled gradients of the same model."""
    splits = digits(0)
    model = trained(convolutional, splits.training, 0, epochs=1)
    runs = {"gradients": gradients(model, splits.test.x[:10], steps)}
    for name in ("mixture, 1", "mixture, auto", "Gaussian, 1", "Gaussian, auto"):
        fit, sharpness = ASCENTS["digits"][name]
        prior = fit.fit(splits.training.x)
        maximize = xai.ActivationMaximization(model, prior, sharpness, bounds=(0, 1))
        runs[name] = functools.partial(maximize, range(10), steps)
    first = {name: seconds(run) for name, run in runs.items()}
    times = [{name: seconds(run) for name, run in runs.items()} for _ in range(rounds)]
    print(f"{'':20}{'first s':>9}{'seconds':>9}{'ratio':>9}")
    for name in runs:
        middle = np.median([row[name] for row in times])
        ratio = np.median([row[name] / row["gradients"] for row in times])
        print(f"{name:20}{first[name]:9.2f}{middle:9.3f}{ratio:9.2f}")


def gradients(model, x, steps):
    """Returns a run of single compiled calls: the class log-probability and its gradient."""
    objective = ClassLogProbability(open_model(model))

    def of_batch(x, classes):
        values, pullback = vjp(lambda inputs: objective(inputs, classes), x)
        return values, pullback(ops.ones_like(values))

    compiled = jit(of_batch, model.variables)
    given = ops.convert_to_tensor(x, "float32"), ops.convert_to_tensor(np.arange(len(x)))

    def run():
        for _ in range(steps):
            found = compiled(*given)
        return [ops.convert_to_numpy(part) for part in found]

    return run


def seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["quality", "time"])
    parser.add_argument("--data", nargs="+", choices=list(SPLITS), default=list(SPLITS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--save", help="a folder for pictures of the first seed")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=256)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    if given.what == "time":
        return time_ascents(given.rounds, given.steps)
    for data in given.data:
        quality(data, given.seeds, given.save)


if __name__ == "__main__":
    main()
