"""What a search asks of the user's `build`, found out before the first trial."""

import keras

from tuning import data, isolation
from tuning.epoch_recorder import require_metric
from tuning.result import RESERVED_COLUMNS

_PROBED_ROWS = slice(32)  # as many as Keras trains on at once


def checked(build):
    """Returns a function of hyperparameters that calls `build` and checks what it returns.

    Raises:
        NotImplementedError: `build` is a model.
        TypeError: `build` cannot be called.
    """
    if isinstance(build, keras.Model):
        raise NotImplementedError(
            f"build is the model {build.name!r}; searching over an existing model is not available "
            "in this version. Pass a function build(hp) that returns a new compiled model."
        )
    if not callable(build):
        raise TypeError(
            "build is a function of hyperparameters that returns a compiled Keras model; received "
            f"{build!r}. Of a keras_tuner.HyperModel pass the method build."
        )

    def build_checked(hp):
        model = build(hp)
        _require_compiled(model)
        _require_names(hp)
        return model

    return build_checked


def probe(build, training, validation, objective, callbacks):
    """Builds a model at the default settings, tries it on a few rows and returns the space.

    Args:
        build: What `checked` returned.
        training: The rows `(x, y)`.
        validation: Likewise.
        objective: A `keras_tuner.Objective`.
        callbacks: The user's callbacks. They may add metrics, so that a metric that the model does
            not have is no error where there are some.

    Returns:
        The hyperparameters that this build declared, as JSON takes them.

    Raises:
        ValueError: The rows do not fit the model, or the objective is none of its metrics.
    """
    import keras_tuner

    hp = keras_tuner.HyperParameters()
    with isolation.reproducible(0):
        model = build(hp)
        model.run_eagerly = True  # compiling a model that is then thrown away can take a minute
        logs = _evaluate(model, *training, "training")
        validation_logs = _evaluate(model, *validation, "validation")
    if not callbacks:
        validation_logs = {f"val_{name}": value for name, value in validation_logs.items()}
        require_metric(objective, {**logs, **validation_logs})
    return hp.get_config()["space"]


def _evaluate(model, x, y, purpose):
    rows = data.take_rows(x, _PROBED_ROWS), data.take_rows(y, _PROBED_ROWS)
    try:
        return model.test_on_batch(*rows, return_dict=True)
    except Exception as error:  # whatever the user's layers, loss and metrics raise
        raise ValueError(
            f"The model that build returned does not take the {purpose} data: x has the shape "
            f"{data.shapes(x)} and y {data.shapes(y)}. {type(error).__name__}: {error}"
        ) from error


def _require_compiled(model):
    if not isinstance(model, keras.Model):
        raise TypeError(
            "build must return a compiled Keras model; it returned "
            f"{model!r} ({type(model).__name__}). Does it end with 'return model'?"
        )
    if not model.compiled:
        raise ValueError(
            f"build returned the model {model.name!r} without compiling it. "
            "Call model.compile(optimizer=..., loss=...) before returning it."
        )


def _require_names(hp):
    reserved = [entry.name for entry in hp.space if entry.name in RESERVED_COLUMNS]
    if reserved:
        raise ValueError(
            f"The hyperparameter {reserved[0]!r} has the name of a column of the table of trials "
            f"({', '.join(RESERVED_COLUMNS)}). Give it another name."
        )
