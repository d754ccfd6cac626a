"""What a layer must keep to."""

import keras
import numpy as np
from keras import tree

from kerasdl.testing import behaviour, gradients
from kerasdl.testing.checks.randomness import draws_numbers
from kerasdl.testing.host import host, train
from kerasdl.testing.results import FaultError, NotApplicableError, described
from kerasdl.testing.subject import batch_size, clone, differ, numpy


def symbolic_outputs_are_those_of_a_call(subject):
    """Shapes and dtypes known beforehand are those that a call gives, for any batch size."""
    layer = subject.clone()
    symbols = tree.map_structure(_symbol, subject.inputs)
    declared = tree.flatten(
        attempted(layer, *symbols, action="called on symbols of unknown batch size")
    )
    for rows in (batch_size(subject.inputs), 1, 3):
        given = tree.map_structure(lambda a, rows=rows: np.asarray(a)[:rows], subject.inputs)
        found = tree.flatten(
            attempted(layer, *behaviour.tensors(given), action=f"called on {rows} rows")
        )
        _require_declared(subject, declared, found)


def _symbol(array):
    array = np.asarray(array)
    dtype = "float32" if array.dtype == "float64" else array.dtype.name
    return keras.KerasTensor((None, *array.shape[1:]), dtype=dtype)


def attempted(layer, *inputs, action):
    """Returns the outputs of a layer, for a check whose fault is to say what was attempted."""
    try:
        return layer(*inputs, **behaviour.inference(layer))
    except Exception as error:
        raise FaultError(
            f"{type(layer).__name__} raises {described(error)} when {action}: use keras.ops, and "
            "ops.shape(x)[0] for the number of rows."
        ) from error


def _require_declared(subject, declared, found):
    if len(declared) != len(found):
        raise FaultError(f"{subject.name} declares {len(declared)} outputs and gives {len(found)}.")
    for symbol, output in zip(declared, found, strict=True):
        shapes = tuple(symbol.shape), tuple(output.shape)
        fits = len(shapes[0]) == len(shapes[1]) and all(
            a in (None, b) for a, b in zip(*shapes, strict=True)
        )
        dtypes = symbol.dtype, keras.backend.standardize_dtype(output.dtype)
        if not fits or dtypes[0] != dtypes[1]:
            raise FaultError(
                f"{subject.name} declares outputs of shape {shapes[0]} and dtype {dtypes[0]}, and "
                f"gives {shapes[1]} and {dtypes[1]}: mend compute_output_shape, or call."
            )


def declared_shapes_are_those_of_a_call(subject):
    """`compute_output_shape` gives the shape of the outputs, with and without the batch size."""
    layer = subject.clone()
    outputs = _outputs(layer, subject.inputs)
    shapes = [tuple(np.shape(part)) for part in outputs]
    for rows in (batch_size(subject.inputs), None):
        given = [
            tree.map_structure(lambda a, rows=rows: (rows, *np.shape(a)[1:]), one)
            for one in subject.inputs
        ]
        try:
            declared = layer.compute_output_shape(*given)
        except NotImplementedError as error:
            raise NotApplicableError("the layer does not define compute_output_shape") from error
        except Exception as error:
            raise FaultError(
                f"compute_output_shape{tuple(given)} raises {described(error)}"
            ) from error
        _require_shapes(subject, _shapes(declared), shapes)


def _shapes(declared):
    """Returns the shapes of a structure of shapes."""
    if isinstance(declared, dict):
        declared = [declared[key] for key in sorted(declared)]
    is_one = all(size is None or isinstance(size, int | np.integer) for size in declared)
    return [tuple(declared)] if is_one else [s for part in declared for s in _shapes(part)]


def _require_shapes(subject, declared, found):
    fits = len(declared) == len(found) and all(
        len(one) == len(other) and all(a in (None, b) for a, b in zip(one, other, strict=True))
        for one, other in zip(declared, found, strict=False)
    )
    if not fits:
        raise FaultError(
            f"{subject.name}.compute_output_shape gives {declared}, and a call gives {found}."
        )


def _outputs(layer, inputs):
    return [np.asarray(part) for part in behaviour.of("layer", layer, inputs)]


def all_state_is_created_before_the_first_call(subject):
    """`build` makes every variable, so that a saved layer has them when it is loaded."""
    layer = subject.clone()
    symbols = tree.map_structure(_symbol, subject.inputs)
    layer(*symbols, **behaviour.inference(layer))
    before = [variable.path for variable in _variables(layer)]
    _outputs(layer, subject.inputs)
    behaviour.called(layer, subject.inputs, training=True)
    after = [variable.path for variable in _variables(layer)]
    if len(after) > len(before):
        new = [path for path in after if path not in before] or after[len(before) :]
        raise FaultError(
            f"{subject.name} creates variables when it is called: {', '.join(new)}. Create them in "
            "build; a sublayer's with sublayer.build(shape)."
        )
    _require_built_by_build(subject, before)


