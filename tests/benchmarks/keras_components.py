"""What `check_component` finds in Keras' own classes.

python tests/benchmarks/keras_components.py [--kinds layer loss ...] [--names Huber ...] [--all]

Prints a line for every check that fails, and how many classes pass all; `--all` prints every
result. Each class is examined as `ARGUMENTS` makes it, on `INPUTS` where the usual ones are wrong.

November 2026, Keras 3.15.1 on TensorFlow, compared with JAX and torch: 234 of 252 pass all. Lost
when saved:

    losses.Huber                          delta
    losses.CosineSimilarity               axis
    metrics.CosineSimilarity              axis
    losses.SparseCategoricalCrossentropy  axis; its values differ on JAX where rows do not sum to 1
    initializers.Identity                 gain
    layers.RandomShear                    x_factor, y_factor: its own configuration is refused
    layers.RandomGrayscale                seed
    layers.SimpleRNN                      seed, activity_regularizer

Wrong otherwise:

    optimizers.ScheduleFreeAdamW          weights move at learning rate 0; compiled is not eager
    optimizers.Ftrl                       NaN at learning rate 0
    optimizers.Muon                       decays variables that are excluded from decay
    layers.RandomCrop                     at inference not of the shape that it declares
    layers.SpectralNormalization          trains another way on JAX
    losses.Dice, losses.Tversky           one value for the whole batch, so no sample weights
    losses.CategoricalGeneralizedCrossEntropy  gradient of NaN at probability 0
    losses.Circle                         samples interact, as they must, but nothing declares it
"""

import argparse
import inspect
import os
import pathlib
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

import keras
import numpy as np
from keras import layers

from kerasdl.kinds import BASES
from kerasdl.testing.checking import run, subject_of
from kerasdl.testing.checks import checks_of
from kerasdl.testing.worker import Workers

MODULES = {
    "layer": keras.layers,
    "loss": keras.losses,
    "metric": keras.metrics,
    "optimizer": keras.optimizers,
    "schedule": keras.optimizers.schedules,
    "initializer": keras.initializers,
    "regularizer": keras.regularizers,
    "constraint": keras.constraints,
    "activation": keras.activations,
}
NOT_EXAMINED = {
    "of one framework": {"TFSMLayer", "FlaxLayer", "JaxLayer", "TorchModuleWrapper"},
    "base classes and functions": {"InputLayer", "Layer", "Lambda", "Wrapper", "MeanMetricWrapper"},
    "of strings, vocabularies or boxes": {
        *("Hashing", "HashedCrossing", "StringLookup", "IntegerLookup", "TextVectorization"),
        *("Discretization", "CategoryEncoding", "MaxNumBoundingBoxes"),
    },
    "for data pipelines": {
        *("Pipeline", "MelSpectrogram", "STFTSpectrogram", "AutoContrast", "Equalization"),
        *(
            "ContrastLimitedAdaptiveHistogramEqualization",
            "AugMix",
            "CutMix",
            "MixUp",
            "RandAugment",
            "Solarization",
        ),
    },
    "cells": {"GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells"},
    "of several optimizers": {"MultiOptimizer"},
    "no functions of a tensor": {"get", "serialize", "deserialize", "threshold"},
}
RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 3, 6)
ONE_HOT = np.eye(3, dtype="float32")[LABELS]
PROBABILITIES = RANDOM.dirichlet(np.ones(3), 6).astype("float32")
YES_OR_NO = (
    RANDOM.integers(0, 2, (6, 1)).astype("float32"),
    RANDOM.uniform(size=(6, 1)).astype("f4"),
)
IMAGES = RANDOM.uniform(size=(4, 8, 8, 3)).astype("float32")
SEQUENCES = RANDOM.normal(size=(6, 5, 4)).astype("float32")
FILMS = RANDOM.normal(size=(4, 3, 6, 6, 2)).astype("float32")
VOLUMES = RANDOM.normal(size=(4, 8, 8, 8, 2)).astype("float32")

