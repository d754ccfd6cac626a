"""Every fault is found by the check that is meant to find it."""

import functools

import keras
import pytest

from kerasdl.testing.checking import example_of, run, subject_of
from kerasdl.testing.checks import checks_of
from kerasdl.testing.pytest_parameters import _workers
from tests.kerasdl.testing import faulty

FAULTS = {
    # layers
    "LosesFactor": "every_argument_is_configured",
    "StoresPercent": "configuration_leads_back_to_the_same_component",
    "ConfiguresConstant": "every_argument_is_configured",
    "PopsFromConfig": "configuration_is_left_as_it_is",
    "TakesNoKeywords": "configuration_leads_back_to_the_same_component",
    "LosesName": "every_argument_is_configured",
    "LosesInitializer": "every_argument_is_configured",
    "HoldsLayerInConfig": "configuration_leads_back_to_the_same_component",
    "HoldsSetInConfig": "configuration_is_plain_json",
    "BuildsLayerTwice": "configuration_leads_back_to_the_same_component",
    "UnregisteredLayer": "is_registered",
    "CallsNumpy": "gradients_are_those_of_the_outputs",
    "BranchesOnValues": "symbolic_outputs_are_those_of_a_call",
    "CreatesWeightsInCall": "all_state_is_created_before_the_first_call",
    "LeavesSublayerUnbuilt": "all_state_is_created_before_the_first_call",
    "LeavesBuildOut": "all_state_is_created_before_the_first_call",
    "HidesVariable": "configuration_leads_back_to_the_same_component",
    "HidesOnes": "all_state_is_created_before_the_first_call",
    "DeclaresWrongShape": (
        "symbolic_outputs_are_those_of_a_call",
        "declared_shapes_are_those_of_a_call",
    ),
    "FixesBatchSize": "symbolic_outputs_are_those_of_a_call",
    "GivesOneRow": "rows_do_not_depend_on_one_another",
    "ComputesInFloat32": "mixed_precision_is_kept_to",
    "OverflowsInHalf": "mixed_precision_is_kept_to",
    "VanishesInHalf": "mixed_precision_is_kept_to",
    "KeepsWeightsInHalf": "mixed_precision_is_kept_to",
    "IsNoisyAtInference": "inference_is_repeatable_and_changes_nothing",
    "FreezesMask": "random_numbers_differ_from_step_to_step",
    "DrawsByInt": "random_numbers_differ_from_step_to_step",
    "DrawsFromGlobal": "random_numbers_differ_from_step_to_step",
    "DrawsFromNumpy": (
        "random_numbers_differ_from_step_to_step",
        "compiled_training_is_that_of_single_steps",
    ),
    "DrawsInPython": "random_numbers_differ_from_step_to_step",
    "IgnoresSeed": "random_numbers_differ_from_step_to_step",
    "CountsAtInference": "inference_is_repeatable_and_changes_nothing",
    "CountsInPython": "compiled_training_is_that_of_single_steps",
    "ReducesOverBatch": "rows_do_not_depend_on_one_another",
    "ChangesInputs": "inputs_are_left_as_they_are",
    "AveragesMaskedSteps": "masked_steps_do_not_matter",
    "PassesMaskOn": "masks_fit_the_outputs",
    "LosesGradient": "gradients_are_those_of_the_outputs",
    "TellsWrongGradient": "gradients_are_those_of_the_outputs",
    "HasNoGradientAtZero": "gradients_are_those_of_the_outputs",
    "OverflowsForLarge": "gradients_are_those_of_the_outputs",
    "HidesNanInWhere": "gradients_are_those_of_the_outputs",
    # losses
    "IsScalar": ("each_sample_has_a_loss_of_its_own", "sample_weights_weight_samples"),
    "WeighsItself": "sample_weights_weight_samples",
    "IgnoresWeights": "sample_weights_weight_samples",
    "LosesDelta": "every_argument_is_configured",
    "TakesNoReduction": "configuration_leads_back_to_the_same_component",
    "FixesReduction": "every_argument_is_configured",
    "HasNoGradientAtEquality": "gradients_are_those_of_the_loss",
    "TakesLogarithmOfZero": "gradients_are_those_of_the_loss",
    "OverflowsForLargeLogits": "gradients_are_those_of_the_loss",
    "NormalizesByBatch": "samples_do_not_depend_on_one_another",
    "ComparesByNumpy": "gradients_are_those_of_the_loss",
    "BranchesOnLoss": "compiled_values_are_those_of_a_call",
    "HasNoGradient": "gradients_are_those_of_the_loss",
    "ComputesInHalf": "half_precision_predictions_give_a_finite_loss",
    "RemembersScale": "compiled_values_are_those_of_a_call",
    # metrics
    "AveragesBatches": "results_do_not_depend_on_the_batches",
    "AveragesUnequalBatches": "results_do_not_depend_on_the_batches",
    "SumsInPython": "compiled_updates_are_those_of_a_call",
    "CountsInPythonToo": "compiled_updates_are_those_of_a_call",
    "ForgetsToReset": "a_reset_forgets_everything",
    "IgnoresSampleWeights": "sample_weights_weight_samples",
    "WeightsTheSumAlone": "sample_weights_weight_samples",
    "ChangesWithItsResult": "results_change_nothing",
    "GivesItsVariable": "compiled_updates_are_those_of_a_call",
    "IsNanWhenNew": "results_are_finite",
    "MeasuresByNumpy": "compiled_updates_are_those_of_a_call",
    "LosesThreshold": "every_argument_is_configured",
    "TakesNoDtype": "configuration_leads_back_to_the_same_component",
    # optimizers
    "Ascends": "training_lowers_the_loss",
    "IgnoresLearningRate": "a_learning_rate_of_zero_moves_nothing",
    "FixesLearningRate": "the_learning_rate_may_be_set",
    "SharesOneSlot": "variables_may_come_in_any_order",
    "KeepsMomentumInPython": "training_continues_where_it_was_saved",
    "CountsStepsInPython": "training_continues_where_it_was_saved",
    "AssignsSlotInBuild": "a_learning_rate_of_zero_moves_nothing",
    "OverridesApply": ("gradients_are_clipped", "gradients_are_accumulated"),
    "DecaysTheExcluded": "weight_decay_spares_what_is_excluded",
    "CountsIterationsItself": "a_step_is_counted_once",
    "CreatesSlotsInUpdate": "training_continues_where_it_was_saved",
    "LosesMomentum": "every_argument_is_configured",
    "BranchesOnStep": "compiled_steps_are_those_of_single_ones",
    "TakesNoClipping": "configuration_leads_back_to_the_same_component",
    "LosesAverages": "averaged_weights_are_averages",
    # schedules
    "BranchesOnTheStep": "compiled_rates_are_those_of_a_call",
    "CountsInInt32": "steps_may_be_of_any_type",
    "RemembersTheStep": "rates_depend_on_the_step_alone",
    "FallsBelowZero": "rates_are_finite_numbers",
    "StartsAtInfinity": "rates_are_finite_numbers",
    "LosesDecay": "every_argument_is_configured",
    # initializers
    "IgnoresDtype": "shapes_and_dtypes_are_those_asked_for",
    "IgnoresShape": "shapes_and_dtypes_are_those_asked_for",
    "IgnoresItsSeed": "equal_seeds_give_equal_values",
    "HasOneSeed": "equal_seeds_give_equal_values",
    "DrawsByNumpy": "equal_seeds_give_equal_values",
    "GivesFloat64": "the_default_dtype_is_that_of_keras",
    "LosesGain": "every_argument_is_configured",
    "DrawsItsScale": "moments_do_not_depend_on_the_dtype_or_the_draw",
    # regularizers
    "IsVector": "penalties_are_numbers_of_at_least_zero",
    "IsNegative": "penalties_are_numbers_of_at_least_zero",
    "HasNoGradientAtZeroWeights": "gradients_are_those_of_the_penalty",
    "DividesByNorm": "penalties_are_numbers_of_at_least_zero",
    "PenalizesByNumpy": "gradients_are_those_of_the_penalty",
    "WantsMatrix": "weights_of_every_rank_are_taken_or_refused",
    "LosesStrength": "every_argument_is_configured",
    "PenalizesInHalf": "penalties_have_the_dtype_of_the_weight",
    # constraints
    "ShrinksAgain": "a_constrained_weight_stays_as_it_is",
    "DividesByZero": "shapes_and_dtypes_are_kept",
    "AssignsToVariable": "variables_are_taken",
    "ConstrainsInFloat32": "shapes_and_dtypes_are_kept",
    "ConstrainsByNumpy": "trained_weights_keep_to_it",
    "ChangesShape": "shapes_and_dtypes_are_kept",
    "LosesLimit": "every_argument_is_configured",
    # activations
    "gives_float32": "the_dtype_is_kept",
    "has_no_gradient_at_zero": "gradients_are_those_of_the_function",
    "overflows": "gradients_are_those_of_the_function",
    "squashes_by_numpy": "gradients_are_those_of_the_function",
    "branches": "compiled_values_are_those_of_a_call",
    "loses_gradient": "gradients_are_those_of_the_function",
    # callbacks
    "ChangesWeights": "numbers_are_left_as_they_are",
    "KeepsLearningRate": "numbers_are_left_as_they_are",
    "FailsAtSecondFit": "two_trainings_may_follow_one_another",
    "WantsValidation": "two_trainings_may_follow_one_another",
    "TurnsTrainingOff": "numbers_are_left_as_they_are",
}

