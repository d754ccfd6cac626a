"""Every test leaves the registry as it found it."""

import keras
import pytest

from kerasdl import keras_names, registry


@pytest.fixture(autouse=True)
def restored_registry():
    """Undoes a test's registrations."""
    tables = [registry._components, registry._old_names, keras.saving.get_custom_objects()]
    tables += [
        keras_names._string_table(module)
        for module, has_table in keras_names._MODULES.values()
        if has_table
    ]
    before = [dict(table) for table in tables]
    yield
    for table, entries in zip(tables, before, strict=True):
        table.clear()
        table.update(entries)
