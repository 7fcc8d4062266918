"""Sharing: verdicts and page are the same files, whichever processes work on them."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from rich.console import Console

from relu_exp.evidence.page.page import build_page
from relu_exp.evidence.report.verdict_pages import build
from relu_exp.session.sharing import Sharing

from planted_claims import CLAIMS, write_planted


def files(root: Path) -> dict[str, bytes]:
    """Return what was written beside the results of the experiments."""
    paths = [*root.glob("*.*"), *root.glob("claims/*"), *root.glob("overview/*")]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def test_two_processes_write_the_same_bytes_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = Path("results")
    root.mkdir()
    judged = write_planted(root)
    build_page(judged)
    alone = files(root)
    assert {"claims/true.png", "claims/true-ko-dark.svg", "verdicts.json"} <= {*alone}
    for name in alone:
        (root / name).unlink()
    monkeypatch.setattr("relu_exp.session.sharing.num_cores", lambda: 2)
    monkeypatch.setattr("relu_exp.session.sharing.ALONE_SECONDS", 0.0)
    with Sharing("verdicts", Console(file=io.StringIO())) as sharing:
        build_page(build(root, CLAIMS, sharing.each), each=sharing.each)
        assert sharing._pool is not None
    assert files(root) == alone
    assert list(root.glob("**/.*")) == []


def test_a_bar_shows_how_much_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relu_exp.session.sharing.num_cores", lambda: 1)
    out = io.StringIO()
    with Sharing("verdicts", Console(file=out, force_terminal=True, width=80)) as sharing:
        assert list(sharing.each([int, str, float])) == [0, "", 0.0]
        sharing._bar.refresh()
    assert "verdicts" in out.getvalue()
    assert "3/3, 0 s" in out.getvalue()


def test_without_a_terminal_a_line_is_printed_every_few_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relu_exp.session.sharing.num_cores", lambda: 1)
    out = io.StringIO()
    with Sharing("page", Console(file=out)) as sharing:
        list(sharing.each([int] * 3))
        assert out.getvalue() == ""
        monkeypatch.setattr("relu_exp.session.sharing._LINE_SECONDS", 0)
        list(sharing.each([int] * 2))
    assert out.getvalue().splitlines() == ["page: 0/2, 0 s", "page: 1/2, 0 s", "page: 2/2, 0 s"]


def test_processes_are_started_only_for_what_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relu_exp.session.sharing.num_cores", lambda: 2)
    with Sharing("page", Console(file=io.StringIO())) as sharing:
        assert {*sharing.each([os.getpid] * 3)} == {os.getpid()}
        monkeypatch.setattr("relu_exp.session.sharing.ALONE_SECONDS", 0.0)
        here, *others = sharing.each([os.getpid] * 3)
        assert here == os.getpid()
        assert here not in others
        assert here not in {*sharing.each([os.getpid] * 3)}
