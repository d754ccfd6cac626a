"""A density of the rows of a table: normalized, as its formula says, and with valid rows."""

import dataclasses
import functools

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.special
import scipy.stats
from keras import ops
from sklearn.datasets import load_breast_cancer, load_wine

import xai
from kerasdl.backend import vjp
from tests.reference.densities import integral
from xai import priors
from xai.activation_maximization.priors import normal_scores

GROUP, INTEGER = (2, 3, 4), 5


def clouds(rows=300):
    """Two bent and correlated columns."""
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, 2)) @ [[1.0, 0.7], [0.0, 0.5]]
    x[: rows // 2, 0] = 0.3 * x[: rows // 2, 0] + 3
    return x


def table(rows=300):
    """Two numeric columns, a group of three, a column of whole numbers."""
    random = np.random.default_rng(1)
    numeric = clouds(rows)
    category = random.choice(3, rows, p=[0.6, 0.3, 0.1])
    whole = np.round(5 + 3 * numeric[:, 1] + random.normal(size=rows))
    return np.concatenate([numeric, np.eye(3)[category], whole[:, None]], axis=1)


@functools.cache
def of_clouds():
    return priors.Tabular.fit(clouds())


@functools.cache
def of_table():
    return priors.Tabular.fit(table(), categorical=[GROUP], integer=[INTEGER])


@functools.cache
def of_group():
    """A table of nothing but a group."""
    return priors.Tabular.fit(table()[:, GROUP], categorical=[(0, 1, 2)])


def by_hand(means, deviations, correlation):
    """A density of one normal for each numeric column."""
    features = len(means)
    return priors.Tabular(
        weights=np.ones((features, 1)),
        means=np.array(means)[:, None],
        deviations=np.array(deviations)[:, None],
        correlation=np.array(correlation),
        frequencies=np.ones(features),
        groups=np.full(features, -1),
        integer=np.zeros(features, bool),
        immutable=np.zeros(features, bool),
        names=np.arange(features).astype(str),
        low=np.zeros(features),
        high=np.ones(features),
        held_out=np.zeros((0, features)),
    )


def test_the_numeric_part_integrates_to_one():
    assert integral(of_clouds().log_prob, -8, 8, points=200) == pytest.approx(
        1, abs=1e-4
    )  # the tails


def test_the_probabilities_of_the_categories_sum_to_one():
    assert np.exp(of_group().log_prob(np.eye(3))).sum() == pytest.approx(1)


def test_a_group_is_independent_of_the_rest():
    rows = np.repeat(table()[:1], 3, axis=0)
    rows[:, GROUP] = np.eye(3)
    log_prob = of_table().log_prob(rows)
    expected = np.log(of_table().frequencies[list(GROUP)])
    np.testing.assert_allclose(log_prob - log_prob[0], expected - expected[0])


def test_the_density_of_whole_numbers_sums_to_about_one():
    whole = np.random.default_rng(0).poisson(6, (400, 1)).astype("float64")
    prior = priors.Tabular.fit(whole, integer=[0])
    every = np.arange(-20.0, 60.0)[:, None]
    # The sum over whole numbers of a smooth density differs from its integral by next to nothing.
    assert np.exp(prior.log_prob(every)).sum() == pytest.approx(1, abs=1e-3)


def test_one_normal_for_each_column_makes_a_multivariate_normal_density():
    mean, deviations, correlation = [1.0, -2.0], [0.5, 3.0], [[1.0, 0.8], [0.8, 1.0]]
    prior, x = by_hand(mean, deviations, correlation), clouds()
    covariance = np.outer(deviations, deviations) * correlation
    scipys = scipy.stats.multivariate_normal(mean, covariance).logpdf(x)
    np.testing.assert_allclose(prior.log_prob(x), scipys, rtol=1e-7)
    np.testing.assert_allclose(prior.scale, np.diag(np.linalg.inv(covariance)) ** -0.5)


def test_the_log_density_is_that_of_the_formula_in_scipy():
    prior, x = of_clouds(), clouds()[:50]
    normal = scipy.stats.norm(prior.means, prior.deviations)
    below = (prior.weights * normal.cdf(x[:, :, None])).sum(axis=-1)
    density = (prior.weights * normal.pdf(x[:, :, None])).sum(axis=-1)
    scores = scipy.special.ndtri(below)
    copula = scipy.stats.multivariate_normal(np.zeros(2), prior.correlation).logpdf(scores)
    copula -= scipy.stats.norm.logpdf(scores).sum(axis=-1)
    expected = copula + np.log(density).sum(axis=-1)
    np.testing.assert_allclose(prior.log_prob(x), expected, rtol=1e-7, atol=1e-7)


def test_the_tensor_form_and_its_gradient_agree_with_finite_differences():
    prior, x, step = of_table(), table()[:5], 1e-5
    parameters = tuple(ops.convert_to_tensor(p, "float32") for p in prior.parameters)
    tensor = ops.convert_to_tensor(x, "float32")
    values, pullback = vjp(lambda rows: prior.log_density(parameters, rows), tensor)
    np.testing.assert_allclose(ops.convert_to_numpy(values), prior.log_prob(x), rtol=1e-4)
    directions = step * np.eye(x.shape[1])
    differences = [prior.log_prob(x + d) - prior.log_prob(x - d) for d in directions]
    gradient = ops.convert_to_numpy(pullback(ops.ones_like(values)))
    # The tensors are float32 on all backends, the differences float64.
    np.testing.assert_allclose(
        gradient, np.transpose(differences) / (2 * step), rtol=1e-3, atol=1e-3
    )


def test_the_gradient_at_the_medians_is_that_of_the_normal_density():
    """At a median both tails are alike, where a minimum or an absolute value has no slope."""
    correlation = np.array([[1.0, 0.8], [0.8, 1.0]])
    prior = by_hand([0.0, 0.0], [1.0, 1.0], correlation)
    parameters = tuple(ops.convert_to_tensor(p, "float32") for p in prior.parameters)
    x = ops.convert_to_tensor([[0.0, 1.0], [0.0, 0.0]], "float32")
    values, pullback = vjp(lambda rows: prior.log_density(parameters, rows), x)
    gradient = ops.convert_to_numpy(pullback(ops.ones_like(values)))
    expected = -np.array([[0.0, 1.0], [0.0, 0.0]]) @ np.linalg.inv(correlation)
    np.testing.assert_allclose(gradient, expected, atol=1e-5)


def test_nothing_overflows_in_float32_a_million_deviations_away():
    prior = of_clouds()
    parameters = tuple(ops.convert_to_tensor(p, "float32") for p in prior.parameters)
    far = 1e6 * np.array([[1.0, 1.0], [-1.0, 1.0], [0.0, -1.0]])
    values, pullback = vjp(
        lambda rows: prior.log_density(parameters, rows), ops.convert_to_tensor(far, "float32")
    )
    np.testing.assert_allclose(ops.convert_to_numpy(values), prior.log_prob(far), rtol=1e-5)
    assert np.isfinite(ops.convert_to_numpy(pullback(ops.ones_like(values)))).all()


def test_log_tails_are_those_of_scipy():
    y = np.concatenate([np.linspace(-30, 30, 2001), [-1e6, 1e6]])
    ours = normal_scores.log_tail(y, np)
    # The polynomial is within 3e-10; scipy's value below -38 is -0.
    np.testing.assert_allclose(ours, scipy.special.log_ndtr(-y), rtol=1e-8, atol=1e-9)


def test_scores_are_the_inverse_of_the_tails():
    y = np.concatenate([np.linspace(-30, 30, 2001), [-1e5, 0, 1e-8, 1e5]])
    sides = normal_scores.log_tail(-y, np), normal_scores.log_tail(y, np)
    np.testing.assert_allclose(normal_scores.normal_score(*sides, np), y, rtol=1e-8, atol=1e-8)


def test_as_many_normals_as_the_criterion_asks_for():
    random = np.random.default_rng(0)
    one, two = random.normal(size=(2, 300))
    two[:150] += 8
    prior = priors.Tabular.fit(np.stack([one, two], axis=1))
    assert (prior.weights > 0).sum(axis=1).tolist() == [1, 2]


def test_a_copula_describes_held_out_rows_better_than_independence_and_one_normal_density():
    x = load_breast_cancer().data[:, :4]
    units = x.std(axis=0)
    prior, gaussian = priors.Tabular.fit(x), priors.Gaussian.fit(x / units)
    independent = dataclasses.replace(prior, correlation=np.eye(4))
    ours = prior.log_prob(prior.held_out).mean()
    assert ours > independent.log_prob(prior.held_out).mean() + 1
    np.testing.assert_allclose(gaussian.held_out * units, prior.held_out)
    assert ours > gaussian.log_prob(gaussian.held_out).mean() - np.log(units).sum() + 0.1


def test_samples_are_valid_rows_with_the_moments_of_the_data():
    prior, x = of_table(), table()
    samples = prior.sample(4000, seed=1)
    np.testing.assert_array_equal(prior.snapped(samples)[:, 2:5], samples[:, 2:5])
    np.testing.assert_array_equal(np.round(samples[:, INTEGER]), samples[:, INTEGER])
    # Standard errors of 300 rows: 0.06 of a deviation, 0.05 of a correlation.
    units = x.std(axis=0)
    np.testing.assert_allclose((samples.mean(axis=0) - x.mean(axis=0)) / units, 0, atol=0.2)
    np.testing.assert_allclose(samples.std(axis=0) / units, 1, atol=0.15)
    np.testing.assert_allclose(samples[:, GROUP].mean(axis=0), prior.frequencies[2:5], atol=0.03)
    numeric = [0, 1, INTEGER]
    ranks = scipy.stats.spearmanr(samples[:, numeric]).statistic
    np.testing.assert_allclose(ranks, scipy.stats.spearmanr(x[:, numeric]).statistic, atol=0.15)


def test_the_same_seed_gives_the_same_fit_and_the_same_samples():
    one, other = (priors.Tabular.fit(table(), [GROUP], [INTEGER], seed=2) for _ in range(2))
    np.testing.assert_array_equal(one.log_prob(table()), other.log_prob(table()))
    np.testing.assert_array_equal(one.sample(5, seed=3), other.sample(5, seed=3))
    assert np.any(one.sample(5, seed=3) != one.sample(5, seed=4))


def test_fitting_and_sampling_leave_the_global_random_state_alone():
    before = np.random.get_state()[1].copy()
    priors.Tabular.fit(clouds()).sample(3)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_a_saved_table_comes_back(tmp_path):
    saved = priors.Tabular.fit(
        table(), [GROUP], [INTEGER], immutable=[0], names=["a", "b", "c1", "c2", "c3", "n"]
    )
    saved.save(tmp_path / "prior.npz")
    loaded = priors.Tabular.load(tmp_path / "prior.npz")
    np.testing.assert_array_equal(loaded.log_prob(table()), saved.log_prob(table()))
    np.testing.assert_array_equal(loaded.sample(4), saved.sample(4))
    np.testing.assert_array_equal(loaded.immutable, [True] + 5 * [False])
    assert loaded.names.tolist() == ["a", "b", "c1", "c2", "c3", "n"]


def test_the_rows_snapped_to_are_the_nearest_valid_ones():
    prior = of_table()
    relaxed = np.array([[0.5, 1e9, 0.2, 0.7, 0.1, 4.6], [0.5, 0.1, 0.9, 0.8, 0.0, -1e9]])
    expected = [[0.5, prior.high[1], 0, 1, 0, 5], [0.5, 0.1, 1, 0, 0, prior.low[INTEGER]]]
    np.testing.assert_array_equal(prior.snapped(relaxed), expected)
    np.testing.assert_array_equal(prior.snapped(table()), table())
    assert relaxed[0, 5] == 4.6


def test_starts_are_the_medians_and_likely_held_out_rows():
    prior = of_table()
    log_prob = prior.log_prob(prior.starts)
    assert (log_prob[1:] >= prior.typical).all()
    np.testing.assert_array_equal(prior.starts[0, GROUP], [1, 0, 0])
    medians = prior.starts[0, [0, 1, INTEGER]]
    assert np.all(np.abs(medians - np.median(table()[:, [0, 1, INTEGER]], axis=0)) < 0.3)
    nothing_held_out = dataclasses.replace(prior, held_out=np.zeros((0, 6)))
    np.testing.assert_array_equal(nothing_held_out.starts, prior.starts[:1])


def test_rows_are_compared_with_the_data():
    x = table()
    row = np.array([[np.median(x[:, 0]), x[:, 1].min() - 1, 0, 1, 0, 7]])
    compared = of_table().compare(np.concatenate([row, x[:1]]), x)
    assert compared.columns.tolist() == ["value", "percentile", "nearest"]
    assert compared.index.names == ["row", "column"]
    np.testing.assert_array_equal(compared.loc[0, "value"], row[0])
    assert compared.loc[(0, "0"), "percentile"] == pytest.approx(50)
    assert compared.loc[(0, "1"), "percentile"] == 0
    np.testing.assert_array_equal(compared.loc[1, "nearest"], x[0])
    assert len(of_table().compare(row)) == 6


@pytest.mark.parametrize(("away", "is_nearest"), [(7.5, True), (12, False)])
def test_another_category_is_as_far_as_one_deviation(away, is_nearest):
    far = np.repeat([[-10.0, 1, 0], [10.0, 1, 0]], 10, axis=0)  # the deviation is about 10
    same_category, other_category = [away, 0, 1], [0, 1, 0]
    data = np.concatenate([far, [same_category, other_category]])
    prior = priors.Tabular.fit(np.tile(data, (3, 1)), categorical=[(1, 2)])
    nearest = prior.compare([[0.0, 0, 1]], data)["nearest"].tolist()
    assert nearest == (same_category if is_nearest else other_category)


def test_a_frame_brings_its_names():
    frame = pd.DataFrame(clouds(), columns=["width", "height"])
    prior = priors.Tabular.fit(frame)
    assert prior.names.tolist() == ["width", "height"]
    np.testing.assert_array_equal(prior.means, of_clouds().means)


def test_an_ascent_ends_near_a_valid_row():
    x = table()
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    kernel = np.array([[0, 0], [1, 0], [0, 2], [0, 0], [2, 0], [0, 0]])
    model.set_weights([kernel, np.zeros(2)])
    relaxed = of_table().groups >= 0
    bounds = np.where(relaxed, 0, -np.inf), np.where(relaxed, 1, np.inf)
    maximize = xai.ActivationMaximization(model, of_table(), sharpness=1, bounds=bounds)
    result = maximize([0, 1], steps=128)
    assert result.converged.all()
    snapped = of_table().snapped(result.inputs)
    np.testing.assert_allclose(result.inputs[:, GROUP], snapped[:, GROUP], atol=0.05)
    assert (of_table().log_prob(result.inputs) > of_table().log_prob(x).max() - 1).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"categorical": [(2, 3)]}, r"columns \[2, 3\] are named a one-hot group but hold"),
        ({"categorical": [(2,)]}, "less than two columns"),
        ({"categorical": [GROUP, (4, 5)]}, "columns of another group"),
        ({"categorical": [(2, 3, 9)]}, "numbers from 0 to 5, each once; received"),
        ({"categorical": [GROUP], "integer": [3]}, r"Columns \[3\] are named both"),
        ({"integer": [1]}, r"Column 1 \(1\) is named in integer but holds"),
        ({"integer": [5, 5]}, "integer holds column numbers"),
        ({"immutable": ["age"]}, "immutable holds column numbers"),
        ({"categorical": [GROUP], "immutable": [2]}, r"only \[2\] are immutable"),
        ({"names": ["a", "b"]}, "names holds 6 different names"),
        ({"names": list("aabcde")}, "names holds 6 different names"),
    ],
)
def test_columns_that_are_not_what_they_are_said_to_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        priors.Tabular.fit(table(), **arguments)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (clouds()[:, :, None], "rows of a table have one axis"),
        (clouds(10), "Received 10 rows"),
        (np.stack([clouds()[:, 0], np.ones(300)], axis=1), r"Columns \[1\] \(1\) have a single"),
    ],
    ids=["image", "few", "constant"],
)
def test_tables_that_no_density_fits_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        priors.Tabular.fit(x)


@pytest.mark.parametrize("x", [np.ones((2, 3)), np.ones(6), np.ones((0, 6))])
def test_rows_of_another_shape_are_not_compared(x):
    with pytest.raises(ValueError, match="x holds rows of 6 columns"):
        of_table().compare(x)


def test_real_tables_are_fitted():
    x = load_wine().data[:, [0, 6, 12]]
    prior = priors.Tabular.fit(x, integer=[2])
    assert np.isfinite(prior.log_prob(x)).all()
    assert (prior.scale > 0).all()