# torch runs Python as it is written: these are faults where a framework traces.
_TRACED = dict.fromkeys(
    (
        "BranchesOnValues",
        "BranchesOnLoss",
        "CountsInPythonToo",
        "SumsInPython",
        "MeasuresByNumpy",
        "BranchesOnStep",
        "BranchesOnTheStep",
        "ConstrainsByNumpy",
        "branches",
    ),
    ("tensorflow", "jax"),
)
BACKENDS = {
    **_TRACED,
    "CountsInPython": ("tensorflow", "jax"),
    "OverflowsInHalf": ("tensorflow", "jax"),  # the half of torch is bfloat16 here
    "VanishesInHalf": ("tensorflow", "jax"),
    "ChangesInputs": ("torch",),  # the tensors of the others cannot be changed
    "HidesNanInWhere": ("jax", "torch"),  # TensorFlow's root has gradient 0 where 0 comes in
    "GivesFloat64": ("tensorflow", "torch"),  # JAX has no float64 unless asked
    "GivesItsVariable": ("tensorflow",),
    "AssignsSlotInBuild": ("tensorflow", "jax"),
}
_EVERYWHERE = ("tensorflow", "jax", "torch")
MISSED = {  # why, and where
    "BuildsLayerTwice": ("configurations are those of layers that are not built", _EVERYWHERE),
    "HidesOnes": ("nothing looks for variables that the layer does not know of", _EVERYWHERE),
}


def _cases():
    for name, checks in FAULTS.items():
        for check in (checks,) if isinstance(checks, str) else checks:
            yield pytest.param(name, check, id=f"{name}-{check}", marks=_marks(name))


def _marks(name):
    here = keras.backend.backend()
    if here not in BACKENDS.get(name, _EVERYWHERE):
        return [pytest.mark.skip(reason="no fault on this backend")]
    reason, where = MISSED.get(name, ("", ()))
    return [pytest.mark.xfail(strict=True, reason=reason)] if here in where else []


@functools.lru_cache(maxsize=1)
def _subject(name):
    return subject_of(example_of(getattr(faulty, name)), _workers())


@pytest.mark.parametrize(("name", "check"), list(_cases()))
def test_a_fault_is_found_by_its_check(name, check):
    subject = _subject(name)
    (function,) = [one for one in checks_of(subject.kind) if one.__name__ == check]
    assert run(function, subject).status == "failed"
