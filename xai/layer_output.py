"""Finding the output of a model's layer by the layer's name."""

import difflib


def find_output(graph, name, model_name):
    """Returns the place of a layer's output, its activation included, and the channel axis.

    Args:
        graph: The model's graph.
        name: The layer's name. A layer within a nested model is `"model/layer"`, or `"layer"` where
            no other has that name; the second call of a shared layer is `"layer#2"`.
        model_name: What errors call the model.

    Raises:
        ValueError: No layer of that name, several within nested models, or one of several outputs.
    """
    found = _nodes_of(graph, name, model_name)
    (place, *others) = found[-1].outputs
    if others:
        raise ValueError(
            f"The layer {name!r} has outputs of shape {[p.shape for p in found[-1].outputs]}; "
            "only a layer of one output can be asked for."
        )
    layer = getattr(found[0].operation, "layer", found[0].operation)
    first = getattr(layer, "data_format", "channels_last") == "channels_first"
    return place, 1 if first else len(place.shape) - 1


def _nodes_of(graph, name, model_name):
    """Returns the nodes that a layer, or a nested model, has become."""
    found = [n for n in graph.nodes if n.name == name or n.name.startswith(f"{name}/")]
    if found:
        return found
    inner = [n for n in graph.nodes if f"/{name}/" in f"/{n.name}/"]
    paths = list(dict.fromkeys(_path(node, name) for node in inner))
    if len(paths) > 1:
        raise ValueError(
            f"The model {model_name!r} has several layers {name!r}: name one of "
            f"{', '.join(map(repr, paths))}."
        )
    if not paths:
        raise _unknown(graph, name, model_name)
    return inner


def _path(node, name):
    """Returns a node's name up to that of a layer within."""
    before, _, _ = f"/{node.name}/".partition(f"/{name}/")
    return f"{before}/{name}".removeprefix("/")


def _unknown(graph, name, model_name):
    names = dict.fromkeys(node.name.removesuffix("/activation") for node in graph.nodes)
    near = difflib.get_close_matches(str(name), names, n=5, cutoff=0.0)
    return ValueError(
        f"The model {model_name!r} has no layer {name!r}; the nearest are "
        f"{', '.join(map(repr, near))}."
    )
