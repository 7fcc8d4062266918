"""Rows of runs that did not finish go when a later command has trained these runs again."""

from collections import Counter

import pytest

from relu_exp import cli
from relu_exp.core.schema import TABLES, UsageError
from relu_exp.engine import training
from relu_exp.results.replaced import drop_replaced
from relu_exp.results.store import Store

EARLY, LATE, LATER = "20260101T0", "20260102T0", "20260103T0"


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "results")
    store.open()
    return store


def put(store, part_id, session, **statuses):
    """Write a part of runs, each with a row of `curves` if it finished."""
    size = len(statuses)
    runs = {column: [None] * size for column in TABLES["runs"]}
    runs |= {"run_id": [*statuses], "status": [*statuses.values()], "session": [session] * size}
    done = [run_id for run_id, status in statuses.items() if status in ("done", "diverged")]
    curves = {column: [None] * len(done) for column in TABLES["curves"]} | {"run_id": done}
    store.write_part(part_id, {"runs": runs, "curves": curves})


def there(store):
    """Return part → run → its status."""
    found = {}
    for part_id in store.part_ids():
        rows = store.read_part(part_id, "runs", ["run_id", "status"]).to_pylist()
        found[part_id] = {row["run_id"]: row["status"] for row in rows}
    return found


def test_a_part_goes_when_each_of_its_runs_has_a_later_row(store):
    put(store, "lost", EARLY, a="interrupted", b="failed")
    put(store, "one", LATE, a="done")
    assert drop_replaced(store) == 1
    assert there(store) == {"lost": {"b": "failed"}, "one": {"a": "done"}}
    assert store.checksum_problem("lost") == ""
    put(store, "two", LATER, b="diverged")
    assert drop_replaced(store) == 1
    assert there(store) == {"one": {"a": "done"}, "two": {"b": "diverged"}}
    assert {path.name for path in store.parts.iterdir()} == {"one", "two"}
    assert drop_replaced(store) == 0


def test_of_a_run_that_was_lost_twice_the_later_row_stays(store):
    put(store, "one", EARLY, a="interrupted", b="interrupted")
    put(store, "two", LATE, a="interrupted")
    assert drop_replaced(store) == 1
    assert there(store) == {"one": {"b": "interrupted"}, "two": {"a": "interrupted"}}


def test_what_finished_stays_with_all_its_rows(store):
    put(store, "mixed", EARLY, a="done", b="interrupted", c="diverged")
    put(store, "again", LATE, a="done", b="done", c="failed")
    assert drop_replaced(store) == 1
    assert there(store) == {
        "mixed": {"a": "done", "c": "diverged"},
        "again": {"a": "done", "b": "done", "c": "failed"},
    }
    assert store.read_part("mixed", "curves")["run_id"].to_pylist() == ["a", "c"]


def test_rows_of_one_command_stay_beside_each_other(store):
    put(store, "one", EARLY, a="interrupted")
    put(store, "copy", EARLY, a="done")
    assert drop_replaced(store) == 0


def test_who_listed_a_part_that_goes_meanwhile_reads_it_as_empty(store):
    put(store, "lost", EARLY, a="interrupted")
    put(store, "one", LATE, a="done")
    runs = store.read("runs", ["status", "run_id"])
    listed = store.part_ids()
    drop_replaced(store)
    assert listed == ["lost", "one"]
    assert [store.read_part(part_id, "curves").num_rows for part_id in listed] == [0, 1]
    assert sum(part.num_rows for part in runs) == 1
    gone = store.read_part("lost", "runs", ["status", "run_id"])
    assert gone.column_names == ["status", "run_id"]


def test_a_part_that_is_there_and_lacks_a_table_is_still_refused(store):
    put(store, "one", EARLY, a="done")
    (store.parts / "one" / "runs.parquet").unlink()
    with pytest.raises(UsageError, match="damaged"):
        store.read_part("one", "runs")


TINY = """
title: Tiny
question: Is each run there once?
overrides: {width: 8, num_steps: 6, batch_size: 32, dataset: digits}
sweep: {activation: [relu, tanh], seed: range(3)}
"""


def test_a_sweep_that_continues_in_other_fleets_holds_each_run_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    train_fleet = training.train_fleet

    def short(runs, *rest):
        if any(run.activation.name == "tanh" and run.seed for run in runs):
            raise MemoryError
        return train_fleet(runs, *rest)

    words = ["run", "tiny.yaml", "--workers", "1", "--device", "cpu"]
    with monkeypatch.context() as patch:
        patch.setattr(training, "train_fleet", short)
        assert cli.main([*words, "launcher.fleet_size=3"]) == 1
    store = Store(tmp_path / "results" / "tiny")
    assert Counter(s for part in there(store).values() for s in part.values()) == {
        "done": 4,
        "interrupted": 2,
    }
    assert cli.main([*words, "launcher.fleet_size=1"]) == 0
    rows = [row for part in there(store).values() for row in part.items()]
    assert len(rows) == len(dict(rows)) == 6
    assert {status for _, status in rows} == {"done"}
    assert cli.main(["verify", "results", "--rows"]) == 0, capsys.readouterr()