def _require_built_by_build(subject, paths):
    """Requires that `build_from_config`, which loading relies on, makes the same variables."""
    source = subject.clone()
    _outputs(source, subject.inputs)
    loaded = clone(subject.component)
    loaded.build_from_config(source.get_build_config() or {})
    if loaded.built and len(_variables(loaded)) < len(paths):
        raise FaultError(
            f"{subject.name}.build makes {len(_variables(loaded))} of {len(paths)} variables; the "
            "others come with the first call and are lost on loading. Create all of them in build; "
            "a sublayer's with sublayer.build(shape)."
        )


def _variables(layer):
    return list(layer.variables)


def rows_do_not_depend_on_one_another(subject):
    """In inference a row's output is the same whatever the other rows are."""
    subject.require_undeclared("rows_interact", "its rows interact by design")
    subject.require_undeclared("random_at_inference", "its inference is random by design")
    if batch_size(subject.inputs) < 2:
        raise NotApplicableError("the inputs have a single row")
    layer = subject.clone()
    before = _outputs(layer, subject.inputs)
    after = _outputs(layer, tree.map_structure(_other_rows, subject.inputs))
    if getattr(layer, "stateful", False):
        raise NotApplicableError("a stateful layer's results depend on the calls before")
    for one, other in zip(before, after, strict=True):
        if one.shape[:1] != (batch_size(subject.inputs),):
            raise FaultError(
                f"{subject.name} gives outputs of shape {one.shape} for "
                f"{batch_size(subject.inputs)} rows: keep the batch axis first."
            )
        if one.dtype.kind == "f" and differ(one[:1], other[:1], 1e-4) is not None:
            raise FaultError(
                f"{subject.name}: the first row's output changes when other rows do. Reduce over "
                "other axes than the first, or declare rows_interact = True."
            )


def _other_rows(array):
    array = np.asarray(array)
    others = array[:0:-1]
    return np.concatenate([array[:1], 2 * others if array.dtype.kind == "f" else others])


def inputs_are_left_as_they_are(subject):
    """A call does not write into its inputs."""
    layer, given = subject.clone(), behaviour.tensors(subject.inputs)
    layer(*given, **behaviour.inference(layer))
    if differ(numpy(given), numpy(behaviour.tensors(subject.inputs)), 0) is not None:
        raise FaultError(
            f"{subject.name} changes its inputs in place: compute new tensors instead."
        )


def float_leaves(inputs):
    """Returns the arrays of inputs that are no integers."""
    return [part for part in tree.flatten(inputs) if np.asarray(part).dtype.kind == "f"]


def gradients_are_those_of_the_outputs(subject):
    """In inference gradients are finite differences, and finite at zero and for large inputs."""
    subject.require_undeclared("random_at_inference", "its inference is random by design")
    if not float_leaves(subject.inputs):
        raise NotApplicableError("the inputs are integers")
    layer = subject.clone()
    if not all(part.dtype.kind == "f" for part in _outputs(layer, subject.inputs)):
        raise NotApplicableError("the outputs are integers")
    if getattr(layer, "stateful", False):
        raise NotApplicableError("a stateful layer's results depend on the calls before")

    def function(inputs):
        return layer(*inputs, **behaviour.inference(layer))

    gradients.require_finite(subject.name, function, subject.inputs)
    subject.require_undeclared("surrogate_gradient", "its gradient is no derivative by design")
    gradients.require_derivative(subject.name, function, subject.inputs)


def compiled_training_is_that_of_single_steps(subject):
    """A few steps of training give the same weights compiled and eagerly."""
    start, eager = _weights_after(subject, None, "eagerly", run_eagerly=True)
    _, compiled = _weights_after(subject, start, "compiled")
    if draws_numbers(subject.component):
        return
    gap = differ(eager, compiled, 1e-3)
    if gap is not None:
        raise FaultError(
            f"weights after compiled and eager training differ by {gap:.2g} of their size: keep "
            "state in variables, not in Python, and decide by ops.where or ops.cond, not by if."
        )


def _weights_after(subject, start, how, **settings):
    """Returns a model's weights before and after a few steps of training."""
    model, x, y = host("layer", subject.clone(), subject.inputs, **settings)
    if not model.trainable_variables or not y or not float_leaves(y):
        raise NotApplicableError("there is nothing to train")
    if start is not None:
        model.set_weights(start)
    start = model.get_weights()
    try:
        train(model, x, y, 3)
    except Exception as error:
        raise FaultError(f"{subject.name} cannot be trained {how}: {described(error)}") from error
    return start, model.get_weights()


CHECKS = (
    symbolic_outputs_are_those_of_a_call,
    declared_shapes_are_those_of_a_call,
    all_state_is_created_before_the_first_call,
    rows_do_not_depend_on_one_another,
    inputs_are_left_as_they_are,
    gradients_are_those_of_the_outputs,
    compiled_training_is_that_of_single_steps,
)
