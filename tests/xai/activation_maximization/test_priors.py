"""Priors: normalized densities that know what is typical, sample, and survive a file."""

import keras
import numpy as np
import pytest
import scipy.stats
import sklearn.mixture
from keras import ops

from kerasdl.backend import vjp
from tests.reference.densities import integral, mixture_log_density, normal_log_density
from xai import priors

PRIORS = [priors.Gaussian, priors.GaussianMixture]


def rings(rows=400, shape=(2,)):
    """Rows that no single normal density describes: two bent clouds."""
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, *shape))
    x[: rows // 2] = 0.5 * x[: rows // 2] ** 2 + 2
    return x


def fitted(prior, shape=(2,)):
    return prior.fit(rings(shape=shape), **({"components": 3} if prior is not PRIORS[0] else {}))


@pytest.mark.parametrize("prior", PRIORS)
def test_a_density_integrates_to_one(prior):
    assert integral(fitted(prior).log_prob, -15, 15) == pytest.approx(1, abs=1e-4)  # the tails


def test_a_gaussian_has_the_log_density_of_scipy_and_of_the_formula():
    prior, x = fitted(priors.Gaussian), rings()[:20]
    scipys = scipy.stats.multivariate_normal(prior.mean, prior.covariance).logpdf(x)
    np.testing.assert_allclose(prior.log_prob(x), scipys, rtol=1e-10)
    formula = [normal_log_density(row, prior.mean, prior.covariance) for row in x]
    np.testing.assert_allclose(prior.log_prob(x), formula, rtol=1e-10)


def test_a_mixture_has_the_log_density_of_the_formula_and_of_scikit_learn():
    prior, x = fitted(priors.GaussianMixture), rings()[:20]
    formula = [mixture_log_density(row, prior.weights, prior.means, prior.covariances) for row in x]
    np.testing.assert_allclose(prior.log_prob(x), formula, rtol=1e-10)
    theirs = sklearn.mixture.GaussianMixture(3)
    theirs.weights_, theirs.means_ = prior.weights, prior.means
    theirs.precisions_cholesky_ = prior.parameters[1]
    np.testing.assert_allclose(prior.log_prob(x), theirs.score_samples(x), rtol=1e-10)


def test_a_mixture_describes_bent_clouds_better_than_one_gaussian():
    mixture, gaussian = fitted(priors.GaussianMixture), fitted(priors.Gaussian)
    assert mixture.log_prob(mixture.held_out).mean() > gaussian.log_prob(mixture.held_out).mean()


def test_a_mixture_does_not_overflow_far_from_its_components():
    prior = fitted(priors.GaussianMixture)
    assert np.isfinite(prior.log_prob(np.full((1, 2), 1e6))).all()


@pytest.mark.parametrize("prior", PRIORS)
def test_the_tensor_form_and_its_gradient_agree_with_finite_differences(prior):
    prior, x, step = fitted(prior, (3, 2)), rings(shape=(3, 2))[:5], 1e-5
    parameters = tuple(ops.convert_to_tensor(p, "float32") for p in prior.parameters)
    tensor = ops.convert_to_tensor(x, "float32")
    values, pullback = vjp(lambda rows: prior.log_density(parameters, rows), tensor)
    # Both are float32 on all backends, the differences float64.
    np.testing.assert_allclose(ops.convert_to_numpy(values), prior.log_prob(x), rtol=1e-4)
    directions = step * np.eye(6).reshape(6, 3, 2)
    differences = [prior.log_prob(x + d) - prior.log_prob(x - d) for d in directions]
    expected = np.transpose(differences).reshape(x.shape) / (2 * step)
    gradient = ops.convert_to_numpy(pullback(ops.ones_like(values)))
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("prior", PRIORS)
def test_samples_have_the_moments_of_the_density(prior):
    prior = fitted(prior, (2, 1))
    samples = prior.sample(20_000, seed=1)
    assert samples.shape == (20_000, 2, 1)
    weights = getattr(prior, "weights", np.ones(1))
    means = prior.starts.reshape(-1, 2)
    covariances = getattr(prior, "covariances", getattr(prior, "covariance", None))
    mean = weights @ means
    spread = np.einsum("k,ki,kj->ij", weights, means - mean, means - mean)
    within = np.einsum("k,kij->ij", weights, covariances.reshape(-1, 2, 2))
    # Standard errors are below 0.02 of variances up to 4.
    np.testing.assert_allclose(samples.reshape(-1, 2).mean(axis=0), mean, atol=0.08)
    np.testing.assert_allclose(np.cov(samples.reshape(-1, 2).T), within + spread, atol=0.2)


@pytest.mark.parametrize("prior", PRIORS)
def test_the_same_seed_gives_the_same_fit_and_the_same_samples(prior):
    one, other = fitted(prior), fitted(prior)
    np.testing.assert_array_equal(one.sample(5, seed=3), other.sample(5, seed=3))
    assert np.any(one.sample(5, seed=3) != one.sample(5, seed=4))


@pytest.mark.parametrize("prior", PRIORS)
def test_fitting_and_sampling_leave_the_global_random_state_alone(prior):
    before = np.random.get_state()[1].copy()
    fitted(prior).sample(3)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize("prior", PRIORS)
def test_a_fit_keeps_a_tenth_of_the_rows_to_know_what_is_typical(prior):
    prior = fitted(prior)
    assert prior.held_out.shape == (40, 2)
    assert prior.typical == np.median(prior.log_prob(prior.held_out))
    np.testing.assert_array_equal(prior.low, rings().min(axis=0))
    np.testing.assert_array_equal(prior.high, rings().max(axis=0))


def test_the_fit_does_not_see_the_held_out_rows():
    x = rings()
    held_out = priors.Gaussian.fit(x).held_out
    places = (x[:, None] == held_out).all(axis=-1).any(axis=1)
    assert places.sum() == 40
    x[places] *= 1.01  # moves what is held out, and nothing else
    moved = priors.Gaussian.fit(x)
    np.testing.assert_array_equal(moved.covariance, priors.Gaussian.fit(rings()).covariance)
    assert np.any(moved.held_out != held_out)


def test_the_scale_is_the_deviation_of_an_element_when_the_others_are_given():
    gaussian, mixture = (fitted(prior, (2, 2)) for prior in PRIORS)
    expected = np.diag(np.linalg.inv(gaussian.covariance)) ** -0.5
    np.testing.assert_allclose(gaussian.scale, expected.reshape(2, 2))
    precisions = [np.diag(np.linalg.inv(covariance)) for covariance in mixture.covariances]
    expected = (mixture.weights @ precisions) ** -0.5
    np.testing.assert_allclose(mixture.scale, expected.reshape(2, 2))


def test_a_mixture_of_one_has_the_scale_and_the_density_of_a_gaussian():
    data = {"low": np.zeros(2), "high": np.ones(2), "held_out": np.zeros((0, 2))}
    mean, covariance = np.array([0.3, 0.6]), np.array([[0.2, 0.1], [0.1, 0.4]])
    one = priors.Gaussian(mean=mean, covariance=covariance, **data)
    mixture = priors.GaussianMixture(
        weights=np.ones(1), means=mean[None], covariances=covariance[None], **data
    )
    np.testing.assert_allclose(mixture.scale, one.scale)
    np.testing.assert_allclose(mixture.log_prob(rings()), one.log_prob(rings()))
    assert one.typical is None


@pytest.mark.parametrize("prior", PRIORS)
def test_a_saved_prior_comes_back(prior, tmp_path):
    saved = fitted(prior, (3, 2))
    saved.save(tmp_path / "prior.npz")
    loaded = prior.load(tmp_path / "prior.npz")
    x = rings(shape=(3, 2))
    np.testing.assert_array_equal(loaded.log_prob(x), saved.log_prob(x))
    np.testing.assert_array_equal(loaded.sample(4), saved.sample(4))
    assert loaded.typical == saved.typical
    assert [path.name for path in tmp_path.iterdir()] == ["prior.npz"]


def test_an_interrupted_save_leaves_the_former_file(tmp_path, monkeypatch):
    path = tmp_path / "prior.npz"
    path.write_text("former")

    def fail(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(KeyboardInterrupt):
        fitted(priors.Gaussian).save(path)
    assert path.read_text() == "former"
    assert list(tmp_path.iterdir()) == [path]


def test_a_prior_is_not_loaded_as_another(tmp_path):
    fitted(priors.Gaussian).save(tmp_path / "prior.npz")
    with pytest.raises(ValueError, match=r"load it with Gaussian\.load"):
        priors.GaussianMixture.load(tmp_path / "prior.npz")
    np.savez(tmp_path / "arrays.npz", x=np.ones(3))
    with pytest.raises(ValueError, match="holds no prior"):
        priors.Gaussian.load(tmp_path / "arrays.npz")


def test_a_prior_is_saved_as_npz_in_a_folder_that_exists(tmp_path):
    with pytest.raises(ValueError, match=r"saved as \.npz"):
        fitted(priors.Gaussian).save(tmp_path / "prior.txt")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        fitted(priors.Gaussian).save(tmp_path / "nowhere/prior.npz")


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (rings(5), "Received 5 rows.*Pass more data"),
        (
            np.where(np.arange(800).reshape(400, 2) == 7, np.nan, rings()),
            r"1 of 400 rows \(first: row 3",
        ),
        (np.ones((400, 2)), "All 400 rows are alike"),
        (np.ones(400), r"\('batch', \.\.\.\); received shape \(400,\)"),
        (np.ones((400, 3, 0)), "received shape"),
    ],
    ids=["few", "nan", "alike", "flat", "empty"],
)
def test_data_that_no_density_fits_are_refused(prior, x, message):
    with pytest.raises(ValueError, match=message):
        prior.fit(x)


