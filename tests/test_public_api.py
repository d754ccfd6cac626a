"""The public surface: names and signatures that users and documents rely on."""

import inspect

import keras
import pytest

import kerasdl
import tuning
import xai

SIGNATURES = {
    kerasdl.register: "(component=None, *, package=None, renamed_from=())",
    kerasdl.get: "(kind, name, **settings)",
    kerasdl.lookup: "(kind, name)",
    kerasdl.names: "(kind=None, pattern='*')",
    kerasdl.describe: "(kind, name)",
    kerasdl.load_model: "(filepath, custom_objects=None, compile=True, safe_mode=True)",
    kerasdl.testing.check_component: (
        "(component, inputs=None, expected_failures=None, on_fail='raise')"
    ),
    kerasdl.testing.parametrize_components: "(pattern='*')",
    kerasdl.testing.CheckResult: "(check: str, status: str, reason: str = '') -> None",
    kerasdl.testing.ComponentError: "(message, results)",
    xai.LRP: "(model, composite='epsilon_plus', strict=False, output='auto')",
    xai.LRP.__call__: "(self, x, target=None, layers=(), batch_size=None, through=None)",
    xai.LRP.summary: "(self)",
    xai.LRP.conservation: "(self, x, target=None)",
    xai.rules.Zero: "() -> None",
    xai.rules.Epsilon: "(epsilon: object = 1e-06) -> None",
    xai.rules.Gamma: "(gamma: float = 0.25) -> None",
    xai.rules.AlphaBeta: "(alpha: float = 2.0) -> None",
    xai.rules.ZPlus: "() -> None",
    xai.rules.ZBox: "(low: object, high: object) -> None",
    xai.rules.WSquare: "() -> None",
    xai.rules.Flat: "() -> None",
    xai.rules.Pass: "() -> None",
    xai.composites.epsilon_plus: "()",
    xai.composites.epsilon_alpha2_beta1: "()",
    xai.composites.epsilon_plus_flat: "()",
    xai.composites.epsilon_alpha2_beta1_flat: "()",
    xai.composites.epsilon_gamma_box: "(low, high, gamma=0.25, epsilon=1e-06)",
    xai.composites.zero_epsilon_gamma: (
        "(low=None, high=None, gamma=0.25, epsilon=None, split=(0.5, 0.8))"
    ),
    xai.composites.excitation_backprop: "()",
    xai.composites.guided_backprop: "()",
    xai.composites.deconvnet: "()",
    xai.composites.attention: "(bilinear='attnlrp')",
    xai.Composite: (
        "(entries: tuple, partial: bool = False, bilinear: str = 'attnlrp', "
        "relu_gradient: str | None = None) -> None"
    ),
    xai.SampledShapley: ("(model, baseline, players=None, output='auto', batch_size=None, seed=0)"),
    xai.SampledShapley.__call__: (
        "(self, x, target=None, evaluations=2048, method='auto', tolerance=None, progress=False, "
        "*, continue_from=None)"
    ),
    xai.shapley.shapley_values: (
        "(game, players, evaluations, method='auto', seed=0, tolerance=None)"
    ),
    xai.objectives.LogProbability: "(class_: int) -> None",
    xai.objectives.Logit: "(class_: int) -> None",
    xai.objectives.Neuron: "(layer: str, index: tuple) -> None",
    xai.objectives.Channel: "(layer: str, channel: int) -> None",
    xai.objectives.Direction: "(layer: str, vector: tuple, cosine_power: float = 0) -> None",
    xai.objectives.Layer: "(layer: str) -> None",
    xai.objectives.Diversity: "(layer: str) -> None",
    xai.ActivationMaximization: (
        "(model, prior, sharpness='auto', bounds=(0, 1), parameterization=None, transforms=(), "
        "seed=0)"
    ),
    xai.ActivationMaximization.__call__: (
        "(self, target, steps=256, progress=False, *, start=None, callbacks=())"
    ),
    xai.explain: "(model, x, method='lrp', target=None, **settings)",
    xai.Attribution.save: "(self, path)",
    xai.Attribution.load: "(path)",
    tuning.search: (
        "(build, x, y, *, validation_data=None, validation_split=0.2, objective='val_loss', "
        "strategy='bayesian', trials=20, directory='runs/digits', resume=True, seed=0, repeats=1, "
        "time_limit=None, epochs=10, callbacks=(), progress=True)"
    ),
    tuning.Result.load: "(directory)",
}

