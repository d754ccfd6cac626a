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


def chosen(composite):
    return list(xai.LRP(model(), composite)._rules.values())


@pytest.mark.parametrize(
    "selector",
    ["mid*", lambda layer: layer.name == "middle", (layers.Dense, layers.Conv1D), layers.Dense],
)
def test_the_first_entry_that_matches_wins(selector):
    epsilon, zplus = xai.rules.Epsilon(0.5), xai.rules.ZPlus()
    rules = chosen(xai.Composite([(selector, epsilon), (layers.Layer, zplus)]))
    assert rules[:2] == [zplus, epsilon]


def test_epsilon_plus_is_zplus_in_convolutions_and_epsilon_in_dense_layers():
    epsilon, zplus = xai.rules.Epsilon(1e-6), xai.rules.ZPlus()
    assert chosen("epsilon_plus") == [zplus, epsilon, epsilon]
    assert chosen(xai.composites.epsilon_plus()) == chosen("epsilon_plus")


def test_a_rule_alone_is_for_every_weighted_layer():
    assert chosen(xai.rules.ZPlus()) == [xai.rules.ZPlus()] * 3


def test_a_layer_that_nothing_matches_keeps_its_gradient():
    rules = chosen(xai.Composite([("top", xai.rules.ZPlus())]))
    assert rules == [xai.rules.Epsilon(0.0)] * 2 + [xai.rules.ZPlus()]


def test_composites_and_rules_are_equal_by_content_and_print_themselves():
    one, two = xai.composites.epsilon_plus(), xai.composites.epsilon_plus()
    assert one == two
    assert hash(one) == hash(two)
    assert "ZPlus()" in repr(one)
    with pytest.raises(AttributeError):
        xai.rules.Epsilon().epsilon = 2


def test_an_unknown_preset_names_those_there_are():
    with pytest.raises(ValueError, match=r"preset is called 'epsilon_gamma_box'.*'epsilon_plus'"):
        xai.LRP(model(), "epsilon_gamma_box")


@pytest.mark.parametrize("composite", [3, xai.rules.Epsilon, None])
def test_what_is_no_composite_is_refused(composite):
    with pytest.raises(TypeError, match="Expected a rule such as"):
        xai.LRP(model(), composite)


def test_what_is_no_selector_is_refused():
    with pytest.raises(TypeError, match="A selector is a layer class"):
        xai.Composite([(3, xai.rules.ZPlus())])


@pytest.mark.parametrize("epsilon", [-1, np.inf, np.nan, "big"])
def test_what_is_no_epsilon_is_refused(epsilon):
    with pytest.raises(ValueError, match="epsilon is a finite non-negative number"):
        xai.rules.Epsilon(epsilon)
