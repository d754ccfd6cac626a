"""What every prior keeps to, whatever its formula."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from kerasdl.backend import jit, vjp
from xai import ActivationMaximization, priors

SHAPE = (9, 4, 2)
FITS = {
    "Gaussian": priors.Gaussian.fit,
    "GaussianMixture": lambda x, seed=0: priors.GaussianMixture.fit(x, components=2, seed=seed),
    "LowRankGaussian": priors.LowRankGaussian.fit,
    "Spectral": priors.Spectral.fit,
    "PatchMixture": lambda x, seed=0: priors.PatchMixture.fit(x, components=2, seed=seed),
    "TotalVariation": priors.TotalVariation.fit,
    "Norm": priors.Norm.fit,
    "Norm 1": lambda x, seed=0: priors.Norm.fit(x, p=1, seed=seed),
}


def images(rows=60, shape=SHAPE):
    """Smooth images: sums of noise along both axes."""
    random = np.random.default_rng(0)
    return 0.1 * random.normal(size=(rows, *shape)).cumsum(axis=1).cumsum(axis=2)


@pytest.fixture(scope="module")
def fitted():
    """A function that returns a prior by name, fitted once."""
    known = {}

    def get(name):
        if name not in known:
            known[name] = FITS[name](images())
        return known[name]

    return get


@pytest.mark.parametrize("name", FITS)
def test_a_fit_gives_a_prior_that_is_exported(name, fitted):
    assert type(fitted(name)) is getattr(priors, name.partition(" ")[0])
    assert fitted(name).shape == SHAPE


@pytest.mark.parametrize("name", FITS)
def test_compiled_tensors_have_the_values_of_numpy_and_the_gradient_of_finite_differences(
    name, fitted
):
    prior, x, step = fitted(name), images()[:4], 1e-6

    def value_and_gradient(parameters, x):
        values, pullback = vjp(lambda rows: prior.log_density(parameters, rows), x)
        return values, pullback(ops.ones_like(values))

    parameters = tuple(ops.convert_to_tensor(p, "float32") for p in prior.parameters)
    tensors = jit(value_and_gradient)(parameters, ops.convert_to_tensor(x, "float32"))
    values, gradient = map(ops.convert_to_numpy, tensors)
    # The tensors are float32 on all backends, the differences float64.
    np.testing.assert_allclose(values, prior.log_prob(x), rtol=1e-4, atol=1e-2)
    directions = prior.scale * np.random.default_rng(1).normal(size=(5, *SHAPE))
    for way in directions:
        there, back = prior.log_prob(x + step * way), prior.log_prob(x - step * way)
        expected = (gradient * way).sum(axis=(1, 2, 3))
        lengths = np.linalg.norm((gradient * prior.scale).reshape(4, -1), axis=1)
        assert (abs((there - back) / (2 * step) - expected) < 1e-3 * lengths).all()


@pytest.mark.parametrize("name", FITS)
def test_the_unit_of_the_data_does_not_matter(name, fitted):
    """A density of 8 times the values is lower by log 8 for each element."""
    x = images()
    expected = fitted(name).log_prob(x[:5]) - np.log(8) * x[0].size
    np.testing.assert_allclose(FITS[name](8 * x).log_prob(8 * x[:5]), expected, rtol=1e-6)


@pytest.mark.parametrize("name", FITS)
def test_a_saved_prior_comes_back(name, fitted, tmp_path):
    saved = fitted(name)
    saved.save(tmp_path / "prior.npz")
    loaded = type(saved).load(tmp_path / "prior.npz")
    np.testing.assert_array_equal(loaded.log_prob(images()), saved.log_prob(images()))
    np.testing.assert_array_equal(loaded.sample(4), saved.sample(4))
    np.testing.assert_array_equal(loaded.scale, saved.scale)
    assert loaded.typical == saved.typical


@pytest.mark.parametrize("name", FITS)
def test_the_same_seed_gives_the_same_fit_and_draws_and_leaves_the_global_state_alone(name, fitted):
    state = np.random.get_state()[1].copy()
    one, other = fitted(name), FITS[name](images())
    np.testing.assert_array_equal(one.sample(20, seed=3), other.sample(20, seed=3))
    np.testing.assert_array_equal(one.log_prob(images()), other.log_prob(images()))
    assert np.any(one.sample(20, seed=[3, 1]) != one.sample(20, seed=[3, 2]))
    assert np.any(FITS[name](images(), seed=1).held_out != one.held_out)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


@pytest.mark.parametrize("name", FITS)
def test_starts_are_more_likely_than_typical_rows(name, fitted):
    prior = fitted(name)
    assert prior.starts.shape[1:] == SHAPE
    assert prior.log_prob(prior.starts).max() > prior.typical


@pytest.mark.parametrize("name", FITS)
def test_moving_one_element_by_its_scale_costs_about_a_nat(name, fitted):
    """Half a nat of a normal density, 1.4 of Laplace's; a mixture's components have their own."""
    prior = fitted(name)
    assert prior.scale.shape == prior.sample(3).shape[1:] == SHAPE
    start = prior.starts[prior.log_prob(prior.starts).argmax()]
    moves = np.zeros((8, *SHAPE))
    moves[range(8), range(1, 9), 1, 0] = prior.scale[1:9, 1, 0]
    there, back = prior.log_prob(start + moves), prior.log_prob(start - moves)
    falls = prior.log_prob(start[np.newaxis]) - (there + back) / 2
    assert (falls > 0.2).all()
    assert (falls < 3).all()


@pytest.mark.parametrize("name", FITS)
def test_an_ascent_climbs_the_density(name, fitted):
    prior = fitted(name)
    model = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), layers.Dense(3)])
    maximize = ActivationMaximization(model, prior, sharpness=20, bounds=(-np.inf, np.inf))
    result = maximize(range(3), steps=32)
    np.testing.assert_array_equal(result.log_prior, prior.log_prob(result.inputs))
    objective = 20 * result.history["log_probability"] + result.history["log_prior"]
    assert (objective.max(axis=0) > objective[0]).all()


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (images()[:1], "Received 1 rows.*Pass more data"),
        (np.where(np.arange(60)[:, None, None, None] == 7, np.nan, images()), "first: row 7"),
        (np.ones((60, *SHAPE)), "All 60 rows are alike"),
    ],
    ids=["few", "nan", "alike"],
)
def test_data_that_no_density_fits_are_refused(name, x, message):
    with pytest.raises(ValueError, match=message):
        FITS[name](x)


@pytest.mark.parametrize("name", ["Spectral", "PatchMixture", "TotalVariation"])
def test_priors_of_neighbourhoods_take_signals_and_refuse_rows_without_neighbours(name):
    x = images(shape=(30, 1, 2))
    signal, image = FITS[name](x[:, :, 0]), FITS[name](x)
    np.testing.assert_allclose(signal.log_prob(x[:, :, 0]), image.log_prob(x))
    assert signal.scale.shape == signal.starts.shape[1:] == (30, 2)
    np.testing.assert_array_equal(signal.sample(3), image.sample(3)[:, :, 0])
    message = rf"{name} prior describes images .* received rows of shape \(30,\)"
    with pytest.raises(ValueError, match=message):
        FITS[name](x[:, :, 0, 0])


@pytest.mark.parametrize("name", ["PatchMixture", "TotalVariation"])
def test_a_density_without_a_sampler_draws_held_out_rows(name, fitted):
    prior = fitted(name)
    draws = prior.sample(50, seed=1)
    found = (draws[:, None] == prior.held_out).all(axis=(2, 3, 4))
    assert (found.sum(axis=1) == 1).all()
    assert found.any(axis=0).all()


def test_a_density_without_a_sampler_and_without_held_out_rows_says_what_is_missing():
    flat = priors.TotalVariation(
        mean=np.zeros(1),
        variances=np.ones(1),
        slopes=np.ones(1),
        low=np.zeros((4, 4, 1)),
        high=np.ones((4, 4, 1)),
        held_out=np.zeros((0, 4, 4, 1)),
    )
    with pytest.raises(ValueError, match="TotalVariation prior draws from its held-out rows"):
        flat.sample(3)


def test_of_large_rows_fewer_are_held_out(monkeypatch):
    from xai.activation_maximization.priors import prior

    monkeypatch.setattr(prior, "HELD_OUT_ENTRIES", 200)
    assert len(priors.Norm.fit(images()).held_out) == 2  # of 72 elements each
