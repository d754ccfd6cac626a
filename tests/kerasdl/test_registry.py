"""Components are found by name, whatever is given for a name."""

import threading

import keras
import numpy as np
import pytest

import kerasdl
from kerasdl import keras_names, kinds


def define(name="Halved", base=keras.losses.Loss, module="somewhere", **members):
    members.setdefault("call", lambda self, y_true, y_pred: keras.ops.mean(y_pred, axis=-1) / 2)
    return type(name, (base,), {"__module__": module, **members})


@pytest.mark.parametrize(
    ("kind", "base"),
    [(kind, base) for kind, base in kinds.BASES.items() if base is not None],
)
def test_the_kind_follows_from_the_keras_base_class(kind, base):
    component = kerasdl.register(define("Found", base, get_config=lambda self: {}), package="t")
    assert kerasdl.lookup(kind, "t>Found") is component


def test_a_function_of_one_tensor_is_an_activation():
    @kerasdl.register(package="t")
    def doubled(x):
        return 2 * x

    assert kerasdl.get("activation", "doubled") is doubled
    with pytest.raises(TypeError, match="takes no settings; received"):
        kerasdl.get("activation", "doubled", factor=3)


def test_the_package_is_by_default_the_top_level_module():
    kerasdl.register(define(module="acme.losses.halved"))
    assert kerasdl.names("loss", "*halved*") == ["acme>Halved"]
    kerasdl.register(define("Notebook", module="__main__"))
    assert kerasdl.names("loss", "*notebook*") == ["Custom>Notebook"]


@pytest.mark.parametrize("name", ["kerasdl>LogCosh", "LogCosh", "log_cosh", "LOGCOSH", "log-cosh"])
def test_every_spelling_finds_the_class(name):
    assert kerasdl.lookup("loss", name).__name__ == "LogCosh"


def test_get_builds_with_settings():
    assert kerasdl.get("loss", "log_cosh", beta=2.0).beta == 2.0
    with pytest.raises(TypeError, match=r"cannot be built from .*'betta'.*LogCosh\(beta"):
        kerasdl.get("loss", "log_cosh", betta=2.0)


def test_names_are_sorted_filtered_and_canonical():
    assert "kerasdl>EMAMomentumSGD" in kerasdl.names("optimizer", "*sgd*")
    everything = kerasdl.names()
    assert everything == sorted(everything, key=str.lower)
    assert set(kerasdl.names("loss")) < set(everything)
    assert kerasdl.names("loss", "*nothing*") == []


def test_describe_shows_name_kind_signature_and_source():
    text = kerasdl.describe("loss", "log_cosh")
    assert text.startswith("kerasdl>LogCosh (loss)\nLogCosh(beta=1.0")
    assert "Source:" in text


def test_a_different_component_of_a_taken_name_is_refused():
    kerasdl.register(define(module="one"), package="t")
    with pytest.raises(kerasdl.registry.DuplicateComponentError, match=r"one\.Halved; two\.Halved"):
        kerasdl.register(define(module="two"), package="t")
    kind_does_not_matter = define(base=keras.layers.Layer, module="two")
    with pytest.raises(kerasdl.registry.DuplicateComponentError, match="t>Halved"):
        kerasdl.register(kind_does_not_matter, package="t")


def test_a_name_that_keras_holds_for_another_class_is_refused():
    keras.saving.register_keras_serializable("t")(define(module="elsewhere"))
    with pytest.raises(kerasdl.registry.DuplicateComponentError, match=r"elsewhere\.Halved"):
        kerasdl.register(define(module="here"), package="t")


def test_the_same_definition_run_again_replaces_its_predecessor():
    kerasdl.register(define(), package="t")
    again = kerasdl.register(define(), package="t")
    assert kerasdl.lookup("loss", "t>Halved") is again
    assert keras.losses.get("t>Halved").__class__ is again


def test_a_refused_registration_leaves_nothing_behind():
    kerasdl.register(define("Taken", module="one"), package="t")
    newcomer = define("Newcomer", module="two")
    with pytest.raises(kerasdl.registry.DuplicateComponentError, match="t>Taken"):
        kerasdl.register(newcomer, package="t", renamed_from=("Taken",))
    assert "t>Newcomer" not in kerasdl.names()
    assert "t>Newcomer" not in keras.saving.get_custom_objects()


def test_a_wrong_name_lists_the_nearest_of_any_kind_and_keras_own():
    with pytest.raises(kerasdl.registry.UnknownComponentError) as caught:
        kerasdl.lookup("metric", "LogCsh")
    message = str(caught.value)
    assert "No metric is registered as 'LogCsh'" in message
    assert "'kerasdl>LogCosh' (loss)" in message
    assert "keras.losses.LogCosh" in message
    assert isinstance(caught.value, KeyError)
    assert isinstance(caught.value, ValueError)


