"""Attributions as `shap.Explanation`s: additive, drawn by every plot of shap, with its traps."""

import ast
import dataclasses
import pathlib
import re
import statistics
import sys
import warnings

import keras
import matplotlib
import numpy as np
import pytest
from keras import layers

import xai
from xai import Attribution

with warnings.catch_warnings():  # shap 0.51 colours its maps in a way that matplotlib will drop
    warnings.simplefilter("ignore", PendingDeprecationWarning)
    shap = pytest.importorskip("shap")

COLUMNS = ["age", "income", "height", "weight"]
VOCABULARY = ["[PAD]", "good", "bad", "film", "<b>"]


@pytest.fixture(autouse=True)
def canvas():
    """Draws into memory, and leaves no figure open."""
    matplotlib.use("Agg")
    yield
    matplotlib.pyplot.close("all")


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def record(values, inputs, base_score=0.5, **fields):
    """Returns an attribution that conserves: of one score a row, or one per last axis of values."""
    outputs = values.shape[inputs.ndim :]
    base_score = np.full((len(values), *outputs), base_score)
    score = base_score + values.reshape(len(values), -1, *outputs).sum(axis=1)
    defaults = {"target": None, "method": "shapley", "settings": {"players": None}}
    return Attribution(values, inputs, score=score, base_score=base_score, **{**defaults, **fields})


def table(*outputs, rows=12, **fields):
    values = random(rows, 4, *outputs)
    error = np.abs(random(*values.shape, seed=1))
    fields = {"player_values": values, "standard_error": error, **fields}
    return record(values, random(rows, 4, seed=2), **fields)


def tokens(*outputs, rows=3):
    values = random(rows, 5, *outputs)
    ids = np.random.default_rng(0).integers(0, len(VOCABULARY), size=(rows, 5))
    return record(values, ids, player_values=values)


