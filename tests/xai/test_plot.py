"""Heatmaps: one scale for all, zero in the middle, inputs beside."""

import types

import numpy as np
import pytest

import xai
from xai import Attribution


def attribution(scale=1.0, shape=(2, 4, 4, 3), **fields):
    values = scale * np.random.default_rng(0).normal(size=shape)
    defaults = {"inputs": np.random.default_rng(1).uniform(size=shape), "method": "lrp"}
    defaults["score"] = defaults["base_score"] = np.zeros(shape[0])
    return Attribution(values=values, target=np.array([3, 5]), **{**defaults, **fields})


def maps(figure):
    return [i for axis in figure.axes for i in axis.images if i.norm.vmin < 0]


def test_all_maps_share_one_scale_centred_at_zero():
    figure = xai.plot.grid([attribution(1.0), attribution(5.0)], titles=["small", "large"])
    norms = {(image.norm.vmin, image.norm.vmax) for image in maps(figure)}
    assert len(norms) == 1
    ((low, high),) = norms
    assert low == -high
    everything = np.abs([attribution(s).values.sum(axis=-1) for s in (1.0, 5.0)])
    assert high == pytest.approx(np.percentile(everything, 99.5))
    red, green, blue, _ = maps(figure)[0].cmap(0.5)
    assert min(red, green, blue) > 0.98, "zero is white"


def test_rows_are_inputs_and_columns_are_attributions():
    figure = xai.plot.grid([attribution(), attribution()], titles=["a", "b"])
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert titles == ["input", "a", "b"]
    assert len(maps(figure)) == 4
    assert "class 3" in figure.axes[0].get_ylabel()
    assert figure.axes[-1].get_ylabel() == "contribution to the score"


def test_channels_are_summed():
    one = attribution()
    drawn = maps(xai.plot.heatmap(one))[0].get_array()
    np.testing.assert_allclose(drawn, one.values[0].sum(axis=-1))


def test_inputs_outside_the_unit_range_are_stretched_and_not_changed():
    inputs = np.random.default_rng(0).normal(size=(2, 4, 4, 1))
    before = inputs.copy()
    figure = xai.plot.heatmap(attribution(shape=(2, 4, 4, 1), inputs=inputs))
    shown = figure.axes[0].images[0].get_array()
    assert shown.min() >= 0
    assert shown.max() <= 1
    np.testing.assert_array_equal(inputs, before)


def test_synthesized_images_are_drawn_with_their_probability():
    result = types.SimpleNamespace(
        inputs=np.random.default_rng(0).uniform(size=(3, 8, 8, 1)),
        target=np.arange(3),
        log_probability=np.log([0.5, 0.25, 1.0]),
    )
    figure = xai.plot.heatmap(result)
    assert [a.get_title() for a in figure.axes][:2] == ["class 0: 0.500", "class 1: 0.250"]


def test_an_objective_is_named_in_lines_that_fit_and_bounds_are_black_and_white():
    targets = [xai.objectives.Channel("a_long_name_of_a_layer", 7), 3]
    record = types.SimpleNamespace(
        inputs=np.full((2, 4, 4, 1), 0.5),
        target=targets,
        log_probability=np.array([12.5, -0.1]),
        settings={"bounds": (-1, 1)},
    )
    axes = xai.plot.heatmap(record).axes
    lines = axes[0].get_title().splitlines()
    assert max(map(len, lines)) <= 18
    assert "12.5" in lines[-1]
    assert axes[1].get_title() == "class 3: 0.905"
    np.testing.assert_allclose(axes[0].images[0].get_array(), 0.75)


def test_maps_of_zeros_and_of_nan_are_drawn_with_a_warning():
    with pytest.warns(UserWarning, match="zero everywhere"):
        xai.plot.heatmap(attribution(scale=0.0))
    with pytest.warns(UserWarning, match="NaN or infinite"):
        xai.plot.heatmap(attribution(scale=np.array([1.0, np.nan, 1.0, 1.0]).reshape(4, 1)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attributions": []}, "no attributions to draw"),
        ({"attributions": [attribution(shape=(2, 5))]}, r"images .* received .*\(2, 5\)"),
        ({"attributions": [attribution()], "titles": ["a", "b"]}, "Expected 1 titles; received 2"),
        ({"attributions": [attribution()], "percentile": 0}, r"lies in \(0, 100\]; received 0"),
        (
            {"attributions": [attribution(), attribution(shape=(2, 5, 5, 3))]},
            "all of one shape",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        xai.plot.grid(**arguments)
