import json
import os
import pathlib
import runpy
import shutil
import signal
import subprocess
import sys
import time

import keras
import pytest

import tuning

ROOT = pathlib.Path(__file__).parents[2]
KILLED_SEARCH = pathlib.Path(__file__).with_name("killed_search.py")


def table(result):
    """The table without the only column that may differ between two runs of the same search."""
    return result.table.drop(columns="seconds")


def test_a_search_asked_for_more_trials_goes_on_as_if_asked_at_once(search, two_trials):
    begun = search(trials=1).table
    resumed = search(trials=2)
    assert table(resumed).equals(table(two_trials))
    assert resumed.table[:1].equals(begun)  # to the second: it was not run again


def test_a_killed_search_goes_on_where_it_was(tmp_path):
    directory = tmp_path / "killed"
    command = [sys.executable, str(KILLED_SEARCH), str(directory)]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    wait_for(directory / "hanging", process)
    process.send_signal(signal.SIGKILL)
    process.wait()

    for path in directory.rglob("*.json"):
        json.loads(path.read_text())
    finished = tuning.Result.load(directory).table
    assert list(finished["trial"]) == [1]

    run = runpy.run_path(str(KILLED_SEARCH))["run"]
    resumed = run(directory)
    assert list(resumed.table["status"]) == ["COMPLETED"] * 3
    assert resumed.table[:1].equals(finished)  # to the second: it was not run again
    assert table(resumed).equals(table(run(tmp_path / "not_killed")))


def wait_for(path, process):
    deadline = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None, "the search ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def killed_between_writes(search, tmp_path):
    """A search of two trials whose oracle has not yet written that the second was begun."""
    state = tmp_path / "run" / "trials" / "oracle.json"
    search()
    shutil.copy(state, tmp_path)
    whole = search(trials=2)
    shutil.copy(tmp_path / "oracle.json", state)
    return whole


def orders(result):
    state = json.loads((result.directory / "trials" / "oracle.json").read_text())
    return state["start_order"], state["end_order"]


def test_a_finished_trial_that_the_oracle_does_not_know_is_not_run_again(
    killed_between_writes, search
):
    resumed = search(trials=2)
    assert resumed.table.equals(killed_between_writes.table)  # the seconds too
    assert search(trials=3).table["rate"].nunique() == 3
    assert orders(resumed) == (["0", "1", "2"], ["0", "1", "2"])


def test_a_begun_trial_that_the_oracle_does_not_know_is_run_again(killed_between_writes, search):
    path = killed_between_writes.trials[1].folder / "trial.json"
    state = json.loads(path.read_text())
    # Keras Tuner writes a trial's metrics before it ends it.
    state["metrics"]["metrics"]["val_loss"]["observations"][0]["value"] = [100.0]
    path.write_text(json.dumps({**state, "status": "RUNNING", "score": None}))
    assert len(tuning.Result.load(killed_between_writes.directory).trials) == 1
    assert table(search(trials=2)).equals(table(killed_between_writes))
    assert orders(killed_between_writes) == (["0", "1"], ["0", "1"])


def test_another_search_in_a_used_directory_is_refused(search, rows):
    search()
    with pytest.raises(ValueError, match=r"epochs was 1, is 2.*resume=False"):
        search(epochs=2)

    def other(hp):
        model = keras.Sequential([keras.layers.Dense(hp.Int("units", 1, 3))])
        model.compile("sgd", "mse")
        return model

    with pytest.raises(ValueError, match="the space changed in 'rate', 'units'"):
        search(other)


def test_without_resume_the_search_and_nothing_else_is_deleted(search, tmp_path):
    first = search(trials=2)
    (tmp_path / "run" / "notes.txt").write_text("mine")
    second = search(resume=False, seed=1)
    assert len(second.trials) == 1
    assert second.table["rate"][0] != first.table["rate"][0]
    assert sorted(os.listdir(tmp_path / "run")) == ["notes.txt", "search.json", "trials"]
