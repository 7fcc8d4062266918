"""Run status: which runs are new, finished, stale, failed or interrupted, and which are due."""

import pytest

from relu_exp.core.schema import TABLES
from relu_exp.planning.run_status import run_statuses
from relu_exp.results.provenance import fingerprint
from relu_exp.results.store import Store

from configs import make_run

NOW = {"session": "now", "fingerprint": fingerprint()}
THEN = {"session": "then", "fingerprint": {**fingerprint(), "torch": "1.0"}}
RUNS = [make_run(seed=seed) for seed in range(6)]
ID = [run.run_id for run in RUNS]


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "results")
    store.open()
    store.write_manifest(NOW)
    store.write_manifest(THEN)
    return store


def save(store, part_id, index, status, session="now", error=None):
    row = RUNS[index].as_row() | {"status": status, "session": session, "error": error}
    runs = {column: [row.get(column)] for column in TABLES["runs"]}
    store.write_part(part_id, {"runs": runs})


def test_every_run_stands_in_exactly_one_place(store):
    save(store, "a", 1, "done")
    save(store, "b", 2, "diverged", session="then")
    save(store, "c", 3, "failed", error="Traceback\n  line\nValueError: no\n")
    save(store, "d", 4, "interrupted", error="killed")
    save(store, "e", 5, "failed", session="then", error="ValueError: no")
    found = run_statuses(RUNS, store)
    assert found.new == {ID[0]}
    assert found.finished == {ID[1]}
    assert found.stale == {ID[2]}
    assert found.failed == {ID[3]}
    # a failure of other code may be none today
    assert found.interrupted == {ID[4], ID[5]}
    assert found.stale_reasons == {f"torch 1.0 → {fingerprint()['torch']}": 1}
    assert found.failures == {"ValueError: no": 1}
    assert found.skipped(retry_failed=False, rerun_stale=False) == {ID[1], ID[2], ID[3]}
    assert found.skipped(retry_failed=True, rerun_stale=False) == {ID[1], ID[2]}
    assert found.skipped(retry_failed=False, rerun_stale=True) == {ID[1], ID[3]}


def test_of_several_rows_the_finished_and_then_the_newest_counts(store):
    save(store, "a", 0, "done", session="then")
    save(store, "b", 0, "done", session="now")
    save(store, "c", 1, "done", session="now")
    save(store, "d", 1, "failed", session="then")
    # sessions sort by name as they do by time: "now" < "then"
    found = run_statuses(RUNS[:2], store)
    assert found.stale == {ID[0]}
    assert found.finished == {ID[1]}


def test_a_run_whose_manifest_is_lost_is_stale_because_nobody_knows(store):
    save(store, "a", 0, "done", session="lost")
    found = run_statuses(RUNS[:1], store)
    assert found.stale == {ID[0]}
    assert found.stale_reasons == {"engine code unknown": 1}