def test_a_mixture_holds_full_covariances_and_so_no_large_rows():
    with pytest.raises(ValueError, match=r"3001 elements.*up to 3000 .*such as Gaussian"):
        priors.GaussianMixture.fit(rings(60, (3001,)), components=3)


def test_a_mixture_has_a_positive_number_of_components():
    with pytest.raises(ValueError, match="positive int; received 0"):
        priors.GaussianMixture.fit(rings(), components=0)
    with pytest.raises(ValueError, match="at least 400"):
        priors.GaussianMixture.fit(rings(), components=200)


@pytest.mark.parametrize(("rows", "components"), [(20, 1), (400, 12), (900, 20)])
def test_a_mixture_has_enough_rows_for_each_component(rows, components):
    assert len(priors.GaussianMixture.fit(rings(rows)).weights) == components


@pytest.mark.parametrize("x", [np.ones((4, 3)), np.ones(2), np.float64(1)])
def test_rows_of_another_shape_have_no_density(x):
    with pytest.raises(ValueError, match=r"rows of shape \(2,\); received"):
        fitted(priors.Gaussian).log_prob(x)


def test_a_covariance_is_positive_definite():
    nothing = {"low": np.zeros(2), "high": np.ones(2), "held_out": np.zeros((0, 2))}
    prior = priors.Gaussian(mean=np.zeros(2), covariance=np.ones((2, 2)), **nothing)
    with pytest.raises(ValueError, match="not positive definite"):
        prior.log_prob(np.zeros((1, 2)))


def test_tensors_are_data_too():
    x = keras.ops.convert_to_tensor(rings().astype("float32"))
    np.testing.assert_allclose(
        priors.Gaussian.fit(x).mean, priors.Gaussian.fit(rings()).mean, rtol=1e-5
    )


def test_scikit_learns_estimators_are_loaded_by_the_first_fit_and_not_before(fresh_process):
    code = "import xai.priors; print({'sklearn.mixture', 'sklearn.covariance'} & set(sys.modules))"
    assert fresh_process(code).strip() == "set()"
