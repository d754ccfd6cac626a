"""Activation maximization: the laws of its maximum, and what is refused at the door."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import layers, ops

from xai import objectives, parameterizations, priors, transforms
from xai.activation_maximization import ActivationMaximization

MEAN = np.array([0.2, -0.1, 0.3, 0.0])


def gaussian(mean=MEAN, spread=1.0, rows=0):
    """A Gaussian prior with a known covariance whose elements are correlated."""
    factors = spread * np.random.default_rng(0).normal(size=(mean.size, mean.size))
    covariance = factors @ factors.T + 0.1 * np.eye(mean.size)
    held_out = np.zeros((rows, *mean.shape))
    return priors.Gaussian(
        mean=mean, covariance=covariance, low=mean - 1, high=mean + 1, held_out=held_out
    )


def linear(activation="softmax", classes=3, seed=0):
    random = np.random.default_rng(seed)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(classes, activation=activation)])
    model.set_weights([random.normal(size=(4, classes)), random.normal(size=classes)])
    return model


def convolutional(classes=3):
    return keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            layers.Conv2D(4, 3, activation="relu", bias_initializer="normal"),
            layers.Flatten(),
            layers.Dense(classes, kernel_initializer="normal"),
        ]
    )


def images(rows=60):
    return np.random.default_rng(0).uniform(size=(rows, 4, 4, 1))


def maximizer(model, prior, **settings):
    return ActivationMaximization(model, prior, **{"bounds": (-20, 20), **settings})


def log_softmax(logits):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def linear_logits(model, x):
    kernel, bias = map(np.float64, model.get_weights())
    return x.reshape(len(x), -1) @ kernel + bias, kernel


@pytest.mark.parametrize("sharpness", [1, 10])
def test_at_the_maximum_the_class_gradient_balances_that_of_a_gaussian(sharpness):
    """x = mean + sharpness * covariance @ gradient of log p(class | x)."""
    model, prior = linear(), gaussian()
    maximize = maximizer(model, prior, sharpness=sharpness, bounds=(-np.inf, np.inf))
    result = maximize(range(3), steps=400)
    logits, kernel = linear_logits(model, result.inputs)
    gradient = kernel.T - np.exp(log_softmax(logits)) @ kernel.T
    expected = MEAN + sharpness * gradient @ prior.covariance
    # Near the maximum the objective is flat: a float32 rounding of it, 1e-6, moves x by its root.
    np.testing.assert_allclose(result.inputs, expected, atol=5e-3)
    assert result.converged.all()


@pytest.mark.parametrize("sharpness", [1, 20])
def test_the_class_term_pays_for_the_distance_from_the_mean(sharpness):
    """Half the squared Mahalanobis distance is at most -sharpness * log p(class | mean)."""
    model, prior = linear(), gaussian()
    maximize = maximizer(model, prior, sharpness=sharpness)
    logits, _ = linear_logits(model, MEAN[None])
    for steps in (1, 7, 64):
        difference = maximize(range(3), steps=steps).inputs - MEAN
        precision = np.linalg.inv(prior.covariance)
        squared = np.einsum("bi,ij,bj->b", difference, precision, difference)
        assert (squared / 2 <= -sharpness * log_softmax(logits)[0] + 1e-5).all()
        assert squared.max() > 0


def test_both_terms_are_those_of_the_returned_inputs():
    model, prior = linear(), gaussian()
    result = maximizer(model, prior, sharpness=2)(range(3))
    logits, _ = linear_logits(model, result.inputs)
    np.testing.assert_allclose(result.log_probability, np.diag(log_softmax(logits)), atol=1e-5)
    np.testing.assert_array_equal(result.log_prior, prior.log_prob(result.inputs))
    np.testing.assert_allclose(result.probability, np.exp(result.log_probability))


def test_nothing_on_the_way_was_better_than_what_is_returned():
    result = maximizer(linear(), gaussian(), sharpness=5)([0, 1, 2], steps=45)
    way = 5 * result.history["log_probability"] + result.history["log_prior"]
    assert way.shape == (45, 3)
    end = 5 * result.log_probability + result.log_prior
    assert (way.max(axis=0) <= end + 1e-4).all()  # float32 against float64
    assert (way[0] < end - 0.1).all()


def test_few_steps_have_not_converged():
    maximize = maximizer(linear(), gaussian(), sharpness=10)
    assert not maximize(range(3), steps=3).converged.any()
    assert maximize(range(3), steps=200).converged.all()


def test_bounds_that_cut_the_maximum_off_count_as_converged():
    prior = gaussian()
    result = maximizer(linear(), prior, sharpness=30, bounds=(-1.2, 1.3))(range(3))
    assert (result.inputs == np.float32(1.3)).any()
    assert result.converged.all()


def test_bounds_hold_exactly():
    """No float32 equals 1.1, 1.3 or 1.7; some of the nearest ones lie beyond."""
    low, high = np.full(4, -1.1), np.array([1.7, 1.7, 1.7, 1.3])
    maximize = maximizer(linear(), gaussian(), sharpness=50, bounds=(low, high))
    for steps in (1, 40):
        inputs = maximize(range(3), steps=steps).inputs.astype("float64")
        assert (inputs >= low).all()
        assert (inputs <= high).all()


def test_the_same_seed_gives_the_same_image():
    prior = priors.GaussianMixture.fit(images(), components=3)
    settings = {"prior": prior, "bounds": (0, 1), "seed": 5}
    model = convolutional()
    one, other = (ActivationMaximization(model, **settings)(range(3), 40) for _ in range(2))
    np.testing.assert_array_equal(one.inputs, other.inputs)


@pytest.mark.parametrize(("sharpness", "tolerance"), [(3, 2e-3), ("auto", 0.02)])
def test_a_row_does_not_depend_on_the_other_targets(sharpness, tolerance):
    prior = priors.GaussianMixture.fit(images(), components=3)
    maximize = maximizer(convolutional(), prior, sharpness=sharpness)
    together = maximize([2, 0, 2, 1], steps=128)
    for row, label in ((1, 0), (2, 2)):
        alone = maximize(label, steps=128)
        # Batches of other sizes round differently, which the steps amplify until they converge, the
        # more the sharper.
        np.testing.assert_allclose(alone.inputs[0], together.inputs[row], atol=tolerance)
        np.testing.assert_allclose(alone.sharpness[0], together.sharpness[row], rtol=0.02)


def test_the_unit_of_the_inputs_does_not_matter():
    model, prior = linear(), gaussian()
    large = dataclasses.replace(
        prior,
        mean=1000 * prior.mean,
        covariance=1e6 * prior.covariance,
        low=1000 * prior.low,
        high=1000 * prior.high,
    )
    expected = maximizer(model, prior, sharpness=5)(range(3), steps=20)
    kernel, bias = model.get_weights()
    model.set_weights([kernel / 1000, bias])
    result = maximizer(model, large, sharpness=5, bounds=(-20_000, 20_000))(range(3), steps=20)
    np.testing.assert_allclose(result.inputs / 1000, expected.inputs, atol=1e-4)
    np.testing.assert_array_equal(result.converged, expected.converged)


def test_one_step_is_half_the_scale_of_the_prior():
    prior = gaussian()
    result = maximizer(linear(), prior, sharpness=100)(range(3), steps=1)
    moved = np.abs(result.inputs - MEAN) / prior.scale
    np.testing.assert_allclose(moved, 0.5, rtol=1e-3)


def test_one_int_is_one_row():
    result = maximizer(linear(), gaussian())(1, steps=3)
    assert len(result) == 1
    assert result.inputs.shape == (1, 4)
    np.testing.assert_array_equal(result.target, [1])


def test_weights_trained_further_are_seen():
    model, other = linear(), linear(seed=1)
    maximize = maximizer(model, gaussian(), sharpness=5)
    maximize(range(3), steps=40)
    model.set_weights(other.get_weights())
    expected = maximizer(other, gaussian(), sharpness=5)(range(3), steps=40).inputs
    np.testing.assert_allclose(maximize(range(3), steps=40).inputs, expected, atol=1e-4)


def test_neither_the_model_nor_the_global_random_state_changes():
    model = convolutional()
    weights, state = model.get_weights(), np.random.get_state()[1].copy()
    prior = priors.Gaussian.fit(images())
    maximizer(model, prior)(range(3), steps=3)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_a_given_sharpness_is_used_as_it_stands():
    result = maximizer(linear(), gaussian(rows=10), sharpness=0.25)([1, 2], steps=5)
    np.testing.assert_array_equal(result.sharpness, [0.25, 0.25])
    np.testing.assert_array_equal(result.history["sharpness"], np.full((5, 2), 0.25))
    assert result.settings["sharpness"] == 0.25


def test_the_sharpness_rises_by_itself_until_real_rows_are_matched():
    prior = priors.Gaussian.fit(np.random.default_rng(0).normal(size=(400, 4)))
    model = linear()
    model.set_weights([2 * np.eye(4, 3), np.zeros(3)])
    result = maximizer(model, prior)(range(3), steps=256)
    held_out = log_softmax(linear_logits(model, prior.held_out)[0])
    predicted, reached = held_out.argmax(axis=1), held_out.max(axis=1)
    quartiles = [np.quantile(reached[predicted == c], 0.75) for c in range(3)]
    assert (result.log_probability >= np.minimum(quartiles, np.log(0.99999))).all()
    assert (result.log_probability >= np.quantile(reached, 0.75)).all()
    assert result.converged.all()
    assert (np.diff(result.history["sharpness"], axis=0) >= 0).all()
    np.testing.assert_array_equal(result.history["sharpness"][-1], result.sharpness)
    assert set(map(len, result.history.values())) == {256}


def test_a_start_that_is_of_its_class_already_is_not_driven_further():
    data = np.random.default_rng(0).normal(size=(400, 4))
    data[:200, 0] += 6
    prior = priors.GaussianMixture.fit(data, components=2)
    model = linear()
    model.set_weights([5 * np.eye(4, 3), np.array([-21.5, 0, 0])])
    result = maximizer(model, prior)([0, 1])
    assert result.sharpness[0] == 1
    assert result.probability[0] >= 0.999
    assert result.converged[0]
    assert result.sharpness[1] > 1


def test_a_class_that_cannot_be_reached_is_said_not_to_converge():
    model = linear()
    model.set_weights([np.zeros((4, 3)) + 1e-4 * np.eye(4, 3), np.array([0, 0, -9.0])])
    result = maximizer(model, gaussian(rows=0))([2], steps=64)
    assert not result.converged.any()
    assert len(result.history["sharpness"]) == 64
    assert result.sharpness > 1e3


def test_the_sharpness_does_not_drive_inputs_below_a_typical_density():
    """A class that only far-off inputs reach stays unreached, and says so."""
    prior = priors.Gaussian.fit(np.random.default_rng(0).normal(size=(400, 4)))
    model = linear()
    model.set_weights([2 * np.eye(4, 3), np.array([0, 0, -4.0])])
    result = maximizer(model, prior)(range(3), steps=512)
    assert (result.log_prior >= prior.typical).all()
    assert result.log_prior[2] < prior.typical + 0.5  # it went as far as it may
    np.testing.assert_array_equal(result.converged, [True, True, False])


@pytest.mark.parametrize(("activation", "classes"), [("sigmoid", 1), ("sigmoid", 3), (None, 1)])
def test_a_sigmoid_or_a_single_output_says_yes_or_no(activation, classes):
    model, prior = linear(activation, classes), gaussian()
    result = maximizer(model, prior, sharpness=50)(range(classes), steps=40)
    logits, _ = linear_logits(model, result.inputs)
    probability = 1 / (1 + np.exp(-np.diag(logits)))
    np.testing.assert_allclose(result.probability, probability, rtol=1e-4)
    assert (probability > 0.9).all()


@pytest.mark.parametrize("head", ["logits", "softmax layer", "activation layer"])
def test_a_softmax_may_stand_anywhere(head):
    plain = linear()
    inputs = keras.Input((4,))
    logits = layers.Dense(3, name="logits")(inputs)
    outputs = {"softmax layer": layers.Softmax(), "activation layer": layers.Activation("softmax")}
    model = keras.Model(inputs, outputs[head](logits) if head in outputs else logits)
    model.set_weights(plain.get_weights())
    result = maximizer(model, gaussian(), sharpness=5)(range(3), steps=40)
    expected = maximizer(plain, gaussian(), sharpness=5)(range(3), steps=40)
    np.testing.assert_allclose(result.log_probability, expected.log_probability, atol=1e-6)


def test_a_model_of_half_precision_climbs_in_float32():
    inputs = keras.Input((4,))
    outputs = layers.Dense(3, dtype="mixed_bfloat16")(inputs)
    model = keras.Model(inputs, outputs)
    result = maximizer(model, gaussian(), sharpness=5)(range(3), steps=40)
    assert result.inputs.dtype == result.log_probability.dtype == "float32"
    assert (result.probability > 0.5).all()


def test_a_mixture_starts_where_the_model_sees_the_class():
    means = np.array([[2.0, 0], [0, 2.0], [-2.0, -2.0]])
    prior = priors.GaussianMixture(
        weights=np.array([0.6, 0.3, 0.1]),
        means=means,
        covariances=np.stack([0.01 * np.eye(2)] * 3),
        low=means.min(axis=0),
        high=means.max(axis=0),
        held_out=np.zeros((0, 2)),
    )
    model = keras.Sequential([keras.Input((2,)), layers.Dense(3)])
    model.set_weights([means[[1, 2, 0]].T, np.zeros(3)])
    result = maximizer(model, prior, sharpness=1)(range(3), steps=32)
    np.testing.assert_allclose(result.inputs, means[[1, 2, 0]], atol=0.1)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Logistic(priors.Prior):
    """A prior of one's own: independent logistic densities, of scale 1 around zero."""

    parameters = ()
    starts = np.zeros((1, 4))
    scale = np.ones(4)

    def log_density(self, parameters, x, ops=ops):
        return ops.sum(-x - 2 * ops.log(1 + ops.exp(-x)), axis=-1)

    def sample(self, n, seed=0):
        return np.random.default_rng(seed).logistic(size=(n, 4))


