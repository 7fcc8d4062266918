"""Crash-only: killed at random moments or on a full disk, a sweep ends as if nothing had been.

`tests/crash.py --kills 200` is the long version.
"""

import random
import subprocess
import sys
import time

import pytest

import crash

NOTHING_WRONG = dict.fromkeys(crash.WRONG, 0)


def wrongs(tally):
    return {word: tally[word] for word in NOTHING_WRONG}


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    return crash.undisturbed(tmp_path_factory.mktemp("undisturbed"))


def test_a_sweep_killed_at_random_moments_ends_as_if_nothing_had_been(tmp_path, calm):
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")  # shown when it fails
    tally = crash.killed(tmp_path, calm, 10, seed, print)
    assert tally["kills"] == 10
    assert all(tally[kind] for kind in crash.SIGNALS)
    assert tally["looks"] > 0
    assert wrongs(tally) == NOTHING_WRONG


def test_a_disk_full_at_random_moments_loses_nothing(tmp_path, calm):
    try:
        with crash.small_disk(tmp_path / "disk"):
            pass
    except OSError as error:
        pytest.skip(f"no small disk can be mounted here: {error}")
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")
    tally = crash.filled(tmp_path, calm, 3, seed, print)
    assert tally["fills"] >= 3
    assert wrongs(tally) == NOTHING_WRONG


def test_a_process_that_is_left_running_is_noticed_and_ended(monkeypatch):
    monkeypatch.setattr(crash, "LEAVE_SECONDS", 0.2)
    program = "import os, time; os.fork(); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
    while len(crash.members(process.pid)) < 2:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert crash.left_running(process.pid) == 1
    time.sleep(0.5)
    assert crash.left_running(process.pid) == 0


def test_what_is_lost_doubled_or_different_is_noticed(tmp_path):
    """The judge itself: planted losses are found."""
    from relu_exp.results.store import Store

    def rows(*ids, loss=0.5, status="done"):
        runs = {column: [None] * len(ids) for column in crash.TABLES["runs"]}
        runs |= {"run_id": list(ids), "status": [status] * len(ids)}
        runs["final_test_loss"] = [loss] * len(ids)
        return {"runs": runs}

    store = Store(tmp_path / "results")
    store.open()
    store.write_part("a", rows("1", "2", "3"))
    expected = crash.measured(store)
    assert crash.differences(store, expected).total() == 0
    store.write_part("a", rows("1", "2"))
    store.write_part("b", rows("2"))
    found = crash.differences(store, expected)
    assert (found["lost"], found["doubled"], found["different"]) == (1, 1, 2)
    store.write_part("b", rows("3", loss=0.6))
    assert crash.differences(store, expected)["different"] == 2
    # a row of a run that did not finish must be gone, and is not that of a finished one
    store.write_part("b", rows("3"))
    store.write_part("c", rows("2", "3", status="interrupted"))
    found = crash.differences(store, expected)
    assert (found["lost"], found["doubled"], found["different"]) == (0, 2, 2)
    store.write_part("b", rows("3", status="interrupted"))
    store.drop_runs("c", ["2", "3"])
    found = crash.differences(store, expected)
    assert (found["lost"], found["doubled"], found["different"]) == (1, 0, 2)
