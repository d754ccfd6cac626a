"""Layers as others would be with other attributes; the user's layers stay as they are."""


def twin(layer, **attributes):
    """Returns a layer that shares everything with `layer`, its variables too, but some attributes.

    `copy.copy` would go through Keras' serialization and make new variables.
    """
    other = object.__new__(type(layer))
    vars(other).update(vars(layer), **attributes)
    return other