def test_a_prior_of_ones_own_takes_part(tmp_path):
    prior = Logistic(low=-np.ones(4), high=np.ones(4), held_out=np.zeros((0, 4)))
    model = linear()
    result = maximizer(model, prior, sharpness=1)(range(3), steps=200)
    logits, kernel = linear_logits(model, result.inputs)
    gradient = kernel.T - np.exp(log_softmax(logits)) @ kernel.T
    # At the maximum the class gradient balances that of the density, tanh(x / 2).
    np.testing.assert_allclose(np.tanh(result.inputs / 2), gradient, atol=5e-3)
    prior.save(tmp_path / "logistic.npz")
    x = np.ones((1, 4))
    assert Logistic.load(tmp_path / "logistic.npz").log_prob(x) == prior.log_prob(x)


def dead_at_the_origin():
    """A model whose units need an input beyond 1, and so give no gradient at the origin."""
    inputs = keras.Input((2,))
    x = layers.Dense(4, activation="relu")(inputs)
    model = keras.Model(inputs, layers.Dense(2)(x))
    directions = np.array([[1.0, -1, 0, 0], [0, 0, 1, -1]])
    towards = 5 * np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    model.set_weights([directions, -np.ones(4), towards, np.zeros(2)])
    return model


def test_a_start_without_a_gradient_is_left_by_a_draw_from_the_prior():
    nothing = {"low": -np.ones(2), "high": np.ones(2), "held_out": np.zeros((0, 2))}
    prior = priors.Gaussian(mean=np.zeros(2), covariance=np.eye(2), **nothing)
    maximize = maximizer(dead_at_the_origin(), prior, sharpness=10)
    result = maximize([0, 1], steps=100)
    assert (result.probability > 0.95).all()
    assert result.converged.all()
    alone = maximize(1, steps=100)  # rounding is another in another batch
    np.testing.assert_allclose(alone.inputs[0], result.inputs[1], atol=1e-3)