IMAGE_LAYERS = ("CenterCrop", "Resizing")
CONVOLUTION = {"filters": 3, "kernel_size": 3}
DECAY = {"initial_learning_rate": 0.1, "decay_steps": 100}
ARGUMENTS = {
    "Activation": {"activation": "tanh"},
    "AlphaDropout": {"rate": 0.4},
    "Bidirectional": {"layer": lambda: layers.LSTM(3)},
    "CenterCrop": {"height": 4, "width": 4},
    "CosineDecay": DECAY,
    "CosineDecayRestarts": {"initial_learning_rate": 0.1, "first_decay_steps": 100},
    "Cropping1D": {"cropping": 1},
    "Dense": {"units": 3},
    "DepthwiseConv1D": {"kernel_size": 3},
    "DepthwiseConv2D": {"kernel_size": 3},
    "Dot": {"axes": 1},
    "Dropout": {"rate": 0.4},
    "EinsumDense": {"equation": "ab,bc->ac", "output_shape": 3},
    "Embedding": {"input_dim": 5, "output_dim": 3},
    "ExponentialDecay": {**DECAY, "decay_rate": 0.9},
    "GRU": {"units": 3},
    "GaussianDropout": {"rate": 0.4},
    "GaussianNoise": {"stddev": 0.4},
    "GroupNormalization": {"groups": 2},
    "GroupQueryAttention": {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2},
    "InverseTimeDecay": {**DECAY, "decay_rate": 0.9},
    "IoU": {"num_classes": 3, "target_class_ids": [0, 1]},
    "LSTM": {"units": 3},
    "LossScaleOptimizer": {"inner_optimizer": lambda: keras.optimizers.SGD(0.01)},
    "MeanIoU": {"num_classes": 3},
    "MultiHeadAttention": {"num_heads": 2, "key_dim": 3},
    "OneHotIoU": {"num_classes": 3, "target_class_ids": [0, 1]},
    "OneHotMeanIoU": {"num_classes": 3},
    "Permute": {"dims": (2, 1)},
    "PiecewiseConstantDecay": {"boundaries": [10, 20], "values": [0.1, 0.05, 0.01]},
    "PolynomialDecay": DECAY,
    "PrecisionAtRecall": {"recall": 0.5},
    "RNN": {"cell": lambda: layers.LSTMCell(3)},
    "RandomCrop": {"height": 4, "width": 4},
    "RandomPosterization": {"factor": 4},
    "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.2},
    "RandomZoom": {"height_factor": 0.2},
    "RecallAtPrecision": {"precision": 0.5},
    "RepeatVector": {"n": 3},
    "Rescaling": {"scale": 0.5},
    "Reshape": {"target_shape": (2, 2)},
    "Resizing": {"height": 4, "width": 4},
    "ReversibleEmbedding": {"input_dim": 5, "output_dim": 3},
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SimpleRNN": {"units": 3},
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
    "SparseTopKCategoricalAccuracy": {"k": 2},
    "TopKCategoricalAccuracy": {"k": 2},
    "SpectralNormalization": {"layer": lambda: layers.Dense(3)},
    "TimeDistributed": {"layer": lambda: layers.Dense(3)},
    **{f"{kind}Conv{n}D": CONVOLUTION for kind in ("", "Separable") for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": CONVOLUTION for n in (1, 2, 3)},
    **{f"ConvLSTM{n}D": CONVOLUTION for n in (1, 2, 3)},
    **{f"SpatialDropout{n}D": {"rate": 0.4} for n in (1, 2, 3)},
    **{f"AveragePooling{n}D": {"pool_size": 2} for n in (1, 2, 3)},
    **{
        f"Adaptive{kind}Pooling{n}D": {"output_size": 2}
        for kind in ("Average", "Max")
        for n in (1, 2, 3)
    },
    **{
        f"Random{what}": {"factor": 0.2}
        for what in (
            *("Brightness", "ColorDegeneration", "Contrast", "Hue", "Rotation"),
            *("Saturation", "Sharpness"),
        )
    },
}
IDS = RANDOM.integers(0, 5, (6, 5))
INPUTS = {
    **dict.fromkeys(("Embedding", "ReversibleEmbedding"), IDS),
    **dict.fromkeys(("MultiHeadAttention", "GroupQueryAttention"), (SEQUENCES, SEQUENCES + 1)),
    **{name: [SEQUENCES, SEQUENCES + 1] for name in ("Attention", "AdditiveAttention")},
    **dict.fromkeys(("ConvLSTM2D",), FILMS),
    "ConvLSTM1D": FILMS[..., 0, :],
    "ConvLSTM3D": RANDOM.normal(size=(2, 3, 4, 4, 4, 2)).astype("float32"),
    "Dot": [SEQUENCES, SEQUENCES + 1],
    "Permute": SEQUENCES,
    "SpatialDropout1D": SEQUENCES,
    "GroupNormalization": SEQUENCES,
    "RepeatVector": SEQUENCES[:, 0],
    "Reshape": SEQUENCES[:, 0],
    "IoU": (LABELS, RANDOM.integers(0, 3, 6)),
    "MeanIoU": (LABELS, RANDOM.integers(0, 3, 6)),
    **dict.fromkeys(
        ("CategoricalCrossentropy", "CategoricalFocalCrossentropy"), (ONE_HOT, PROBABILITIES)
    ),
    **dict.fromkeys(("CategoricalGeneralizedCrossEntropy", "Circle"), (LABELS, PROBABILITIES)),
    **dict.fromkeys(
        ("SparseCategoricalCrossentropy", "SparseCategoricalAccuracy"), (LABELS, PROBABILITIES)
    ),
    "SparseTopKCategoricalAccuracy": (LABELS, PROBABILITIES),
    **dict.fromkeys(
        ("TopKCategoricalAccuracy", "CategoricalAccuracy", "F1Score", "FBetaScore"),
        (ONE_HOT, PROBABILITIES),
    ),
    **dict.fromkeys(("OneHotIoU", "OneHotMeanIoU"), (ONE_HOT, PROBABILITIES)),
    **dict.fromkeys(
        (
            *("AUC", "Precision", "Recall", "TruePositives", "FalsePositives", "TrueNegatives"),
            *("FalseNegatives", "PrecisionAtRecall", "RecallAtPrecision", "BinaryAccuracy"),
            *("SensitivityAtSpecificity", "SpecificityAtSensitivity", "BinaryIoU"),
        ),
        YES_OR_NO,
    ),
    "CTC": (RANDOM.integers(1, 3, (6, 2)), RANDOM.normal(size=(6, 5, 3)).astype("float32")),
    "OrthogonalRegularizer": SEQUENCES[0],
    "RadialConstraint": RANDOM.normal(size=(3, 3, 2, 2)).astype("float32"),
    "STFT": (16, 1, 9),
}


def components(kinds, names):
    """Yields the kind, the name and an instance of each class of Keras to examine."""
    skipped = {name for group in NOT_EXAMINED.values() for name in group}
    for kind in kinds:
        seen = set()
        for name, target in sorted(vars(MODULES[kind]).items()):
            if not is_of(kind, target) or target in seen or name in skipped:
                continue
            seen.add(target)
            if not names or name in names:
                yield kind, name, instance(kind, name, target)


def is_of(kind, target):
    if kind == "activation":
        return inspect.isfunction(target)
    return inspect.isclass(target) and issubclass(target, BASES[kind]) and target != BASES[kind]


def instance(kind, name, target):
    if kind == "activation":
        return target
    given = ARGUMENTS.get(name, {})
    return target(**{key: v() if inspect.isfunction(v) else v for key, v in given.items()})


def given_inputs(kind, name, component):
    if name in INPUTS:
        return INPUTS[name] if kind != "initializer" else (INPUTS[name],)
    if kind == "layer" and name.endswith("3D"):
        return VOLUMES
    if kind == "layer" and (name.endswith("2D") or "Random" in name or name in IMAGE_LAYERS):
        return IMAGES
    return None


def examine(kinds, names, show_all):
    """Prints what fails, and how many pass."""
    sound = count = 0
    with Workers() as workers:
        for kind, name, component in components(kinds, names):
            start, count = time.perf_counter(), count + 1
            try:
                subject = subject_of(component, workers, given_inputs(kind, name, component))
            except Exception as error:
                print(f"{kind:12} {name:34} not examined: {str(error)[:300]}", flush=True)
                continue
            results = [run(check, subject) for check in checks_of(kind)]
            failed = [result for result in results if result.status == "failed"]
            sound += not failed
            for result in results if show_all else failed:
                print(f"{kind:12} {name:34} {str(result)[:400]}", flush=True)
            if show_all:
                print(f"{name}: {time.perf_counter() - start:.1f} s")
    print(f"{sound} of {count} pass all checks, on {keras.backend.backend()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kinds", nargs="+", choices=list(MODULES), default=list(MODULES))
    parser.add_argument("--names", nargs="+", default=[])
    parser.add_argument("--all", action="store_true", help="print passed checks too")
    given = parser.parse_args()
    examine(given.kinds, given.names, given.all)


if __name__ == "__main__":
    main()
