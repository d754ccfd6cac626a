import keras
import keras_tuner
import pytest

import kerasdl
import tuning


@pytest.fixture
def hp():
    return keras_tuner.HyperParameters()


def choosing(**values):
    hp = keras_tuner.HyperParameters()
    hp.values.update(values)
    return hp


@kerasdl.register(package="tests")
class Ranged(keras.regularizers.Regularizer):
    search_space = {  # noqa: RUF012
        "whole": {"min_value": 1, "max_value": 5},
        "real": {"min_value": 0.5, "max_value": 8.0, "sampling": "log"},
        "mixed": [0, 0.5],
        "flag": [True, False],
    }

    def __init__(self, whole=3, real=1.0, mixed=0.0, flag=False):
        self.settings = (whole, real, mixed, flag)

    def get_config(self):
        return dict(zip(("whole", "real", "mixed", "flag"), self.settings, strict=True))


NAMES = ["adam", "kerasdl>EMAMomentumSGD"]


def test_the_first_name_is_built_with_the_least_of_its_ranges_by_default(hp):
    optimizer = tuning.choose(hp, "optimizer", NAMES)
    assert isinstance(optimizer, keras.optimizers.Optimizer)
    assert type(optimizer).__name__ == "Adam"
    assert hp.values == {"optimizer": "adam", "optimizer.adam.learning_rate": 1e-4}
    assert float(optimizer.learning_rate) == pytest.approx(1e-4)


def test_the_values_decide_what_is_built_and_with_which_settings():
    name = "optimizer.kerasdl>EMAMomentumSGD"
    hp = choosing(optimizer=NAMES[1], **{f"{name}.momentum": 0.95, f"{name}.learning_rate": 0.5})
    optimizer = tuning.choose(hp, "optimizer", NAMES)
    assert isinstance(optimizer, kerasdl.lookup("optimizer", "EMAMomentumSGD"))
    assert (optimizer.momentum, float(optimizer.learning_rate)) == (0.95, 0.5)


def test_all_ranges_are_declared_and_only_those_of_the_chosen_one_are_active(hp):
    tuning.choose(hp, "optimizer", NAMES)
    active = {entry.name: hp.is_active(entry) for entry in hp.space}
    assert active == {
        "optimizer": True,
        "optimizer.adam.learning_rate": True,
        "optimizer.kerasdl>EMAMomentumSGD.learning_rate": False,
        "optimizer.kerasdl>EMAMomentumSGD.momentum": False,
    }


def test_ranges_of_every_form_become_the_fitting_hyperparameters(hp):
    regularizer = tuning.choose(hp, "regularizer", ["tests>Ranged"])
    types = {entry.name.rpartition(".")[2]: type(entry).__name__ for entry in hp.space[1:]}
    assert types == {"whole": "Int", "real": "Float", "mixed": "Choice", "flag": "Boolean"}
    assert regularizer.settings == (1, 0.5, 0.0, True)


def test_settings_take_the_place_of_ranges(hp):
    optimizer = tuning.choose(hp, "optimizer", NAMES, settings={"learning_rate": 0.25})
    assert float(optimizer.learning_rate) == 0.25
    assert not any("learning_rate" in entry.name for entry in hp.space)


def test_ranges_take_the_place_of_a_components_own(hp):
    own = {"min_value": 0.5, "max_value": 0.75}
    ranges = {"adam": {"learning_rate": own, "beta_1": [0.5, 0.9]}}
    optimizer = tuning.choose(hp, "optimizer", NAMES, ranges=ranges)
    assert (float(optimizer.learning_rate), optimizer.beta_1) == (0.5, 0.5)
    rates = [entry.max_value for entry in hp.space if entry.name.endswith("learning_rate")]
    assert rates == [0.75, 1.0]


def test_a_name_of_its_own_keeps_two_choices_apart(hp):
    first = tuning.choose(hp, "activation", ["relu", "tanh"], name="hidden")
    second = tuning.choose(hp, "activation", ["kerasdl>lecun_tanh"], name="output")
    assert first is keras.activations.relu
    assert second is kerasdl.lookup("activation", "lecun_tanh")
    assert hp.values == {"hidden": "relu", "output": "kerasdl>lecun_tanh"}