def test_the_digits_of_a_trained_network_can_be_seen_by_it(digits):
    model, x = digits
    mixture = priors.GaussianMixture.fit(x)
    result = ActivationMaximization(model, mixture)(range(10), steps=64)
    assert (result.probability >= 0.99).all()
    assert (result.log_prior > mixture.typical).all()
    gaussian = priors.Gaussian.fit(x)
    result = ActivationMaximization(model, gaussian)(range(10))
    assert (result.probability >= 0.97).all()
    assert (result.log_prior > gaussian.typical).all()


@pytest.fixture(scope="module")
def digits():
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x = x.reshape(-1, 8, 8, 1) / 16
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.002), "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=8, batch_size=32, verbose=0)
    return model, x


def test_progress_is_one_bar(capsys):
    maximizer(linear(), gaussian(rows=10))([0, 1], steps=40, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "least=" in err
    maximizer(linear(), gaussian(rows=10))([0, 1], steps=40)
    assert capsys.readouterr() == ("", "")


def build_unbuilt():
    return keras.Sequential([layers.Dense(3)])


def build_of_two_inputs():
    inputs = [keras.Input((4,)), keras.Input((4,))]
    return keras.Model(inputs, layers.Dense(3)(layers.Add()(inputs)))


def build_of_integers():
    inputs = keras.Input((4,), dtype="int32")
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(layers.Embedding(5, 2)(inputs))))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (build_unbuilt, "is not built"),
        (build_of_two_inputs, "prior is of this structure, a prior for each input"),
        (build_of_integers, "inputs of dtype int32, on which there is no gradient"),
        (convolutional, r"prior was fitted on rows of shape \(4,\); .*\('batch', 4, 4, 1\)"),
    ],
)
def test_models_that_cannot_climb_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        ActivationMaximization(build(), gaussian(), bounds=(-20, 20))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sharpness": 0}, "positive number; received 0"),
        ({"sharpness": -1.5}, r"positive number; received -1\.5"),
        ({"sharpness": np.nan}, "positive number; received nan"),
        ({"sharpness": True}, "positive number; received True"),
        ({"sharpness": np.ones(2)}, r"positive number; received array\(\[1\., 1\.\]\)"),
        ({"sharpness": "high"}, "sharpness is 'auto' or a positive number; received 'high'"),
        ({"bounds": (1, 1)}, r"lower bound lies below the upper one; received \(1, 1\)"),
        ({"bounds": (0, np.nan)}, "lower bound lies below the upper one"),
        ({"bounds": 1}, "bounds are two numbers, .*; received 1"),
        ({"bounds": (0, 1, 2)}, "bounds are two numbers"),
        ({"bounds": (np.zeros(3), np.ones(3))}, r"shape of a row, \(4,\)"),
        ({"bounds": (0, 1)}, r"do not enclose the data .* between -1\.1 and 1\.3"),
        ({"seed": -1}, "seed is an int from 0 on; received -1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        maximizer(linear(), gaussian(), **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"parameterization": "fourier"}, "one of xai.parameterizations.*; received 'fourier'"),
        ({"transforms": ("jitter",)}, r"Jitter, .*; received \('jitter',\)"),
    ],
)
def test_names_in_place_of_things_are_refused(settings, message):
    with pytest.raises(TypeError, match=message):
        maximizer(linear(), gaussian(), **settings)