def images(*outputs, channels=1, patch=4):
    """An attribution of images of 8 x 8 pixels whose players are patches."""
    ids = (np.arange(8) // patch)[:, None] * (8 // patch) + np.arange(8) // patch
    players = random(2, ids.max() + 1, *outputs)
    pixels = players[:, ids] / (patch**2 * channels)
    values = np.repeat(pixels[:, :, :, None], channels, axis=3)
    pictures = np.random.default_rng(0).uniform(size=(2, 8, 8, channels))
    error = np.full(players.shape, 0.5)
    settings = {"players": patch}
    return record(values, pictures, player_values=players, standard_error=error, settings=settings)


# Laws.


@pytest.mark.parametrize("outputs", [(), (3,)], ids=["one score", "all outputs"])
@pytest.mark.parametrize("make", [table, tokens, images], ids=lambda make: make.__name__)
@pytest.mark.parametrize("players", [False, True], ids=["elements", "players"])
def test_base_values_and_values_sum_to_the_score(make, outputs, players):
    attribution = make(*outputs)
    explanation = attribution.to_shap(players)
    total = explanation.values.reshape(len(attribution), -1, *outputs).sum(axis=1)
    np.testing.assert_allclose(explanation.base_values + total, attribution.score, rtol=1e-12)
    np.testing.assert_array_equal(explanation.base_values, attribution.base_score)
    assert explanation.output_dims == ((explanation.values.ndim - 1,) if outputs else ())


def test_what_a_method_gives_to_no_input_is_part_of_the_base_value():
    attribution = dataclasses.replace(table(), score=np.full(12, 9.0))
    explanation = attribution.to_shap()
    np.testing.assert_allclose(explanation.base_values, 0.5 + attribution.residual)
    np.testing.assert_allclose(explanation.base_values + explanation.values.sum(axis=1), 9)


def test_the_bounds_are_ninety_five_percent_of_a_normal_distribution():
    attribution = table(3)
    explanation = attribution.to_shap()
    np.testing.assert_array_equal(explanation.error_std, attribution.standard_error)
    half = statistics.NormalDist().inv_cdf(0.975) * attribution.standard_error
    np.testing.assert_allclose(explanation.upper_bounds - attribution.values, half, rtol=1e-5)
    np.testing.assert_allclose(attribution.values - explanation.lower_bounds, half, rtol=1e-5)


def test_a_players_standard_error_is_divided_among_its_elements_as_its_value_is():
    attribution = images(2, channels=3)
    error = attribution.to_shap().error_std
    assert error.shape == (2, 8, 8, 3, 2)
    np.testing.assert_allclose(error, 0.5 / (4 * 4 * 3))
    assert dataclasses.replace(attribution, standard_error=None).to_shap().error_std is None


def test_players_whose_elements_the_record_does_not_know_leave_elements_without_errors():
    attribution = dataclasses.replace(images(), settings={"players": "superpixels"})
    assert attribution.to_shap().error_std is None
    assert attribution.to_shap(players=True).error_std.shape == (2, 4)


def test_players_that_do_not_add_up_to_the_elements_are_not_taken_for_theirs():
    attribution = images()
    other = dataclasses.replace(attribution, player_values=attribution.player_values[:, ::-1])
    assert other.to_shap().error_std is None
    assert other.to_shap(players=True).data is None


def test_an_explanation_shares_no_memory_with_the_record():
    attribution = table()
    for players in (False, True):
        explanation = attribution.to_shap(players)
        for array in (explanation.values, explanation.base_values, explanation.data):
            array[:] = 7
    assert not (attribution.values == 7).any()
    assert not (attribution.inputs == 7).any()
    assert not (attribution.player_values == 7).any()
    assert not (attribution.base_score == 7).any()


# Features, names and data.


def test_a_players_data_is_the_mean_of_its_elements():
    attribution = images(channels=3)
    explanation = attribution.to_shap(players=True)
    corner = attribution.inputs[:, :4, 4:].mean(axis=(1, 2, 3))
    np.testing.assert_allclose(explanation.data[:, 1], corner)
    assert explanation.feature_names == ["Player 0", "Player 1", "Player 2", "Player 3"]


def test_groups_of_columns_are_players():
    groups = np.array([0, 1, 1, 0])
    players = random(12, 2)
    values = players[:, groups] / 2
    attribution = record(
        values, random(12, 4, seed=2), player_values=players, settings={"players": groups}
    )
    explanation = attribution.to_shap(players=True, feature_names=["person", "body"])
    np.testing.assert_allclose(explanation.values, players)
    np.testing.assert_allclose(explanation.data[:, 1], attribution.inputs[:, 1:3].mean(axis=1))
    assert explanation[:, "body"].shape == (12,)


def test_players_in_another_order_than_the_columns_keep_their_columns_data_and_names():
    order = np.array([2, 0, 3, 1])
    values = random(12, 4)
    players = values[:, np.argsort(order)]
    attribution = table(player_values=players, settings={"players": order})
    explanation = attribution.to_shap(players=True)
    assert explanation.feature_names == ["Feature 1", "Feature 3", "Feature 0", "Feature 2"]
    np.testing.assert_array_equal(explanation.data, attribution.inputs[:, [1, 3, 0, 2]])


def test_several_tabular_inputs_become_one_table():
    values = {"body": random(5, 3), "age": random(5, 1, seed=1)}
    score = values["body"].sum(axis=1) + values["age"].sum(axis=1) + 1
    players = np.concatenate([values["age"], values["body"]], axis=1)  # in Keras' order
    attribution = Attribution(
        values, values, None, score, np.ones(5), "shapley", player_values=players,
        standard_error=np.ones((5, 4)), settings={"players": None},
    )  # fmt: skip
    explanation = attribution.to_shap()
    by_name = {name: explanation[:, name].values for name in explanation.feature_names}
    np.testing.assert_array_equal(by_name["age"], values["age"][:, 0])
    np.testing.assert_array_equal(by_name["body 2"], values["body"][:, 2])
    np.testing.assert_allclose(explanation.base_values, 1)
    assert explanation.error_std.shape == (5, 4)
    assert attribution.to_shap(players=True).feature_names == explanation.feature_names


def test_inputs_of_several_kinds_give_players_only():
    values = [random(5, 4, 4, 1), random(5, 2)]
    players = random(5, 3)
    fields = {"player_values": players, "standard_error": players, "settings": {"players": None}}
    attribution = Attribution(values, values, None, np.ones(5), np.zeros(5), "shapley", **fields)
    with pytest.raises(ValueError, match=r"\(5, 4, 4, 1\), \(5, 2\).*players=True, or pick one"):
        attribution.to_shap()
    explanation = attribution.to_shap(players=True)
    np.testing.assert_array_equal(explanation.values, players)
    image = dataclasses.replace(attribution, values=values[0], inputs=values[0])
    assert image.to_shap().shape == (5, 4, 4, 1)


def test_token_ids_picked_from_several_inputs_keep_their_error_bars():
    alone = tokens()
    mask = np.ones((3, 5))
    both = dataclasses.replace(
        alone,
        inputs={"ids": alone.inputs, "mask": mask},
        values={"ids": alone.values, "mask": 0 * mask},
        standard_error=mask,
    )
    picked = dataclasses.replace(both, inputs=both.inputs["ids"], values=both.values["ids"])
    explanation = picked.to_shap(feature_names=VOCABULARY.__getitem__)
    np.testing.assert_array_equal(explanation.values, alone.values)
    np.testing.assert_array_equal(explanation.error_std, mask)


def test_data_in_their_own_units_are_shown_in_place_of_the_inputs():
    years = np.tile([[40.0, 3000.0, 1.8, 75.0]], (12, 1))
    explanation = table().to_shap(feature_names=COLUMNS, data=years)
    shap.plots.waterfall(explanation[0], show=False)
    assert "3000 = income" in written()
    with pytest.raises(ValueError, match=r"\(12, 4\); received \(12, 3\)"):
        table().to_shap(data=years[:, :3])


def test_rows_with_fewer_players_have_zeros_for_the_missing_ones():
    players = np.array([[1.0, 2.0, 4.0], [3.0, np.nan, np.nan]])
    values = np.array([[1.0, 6.0], [1.5, 1.5]])
    attribution = record(
        values, values, player_values=players, standard_error=players, settings={"players": "f"}
    )
    explanation = attribution.to_shap(players=True)
    np.testing.assert_array_equal(explanation.values, [[1, 2, 4], [3, 0, 0]])
    np.testing.assert_array_equal(explanation.error_std, [[1, 2, 4], [3, 0, 0]])
    np.testing.assert_array_equal(explanation.base_values, attribution.base_score)
    broken = dataclasses.replace(attribution, player_values=players[:, ::-1])
    assert np.isnan(broken.to_shap(players=True).values[1, 0])


@pytest.mark.parametrize(
    "decode",
    [
        VOCABULARY.__getitem__,
        dict(enumerate(VOCABULARY)),
        [[VOCABULARY[i] for i in row] for row in tokens().inputs],
    ],
    ids=["function", "dict", "lists"],
)
def test_token_ids_become_words_with_blanks_between_them(decode):
    attribution = tokens()
    explanation = attribution.to_shap(feature_names=decode)
    words = [VOCABULARY[i] for i in attribution.inputs[1]]
    assert explanation[1].feature_names == words
    assert "".join(explanation[1].data) == " ".join(words) + " "
    assert attribution.to_shap(players=True).data.dtype == attribution.inputs.dtype


def test_tokens_that_bring_their_own_blanks_stay_as_they_are():
    pieces = ["", "go", "od ", "film ", "un"]
    attribution = tokens()
    explanation = attribution.to_shap(feature_names=pieces.__getitem__)
    assert explanation[0].data == [pieces[i] for i in attribution.inputs[0]]


def test_channels_come_last_whatever_keras_is_set_to(monkeypatch):
    first = images(2, channels=3)
    moved = {"values": np.moveaxis(first.values, 3, 1), "inputs": np.moveaxis(first.inputs, 3, 1)}
    monkeypatch.setattr(keras.config, "image_data_format", lambda: "channels_first")
    explanation = dataclasses.replace(first, **moved).to_shap()
    np.testing.assert_array_equal(explanation.values, first.values)
    np.testing.assert_array_equal(explanation.data, first.inputs)
    assert explanation.error_std.shape == first.values.shape


# Trained models.


def test_shapley_values_of_a_model_become_an_explanation():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    x = random(3, 4).astype("float32")
    attribution = xai.SampledShapley(model, baseline=0.0)(x, target=1, evaluations=20)
    explanation = attribution.to_shap(feature_names=COLUMNS)
    np.testing.assert_allclose(explanation.values, x * np.array(model.weights[0])[:, 1], atol=1e-5)
    np.testing.assert_array_equal(explanation.base_values, attribution.base_score)
    assert explanation.error_std.shape == (3, 4)


def test_relevance_of_a_model_becomes_an_explanation_without_players():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(2, 3, activation="relu", bias_initializer="ones"),
            layers.Flatten(),
            layers.Dense(2, bias_initializer="ones"),
        ]
    )
    pictures = np.random.default_rng(0).uniform(size=(2, 8, 8, 3)).astype("float32")
    attribution = xai.LRP(model, composite="epsilon_plus")(pictures, target=0)
    explanation = attribution.to_shap()
    assert explanation.shape == (2, 8, 8, 3)
    assert explanation.error_std is None
    total = explanation.values.sum(axis=(1, 2, 3))
    np.testing.assert_allclose(explanation.base_values + total, attribution.score, rtol=1e-6)
    with pytest.raises(ValueError, match=r"method 'lrp' has no players; leave players=True out"):
        attribution.to_shap(players=True)