def test_an_identifier_of_keras_own_is_named():
    with pytest.raises(KeyError, match=r"Keras has keras\.losses\.get\('mse'\): pass these to Ker"):
        kerasdl.lookup("loss", "mse")


def test_a_name_near_to_nothing_still_lists_some_of_the_kind():
    with pytest.raises(KeyError, match=r"Nearest: '.*>.*' \(loss\)"):
        kerasdl.lookup("loss", "qqqqqq")


def test_a_wrong_kind_lists_the_kinds():
    with pytest.raises(ValueError, match="'losses' is no kind of component; the kinds are layer"):
        kerasdl.lookup("losses", "LogCosh")
    with pytest.raises(TypeError, match="name is a string; received 3"):
        kerasdl.lookup("loss", 3)


def test_a_name_of_two_packages_asks_which():
    kerasdl.register(define(), package="one")
    kerasdl.register(define(), package="two")
    with pytest.raises(ValueError, match="'one>Halved', 'two>Halved'"):
        kerasdl.lookup("loss", "halved")
    assert kerasdl.lookup("loss", "two>halved").__name__ == "Halved"


@pytest.mark.parametrize(
    ("component", "message"),
    [
        (dict, "register takes a subclass of a Keras layer"),
        (3, "received 3"),
        (lambda y_true, y_pred: y_pred, "Subclass keras.losses.Loss"),
    ],
)
def test_what_is_no_component_is_refused(component, message):
    with pytest.raises(TypeError, match=message):
        kerasdl.register(component, package="t")


@pytest.mark.parametrize("package", ["", "a>b", 3])
def test_a_malformed_package_is_refused(package):
    with pytest.raises(ValueError, match="A package is a non-empty string without '>'"):
        kerasdl.register(define(), package=package)


def test_settings_that_keras_would_lose_are_refused():
    def init(self, scale=1.0, **kwargs):
        keras.losses.Loss.__init__(self, **kwargs)

    with pytest.raises(TypeError, match=r"takes 'scale', but defines no get_config.*self\.scale"):
        kerasdl.register(define(__init__=init), package="t")


def test_a_former_name_finds_the_class_and_warns():
    component = kerasdl.register(define(), package="t", renamed_from=("Bisected",))
    with pytest.warns(FutureWarning, match="'t>Bisected' is now called 't>Halved'"):
        assert kerasdl.lookup("loss", "t>Bisected") is component
    assert isinstance(keras.losses.get("t>Bisected"), component)
    restored = keras.losses.deserialize({"class_name": "t>Bisected", "config": {}})
    assert keras.saving.get_registered_name(type(restored)) == "t>Halved"


def test_strings_work_in_every_place_that_keras_takes_strings_for():
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(
                4,
                activation="kerasdl>lecun_tanh",
                kernel_initializer="kerasdl>GainInitializer",
                kernel_regularizer="kerasdl>MixedNorm",
            ),
        ]
    )
    model.compile(optimizer="kerasdl>EMAMomentumSGD", loss="kerasdl>LogCosh")
    history = model.fit(np.ones((8, 3)), np.ones((8, 4)), verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert type(model.optimizer).__name__ == "EMAMomentumSGD"


@pytest.mark.parametrize(
    ("kind", "base", "get"),
    [
        ("metric", keras.metrics.Metric, keras.metrics.get),
        ("constraint", keras.constraints.Constraint, keras.constraints.get),
        ("regularizer", keras.regularizers.Regularizer, keras.regularizers.get),
        ("initializer", keras.initializers.Initializer, keras.initializers.get),
        ("optimizer", keras.optimizers.Optimizer, keras.optimizers.get),
    ],
)
def test_strings_become_instances(kind, base, get):
    members = {"get_config": lambda self: {}, "__module__": "somewhere"}
    if kind == "optimizer":
        members["__init__"] = lambda self: keras.optimizers.Optimizer.__init__(self, 0.1)
    component = kerasdl.register(type("Named", (base,), members), package="t")
    assert isinstance(get("t>Named"), component)


@pytest.mark.parametrize("module", [m for m, table in keras_names._MODULES.values() if table])
def test_keras_still_keeps_the_private_tables_behind_its_strings(module):
    """Fails when a Keras release moves `ALL_OBJECTS_DICT`: then mend keras_names._string_table."""
    assert keras_names._string_table(module) is not None


def test_a_moved_table_warns_and_breaks_nothing(monkeypatch):
    monkeypatch.delattr("keras.src.losses.ALL_OBJECTS_DICT")
    with pytest.warns(UserWarning, match=r"Keras .* has no keras.src.losses.ALL_OBJECTS_DICT"):
        component = kerasdl.register(define(), package="t")
    assert kerasdl.lookup("loss", "t>Halved") is component


def test_threads_register_without_losing_each_other():
    def register(index):
        kerasdl.register(define(f"Loss{index}"), package="t")

    threads = [threading.Thread(target=register, args=(index,)) for index in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kerasdl.names("loss", "t>*")) == 20
