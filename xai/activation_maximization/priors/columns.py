"""What the columns of a table are: numbers, whole numbers, or one-hot groups."""

import numbers

import numpy as np

NUMERIC = -1  # in `groups`


def check_columns(features, categorical, integer, immutable, names):
    """Returns what `Tabular` keeps of the columns: `groups, integer, immutable, names`, by name.

    Args:
        features: The number of columns.
        categorical: One-hot groups, each a sequence of column numbers.
        integer: Column numbers.
        immutable: Column numbers.
        names: A name for each column, or None.

    Raises:
        ValueError: A column number out of range or given twice, a group of less than two columns,
            a column both of a group and integer, a group immutable in part, or another number of
            names than columns, or one given twice.
    """
    groups = _groups(features, categorical)
    whole, fixed = _mask("integer", integer, features), _mask("immutable", immutable, features)
    if (whole & (groups != NUMERIC)).any():
        raise ValueError(
            f"Columns {np.flatnonzero(whole & (groups != NUMERIC)).tolist()} are named both in "
            "categorical and in integer: name one-hot columns in categorical alone."
        )
    for group in range(groups.max() + 1):
        members = groups == group
        if fixed[members].any() and not fixed[members].all():
            raise ValueError(
                f"The one-hot columns {np.flatnonzero(members).tolist()} are one group, of which "
                f"only {np.flatnonzero(members & fixed).tolist()} are immutable. Name all or none."
            )
    names = _check_names(names, features)
    return {"groups": groups, "integer": whole, "immutable": fixed, "names": names}


def check_values(x, columns):
    """Refuses rows that do not hold what their columns are said to.

    Args:
        x: `(rows, features)`.
        columns: What `check_columns` returned.

    Raises:
        ValueError: An integer column of other values, or a group that is not one-hot.
    """
    names, groups = columns["names"], columns["groups"]
    broken = columns["integer"] & (x != np.round(x)).any(axis=0)
    if broken.any():
        column = broken.argmax()
        value = x[(x[:, column] != np.round(x[:, column])).argmax(), column]
        raise ValueError(
            f"Column {column} ({names[column]}) is named in integer but holds {value}. Leave it "
            "out of integer, or fit on the values before they are scaled."
        )
    for group in range(groups.max() + 1):
        members = x[:, groups == group]
        broken = ~(np.isin(members, (0, 1)).all(axis=1) & (members.sum(axis=1) == 1))
        if broken.any():
            raise ValueError(
                f"The columns {np.flatnonzero(groups == group).tolist()} are named a one-hot group "
                f"but hold {members[broken.argmax()].tolist()} in row {broken.argmax()}. A group "
                "has one 1 in every row and 0 elsewhere: name other columns, or encode them so."
            )


def _groups(features, categorical):
    """Returns the group of each column, -1 for none, `(features,)`."""
    groups = np.full(features, NUMERIC)
    for number, group in enumerate(categorical):
        members = _mask("categorical, a sequence of groups of columns,", group, features)
        if members.sum() < 2:
            raise ValueError(
                f"The one-hot group {group!r} has less than two columns. Name a single column of "
                "0 and 1 in integer instead."
            )
        if (groups[members] != NUMERIC).any():
            raise ValueError(
                f"The one-hot group {group!r} has columns of another group. Name each once."
            )
        groups[members] = number
    return groups


def _mask(argument, columns, features):
    """Returns which columns are named, `(features,)`."""
    columns = list(columns) if hasattr(columns, "__iter__") else [columns]
    known = [c for c in columns if isinstance(c, numbers.Integral) and 0 <= c < features]
    if len(known) < len(columns) or len(set(known)) < len(known):
        raise ValueError(
            f"{argument} holds column numbers from 0 to {features - 1}, each once; received "
            f"{columns!r}."
        )
    mask = np.zeros(features, bool)
    mask[known] = True
    return mask


def _check_names(names, features):
    """Returns a name for each column, by default its number, `(features,)`."""
    names = [str(name) for name in (range(features) if names is None else names)]
    if len(names) != features or len(set(names)) < features:
        raise ValueError(
            f"names holds {features} different names, one for each column; received {names!r}."
        )
    return np.array(names)
