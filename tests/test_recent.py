"""Tables that were read a moment ago are kept, as long as their files are the same."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from relu_exp.evidence.data import recent as recent_tables
from relu_exp.evidence.data.recent import recent


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_tables, "_tables", type(recent_tables._tables)())


def read(paths: list[Path], columns: list[str] | None = None) -> tuple[pa.Table, int]:
    """Return the table, and how often it was read for it."""
    times: list[int] = []

    def text() -> pa.Table:
        times.append(1)
        return pa.table({"text": [path.read_text() for path in paths]})

    return recent(paths, columns, text), len(times)


def test_a_table_is_read_once_and_again_if_a_file_has_changed(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "ab"]
    for path in paths:
        path.write_text("before")
    assert [read(paths)[1] for _ in range(2)] == [1, 0]
    assert read(paths, ["text"])[1] == 1
    assert read(paths[:1])[1] == 1
    paths[0].write_text("after it")
    table, times = read(paths)
    assert times == 1
    assert table["text"].to_pylist() == ["after it", "before"]


def test_what_is_older_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.write_text("x" * 1000)
    monkeypatch.setattr(recent_tables, "MOST_BYTES", 2500)
    assert [read([path])[1] for path in paths] == [1, 1, 1]
    assert read([paths[2]])[1] == 0
    assert read([paths[0]])[1] == 1


def test_a_missing_file_is_left_to_its_reader(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read([tmp_path / "none"])
