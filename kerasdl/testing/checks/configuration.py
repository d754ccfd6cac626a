"""Names and configurations: what Keras saves a component by."""

import json

import keras

from kerasdl.testing import settings
from kerasdl.testing.results import FaultError, NotApplicableError, described
from kerasdl.testing.subject import clone, differ


def is_registered(subject):
    """A fresh process finds the component by its name."""
    target = subject.component if subject.kind == "activation" else type(subject.component)
    if subject.kind == "callback":
        raise NotApplicableError("Keras saves no callbacks")
    if target.__module__.partition(".")[0] == "keras":
        return
    name = keras.saving.get_registered_name(target)
    if keras.saving.get_registered_object(name) is not target:
        raise FaultError(
            f"{target.__name__} is not registered: a model that holds it is saved, but not loaded. "
            "Decorate it with @kerasdl.register."
        )


def configuration_is_plain_json(subject):
    """The configuration holds numbers, strings, lists, dicts and serialized Keras objects."""
    _require_configuration(subject)
    config = subject.component.get_config()
    if not isinstance(config, dict):
        raise FaultError(
            f"get_config returns {config!r}: return a dict of the constructor's arguments."
        )
    _json(subject.component)


def _require_configuration(subject):
    if subject.kind == "activation":
        raise NotApplicableError("a function has no configuration")
    if subject.kind == "callback":
        raise NotApplicableError("Keras saves no callbacks")


def _json(component):
    try:
        return json.dumps(keras.saving.serialize_keras_object(component), sort_keys=True)
    except Exception as error:
        raise FaultError(
            f"The configuration {component.get_config()} is no JSON: {described(error)} Return "
            "numbers, strings, lists and dicts; serialize nested objects with "
            "keras.saving.serialize_keras_object."
        ) from error


def configuration_leads_back_to_the_same_component(subject):
    """`from_config(get_config())` does what the component does, and has its configuration."""
    _require_configuration(subject)
    component = _seeded(subject)
    again = _through_json(component)
    if _plain(again.get_config()) != _plain(component.get_config()):
        raise FaultError(
            f"The configuration changes on the way back, {_changed(component, again)}: store each "
            "argument as it was given, and let get_config return that."
        )
    _require_same_behaviour(subject, component, again)


def configuration_is_left_as_it_is(subject):
    """`from_config` does not change the dict it is given."""
    _require_configuration(subject)
    owner = type(subject.component).from_config.__func__.__module__
    if owner.partition(".")[0] == "keras":  # that of wrappers takes the layer out of the dict
        raise NotApplicableError("from_config is that of Keras")
    config = subject.component.get_config()
    before = repr(config)
    try:
        type(subject.component).from_config(config)
    except Exception as error:
        raise NotApplicableError(f"from_config raises {described(error)}") from error
    if repr(config) != before:
        raise FaultError(
            f"from_config changed the dict it was given, from {before} to {config}: "
            "work on a copy, config = dict(config)."
        )


def every_argument_is_configured(subject):
    """Each constructor argument, with another value than now, is in the configuration and back."""
    _require_configuration(subject)
    names, unvaried, faults = settings.settings_of(subject), [], []
    for name in names:
        found = settings.variant(subject, name)
        if found is None:
            unvaried.append(f"{name} ({settings.refusal(subject, name)})")
            continue
        try:
            _require_kept(subject, name, *found)
        except FaultError as fault:
            faults.append(str(fault))
    if faults:
        raise FaultError(" ".join(faults))
    if unvaried:
        return f"not varied: {'; '.join(unvaried)}. other_settings may name another value of each."
    return None


