"""The store: parts and manifests appear whole or not at all, and damage is told in one line."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relu_exp.core.schema import TABLES, UsageError
from relu_exp.results import reading
from relu_exp.results.store import Store, arrow_schema, new_session


def rows(*run_ids, status="done"):
    blank = {column: [None] * len(run_ids) for column in TABLES["runs"]}
    return {"runs": {**blank, "run_id": list(run_ids), "status": [status] * len(run_ids)}}


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "results")
    store.open()
    return store


def test_a_part_holds_every_table_in_its_declared_schema(store):
    store.write_part("a", rows("1"))
    assert store.part_ids() == ["a"]
    for table, columns in TABLES.items():
        schema = store.read_part("a", table).schema
        assert schema.names == list(columns)
        assert schema.equals(arrow_schema(table))


@given(
    counts=st.lists(st.lists(st.integers(0, 2**31 - 1), min_size=3, max_size=3), max_size=5),
)
def test_what_is_written_is_what_is_read(tmp_path_factory, counts):
    store = Store(tmp_path_factory.mktemp("results"))
    size = len(counts)
    columns = {
        "run_id": ["r"] * size,
        "step": list(range(size)),
        "layer": [1] * size,
        "kind": ["activation"] * size,
        "counts": counts,
        **{column: [0.5] * size for column in ("minimum", "maximum", "mean")},
    }
    store.write_part("a", {"histograms": columns})
    assert store.read_part("a", "histograms").to_pydict() == columns


def test_only_done_and_diverged_runs_are_finished(store):
    for status in ("done", "diverged", "failed", "interrupted"):
        store.write_part(status, rows(status, status=status))
    assert store.finished() == {"done", "diverged"}


def test_a_part_of_the_same_name_is_replaced(store):
    store.write_part("a", rows("1", status="failed"))
    store.write_part("a", rows("1"))
    assert store.finished() == {"1"}
    assert os.listdir(store.parts) == ["a"]


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_part_is_replaced_whole_or_not_at_all(store, monkeypatch, can_exchange):
    if not can_exchange:
        monkeypatch.setattr("relu_exp.results.atomic._exchange", lambda *_: False)
    for number in range(3):
        store.write_part("a", rows(str(number)))
        assert store.finished() == {str(number)}
    assert os.listdir(store.parts) == ["a"]


def test_a_part_that_is_being_replaced_can_be_read_at_every_moment(store):
    def read():
        while not done.is_set():
            try:
                seen.append(store.finished())
            except UsageError as error:
                seen.append(error)

    store.write_part("a", rows("1"))
    seen, done = [], threading.Event()
    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(30):
        store.write_part("a", rows("1"))
    done.set()
    reader.join()
    assert seen
    assert all(each == {"1"} for each in seen)


def test_a_diff_is_kept_once(store):
    assert store.write_diff("-a\n+b\n") == store.write_diff("-a\n+b\n")
    (kept,) = store.manifests.glob("*.diff")
    assert kept.read_text() == "-a\n+b\n"


def test_nothing_that_was_asked_for_is_finished_where_nothing_is(tmp_path):
    store = Store(tmp_path / "absent")
    assert store.finished() == set()
    assert store.part_ids() == []
    assert store.latest_manifest() is None
    assert not store.root.exists()


def test_a_writer_killed_at_any_moment_leaves_whole_parts_only(store):
    program = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_store import rows
from relu_exp.results.store import Store
store = Store(Path({str(store.root)!r}))
print("ready", flush=True)
for number in range(100_000):
    store.write_part(f"part{{number % 7}}", rows(str(number)))
"""
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.1)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        assert len(store.finished()) == len(store.part_ids())


def test_what_a_kill_left_behind_is_cleared_once_it_is_old(store):
    young, old = store.parts / ".a-1234", store.parts / ".b-1234"
    for path in (young, old):
        path.mkdir()
        (path / "runs.parquet").write_text("half")
    os.utime(old, (0, 0))
    store.checkpoints.mkdir()
    files = [folder / ".c.tmp" for folder in (store.manifests, store.checkpoints)]
    for path in files:
        path.write_text("half")
        os.utime(path, (0, 0))
    store.open()
    assert not any(path.exists() for path in files)
    assert store.part_ids() == []
    assert os.listdir(store.parts) == [".a-1234"]


