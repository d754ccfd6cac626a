"""A saved model loads in a fresh process, and loading imports nothing that the file names."""

import json
import zipfile

import keras
import numpy as np
import pytest

import kerasdl

MODEL_OF_COMPONENTS = """
import keras, numpy as np, kerasdl
keras.utils.set_random_seed(1)
inputs = keras.Input((4,))
hidden = keras.layers.Dense(
    3,
    activation="kerasdl>lecun_tanh",
    kernel_initializer=kerasdl.get("initializer", "GainInitializer", activation="tanh"),
    kernel_regularizer=kerasdl.get("regularizer", "MixedNorm", factor=0.03, p=1, q=2),
)(inputs)
outputs = keras.layers.Dense(2)(kerasdl.get("layer", "GradientReversal", factor=0.5)(hidden))
model = keras.Model(inputs, outputs)
model.compile(
    optimizer=kerasdl.get("optimizer", "EMAMomentumSGD", learning_rate=0.05, momentum=0.8),
    loss=kerasdl.get("loss", "LogCosh", beta=3.0),
)
x = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
y = np.random.default_rng(1).normal(size=(16, 2)).astype("float32")
"""

STEP_AND_PRINT = """
model.fit(x, y, epochs=1, batch_size=16, verbose=0)
print(repr([float(v) for v in model.predict(x, verbose=0).ravel()]))
"""


def test_plain_keras_loads_our_components_in_a_fresh_process(fresh_process, tmp_path):
    """One more training step must agree: settings of loss, optimizer and regularizer survive."""
    path = str(tmp_path / "model.keras")
    before = fresh_process(
        MODEL_OF_COMPONENTS + f"model.fit(x, y, verbose=0)\nmodel.save({path!r})" + STEP_AND_PRINT
    )
    data = MODEL_OF_COMPONENTS.splitlines()[-2:]
    after = fresh_process(
        "import keras, numpy as np, kerasdl\n"
        + "\n".join(data)
        + f"\nmodel = keras.saving.load_model({path!r})"
        + STEP_AND_PRINT
    )
    before, after = (np.array(json.loads(text.splitlines()[-1])) for text in (before, after))
    # The same float32 program in two processes may sum in another order on several threads.
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "losses", ["kerasdl>LogCosh", ["kerasdl>LogCosh", "mse"], {"a": "kerasdl>LogCosh", "b": "mse"}]
)
def test_a_loss_given_by_name_survives_loading_and_saving_again(tmp_path, losses):
    inputs = keras.Input((2,))
    outputs = {name: keras.layers.Dense(1, name=name)(inputs) for name in "ab"}
    outputs = {str: outputs["a"], list: list(outputs.values()), dict: outputs}[type(losses)]
    model = keras.Model(inputs, outputs)
    model.compile("kerasdl>EMAMomentumSGD", losses)
    model.optimizer.build(model.trainable_variables)
    x = np.ones((4, 2))
    targets = keras.tree.map_structure(lambda _: np.ones((4, 1)), outputs)
    expected = model.evaluate(x, targets, verbose=0)
    for round_trip in range(2):
        model.save(tmp_path / f"{round_trip}.keras")
        model = keras.saving.load_model(tmp_path / f"{round_trip}.keras")
        np.testing.assert_allclose(model.evaluate(x, targets, verbose=0), expected, rtol=1e-6)


def test_load_model_imports_the_plugin_that_declares_a_component(fresh_process, acme, tmp_path):
    path = str(tmp_path / "model.keras")
    fresh_process(
        "import keras, acme_keras\n"
        "model = keras.Sequential([keras.Input((2,)), acme_keras.Scale(3.0)])\n"
        "model.compile(loss='acme>ShiftedError')\n"
        f"model.save({path!r})",
        acme,
    )
    loaded = f"import kerasdl; model = kerasdl.load_model({path!r}); print(model.layers[-1].factor)"
    assert fresh_process(loaded, acme).split()[-1] == "3.0"
    absent = fresh_process(
        "import kerasdl\n"
        f"try: kerasdl.load_model({path!r})\n"
        "except kerasdl.registry.UnknownComponentError as error: print(error)"
    )
    assert "model.keras needs acme>Scale, acme>ShiftedError, which no installed plugin" in absent


def save_with_registered_name(path, name, module):
    """Saves a model and forges what its file says of a layer."""
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(path)
    with zipfile.ZipFile(path) as archive:
        files = {entry: archive.read(entry) for entry in archive.namelist()}
    config = json.loads(files["config.json"])
    config["config"]["layers"][1].update(
        module=module, class_name=name.partition(">")[2], registered_name=name
    )
    files["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for entry, content in files.items():
            archive.writestr(entry, content)


def test_nothing_that_only_the_file_names_is_imported(tmp_path, monkeypatch):
    (tmp_path / "trap.py").write_text("raise SystemExit('the trap was imported')")
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "forged.keras"
    save_with_registered_name(path, "trap>Layer", "trap")
    with pytest.raises(KeyError, match=r"needs trap>Layer, which no installed plugin"):
        kerasdl.load_model(path)


def test_custom_objects_stand_in_for_a_plugin(tmp_path):
    path = tmp_path / "custom.keras"
    save_with_registered_name(path, "gone>Dense", "gone")
    model = kerasdl.load_model(path, custom_objects={"gone>Dense": keras.layers.Dense})
    assert model.predict(np.ones((1, 2)), verbose=0).shape == (1, 1)


def test_a_file_without_plugins_loads_as_with_keras(tmp_path):
    path = tmp_path / "plain.keras"
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="a>b")])
    model.save(path)
    np.testing.assert_array_equal(
        kerasdl.load_model(path).predict(np.ones((1, 2)), verbose=0),
        model.predict(np.ones((1, 2)), verbose=0),
    )