@pytest.mark.parametrize("prior", [None, "gaussian", np.ones((5, 4)), priors.Gaussian])
def test_something_else_than_a_prior_is_refused(prior):
    with pytest.raises(TypeError, match=r"(?s)xai\.priors\.Prior; .*GaussianMixture\.fit"):
        maximizer(linear(), prior)


@pytest.mark.parametrize(
    ("target", "steps", "message"),
    [
        ([], 5, "Received no target"),
        (range(4), 5, "target 3 is out of range: .* 3 outputs"),
        (-1, 5, "target -1 is out of range"),
        ([0.5], 5, r"A target is a class, an int, or one of xai.objectives, .*; received \[0\.5\]"),
        (None, 5, "A target is a class, an int, or one of xai.objectives, .*; received None"),
        ("3", 5, "A target is a class, an int, or one of xai.objectives, .*; received '3'"),
        ([[1, 2]], 5, "A target is a class, an int, or one of xai.objectives"),
        (lambda scores: scores[:, 0], 5, "A target is a class, an int, or one of xai.objectives"),
        (1, 0, "steps is an int from 1 on; received 0"),
        (1, 2.5, r"steps is an int from 1 on; received 2\.5"),
    ],
)
def test_targets_and_steps_that_make_no_sense_are_refused(target, steps, message):
    maximize = maximizer(linear(), gaussian())
    with pytest.raises(ValueError, match=message):
        maximize(target, steps)