def test_reports_that_a_kill_left_behind_are_cleared_and_nothing_else_of_that_folder(store):
    old = store.begin_report()
    young = store.begin_report()
    kept = [store.root / name for name in (".report-notes", ".report-0123abcd.bak", ".venv")]
    for path in (old, young, *kept):
        (path / "figures").mkdir(parents=True)
        (path / "report.html").write_text("half")
    files = [store.root / name for name in (".lock", ".env", ".report-89abcdef")]
    for path in files:
        path.write_text("mine")
    link = store.root / ".report-01234567"
    link.symlink_to(kept[0])
    for path in (old, *kept, *files):
        os.utime(path, (0, 0))
    os.utime(link, (0, 0), follow_symlinks=False)
    store.open()
    assert not old.exists()
    assert all((path / "report.html").read_text() == "half" for path in (young, *kept))
    assert all(path.read_text() == "mine" for path in files)
    assert link.is_symlink()


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"not parquet at all" * 50])
def test_a_damaged_part_is_named_with_its_remedy(store, damage):
    store.write_part("a", rows("1"))
    (store.parts / "a" / "runs.parquet").write_bytes(damage)
    with pytest.raises(UsageError, match=r"parts/a/runs\.parquet is damaged .*delete the folder"):
        store.finished()


def test_a_truncated_or_missing_table_is_damage_too(store):
    store.write_part("a", rows("1"))
    path = store.parts / "a" / "runs.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UsageError, match="damaged"):
        store.finished()
    path.unlink()
    with pytest.raises(UsageError, match="damaged"):
        store.finished()


def test_parts_of_another_schema_version_are_refused(store):
    store.write_part("a", rows("1"))
    path = store.parts / "a" / "runs.parquet"
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"relu_exp_schema": "0"}), path)
    with pytest.raises(UsageError, match="not written by schema version"):
        store.finished()
    pq.write_table(pa.table({"run_id": ["1"]}), path)
    with pytest.raises(UsageError, match="not written by schema version"):
        store.finished()


def test_a_manifest_of_another_schema_version_closes_the_place(store):
    store.write_manifest({"session": new_session(), "schema_version": 0})
    with pytest.raises(UsageError, match=r"schema version 0, this is version .*--results DIR"):
        store.open()


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00"])
def test_a_damaged_manifest_is_named_with_its_remedy(store, text):
    (store.manifests / "20260101T000000-ab.json").write_text(text)
    with pytest.raises(UsageError, match=r"damaged .*delete it"):
        store.open()


def test_the_newest_manifest_is_the_one_that_counts(store):
    for number in range(3):
        store.write_manifest({"session": new_session(), "number": number})
    assert store.latest_manifest()["number"] == 2


@pytest.mark.parametrize("place", ["/dev/null/results", "/proc/results"])
def test_a_place_that_cannot_be_written_is_refused(place):
    with pytest.raises(UsageError, match=r"cannot be written .*--results DIR"):
        Store(Path(place)).open()


def test_a_file_in_the_place_of_the_results_is_refused(tmp_path):
    (tmp_path / "results").write_text("mine")
    with pytest.raises(UsageError, match="cannot be written"):
        Store(tmp_path / "results").open()
    assert (tmp_path / "results").read_text() == "mine"


def test_a_full_disk_loses_nothing_and_leaves_nothing_half(store, monkeypatch):
    store.write_part("a", rows("1"))

    def full(table, path, **_):
        Path(path).write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(UsageError, match="No space left on device; finished runs are kept"):
        store.write_part("b", rows("2"))
    assert store.finished() == {"1"}
    assert os.listdir(store.parts) == ["a"]


def test_a_manifest_that_does_not_fit_is_told_in_one_line(store, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UsageError, match="No space left on device"):
        store.write_manifest({"session": new_session()})
    assert os.listdir(store.manifests) == []


def test_sessions_sort_by_the_time_they_began():
    sessions = [new_session() for _ in range(20)]
    assert sessions == sorted(sessions)
    assert len(set(sessions)) == 20


def test_a_table_read_in_pieces_is_the_table_read_whole(store, monkeypatch):
    size = 50
    blank = {column: [None] * size for column in TABLES["runs"]}
    ids = [f"r{row}" for row in range(size)]
    store.write_part("a", {"runs": {**blank, "run_id": ids, "status": ["done"] * size}})
    columns = ["status", "seed", "run_id"]  # in another order than the file's
    whole = store.read_part("a", "runs", columns)
    monkeypatch.setattr(reading, "PIECE_BYTES", 1000)
    pieces = store.read_part("a", "runs", columns)
    assert whole["run_id"].to_pylist() == ids
    assert pieces.equals(whole)
