"""The files of one search: where they lie, and how they are written so that a kill tears none.

- `search.json`: what is searched: objective, strategy, seed, space
- `trials/oracle.json`: the strategy's state (Keras Tuner)
- `trials/trial_00/trial.json`: settings, status, score (Keras Tuner)
- `trials/trial_00/history.json`: the learning curve
- `trials/trial_00/model.keras`: the whole model after its best epoch
"""

import contextlib
import glob
import json
import os
import pathlib
import shutil
import tempfile

SEARCH_FILE = "search.json"
TRIALS_FOLDER = "trials"
ORACLE_FILE = "oracle.json"
TRIAL_FILE = "trial.json"
HISTORY_FILE = "history.json"
MODEL_FILE = "model.keras"

_FORMAT = 1
_DISCARDED_FOLDER = ".discarded"


@contextlib.contextmanager
def replacing(path):
    """Yields a path to write to, which takes the place of `path` when the block has ended well.

    A reader finds the old file or the new one, never half of one, whenever the process dies.
    """
    path = pathlib.Path(path)
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    yield partial
    with open(partial, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(partial, path)


def write_json(path, content):
    """Writes `content` as JSON in one step."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(content))


def read_json(path):
    """Returns the content of a JSON file."""
    return json.loads(pathlib.Path(path).read_text())


def trial_folders(directory):
    """Returns the folders of all trials that were begun, in no particular order."""
    return [path.parent for path in pathlib.Path(directory, TRIALS_FOLDER).glob(f"*/{TRIAL_FILE}")]


def trial_number(trial_id):
    """Returns a trial's number, from 1; Keras Tuner's identifiers are zero-padded, from 0."""
    return int(trial_id) + 1


def require_writable(directory):
    """Makes a directory and a file in it, to learn before the work whether its result can stay.

    Raises:
        TypeError: `directory` is no path.
        ValueError: The path is a pattern, under which Keras Tuner would not find its files again.
        OSError: It cannot be made or written to.
    """
    if not isinstance(directory, str | os.PathLike):
        raise TypeError(f"directory is a path; received {directory!r}.")
    if glob.escape(str(directory)) != str(directory):
        raise ValueError(
            f"directory={str(directory)!r} has one of the characters * ? [, with which a search "
            "cannot be resumed. Choose another name."
        )
    try:
        os.makedirs(directory, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise OSError(
            f"directory={str(directory)!r} cannot be written to: {error}. "
            "Give a directory in which files can be made."
        ) from error


def read_description(directory):
    """Returns what `begin` wrote, or None where no search was begun.

    Raises:
        ValueError: The directory's `search.json` is none of this package's.
    """
    path = pathlib.Path(directory, SEARCH_FILE)
    if not path.exists():
        return None
    try:
        description = read_json(path)
    except ValueError:
        description = None
    if not isinstance(description, dict) or description.get("format") != _FORMAT:
        raise ValueError(
            f"{path} was not written by this version of tuning.search (format {_FORMAT}). "
            "Choose another directory."
        )
    return description


def begin(directory, description, resume):
    """Prepares a directory for a search, a new one or the one that was begun there.

    Args:
        directory: A writable directory.
        description: What is searched, as JSON takes it; two descriptions that differ in anything
            but `"trials"` are two searches.
        resume: Whether to go on with the search that the directory holds; otherwise its files, and
            no others, are deleted.

    Raises:
        ValueError: The directory holds another search.
    """
    description = {"format": _FORMAT, **json.loads(json.dumps(description))}
    directory = pathlib.Path(directory)
    earlier = read_description(directory)
    if earlier is None:
        _require_no_trials(directory)
    elif resume:
        _require_same(directory, earlier, description)
    else:
        _discard(directory)
    write_json(directory / SEARCH_FILE, description)


def _require_no_trials(directory):
    if (directory / TRIALS_FOLDER).exists():
        raise ValueError(
            f"{directory} has a folder {TRIALS_FOLDER!r} but no {SEARCH_FILE}: it is not from "
            "tuning.search, which would write there. Choose another directory."
        )


def _require_same(directory, earlier, description):
    differences = [
        _difference(key, earlier.get(key), value)
        for key, value in description.items()
        if key != "trials" and earlier.get(key) != value
    ]
    if differences:
        raise ValueError(
            f"{directory} holds another search: {'; '.join(differences)}. Choose another "
            "directory, or pass resume=False to delete that search and begin anew."
        )


def _difference(key, earlier, now):
    if key != "space":
        return f"{key} was {earlier}, is {now}"
    changed = [entry for entry in [*earlier, *now] if entry not in earlier or entry not in now]
    names = dict.fromkeys(entry["config"]["name"] for entry in changed)
    return "the space changed in " + (", ".join(map(repr, names)) or "the order of its entries")


def _discard(directory):
    # Renamed first: a kill while the files are being deleted must not leave half a search.
    discarded = directory / _DISCARDED_FOLDER
    shutil.rmtree(discarded, ignore_errors=True)
    if (directory / TRIALS_FOLDER).exists():
        os.replace(directory / TRIALS_FOLDER, discarded)
        shutil.rmtree(discarded)
