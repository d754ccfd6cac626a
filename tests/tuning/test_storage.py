import contextlib

import pytest

from tuning import storage


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    path = tmp_path / "state.json"
    storage.write_json(path, {"trial": 1})
    with contextlib.suppress(KeyboardInterrupt), storage.replacing(path) as partial:
        partial.write_text('{"trial": ')
        assert storage.read_json(path) == {"trial": 1}
        raise KeyboardInterrupt
    assert storage.read_json(path) == {"trial": 1}


def test_a_partial_file_has_the_ending_of_the_whole_one(tmp_path):
    with storage.replacing(tmp_path / "model.keras") as partial:
        partial.write_text("")
    assert partial.suffix == ".keras"  # Keras refuses to save a model under another
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def test_a_folder_of_trials_that_no_search_made_is_not_written_to(tmp_path):
    (tmp_path / "trials").mkdir()
    with pytest.raises(ValueError, match=r"has a folder 'trials' but no search\.json"):
        storage.begin(tmp_path, {}, resume=False)


def test_a_search_that_was_being_deleted_when_killed_is_deleted_whole(tmp_path):
    storage.begin(tmp_path, {"seed": 0}, resume=True)
    (tmp_path / ".discarded" / "trial_0").mkdir(parents=True)
    (tmp_path / "trials").mkdir()
    storage.begin(tmp_path, {"seed": 1}, resume=False)
    assert [path.name for path in tmp_path.iterdir()] == ["search.json"]
