"""Reports while it trains: on what is there, and saying that it is a part."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from relu_exp.cli import main
from relu_exp.launchers.local import Progress
from relu_exp.launchers.task import Outcome
from relu_exp.planning.fleets import Fleet
from relu_exp.results.store import Store
from relu_exp.session import watching
from relu_exp.session.watching import Watch

import synthetic

RUNS = synthetic.configs(activations=("relu",), depths=(2,), seeds=(0, 1))
FLEETS = [Fleet(tuple(RUNS[:6])), Fleet(tuple(RUNS[6:]))]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Results of which half is there, as while the second fleet trains."""
    synthetic.write(tmp_path / "tiny", RUNS[:6])
    asked = [run.run_id for run in RUNS]
    synthetic.write_manifest(Store(tmp_path / "tiny"), asked, figures=["loss_curves"])
    return tmp_path / "tiny"


def landed(fleet: Fleet) -> Outcome:
    return Outcome(fleet, Counter(done=len(fleet.runs)), Counter())


def test_a_report_is_written_when_a_fleet_has_landed_and_says_that_it_is_a_part(root: Path) -> None:
    heard: list[object] = []
    with Watch(root, (), heard.append) as watch:
        watch(Progress(FLEETS[0], 1))
        assert watch._writing is None
        watch(landed(FLEETS[0]))
        first = watch._writing
        # one at a time, whatever lands meanwhile
        watch(landed(FLEETS[1]))
        assert watch._writing is first
    assert len(heard) == 3
    text = (root / "report.html").read_text()
    assert "6 of the runs asked for are missing: these results are partial." in text
    assert "reload every 20 seconds" in text
    assert "location.reload()" in text
    assert not list(root.glob(".report-*"))


def test_the_next_report_waits_until_there_is_something_new_and_it_is_time(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_write", print)
    with Watch(root, (), lambda _: None) as watch:
        watch(landed(FLEETS[0]))
        assert watch._writing is not None
        watch._writing.join()
        watch(Progress(FLEETS[1], 1))
        assert watch._writing is None
        watch(landed(FLEETS[1]))
        assert watch._writing is None
        watch._due = 0.0
        watch(Progress(FLEETS[1], 2))
        assert watch._writing is not None


def test_results_that_cannot_be_reported_do_not_stop_the_training(root: Path) -> None:
    for part in (root / "parts").glob("*/runs.parquet"):
        part.write_bytes(b"damaged")
    with Watch(root, (), lambda _: None) as watch:
        watch(landed(FLEETS[0]))
    assert watch._writing is not None
    assert watch._writing.exitcode == 0


def test_a_watched_run_ends_with_the_report_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(
        "title: Tiny\nquestion: Is it watched?\nfigures: [loss_curves]\n"
        "overrides: {width: 8, num_steps: 4, batch_size: 32, launcher.fleet_size: 2}\n"
        "sweep: {depth: [1, 2], seed: [0, 1]}\n"
    )
    assert main(["run", "tiny.yaml", "--watch", "--workers", "1"]) == 0, capsys.readouterr().err
    text = (tmp_path / "results" / "tiny" / "report.html").read_text()
    assert "these results are partial" not in text
    assert "location.reload()" not in text
    assert not list((tmp_path / "results" / "tiny").glob(".report-*"))
