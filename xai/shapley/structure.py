"""Settings of a model of several inputs: one for all, or one for each."""


def per_input(setting, places, name):
    """Returns a setting for each of a model's inputs, flat.

    Args:
        setting: One for all inputs, or one for each in the inputs' list or dict.
        places: The structure of the model's inputs.
        name: What the setting is called.

    Raises:
        ValueError: Other keys, or another number of settings than of inputs.
    """
    if not isinstance(places, dict | list | tuple):
        return [setting]
    if isinstance(places, dict):
        if not isinstance(setting, dict):
            setting = dict.fromkeys(places, setting)
        keys, given = sorted(places), sorted(setting)  # sorted as Keras flattens them
    else:
        if not isinstance(setting, list | tuple):
            setting = [setting] * len(places)
        keys, given = list(range(len(places))), list(range(len(setting)))
    if keys != given:
        raise ValueError(f"The model has the inputs {keys}; received {name} for {given}.")
    return [one for key in keys for one in per_input(setting[key], places[key], name)]
