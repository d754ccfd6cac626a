"""Saving here, loading elsewhere."""

import json
import pathlib
import tempfile

import keras
import numpy as np

from kerasdl.testing import settings, worker
from kerasdl.testing.checks.randomness import draws_numbers
from kerasdl.testing.host import host, outcomes, train
from kerasdl.testing.results import FaultError, NotApplicableError, described
from kerasdl.testing.subject import differ

_STEPS_BEFORE = 2  # of training, so that there is a state to lose
_STEPS_AFTER = 2
_SAME_BACKEND, _OTHER_BACKENDS = 1e-5, 2e-3  # differences by the size of what is compared


def a_saved_model_is_loaded_in_a_fresh_process(subject):
    """A model with the component, and one for every argument that differs, load and train on."""
    module = _module(subject)
    backend = keras.backend.backend()
    subject.workers.start(backend)
    tolerance = np.inf if subject.states("random_at_inference") else _SAME_BACKEND
    faults = []
    for name, component in _instances(subject):
        try:
            _compare(subject, component, module, [backend], tolerance)
        except NotApplicableError:
            raise
        except FaultError as fault:
            faults.append(f"{subject.name}({name}): {fault}")
        except Exception as error:
            if not name:  # with another value it may be the value
                raise _cannot_be_trained(error) from error
    if faults:
        raise FaultError(" ".join(faults))


def _cannot_be_trained(error):
    return FaultError(f"a model that holds it cannot be trained and saved: {described(error)}")


def all_backends_agree(subject):
    """The model gives the same, and trains alike, on every backend that is installed."""
    module = _module(subject)
    here = keras.backend.backend()
    others = [name for name in worker.installed_backends() if name != here]
    if not others:
        raise NotApplicableError(f"no other framework than {here} is installed")
    for name in others:
        subject.workers.start(name)
    component = _without_randomness(subject)
    try:
        _compare(subject, component, module, others, _OTHER_BACKENDS)
    except (FaultError, NotApplicableError):
        raise
    except Exception as error:
        raise _cannot_be_trained(error) from error


def _module(subject):
    if subject.kind == "callback":
        raise NotApplicableError("Keras saves no callbacks")
    module = worker.module_of(subject.component)
    if module is None:
        raise NotApplicableError(
            f"{subject.name} is defined in a function or without a file: no other process finds it"
        )
    return module


def _instances(subject):
    yield "", subject.clone()
    if subject.kind == "activation":
        return
    for name in settings.settings_of(subject):
        found = None if settings.is_guess(subject, name) else settings.variant(subject, name)
        if found is not None:
            yield f"{name}={found[1]!r}", found[0]


def _without_randomness(subject):
    if subject.states("random_at_inference"):
        raise NotApplicableError("backends draw different random numbers")
    return subject.clone()


def _compare(subject, component, module, backends, tolerance):
    """Saves a model with a component, and compares what processes find in it."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        found = _saved(subject, component, module, folder)
        for backend in backends:
            _require_same(backend, found, _loaded(subject, backend, folder), tolerance)


def _saved(subject, component, module, folder):
    """Saves a model with what a process needs; returns what comes of it here."""
    model, x, y = host(subject.kind, component, subject.inputs, run_eagerly=True)
    if model.trainable_variables:
        train(model, x, y, _STEPS_BEFORE)
    model.save(folder / "model.keras")
    worker.write(folder / "data.npz", [*x, *y])
    modules = [] if module[0].partition(".")[0] == "keras" else [module]
    steps = 0 if draws_numbers(model) else _STEPS_AFTER
    (folder / "job.json").write_text(json.dumps({"modules": modules, "steps": steps}))
    return outcomes(model, x, y, steps)


def _loaded(subject, backend, folder):
    try:
        return subject.workers.outcomes(backend, folder)
    except RuntimeError as error:
        raise FaultError(
            f"a fresh process on {backend} cannot load and train the saved model: {error} "
            "Let get_config hold every constructor argument, create all weights in build, and use "
            "keras.ops."
        ) from error


def _require_same(backend, found, there, tolerance):
    if len(found) != len(there):
        raise FaultError(
            f"the loaded model gives {len(there)} arrays on {backend}, not {len(found)}."
        )
    for number, (one, other) in enumerate(zip(found, there, strict=True)):
        gap = differ(one, other, tolerance)
        if gap is not None:
            what = "outputs" if number == 0 else "outputs, scores or outputs after training"
            raise FaultError(
                f"{what} of the loaded model differ on {backend} by {gap:.2g} of their size "
                f"(here {np.ravel(one)[:3]}, there {np.ravel(other)[:3]}): a weight or an argument "
                "is not saved, or an operation differs between backends."
            )


CHECKS = (a_saved_model_is_loaded_in_a_fresh_process, all_backends_agree)
