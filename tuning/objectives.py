"""Whether a metric is to be minimized or maximized: from a table, or asked for, never guessed."""

# Keras' names of metrics. Not here: "cosine_similarity", which Keras' metric maximizes and Keras'
# loss minimizes.
_DIRECTIONS = {
    "loss": "min",
    "mse": "min",
    "mae": "min",
    "mape": "min",
    "msle": "min",
    "mean_squared_error": "min",
    "root_mean_squared_error": "min",
    "mean_absolute_error": "min",
    "mean_absolute_percentage_error": "min",
    "mean_squared_logarithmic_error": "min",
    "huber": "min",
    "log_cosh": "min",
    "binary_crossentropy": "min",
    "categorical_crossentropy": "min",
    "sparse_categorical_crossentropy": "min",
    "binary_focal_crossentropy": "min",
    "categorical_focal_crossentropy": "min",
    "kl_divergence": "min",
    "poisson": "min",
    "hinge": "min",
    "squared_hinge": "min",
    "categorical_hinge": "min",
    "false_positives": "min",
    "false_negatives": "min",
    "acc": "max",
    "accuracy": "max",
    "binary_accuracy": "max",
    "categorical_accuracy": "max",
    "sparse_categorical_accuracy": "max",
    "top_k_categorical_accuracy": "max",
    "sparse_top_k_categorical_accuracy": "max",
    "auc": "max",
    "precision": "max",
    "recall": "max",
    "precision_at_recall": "max",
    "recall_at_precision": "max",
    "sensitivity_at_specificity": "max",
    "specificity_at_sensitivity": "max",
    "f1_score": "max",
    "fbeta_score": "max",
    "r2_score": "max",
    "io_u": "max",
    "binary_io_u": "max",
    "mean_io_u": "max",
    "one_hot_io_u": "max",
    "one_hot_mean_io_u": "max",
    "pearson_correlation": "max",
    "concordance_correlation": "max",
    "true_positives": "max",
    "true_negatives": "max",
}


def resolve(objective):
    """Returns a `keras_tuner.Objective` whose direction is known.

    Args:
        objective: The name of a metric as Keras logs it, such as `"val_loss"`; a pair of a name and
            a direction, `("val_digit_accuracy", "max")`; or a `keras_tuner.Objective`.

    Raises:
        ValueError: Nothing says whether the metric is to be minimized or maximized.
        NotImplementedError: Several objectives.
        TypeError: Neither a name nor an objective.
    """
    import keras_tuner

    if _is_pair(objective):
        return keras_tuner.Objective(*objective)
    if isinstance(objective, list | tuple) or hasattr(objective, "objectives"):
        raise NotImplementedError(
            f"objective={objective!r}: several objectives are not available in this version; "
            "give the name of one metric or one keras_tuner.Objective."
        )
    if isinstance(objective, keras_tuner.Objective):
        return _require_direction(objective)
    if not isinstance(objective, str):
        raise TypeError(
            "objective is the name of a metric, such as 'val_loss', a pair (name, direction) or a "
            f"keras_tuner.Objective; received {objective!r}."
        )
    return keras_tuner.Objective(objective, _direction(objective))


def known_direction(name, default=None):
    """Returns `"min"` or `"max"` for a metric of Keras, else `default`."""
    return _DIRECTIONS.get(name.removeprefix("val_").removeprefix("weighted_"), default)


def _is_pair(objective):
    return (
        isinstance(objective, tuple)
        and len(objective) == 2
        and isinstance(objective[0], str)
        and objective[1] in ("min", "max")
    )


def _direction(name):
    direction = known_direction(name)
    if direction is None:
        raise ValueError(
            f"objective={name!r}: whether to minimize or maximize it is not known. Say so: "
            f"objective=({name!r}, 'max') or 'min'."
        )
    return direction


def _require_direction(objective):
    if objective.direction not in ("min", "max"):
        raise ValueError(
            f"The direction of the objective {objective.name!r} is 'min' or 'max'; "
            f"received {objective.direction!r}."
        )
    return objective
