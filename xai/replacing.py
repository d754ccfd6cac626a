"""Writing files that are whole or not there."""

import contextlib
import os
import uuid


@contextlib.contextmanager
def replacing(path):
    """Gives a path beside `path` to write to, and renames it at the end.

    What was at `path` stays until then, and for good where writing fails.

    Args:
        path: Where the file is to be.
    """
    beside = f"{os.fspath(path)}.{uuid.uuid4().hex}"
    try:
        yield beside
        os.replace(beside, path)
    except BaseException:
        if os.path.exists(beside):
            os.unlink(beside)
        raise
