"""Fresh processes, one per backend, that load what was saved and do again what was done.

Run as `python -m kerasdl.testing.worker`, it reads folders from its standard input, a line each,
and writes for each what went wrong, or an empty line. A folder holds `model.keras`, `data.npz` and
`job.json`; the answer is `outcomes.npz`.
"""

import contextlib
import functools
import importlib
import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import numpy as np

_MARK = "KERASDL_TESTING_WORKER"  # in the environment of these processes
_FRAMEWORKS = ("tensorflow", "jax", "torch")


class WithinWorkerError(RuntimeError):
    """A script that a worker reads for its components has come to its own examination."""


def refuse_within_worker():
    """Ends a script that a worker reads: its components are defined by now.

    Raises:
        WithinWorkerError: This process is a worker.
    """
    if _MARK in os.environ:
        raise WithinWorkerError("a component is not examined within its own examination")


class Workers(contextlib.AbstractContextManager):
    """Processes that are started when they are first asked, and end with the context."""

    def __init__(self):
        self._running = {}

    def __exit__(self, *_):
        for process in self._running.values():
            process.kill()
            process.communicate()
        self._running = {}

    def outcomes(self, backend, folder):
        """Returns what a process of a backend finds for a folder, a list of arrays.

        Raises:
            RuntimeError: What the process raised, in one line.
        """
        process = self.start(backend)
        process.stdin.write(f"{folder}\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            del self._running[backend]
            raise RuntimeError(f"the process died with exit status {process.wait()}")
        if answer.strip():
            raise RuntimeError(answer.strip())
        return read(pathlib.Path(folder) / "outcomes.npz")

    def start(self, backend):
        """Returns the process of a backend, which loads its framework while others work."""
        if backend not in self._running:
            self._running[backend] = subprocess.Popen(
                [sys.executable, "-m", "kerasdl.testing.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=_environment(backend),
            )
        return self._running[backend]


def installed_backends():
    """Returns the backends whose framework is installed."""
    return [name for name in _FRAMEWORKS if importlib.util.find_spec(name) is not None]


def _environment(backend):
    path = os.pathsep.join(part or os.getcwd() for part in sys.path)
    return {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": path, _MARK: "1"}


def write(path, arrays):
    """Writes a list of arrays."""
    np.savez(path, **{f"{number:04}": array for number, array in enumerate(arrays)})


def read(path):
    """Returns a list of arrays."""
    with np.load(path) as archive:
        return [archive[name] for name in sorted(archive.files)]


def module_of(component):
    """Returns the module that a fresh process imports for a component, and its file.

    Returns:
        Both as strings, or None where it was defined where no other process finds it.
    """
    target = component if hasattr(component, "__qualname__") else type(component)
    if "<" in target.__qualname__:
        return None
    module = sys.modules.get(target.__module__)
    file = getattr(module, "__file__", None)
    return None if file is None else (target.__module__, str(pathlib.Path(file).resolve()))


def provide(name, file):
    """Imports a module by its name, or else from its file; a script as a part of `__main__`."""
    name = "__main__.script" if name == "__main__" else name
    if name in sys.modules:
        return
    if not name.startswith("__main__.") and _finds(name):
        importlib.import_module(name)
        return
    spec = importlib.util.spec_from_file_location(name, file)
    sys.modules[name] = importlib.util.module_from_spec(spec)
    with contextlib.suppress(WithinWorkerError):
        spec.loader.exec_module(sys.modules[name])


def _finds(name):
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _answer(folder):
    import keras

    from kerasdl.testing.host import outcomes

    job = json.loads((folder / "job.json").read_text())
    for name, file in job["modules"]:
        provide(name, file)
    data = read(folder / "data.npz")
    model = keras.saving.load_model(folder / "model.keras")
    count = len(model.inputs)
    write(folder / "outcomes.npz", outcomes(model, data[:count], data[count:], job["steps"]))


def serve():
    """Answers the folders on the standard input."""
    answers = functools.partial(print, file=os.fdopen(os.dup(1), "w"), flush=True)
    os.dup2(2, 1)  # what frameworks print is no answer
    for line in sys.stdin:
        try:
            _answer(pathlib.Path(line.strip()))
        except Exception as error:
            answers(f"{type(error).__name__}: {' '.join(str(error).split())[-600:] or '.'}")
        else:
            answers()


if __name__ == "__main__":
    from kerasdl.testing import worker  # this module a second time, which others import

    worker.serve()
