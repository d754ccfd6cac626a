"""Composites choose rules; they are plain frozen records."""

import keras
import numpy as np
import pytest
from keras import layers

import xai


def model():
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(3, 3, activation="relu", name="bottom"),
            layers.Flatten(),
            layers.Dense(4, activation="relu", name="middle"),
            layers.Dense(2, name="top"),
        ]
    )


def weighted(explainer):
    treatments = (step.treatment for step in explainer._surrogate.steps.values())
    return [treatment for treatment in treatments if not isinstance(treatment, str)]


def chosen(composite):
    return weighted(xai.LRP(model(), composite))


@pytest.mark.parametrize(
    "selector",
    [
        "mid*",
        lambda layer: layer.name == "middle",
        (layers.Dense, layers.Conv1D),
        layers.Dense,
        range(1, 2),
        slice(-2, -1),
        (0.3, 0.7),
    ],
)
def test_the_first_entry_that_matches_wins(selector):
    epsilon, zplus = xai.rules.Epsilon(0.5), xai.rules.ZPlus()
    rules = chosen(xai.Composite([(selector, epsilon), (layers.Layer, zplus)]))
    assert rules[:2] == [zplus, epsilon]


def test_first_and_last_select_by_the_data_flow():
    epsilon, zplus, flat = xai.rules.Epsilon(0.5), xai.rules.ZPlus(), xai.rules.Flat()
    composite = xai.Composite([("first", flat), ("last", zplus), (layers.Layer, epsilon)])
    assert chosen(composite) == [flat, epsilon, zplus]


def test_parallel_branches_share_their_depth():
    inputs = keras.Input((4,))
    branches = [layers.Dense(3, name=name)(inputs) for name in ("left", "right")]
    outputs = layers.Dense(2, name="top")(layers.Add()(branches))
    flat = xai.rules.Flat()
    explainer = xai.LRP(keras.Model(inputs, outputs), xai.Composite([("first", flat)]))
    assert weighted(explainer) == [flat, flat, xai.rules.Zero()]


def test_a_selector_that_matches_nothing_lists_the_layers():
    composite = xai.Composite([("botom", xai.rules.Flat()), (layers.Dense, xai.rules.ZPlus())])
    with pytest.raises(ValueError, match=r"No weighted layer matches 'botom'.*bottom, middle, top"):
        xai.LRP(model(), composite)


def test_zero_epsilon_gamma_has_three_zones_and_a_box():
    plain = xai.composites.zero_epsilon_gamma(split=(0.3, 0.7), epsilon=0.5)
    gamma, epsilon, zero = xai.rules.Gamma(), xai.rules.Epsilon(0.5), xai.rules.Zero()
    assert chosen(plain) == [gamma, epsilon, zero]
    boxed = xai.composites.zero_epsilon_gamma(0, 1, split=(0.3, 0.7), epsilon=0.5)
    assert chosen(boxed) == [xai.rules.ZBox(0, 1), epsilon, zero]
    with pytest.raises(ValueError, match="A box has a low and a high; received low=0, high=None"):
        xai.composites.zero_epsilon_gamma(low=0)
    with pytest.raises(ValueError, match="0 <= middle <= top <= 1; received"):
        xai.composites.zero_epsilon_gamma(split=(0.7, 0.3))


def test_epsilon_plus_is_zplus_in_convolutions_and_epsilon_in_dense_layers():
    epsilon, zplus = xai.rules.Epsilon(1e-6), xai.rules.ZPlus()
    assert chosen("epsilon_plus") == [zplus, epsilon, epsilon]
    assert chosen(xai.composites.epsilon_plus()) == chosen("epsilon_plus")


def test_a_rule_alone_is_for_every_weighted_layer():
    assert chosen(xai.rules.ZPlus()) == [xai.rules.ZPlus()] * 3


def test_a_layer_that_nothing_matches_keeps_its_gradient():
    rules = chosen(xai.Composite([("top", xai.rules.ZPlus())]))
    assert rules == [xai.rules.Zero()] * 2 + [xai.rules.ZPlus()]


def test_composites_and_rules_are_equal_by_content_and_print_themselves():
    one, two = xai.composites.epsilon_plus(), xai.composites.epsilon_plus()
    assert one == two
    assert hash(one) == hash(two)
    assert "ZPlus()" in repr(one)
    with pytest.raises(AttributeError):
        xai.rules.Epsilon().epsilon = 2


def test_an_unknown_preset_names_those_there_are():
    with pytest.raises(ValueError, match=r"preset is called 'epsilon_gama'.*'epsilon_plus'"):
        xai.LRP(model(), "epsilon_gama")


@pytest.mark.parametrize("composite", [3, xai.rules.Epsilon, None])
def test_what_is_no_composite_is_refused(composite):
    with pytest.raises(TypeError, match="Expected a rule such as"):
        xai.LRP(model(), composite)


def test_what_is_no_selector_is_refused():
    for selector in (3, dict, (), (layers.Dense, 3)):
        with pytest.raises(TypeError, match="A selector is a layer class"):
            xai.Composite([(selector, xai.rules.ZPlus())])


@pytest.mark.parametrize("value", [-1, np.inf, np.nan, "big"])
@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (xai.rules.Epsilon, "epsilon"),
        (xai.rules.Relative, "factor"),
        (xai.rules.Gamma, "gamma"),
        (xai.rules.AlphaBeta, "alpha"),
    ],
)
def test_a_setting_out_of_range_is_refused(rule, name, value):
    with pytest.raises(ValueError, match=f"{name} is a finite non-negative number; received"):
        rule(value)


def test_an_alpha_below_one_is_refused():
    with pytest.raises(ValueError, match=r"alpha is at least 1, .*; received 0\.5"):
        xai.rules.AlphaBeta(0.5)
