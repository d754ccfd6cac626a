"""The record of every method: frozen, conserving, saved without pickle."""

import dataclasses

import numpy as np
import pytest

from xai import Attribution


def record(values=None, **fields):
    values = np.arange(24.0).reshape(2, 3, 4) if values is None else values
    defaults = {
        "inputs": values,
        "target": np.array([1, 2]),
        "score": np.array([70.0, 210.0]),
        "base_score": np.array([3.0, 0.0]),
        "method": "lrp",
        "settings": {"composite": "epsilon_plus", "box": (0.0, 1.0), "seed": 0, "mean": np.ones(2)},
        "layers": {"conv": np.ones((2, 5))},
    }
    return Attribution(values=values, **{**defaults, **fields})


def test_residual_is_what_the_values_leave_of_the_score():
    np.testing.assert_allclose(record().residual, [70 - 3 - 66, 210 - 0 - 210])


def test_residual_counts_all_inputs():
    values = {"a": np.ones((2, 3)), "b": np.full((2, 2), 10.0)}
    np.testing.assert_allclose(record(values).residual, [70 - 3 - 23, 210 - 23])


def test_the_record_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError, match="values"):
        record().values = 3


@pytest.mark.parametrize(
    "values",
    [
        np.arange(24.0).reshape(2, 3, 4),
        [np.ones((2, 3)), np.zeros((2, 1))],
        {"image": np.ones((2, 3)), "age": np.zeros((2, 1))},
        (np.ones((2, 3)), {"deep": [np.zeros((2, 1))]}),
    ],
)
def test_a_saved_record_loads_equal(tmp_path, values):
    saved = record(values, standard_error=np.full((2, 3), 0.5), evaluations=128)
    saved.save(tmp_path / "a.npz")
    loaded = Attribution.load(tmp_path / "a.npz")
    for field in dataclasses.fields(Attribution):
        np.testing.assert_equal(getattr(loaded, field.name), getattr(saved, field.name))
    assert type(loaded.values) is type(values)
    np.testing.assert_array_equal(loaded.residual, saved.residual)


def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch):
    record().save(tmp_path / "a.npz")

    def full_disk(*args, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full_disk)
    with pytest.raises(OSError, match="No space left"):
        record(score=np.zeros(2)).save(tmp_path / "a.npz")
    assert Attribution.load(tmp_path / "a.npz").score[0] == 70
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_another_suffix_and_another_file_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"saved as \.npz; received .*\.pkl"):
        record().save(tmp_path / "a.pkl")
    np.savez(tmp_path / "b.npz", x=np.ones(3))
    with pytest.raises(ValueError, match=r"b\.npz holds no attribution"):
        Attribution.load(tmp_path / "b.npz")
    with pytest.raises(OSError, match="nowhere"):
        record().save(tmp_path / "nowhere" / "a.npz")