def test_a_choice_in_a_scope_that_is_not_active_is_none(hp):
    hp.Choice("model", ["small", "large"])
    with hp.conditional_scope("model", ["large"]):
        assert tuning.choose(hp, "optimizer", NAMES) is None


@pytest.mark.parametrize(
    ("kind", "name", "settings", "expected"),
    [
        ("layer", "dense", {"units": 3}, "Dense"),
        ("layer", "kerasdl>GradientReversal", {}, "GradientReversal"),
        ("loss", "mean_squared_error", {}, "MeanSquaredError"),
        ("loss", "mse", {}, "mean_squared_error"),
        ("loss", "kerasdl>LogCosh", {}, "LogCosh"),
        ("metric", "AUC", {}, "AUC"),
        ("optimizer", "SGD", {}, "SGD"),
        (
            "schedule",
            "CosineDecay",
            {"initial_learning_rate": 1.0, "decay_steps": 9},
            "CosineDecay",
        ),
        ("initializer", "he_normal", {}, "HeNormal"),
        ("initializer", "kerasdl>GainInitializer", {}, "GainInitializer"),
        ("regularizer", "l2", {}, "L2"),
        ("regularizer", "mixed_norm", {}, "MixedNorm"),
        ("constraint", "non_neg", {}, "NonNeg"),
        ("activation", "gelu", {}, "gelu"),
        ("callback", "TerminateOnNaN", {}, "TerminateOnNaN"),
    ],
)
def test_every_kind_has_keras_own_and_registered_names(hp, kind, name, settings, expected):
    chosen = tuning.choose(hp, kind, [name], settings=settings)
    assert getattr(chosen, "__name__", type(chosen).__name__) == expected


def test_keras_tuner_explores_the_ranges_of_every_component(search):
    def build(hp):
        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile(tuning.choose(hp, "optimizer", ["sgd", "adam"]), "mse", run_eagerly=True)
        return model

    table = search(build, trials=3).table
    assert set(table["optimizer"]) == {"sgd", "adam"}
    assert (
        table["optimizer.adam.learning_rate"].dropna().nunique()
        == (table["optimizer"] == "adam").sum()
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"names": ["adamm"]}, ValueError, r"registered as 'adamm'.*keras\.optimizers\.Adam"),
        ({"names": ["kerasdl>EMAMomentum"]}, KeyError, "Nearest: 'kerasdl>EMAMomentumSGD'"),
        ({"kind": "optimiser"}, ValueError, "'optimiser' is no kind"),
        ({"names": []}, ValueError, r"names is a list of at least one name; received \[\]"),
        ({"names": "adam"}, ValueError, "names is a list of at least one name; received 'adam'"),
        ({"ranges": {"sgd": {}}}, ValueError, "ranges has 'sgd', which is not in names: adam"),
        (
            {"ranges": {"adam": {"bata_1": [0.5]}}},
            ValueError,
            "'adam' cannot be built from .*bata_1",
        ),
        ({"ranges": {"adam": {"beta_1": 0.5}}}, ValueError, r"'optimizer\.adam\.beta_1' is a list"),
        ({"ranges": {"adam": {"beta_1": []}}}, ValueError, r"'optimizer\.adam\.beta_1' is a list"),
        ({"settings": {"momentum": 0.5}}, ValueError, "'adam' cannot be .*momentum"),
        (
            {"kind": "activation", "names": ["relu"], "settings": {"a": 1}},
            ValueError,
            "no settings",
        ),
        ({"hp": {}}, TypeError, "hp is the keras_tuner.HyperParameters"),
    ],
)
def test_bad_input_is_refused(hp, arguments, error, message):
    with pytest.raises(error, match=message):
        tuning.choose(**{"hp": hp, "kind": "optimizer", "names": ["adam"], **arguments})


def test_one_name_for_two_different_choices_is_refused(hp):
    tuning.choose(hp, "activation", ["relu"])
    with pytest.raises(ValueError, match="'activation' exists already and is 'relu'"):
        tuning.choose(hp, "activation", ["gelu"])