# Every plot draws.


def figure():
    return matplotlib.pyplot.gcf()


def written():
    """Returns all texts of the current figure."""
    figure().canvas.draw()
    return [text.get_text() for text in figure().findobj(matplotlib.text.Text)]


@pytest.mark.parametrize("names", [COLUMNS, None], ids=["named", "unnamed"])
@pytest.mark.parametrize("outputs", [(), (3,)], ids=["one score", "all outputs"])
@pytest.mark.parametrize("plot", ["beeswarm", "bar", "heatmap", "waterfall", "force", "scatter"])
@pytest.mark.parametrize("players", [False, True], ids=["elements", "players"])
def test_plots_of_tables_draw_every_feature(plot, players, outputs, names):
    explanation = table(*outputs).to_shap(players, feature_names=names)
    explanation = explanation[..., 1] if outputs else explanation
    names = names or ["Feature 0", "Feature 1", "Feature 2", "Feature 3"]
    draw(plot, explanation)
    texts = " ".join(written())
    assert all(name in texts for name in (names[:1] if plot == "scatter" else names))
    artists = figure().findobj(matplotlib.collections.Collection) + figure().axes[0].patches
    assert len(artists) + len(figure().axes[0].images) > 0


def draw(plot, explanation):
    if plot == "scatter":
        shap.plots.scatter(explanation[:, 0], show=False)
    elif plot == "waterfall":
        shap.plots.waterfall(explanation[0], show=False)
    elif plot == "force":
        row = explanation[0]
        shap.plots.force(
            row, features=row.data.round(2), matplotlib=True, show=False, contribution_threshold=0
        )
    else:
        getattr(shap.plots, plot)(explanation, show=False)