def _require_kept(subject, name, instance, value):
    config, own = instance.get_config(), subject.config
    if name not in config and not _is_kept_otherwise(name, instance):
        if settings.is_guess(subject, name) and not _has_effect(subject, name, value):
            return
        raise FaultError(
            f"get_config has no {name!r}: {subject.name}({name}={value!r}) is saved without it. "
            f'Return {{**super().get_config(), "{name}": self.{name}}}.'
        )
    if name in config and name in own and _plain(config[name]) == _plain(own[name]):
        raise FaultError(
            f"get_config returns {name} = {config[name]!r} for {subject.name}({name}={value!r}) "
            "too: return the argument that was given."
        )
    try:
        again = clone(instance)
    except FaultError as fault:
        raise FaultError(f"{subject.name}({name}={value!r}): {fault}") from fault
    if _plain(again.get_config()) != _plain(instance.get_config()):
        raise FaultError(
            f"{subject.name}({name}={value!r}) changes on the way back, "
            f"{_changed(instance, again)}."
        )
    _require_same_behaviour(subject, instance, again, f" with {name}={value!r}")


def _is_kept_otherwise(name, instance):
    """Whether an argument that the configuration does not name comes back as an attribute."""
    value = getattr(instance, name, None)
    try:
        return value is not None and repr(getattr(clone(instance), name)) == repr(value)
    except (FaultError, AttributeError):
        return False


def _has_effect(subject, name, value):
    """Whether another value of an argument changes what a component does."""
    try:
        plain, changed = subject.clone(), settings.with_value(subject, name, value)
        before = subject.behaves(plain)
        if subject.kind == "layer":
            subject.behaves(changed)
            changed.set_weights(plain.get_weights())
        return differ(before, subject.behaves(changed)) is not None
    except ValueError:  # it has other weights
        return True


def _plain(value):
    return json.dumps(keras.saving.serialize_keras_object(value), sort_keys=True, default=repr)


def _through_json(component):
    """Returns what Keras makes of the JSON that it writes for a component."""
    written = _json(component)
    if keras.saving.get_registered_object(_name(component)) is not type(component):
        return clone(component)
    try:
        return keras.saving.deserialize_keras_object(json.loads(written))
    except Exception as error:
        raise FaultError(
            f"{type(component).__name__} cannot be made of its JSON: {described(error)} Serialize "
            "nested objects in get_config and deserialize them in from_config."
        ) from error


def _name(component):
    return keras.saving.get_registered_name(type(component))


def _changed(one, other):
    before, after = one.get_config(), other.get_config()
    names = [name for name in before if _plain(before[name]) != _plain(after.get(name))]
    return ", ".join(f"{name} from {before[name]!r} to {after.get(name)!r}" for name in names)


def _require_same_behaviour(subject, component, again, setting=""):
    try:
        these = subject.behaves(component)
    except Exception as error:
        raise FaultError(
            f"{subject.name}{setting} made by from_config raises {described(error)} Let every "
            "instance have objects of its own: serialize those that it holds."
        ) from error
    if subject.kind == "layer":
        if not subject.adapted(again).built:
            again.build_from_config(component.get_build_config())
        if len(again.weights) != len(component.weights):
            subject.behaves(again)
        again.set_weights(component.get_weights())
    gap = differ(these, subject.behaves(again))
    if gap is not None and _is_repeatable(subject, component):
        raise FaultError(
            f"{subject.name}{setting} and what from_config makes of its configuration differ by "
            f"{gap:.2g} of their size: an argument is lost, or changed by the constructor."
        )


def _is_repeatable(subject, component):
    """Whether a component does the same twice; random ones without a seed do not."""
    if subject.kind == "layer" and subject.states("random_at_inference"):
        return False
    first = clone(component) if subject.kind != "layer" else component
    second = clone(component) if subject.kind != "layer" else component
    return differ(subject.behaves(first), subject.behaves(second)) is None


def _seeded(subject):
    """Returns an instance with a seed, where the component takes one and has none."""
    if "seed" in subject.config and subject.config["seed"] is None:
        return subject.clone(seed=1234)
    return subject.clone()


CHECKS = (
    is_registered,
    configuration_is_plain_json,
    configuration_leads_back_to_the_same_component,
    configuration_is_left_as_it_is,
    every_argument_is_configured,
)
