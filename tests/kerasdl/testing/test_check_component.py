"""The examination itself: its records, its arguments, and its command."""

import sys

import keras
import numpy as np
import pytest
from keras import ops

import kerasdl
from kerasdl.__main__ import main
from kerasdl.testing import (
    CheckResult,
    ComponentError,
    check_component,
    parametrize_components,
)
from tests.kerasdl.testing import faulty, sound


def _shrinking():
    """Returns a faulty constraint that no other process finds, so that none is started."""

    @kerasdl.register(package="local")
    class Shrinking(keras.constraints.Constraint):
        def __call__(self, w):
            return ops.convert_to_tensor(w) * 0.9

    return Shrinking()


FAILING = ["a_constrained_weight_stays_as_it_is", "trained_weights_keep_to_it"]


def _failed(results):
    return [result.check for result in results if result.status == "failed"]


def test_a_result_reads_as_a_line():
    assert str(CheckResult("is_sound", "passed")) == "passed           is_sound"
    assert str(CheckResult("is_sound", "failed", "no.")).endswith("is_sound: no.")


def test_failures_are_raised_together():
    with pytest.raises(ComponentError, match="Shrinking fails 2 of 11 checks") as caught:
        check_component(_shrinking())
    assert _failed(caught.value.results) == FAILING
    assert all(name in str(caught.value) for name in FAILING)


def test_failures_are_warned_of():
    with pytest.warns(UserWarning, match="Shrinking fails 2 of 11 checks"):
        results = check_component(_shrinking(), on_fail="warn")
    assert _failed(results) == FAILING


def test_failures_are_only_returned():
    assert _failed(check_component(_shrinking(), on_fail=None)) == FAILING


def test_another_on_fail_is_refused():
    with pytest.raises(ValueError, match="received 'ignore'"):
        check_component(_shrinking(), on_fail="ignore")


def test_expected_failures_are_no_failures():
    results = check_component(_shrinking(), expected_failures=dict.fromkeys(FAILING, "it shrinks"))
    expected = [result for result in results if result.status == "expected failure"]
    assert [result.check for result in expected] == FAILING
    assert all(result.reason.startswith("it shrinks (") for result in expected)


def test_an_expected_failure_of_no_check_is_refused():
    with pytest.raises(
        ValueError, match="names is_tall; the checks are it_runs_on_the_usual_inputs"
    ):
        check_component(_shrinking(), expected_failures={"is_tall": "it is small"})


def test_saving_is_skipped_where_no_other_process_finds_the_class():
    results = {result.check: result for result in check_component(_shrinking(), on_fail=None)}
    assert results["all_backends_agree"].status == "skipped"
    assert "no other process finds it" in results["all_backends_agree"].reason


def _square():
    """Returns a constraint that takes none of the usual weights."""

    @kerasdl.register(package="local")
    class Square(keras.constraints.Constraint):
        def __call__(self, w):
            if tuple(w.shape) != (3, 3):
                raise ValueError(f"Square takes 3 x 3; received {tuple(w.shape)}.")
            return ops.clip(ops.convert_to_tensor(w), -0.5, 0.5)

    return Square()


def test_inputs_may_be_given():
    weight = np.linspace(-1, 1, 9, dtype="float32").reshape(3, 3)
    assert _failed(check_component(_square(), inputs=weight)) == []


def test_no_usual_inputs_are_told_of():
    with pytest.raises(AssertionError, match=r"takes none of the usual inputs.*pass .*inputs="):
        check_component(_square())


def test_a_class_is_refused():
    with pytest.raises(TypeError, match=r"received the class Records. Pass Records\(...\)"):
        check_component(sound.Records)


def test_what_is_no_component_is_refused():
    with pytest.raises(TypeError, match="received <class 'int'>"):
        check_component(3)


@pytest.mark.parametrize("fault", [faulty.TakesNoKeywords, faulty.CreatesWeightsInCall])
def test_a_layer_that_takes_no_inputs_for_a_fault_of_its_own_is_examined(fault):
    class Fault(fault):
        example_inputs = None

    assert _failed(check_component(Fault(), on_fail=None))


@parametrize_components("sound>unitcolumns")
def test_checks_are_parameters(name, check):
    assert name == "sound>UnitColumns"
    if check.args[2].__name__ == "is_registered":
        assert check() == CheckResult("is_registered", "passed")


def test_list_shows_names_by_kind(capsys):
    assert main(["list", "--pattern", "sound>*", "--kind", "constraint"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("constraint:\n  sound>Symmetric    Square matrices")
    assert "sound>Tower" not in printed


def test_describe_shows_signature_and_docstring(capsys):
    assert main(["describe", "unit_columns"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("sound>UnitColumns (constraint)\nUnitColumns(limit=1.0)\n\nMatrices")


@pytest.mark.parametrize(
    ("component", "status", "count"), [("WantsValidation", 1, 2), ("sound>Records", 0, 0)]
)
def test_check_exits_by_what_it_finds(capsys, component, status, count):
    path = component if ">" in component else f"tests.kerasdl.testing.faulty:{component}"
    assert main(["check", path]) == status
    assert f"{path}: {count} of " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "--pattern", "zzz*"], "No component is called 'zzz*'"),
        (["describe", "UnitColumn"], "'sound>UnitColumns'"),
        (["check", "UnitColumn"], "'sound>UnitColumns'"),
        (["check", "no_such_module:Thing"], "No module named 'no_such_module'"),
        (["check", "tests.kerasdl.testing.sound:Nothing"], "no attribute 'Nothing'"),
        (["check", "keras.layers:Dense"], "Define a classmethod example"),
    ],
)
def test_bad_input_exits_with_two(capsys, monkeypatch, arguments, message):
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