def test_scatter_draws_the_values_over_the_data():
    attribution = table()
    shap.plots.scatter(attribution.to_shap()[:, 2], show=False)
    points = max((c.get_offsets() for c in figure().axes[0].collections), key=len)
    expected = np.stack([attribution.inputs[:, 2], attribution.values[:, 2]], axis=1)
    np.testing.assert_allclose(sorted(points.tolist()), sorted(expected.tolist()))


def test_decision_plots_end_at_the_scores():
    attribution = table()
    explanation = attribution.to_shap(feature_names=COLUMNS)
    base = explanation.base_values[0]
    shap.plots.decision(
        base, explanation.values, explanation.data, explanation.feature_names, show=False
    )
    ends = [line.get_xdata()[-1] for line in figure().axes[0].lines if len(line.get_xdata()) == 5]
    np.testing.assert_allclose(ends, attribution.score)


@pytest.mark.parametrize(("error", "whiskers"), [(True, 4), (False, 0)])
def test_waterfalls_draw_error_bars(error, whiskers):
    attribution = table() if error else table(standard_error=None)
    shap.plots.waterfall(attribution.to_shap(feature_names=COLUMNS)[0], show=False)
    bars = figure().axes[0].findobj(matplotlib.collections.LineCollection)
    assert len(bars) == whiskers


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_drawn_with_a_column_per_output(channels):
    explanation = images(2, channels=channels).to_shap(output_names=["cat", "dog"])
    shap.plots.image(explanation, show=False)
    drawn = [axis for axis in figure().axes if axis.images]
    assert len(drawn) == 2 * 3
    assert [axis.get_title() for axis in drawn[:3]] == ["", "cat", "dog"]
    np.testing.assert_allclose(
        drawn[1].images[-1].get_array(), explanation.values[0, ..., 0].sum(axis=-1)
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_one_score_are_drawn_under_given_labels(channels):
    explanation = images(channels=channels).to_shap()
    shap.plots.image(explanation, labels=np.array([["cat"], ["dog"]]), show=False)
    assert [axis.get_title() for axis in figure().axes][:4] == ["", "cat", "", "dog"]
    shap.plots.image(explanation[0], show=False)
    assert len([axis for axis in figure().axes if axis.images]) == 2


def shown(explanation):
    """Returns what a reader of shap's text plot reads."""
    html = shap.plots.text(explanation, display=False)
    html = re.sub(r"<script.*?</script>", "", html, flags=re.S)
    return re.sub(r"<[^>]*>", "", html)


def test_texts_of_one_score_are_drawn_row_by_row():
    attribution = tokens()
    explanation = attribution.to_shap(feature_names=VOCABULARY.__getitem__)
    page = shown(explanation)
    for row in range(3):
        words = [VOCABULARY[i].replace("<b>", "&lt;b&gt;") for i in attribution.inputs[row]]
        pieces = [rf"{re.escape(word)} " for word in words]
        assert re.search(r"\s*(-?[\d.]+)?\s*".join(pieces), page)
        assert f"{attribution.score[row]:.3f}"[:4] in page
    assert "inputs" in shown(explanation[0])


def test_texts_of_all_outputs_are_drawn_under_their_names():
    explanation = tokens(2).to_shap(
        feature_names=VOCABULARY.__getitem__, output_names=["joy", "anger"]
    )
    for part in (explanation, explanation[0], explanation[:, :, "joy"], explanation[0, :, "joy"]):
        assert "joy" in shown(part)
    assert "anger" in shown(explanation)
    assert "anger" not in shown(explanation[:, :, "joy"])
    shap.plots.bar(explanation[:, :, "joy"].mean(0), show=False)
    assert "film" in " ".join(written())


def test_tokens_without_words_are_drawn_by_position():
    explanation = tokens().to_shap()
    shap.plots.heatmap(explanation, show=False)
    assert "Feature 4" in written()


def test_players_without_data_are_drawn_by_all_but_scatter():
    attribution = dataclasses.replace(images(), settings={"players": "superpixels"})
    explanation = attribution.to_shap(players=True)
    assert explanation.data is None
    for plot in ("beeswarm", "bar", "heatmap", "waterfall"):
        draw(plot, explanation)
        assert "Player 3" in " ".join(written())
        matplotlib.pyplot.close("all")
    given = attribution.to_shap(players=True, data=random(2, 4))
    draw("scatter", given)
    assert "Player 0" in written()


# Traps of shap 0.51, each with the way around it that `to_shap` names.


def test_outputs_are_picked_by_number_or_by_name_at_their_place():
    attribution = table(3)
    explanation = attribution.to_shap(output_names=["cat", "dog", "bird"])
    for picked in (explanation[..., 1], explanation[:, :, "dog"]):
        np.testing.assert_array_equal(picked.values, attribution.values[..., 1])
        np.testing.assert_array_equal(picked.base_values, attribution.base_score[:, 1])
    with pytest.raises(IndexError):
        explanation[..., "dog"]


def test_one_row_of_all_outputs_keeps_its_outputs_apart():
    explanation = table(3, rows=1).to_shap()
    assert explanation.output_dims == (2,)
    assert explanation.output_names == ["Output 0", "Output 1", "Output 2"]
    assert explanation[0].base_values.shape == (3,)
    assert np.ndim(explanation[0, :, 1].base_values) == 0


def test_names_stay_with_the_features_where_there_are_as_many_outputs():
    explanation = table(4).to_shap(feature_names=COLUMNS)
    assert explanation[0, :, 1].feature_names == COLUMNS
    assert explanation[0][:, 1].feature_names == COLUMNS[1]  # the trap


def test_as_many_rows_as_features_or_outputs_are_told_apart():
    explanation = table(4, rows=4).to_shap(feature_names=COLUMNS)
    np.testing.assert_array_equal(explanation[:, "weight"].values, explanation.values[:, 3])
    assert explanation.output_dims == (2,)
    assert table(rows=4).to_shap(feature_names=COLUMNS)[2].feature_names == COLUMNS


def test_one_output_of_images_is_picked_by_a_slice():
    explanation = images(2, channels=3).to_shap(output_names=["cat", "dog"])
    shap.plots.image(explanation[..., 1:2], show=False)
    assert [axis.get_title() for axis in figure().axes][:2] == ["", "dog"]
    with pytest.raises(AttributeError, match="reshape"):
        shap.plots.image(explanation[..., 1], show=False)


def test_images_are_too_deep_for_a_beeswarm_and_their_players_are_not():
    attribution = images()
    with pytest.raises(ValueError, match="more than one dimension"):
        shap.plots.beeswarm(attribution.to_shap(), show=False)
    shap.plots.beeswarm(attribution.to_shap(players=True), show=False)
    assert "Player 3" in written()


# Errors at the door.


@pytest.mark.parametrize(
    ("make", "settings", "error", "message"),
    [
        (table, {"feature_names": ["a"]}, ValueError, "1 feature_names for 4 features"),
        (table, {"feature_names": "ages"}, TypeError, "list of names; received the string 'ages'"),
        (table, {"feature_names": str}, TypeError, "decode token ids.*other numbers"),
        (images, {"feature_names": COLUMNS}, ValueError, r"\(8, 8, 1\).*players=True"),
        (images, {"players": True, "feature_names": str}, TypeError, "groups of elements"),
        (tokens, {"feature_names": VOCABULARY * 2}, ValueError, r"vocabulary\.__getitem__"),
        (tokens, {"feature_names": {0: "[PAD]"}}, ValueError, "no token for the ids"),
        (tokens, {"feature_names": [["a"] * 5] * 2}, ValueError, "2 lists.*expected 3, one per"),
        (tokens, {"feature_names": [["a"] * 4] * 3}, ValueError, r"\[4\] tokens.*padding included"),
        (table, {"output_names": ["cat"]}, ValueError, "one score per row.*labels="),
    ],
)
def test_names_that_do_not_fit_are_refused(make, settings, error, message):
    with pytest.raises(error, match=message):
        make().to_shap(**settings)


@pytest.mark.parametrize("names", [["cat"], [["cat", "dog", "bird"]] * 12])
def test_output_names_are_one_per_output(names):
    with pytest.raises(ValueError, match="a list of 3 names, one per output; received"):
        table(3).to_shap(output_names=names)


def test_without_shap_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(ImportError, match="pip install shap"):
        table().to_shap()


def test_no_file_of_xai_imports_shap_before_it_is_asked_for():
    for path in pathlib.Path(xai.__file__).parent.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert "shap" not in ast.unparse(node).replace(".", " ").split(), path