EXPORTS = {
    kerasdl: {"describe", "get", "load_model", "lookup", "names", "register"},
    kerasdl.testing: {
        "CheckResult",
        "ComponentError",
        "check_component",
        "parametrize_components",
    },
    xai: {
        "ActivationMaximization",
        "Attribution",
        "Composite",
        "LRP",
        "SampledShapley",
        "composites",
        "explain",
        "objectives",
        "parameterizations",
        "plot",
        "priors",
        "rules",
        "shapley",
        "transforms",
    },
    tuning: {"Result", "choose", "search"},
}

COMPONENTS = {
    "layer": {
        "CorruptionNoise",
        "GradientReversal",
        "InitialState",
        "InstanceNormalization",
        "KSparse",
        "LayerScale",
        "MCDropout",
        "RegionMask",
        "Residual",
        "SharpnessAware",
        "SinusoidalPositions",
        "SpectralNormalization",
        "StochasticDepth",
        "TiedQKAttention",
        "WeightNormalization",
        "Whitening",
    },
    "loss": {
        "Contrastive",
        "ExpectedCost",
        "GaussianNLL",
        "Huber",
        "LogCosh",
        "LogisticLoss",
        "PerceptronLoss",
        "Pinball",
        "QualityWeighted",
        "SupervisedContrastive",
        "Triplet",
    },
    "metric": {
        "CohenKappa",
        "ExpectedCalibrationError",
        "MatthewsCorrelation",
        "Sparsity",
    },
    "optimizer": {
        "ADOPT",
        "AdaBelief",
        "Adan",
        "EMAMomentumSGD",
        "GradientTransform",
        "LARS",
        "Lookahead",
        "Prodigy",
        "RAdam",
        "ScheduleFreeAdamW",
        "ScheduleFreeSGD",
    },
    "schedule": {
        "Cyclical",
        "InverseSqrt",
        "LinearWarmup",
        "OneCycle",
        "RobbinsMonro",
        "WarmupStableDecay",
    },
    "initializer": {"DeltaOrthogonal", "GainInitializer"},
    "regularizer": {
        "GroupLasso",
        "KLSparsity",
        "MixedNorm",
        "SoftOrthogonal",
        "SpectralNormRegularizer",
    },
    "constraint": {"FrobeniusNormConstraint", "SpectralNormConstraint"},
    "activation": {"heaviside", "lecun_tanh"},
    "callback": {
        "ActivationDrift",
        "BatchSizeSchedule",
        "DeadUnits",
        "GradientHealth",
        "LearningRateFinder",
        "ScheduleFreeEvaluation",
        "StochasticWeightAveraging",
    },
}


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda f: f"{f.__module__}.{f.__qualname__}")
def test_signatures_are_as_agreed(function):
    assert str(inspect.signature(function)) == SIGNATURES[function]


@pytest.mark.parametrize("package", EXPORTS, ids=lambda package: package.__name__)
def test_packages_export_what_was_agreed(package):
    shelves = {name for name in package.__all__ if inspect.ismodule(getattr(package, name))}
    if package is kerasdl:
        assert set(package.__all__) - shelves == EXPORTS[package]
    else:
        assert set(package.__all__) == EXPORTS[package]


def test_an_attribution_has_the_agreed_fields():
    fields = {"values", "inputs", "target", "score", "base_score", "standard_error", "evaluations"}
    fields |= {"layers", "method", "settings", "player_values", "state"}
    assert set(xai.Attribution.__dataclass_fields__) == fields
    assert isinstance(xai.Attribution.residual, property)


def test_a_search_result_has_the_agreed_names():
    names = {"table", "best_model", "best_hyperparameters", "best_score", "trials"}
    assert names <= {*dir(tuning.Result), *tuning.Result.__dataclass_fields__}


@pytest.mark.parametrize("kind", COMPONENTS)
def test_components_keep_their_names(kind):
    """A saved model holds these names: one that goes takes the user's file along."""
    assert set(kerasdl.names(kind, "kerasdl>*")) == {f"kerasdl>{n}" for n in COMPONENTS[kind]}
    for name in COMPONENTS[kind]:
        assert kerasdl.lookup(kind, f"kerasdl>{name}").__name__ == name


def test_no_component_is_of_another_kind():
    assert len(kerasdl.names(pattern="kerasdl>*")) == sum(map(len, COMPONENTS.values()))


def test_the_search_is_a_function_whatever_was_imported_before():
    import tuning.search

    assert inspect.isfunction(tuning.search)


def test_everything_public_has_a_docstring():
    for package, names in EXPORTS.items():
        for name in names:
            assert inspect.getdoc(getattr(package, name)), f"{package.__name__}.{name}"


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert kerasdl.__version__ == version("kerasdl")
    assert keras.__version__ >= "3.15"
