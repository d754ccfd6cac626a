"""The Gaussian of low rank: the density of its dense covariance, without that matrix."""

import tracemalloc

import numpy as np
import pytest
import scipy.stats

from tests.reference.densities import integral, normal_log_density
from xai import priors
from xai.activation_maximization.priors.low_rank_gaussian import best_rank

ELEMENTS = 3001


def low_rank(elements=12, rank=3, noise=0.3, seed=0):
    random = np.random.default_rng(seed)
    directions, _ = np.linalg.qr(random.normal(size=(elements, rank)))
    return priors.LowRankGaussian(
        mean=random.normal(size=elements),
        directions=directions,
        variances=np.geomspace(50, 1, rank),
        noise=np.array(noise),
        low=np.zeros(elements),
        high=np.ones(elements),
        held_out=np.zeros((0, elements)),
    )


def dense(prior):
    """The covariance as one matrix."""
    loadings = prior.directions * (prior.variances - prior.noise)
    return loadings @ prior.directions.T + prior.noise * np.eye(len(prior.directions))


def planted(rows=60, elements=ELEMENTS, rank=3):
    """Rows that vary far along a few directions, and little along all."""
    random = np.random.default_rng(0)
    far = 10 * random.normal(size=(rows, rank)) @ random.normal(size=(rank, elements))
    return 5 + far + random.normal(size=(rows, elements))


@pytest.mark.parametrize("rank", [0, 1, 3, 11])
def test_the_log_density_is_that_of_the_dense_covariance(rank):
    prior = low_rank(rank=rank)
    x = np.random.default_rng(1).normal(size=(5, 12))
    scipys = scipy.stats.multivariate_normal(prior.mean, dense(prior)).logpdf(x)
    np.testing.assert_allclose(prior.log_prob(x), scipys, rtol=1e-10)
    formula = [normal_log_density(row, prior.mean, dense(prior)) for row in x]
    np.testing.assert_allclose(prior.log_prob(x), formula, rtol=1e-10)


def test_the_log_density_is_that_of_woodburys_identity_and_the_determinant_lemma():
    prior, x = low_rank(), np.arange(12.0)
    loadings = prior.directions * np.sqrt(prior.variances - prior.noise)
    inner = np.eye(3) + loadings.T @ loadings / prior.noise
    difference = x - prior.mean
    explained = loadings.T @ difference / prior.noise
    squares = difference @ difference / prior.noise
    squares -= explained @ np.linalg.solve(inner, explained)
    log_determinant = np.linalg.slogdet(inner)[1] + 12 * np.log(prior.noise)
    expected = -0.5 * (12 * np.log(2 * np.pi) + log_determinant + squares)
    np.testing.assert_allclose(prior.log_prob(x[None]), [expected])


def test_the_density_integrates_to_one():
    assert integral(low_rank(2, 1).log_prob, -60, 60) == pytest.approx(1, abs=1e-4)


def test_the_scale_is_the_deviation_of_an_element_when_the_others_are_given():
    prior = low_rank()
    np.testing.assert_allclose(prior.scale, np.diag(np.linalg.inv(dense(prior))) ** -0.5)


def test_samples_have_the_covariance_of_the_density():
    prior = low_rank()
    samples = prior.sample(40_000, seed=1)
    # Standard errors are 0.7 % of products of deviations up to 5 each.
    np.testing.assert_allclose(samples.mean(axis=0), prior.mean, atol=0.15)
    np.testing.assert_allclose(np.cov(samples.T), dense(prior), atol=0.6)


def test_a_gaussian_of_more_than_three_thousand_elements_is_of_low_rank(tmp_path):
    x = planted()
    assert type(priors.Gaussian.fit(x[:, :30])) is priors.Gaussian
    prior = priors.Gaussian.fit(x)
    assert type(prior) is priors.LowRankGaussian
    prior.save(tmp_path / "prior.npz")
    loaded = priors.Gaussian.load(tmp_path / "prior.npz")
    np.testing.assert_array_equal(loaded.log_prob(x), prior.log_prob(x))
    with pytest.raises(ValueError, match=r"load it with LowRankGaussian\.load"):
        priors.Norm.load(tmp_path / "prior.npz")


def test_the_rank_is_that_of_the_data():
    prior = priors.LowRankGaussian.fit(planted())
    assert prior.directions.shape == (ELEMENTS, 3)
    np.testing.assert_allclose(prior.directions.T @ prior.directions, np.eye(3), atol=1e-12)
    assert prior.noise == pytest.approx(1, rel=0.1)  # 3 of 54 rows' freedom go into directions
    assert (prior.variances > 1000).all()


def test_the_best_rank_is_that_of_a_loop_over_all_ranks():
    deviations = 1e-3 * np.array([20, 10, 5, 3, 2] + 15 * [1])
    x = deviations * np.random.default_rng(0).normal(size=(100, 20))
    judging, others = x[:20], x[20:]
    values, vectors = np.linalg.eigh(np.cov(others.T, bias=True))
    likelihoods = []
    for rank in range(20):
        left = 20 - rank
        noise, kept = values[:left].mean(), vectors[:, left:]
        covariance = (kept * (values[left:] - noise)) @ kept.T + noise * np.eye(20)
        theirs = scipy.stats.multivariate_normal(others.mean(axis=0), covariance)
        likelihoods.append(theirs.logpdf(judging).mean())
    assert 2 < np.argmax(likelihoods) < 8
    assert best_rank(x, seed=0) == np.argmax(likelihoods)


def test_data_without_directions_have_rank_zero():
    x = np.random.default_rng(0).normal(size=(60, 500))
    prior = priors.LowRankGaussian.fit(x)
    assert prior.directions.shape == (500, 0)
    assert prior.log_prob(x).mean() == pytest.approx(-709, rel=0.01)  # 500 * log sqrt(2 pi e)


def test_the_fit_is_that_of_greatest_likelihood():
    """Components of scikit-learn's PCA, whose noise and variances have another divisor."""
    from sklearn.decomposition import PCA

    x = planted(rows=300, elements=40)
    prior = priors.LowRankGaussian.fit(x)
    places = (x[:, None] == prior.held_out).all(axis=-1).any(axis=1)
    theirs = PCA(len(prior.variances)).fit(x[~places])
    rows = (~places).sum()
    np.testing.assert_allclose(prior.variances, theirs.explained_variance_ * (rows - 1) / rows)
    np.testing.assert_allclose(prior.noise, theirs.noise_variance_ * (rows - 1) / rows)
    expected = theirs.score_samples(x)  # differs by those divisors alone
    np.testing.assert_allclose(prior.log_prob(x), expected, rtol=1e-2)


def test_data_in_a_subspace_leave_a_little_noise():
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 2)) @ random.normal(size=(2, 50))
    prior = priors.LowRankGaussian.fit(x)
    assert prior.noise == pytest.approx(1e-3 * x.var(axis=0).mean(), rel=0.3)
    assert np.isfinite(prior.log_prob(x)).all()


def test_one_element_has_no_directions():
    with pytest.raises(ValueError, match="rows of 2 to 50000000 elements; received 1"):
        priors.LowRankGaussian.fit(np.random.default_rng(0).normal(size=(50, 1)))


def test_no_matrix_of_elements_by_elements_is_made():
    x = planted(rows=20, elements=20_000)
    tracemalloc.start()
    prior = priors.Gaussian.fit(x)
    prior.log_prob(x), prior.scale, prior.sample(2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * x.nbytes < 8 * 20_000**2
