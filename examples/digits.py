"""From raw digits to a plugged-in model, a search and explanations to look at.

The model reads handwritten digits. A critic tries to tell bold pens from thin ones by the same
features; its gradient is reversed, so that the features forget the pen (Ganin & Lempitsky 2015).

    python examples/digits.py [--out FOLDER] [--quick]
"""

import argparse
import pathlib
import subprocess
import sys
import time

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import kerasdl
import tuning
import xai

CLASSES = 10

RELOAD = """
import sys, numpy as np, kerasdl
folder = sys.argv[1]
model = kerasdl.load_model(f"{folder}/best.keras")
with np.load(f"{folder}/check.npz") as check:
    difference = np.abs(model.predict(check["x"], verbose=0)["digit"] - check["scores"]).max()
print(f"largest difference of a score after reloading: {difference:.1e}")
sys.exit(int(difference > 1e-4))
"""


def load_data():
    """Returns images in [0, 1] and, for both outputs, labels in -1 and 1; split in two."""
    digits = load_digits()
    images = digits.images[..., np.newaxis].astype("float32") / 16
    digit = 2 * np.eye(CLASSES, dtype="float32")[digits.target] - 1
    ink = images.sum(axis=(1, 2))
    bold = np.where(ink > np.median(ink), 1.0, -1.0).astype("float32")
    parts = train_test_split(images, digit, bold, test_size=0.25, random_state=0)
    x_train, x_test, digit_train, digit_test, bold_train, bold_test = parts
    train = x_train, {"digit": digit_train, "pen": bold_train}
    return train, (x_test, {"digit": digit_test, "pen": bold_test})


def build_model(optimizer, initializer="kerasdl>GainInitializer", critic=0.1):
    """Returns a compiled CNN of kerasdl components, each given by its registered name."""
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(32, 3, padding="same", kernel_initializer=initializer)(inputs)
    x = keras.layers.Activation("relu")(keras.layers.BatchNormalization()(x))
    x = keras.layers.Conv2D(64, 3, activation="relu", kernel_initializer=initializer)(x)
    x = keras.layers.Flatten()(keras.layers.MaxPooling2D()(x))
    features = keras.layers.Dense(64, activation="relu", kernel_initializer=initializer)(x)
    forgetful = keras.layers.LayerNormalization()(features)  # bounds what the critic can gain
    forgetful = kerasdl.get("layer", "kerasdl>GradientReversal", factor=critic)(forgetful)
    outputs = {
        "digit": keras.layers.Dense(CLASSES, name="digit")(features),
        "pen": keras.layers.Dense(1, name="pen")(forgetful),
    }
    model = keras.Model(inputs, outputs)
    loss = "kerasdl>LogisticLoss"
    model.compile(
        optimizer=optimizer,
        loss={"digit": loss, "pen": loss},
        metrics={"digit": "categorical_accuracy"},
    )
    return model


def build_trial(hp):
    """Returns the model of one trial: an optimizer with its rate, and an initializer."""
    optimizer = tuning.choose(hp, "optimizer", names=["adam", "kerasdl>EMAMomentumSGD"])
    initializer = hp.Choice("initializer", ["kerasdl>GainInitializer", "glorot_uniform"])
    return build_model(optimizer, initializer)


def train(data, epochs):
    """Trains one model whose settings are given by hand."""
    (x_train, y_train), (x_test, y_test) = data
    optimizer = kerasdl.get("optimizer", "kerasdl>EMAMomentumSGD", learning_rate=0.2)
    model = build_model(optimizer)
    model.fit(x_train, y_train, epochs=epochs, batch_size=64, verbose=0)
    scores = model.evaluate(x_test, y_test, verbose=0, return_dict=True)
    return scores["digit_categorical_accuracy"]


def search(data, trials, epochs, folder):
    """Searches over registered components, prints the trials, returns the best model."""
    x_train, y_train = data[0]
    result = tuning.search(
        build_trial,
        x_train,
        y_train,
        objective=("val_digit_categorical_accuracy", "max"),
        strategy="random",
        trials=trials,
        epochs=epochs,
        directory=folder / "search",
        resume=False,
    )
    print(result.table.to_string(index=False))
    return result.best_model()


def save_and_reload(model, x, folder):
    """Saves the model and compares its scores with those of a fresh process."""
    model.save(folder / "best.keras")
    np.savez(folder / "check.npz", x=x, scores=model.predict(x, verbose=0)["digit"])
    subprocess.run([sys.executable, "-c", RELOAD, str(folder)], check=True)


def explain(classifier, x, evaluations, folder):
    """Explains one test image of each digit by two methods and draws them side by side."""
    lrp = xai.LRP(classifier, composite="epsilon_plus", strict=True)(x)
    shapley = xai.SampledShapley(classifier, baseline=0.0)(x, evaluations=evaluations)
    for name, attribution in (("LRP", lrp), ("Shapley", shapley)):
        print(
            f"{name}: largest residual {np.abs(attribution.residual).max():.1e} of scores up to "
            f"{attribution.score.max():.1f}"
        )
        attribution.save(folder / f"{attribution.method}.npz")
    titles = ["LRP epsilon_plus", "Shapley"]
    xai.plot.grid([lrp, shapley], titles=titles).savefig(folder / "heatmaps.png", dpi=150)


def synthesize(classifier, x_train, steps, folder):
    """Synthesizes what the model takes for the ten digits, among likely images."""
    prior = xai.priors.GaussianMixture.fit(x_train, seed=0)
    maximize = xai.ActivationMaximization(classifier, prior=prior, bounds=(0, 1))
    result = maximize(target=range(CLASSES), steps=steps)
    probability = np.exp(result.log_probability)
    print("class probability:", " ".join(f"{p:.3f}" for p in probability))
    xai.plot.heatmap(result).savefig(folder / "digits.png", dpi=150)


def main():
    """Runs every stage and names the folder of the outputs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/digits"))
    parser.add_argument("--quick", action="store_true", help="a run of seconds, for tests")
    options = parser.parse_args()
    epochs, trials, evaluations, steps = (2, 2, 256, 32) if options.quick else (15, 4, 4096, 256)
    folder = options.out
    folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()

    def stage(text):
        print(f"[{time.perf_counter() - started:5.1f} s] {text}", flush=True)

    keras.utils.set_random_seed(0)
    data = load_data()
    (x_train, _), (x_test, y_test) = data
    stage("training a CNN with a kerasdl layer, loss, initializer and optimizer")
    print(f"accuracy on {len(x_test)} test images: {train(data, epochs):.3f}")
    stage(f"searching {trials} trials")
    model = search(data, trials, epochs, folder)
    stage("saving the best model and reloading it in a fresh process")
    save_and_reload(model, x_test, folder)
    classifier = keras.Model(model.inputs, model.get_layer("digit").output)
    first_of_each = y_test["digit"].argmax(axis=0)
    stage("explaining one test image of each digit")
    explain(classifier, x_test[first_of_each], evaluations, folder)
    stage("synthesizing the ten digits")
    synthesize(classifier, x_train, steps, folder)
    stage(f"done; all outputs are in {folder.resolve()}")


if __name__ == "__main__":
    main()