@pytest.mark.parametrize("cut", [ops.round, ops.stop_gradient])
def test_a_model_without_a_gradient_path_is_refused_before_the_ascent(cut):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(3)(cut(inputs)))
    with pytest.raises(ValueError, match=r"no gradient path .*argmax, round or stop_gradient"):
        maximizer(model, gaussian())(range(3))


def test_a_model_that_gives_nan_is_refused():
    model = linear()
    model.set_weights([np.full((4, 3), np.nan), np.zeros(3)])
    with pytest.raises(ValueError, match=r"NaN or infinite scores .* its weights"):
        maximizer(model, gaussian())(range(3))


def small_images(rows=60):
    return np.random.default_rng(0).uniform(0.2, 0.8, size=(rows, 8, 8, 1))


def seeing():
    """A small convolutional network with units to climb."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu", bias_initializer="normal", name="conv"),
            layers.Flatten(),
            layers.Dense(3, kernel_initializer="normal", activation="softmax"),
        ]
    )
    random = np.random.default_rng(0)
    weights = [random.normal(scale=0.3, size=w.shape) for w in model.get_weights()]
    model.set_weights([np.ones_like(w) if w.ndim == 1 else w for w in weights])  # none is dead
    return model


def test_a_class_and_its_log_probability_are_the_same_target():
    maximize = maximizer(linear(), gaussian(rows=20), sharpness="auto")
    by_class = maximize([2, 0], steps=200)
    by_objective = maximize([objectives.LogProbability(2), 0], steps=200)
    np.testing.assert_allclose(by_objective.inputs, by_class.inputs, atol=5e-3)
    np.testing.assert_allclose(by_objective.sharpness, by_class.sharpness, rtol=1e-3)
    assert list(by_objective.target) == [objectives.LogProbability(c) for c in (2, 0)]


def test_units_are_driven_beyond_what_real_rows_reach():
    model, data = seeing(), small_images()
    prior = priors.Gaussian.fit(data)
    result = ActivationMaximization(model, prior)(
        [objectives.Channel("conv", c) for c in range(4)], steps=256
    )
    activations = keras.Model(model.inputs[0], model.get_layer("conv").output)
    reached = ops.convert_to_numpy(activations(result.inputs)).mean(axis=(1, 2))
    np.testing.assert_allclose(np.diag(reached), result.log_probability, rtol=1e-4)
    real = ops.convert_to_numpy(activations(prior.held_out)).mean(axis=(1, 2))
    assert (np.diag(reached) > reached.min(axis=0)).all()
    assert result.converged.sum() >= 3  # what drives the other is less likely than real rows
    assert (np.diag(reached) >= real.max(axis=0) - 1e-6)[result.converged].all()


def test_the_weights_of_a_sum_are_those_of_its_terms():
    prior = priors.Gaussian.fit(small_images())
    maximize = ActivationMaximization(seeing(), prior, sharpness=2)
    twice = ActivationMaximization(maximize.model, prior, sharpness=1)
    one = maximize(objectives.Logit(1) - 0.5 * objectives.Logit(0), steps=96)
    other = twice(2 * objectives.Logit(1) - objectives.Logit(0), steps=96)
    np.testing.assert_allclose(one.inputs, other.inputs, atol=1e-4)


def test_rows_that_are_to_differ_do():
    prior = priors.GaussianMixture.fit(small_images(), components=3)
    maximize = ActivationMaximization(seeing(), prior, sharpness=30)
    alike = maximize([objectives.Logit(1)] * 2, steps=64).inputs
    np.testing.assert_allclose(alike[0], alike[1], atol=1e-4)
    diverse = maximize([objectives.Logit(1) - objectives.Diversity("conv")] * 2, steps=64).inputs
    assert np.abs(diverse[0] - diverse[1]).max() > 0.05


@pytest.mark.parametrize(
    "parameterization",
    [parameterizations.Cosine(), parameterizations.MaCo()],
    ids=["cosine", "maco"],
)
def test_other_codes_climb_within_the_bounds_and_are_scored_as_returned(parameterization):
    model = seeing()
    maximize = ActivationMaximization(
        model, None, bounds=(0.1, 0.9), parameterization=parameterization, seed=3
    )
    result = maximize(range(3), steps=64)
    assert result.inputs.min() >= 0.1
    assert result.inputs.max() <= 0.9
    expected = np.diag(ops.convert_to_numpy(model(result.inputs)))
    np.testing.assert_allclose(result.probability, expected, rtol=1e-4)
    assert (result.log_prior == 0).all()
    begun = maximize(range(3), steps=1).probability
    assert (result.probability > begun).all()


@pytest.mark.parametrize(
    ("bounds", "message"),
    [(None, "there is no prior"), (1, "two numbers"), ((1, 0), "below the upper one")],
)
def test_without_a_prior_there_must_be_bounds(bounds, message):
    with pytest.raises(ValueError, match=message):
        ActivationMaximization(seeing(), None, 1, bounds, parameterizations.Cosine())


def test_a_generator_s_code_climbs_under_its_own_prior():
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(4)])
    maximize = ActivationMaximization(
        linear(),
        None,
        bounds=(-20, 20),
        sharpness=3,
        parameterization=parameterizations.Latent(decoder),
    )
    result = maximize(range(3), steps=200)
    assert result.converged.all()
    # At the maximum the code is the gradient of the class term: that of -code^2 / 2 balances it.
    logits, kernel = linear_logits(maximize.model, result.inputs)
    gradient = kernel.T - np.exp(log_softmax(logits)) @ kernel.T
    matrix, bias = map(np.float64, decoder.get_weights())
    codes = 3 * gradient @ matrix.T
    np.testing.assert_allclose(result.inputs, codes @ matrix + bias, atol=1e-2)
    expected = -0.5 * (codes**2).sum(axis=1) - np.log(2 * np.pi)
    np.testing.assert_allclose(result.log_prior, expected, atol=1e-2)


def test_with_transforms_a_row_does_not_depend_on_its_batch_and_is_scored_as_it_is():
    model, prior = seeing(), priors.Gaussian.fit(small_images())
    settings = {"sharpness": 20, "transforms": [transforms.Jitter(1), transforms.Noise(0.05)]}
    maximize = ActivationMaximization(model, prior, **settings)
    together, alone = maximize([0, 2], steps=40), maximize(2, steps=40)
    np.testing.assert_allclose(together.inputs[1], alone.inputs[0], atol=1e-3)
    expected = ops.convert_to_numpy(model(together.inputs))[[0, 1], [0, 2]]
    np.testing.assert_allclose(together.probability, expected, rtol=1e-4)
    plain = ActivationMaximization(model, prior, sharpness=20)(2, steps=40)
    assert np.abs(plain.inputs - alone.inputs).max() > 1e-3


def test_an_ascent_may_begin_at_an_image():
    model, prior = seeing(), priors.Gaussian.fit(small_images())
    image, seen = small_images(1)[0], []
    maximize = ActivationMaximization(model, prior, sharpness=5)
    dream = objectives.Layer("conv")
    maximize(dream, steps=24, start=image, callbacks=[lambda *look: seen.append(look)])
    assert [number for number, _ in seen] == [8, 16, 24]
    begun = maximize(dream, steps=1, start=image)
    assert np.corrcoef(begun.inputs.ravel(), image.ravel())[0, 1] > 0.9
    with pytest.raises(ValueError, match=r"one row of shape \(8, 8, 1\) or .*; received \(3,\)"):
        maximize(dream, start=np.zeros(3))


def test_a_sharpness_of_units_is_not_chosen_without_real_rows():
    prior = priors.Spectral.natural((8, 8, 1))
    with pytest.raises(ValueError, match=r"no held-out rows\. Pass a number"):
        ActivationMaximization(seeing(), prior)(objectives.Channel("conv", 0))


def test_none_for_bounds_takes_those_of_the_data():
    data = small_images()
    maximize = ActivationMaximization(seeing(), priors.Gaussian.fit(data), 50, bounds=None)
    inputs = maximize(range(3), steps=32).inputs
    assert data.min() - 1e-6 <= inputs.min()
    assert inputs.max() <= data.max() + 1e-6


def table(rows=200):
    """A number, a whole number, a number that nobody can change, and one of three kinds."""
    random = np.random.default_rng(0)
    kinds = np.eye(3)[random.integers(3, size=rows)]
    whole = random.integers(0, 9, size=(rows, 1))
    return np.concatenate([random.normal(size=(rows, 1)), whole, whole / 2, kinds], axis=1)


def test_rows_of_a_table_are_ones_that_there_can_be():
    data = table()
    prior = priors.Tabular.fit(data, categorical=[(3, 4, 5)], integer=[1], immutable=[2])
    model = keras.Sequential([keras.Input((6,)), layers.Dense(3, activation="softmax")])
    maximize = ActivationMaximization(model, prior, sharpness=5, bounds=None)
    with pytest.raises(ValueError, match=r"columns \[2\] are immutable: pass .* start="):
        maximize(range(3))
    result = maximize(range(3), steps=64, start=data[0])
    rows = result.inputs
    np.testing.assert_array_equal(rows[:, 1], np.round(rows[:, 1]))
    np.testing.assert_allclose(rows[:, 2], data[0, 2], atol=1e-5)
    np.testing.assert_array_equal(np.sort(rows[:, 3:], axis=1), [[0, 0, 1]] * 3)
    expected = np.diag(ops.convert_to_numpy(model(rows)))
    np.testing.assert_allclose(result.probability, expected, rtol=1e-4)
    assert list(prior.compare(rows, data).columns) == ["value", "percentile", "nearest"]


class Slope(priors.Gaussian):
    """A Gaussian that tells only its gradient truly: its value grows away from the mean."""

    is_density = False

    def log_density(self, parameters, x, ops=ops):
        value = super().log_density(parameters, x, ops)
        held = value if ops is np else ops.stop_gradient(value)
        return value - 2 * held


def test_of_a_prior_that_is_no_density_the_end_of_the_way_is_returned():
    given = gaussian()
    slope = Slope(**{field.name: getattr(given, field.name) for field in dataclasses.fields(given)})
    start = MEAN + 1
    one, other = (maximizer(linear(), p, sharpness=1)(1, 200, start=start) for p in (given, slope))
    np.testing.assert_allclose(other.inputs, one.inputs, atol=1e-2)
