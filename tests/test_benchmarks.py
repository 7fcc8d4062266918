"""The benchmarks: all ways train the same, samples are fair, and ratios are those of one round."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch

from benchmarks import __main__ as program
from benchmarks import phases
from benchmarks import work as reference
from benchmarks.check import TOLERANCE, deviation
from benchmarks.child import steady_rate
from benchmarks.peers import plain, vmap
from benchmarks.peers.fleet import configurations, curves, train_fleets
from benchmarks.plot import draw
from benchmarks.rounds import Cell
from benchmarks.scaling import million, written
from benchmarks.side_by_side import Chunk
from benchmarks.table import markdown, rows
from benchmarks.ways import WAYS, Way, chosen, missing
from benchmarks.work import WORKS, Work, gigaflop, runs_of

TINY = Work("W1", depth=2, width=8, num_seeds=2)
NUM_STEPS = 4


@pytest.fixture(autouse=True)
def samples(tmp_path_factory, monkeypatch, one_thread):
    """The training set in a place of its own."""
    file = tmp_path_factory.getbasetemp() / "samples.pt"
    monkeypatch.setattr(reference, "_SAMPLES", file)
    reference.prepare()


def cell(way, rate, number=1, **keys):
    values = {"ceiling": 100.0, "seconds": 1.0, "once": 2.0, "sample": "8 runs"}
    return Cell(number, "W1", way, way, **(values | {"rate": rate} | keys))


@pytest.mark.parametrize(("name", "expected"), [("W1", 14.3), ("W2", 37.4), ("W3", 41.1)])
def test_operations_of_a_run_are_those_of_the_issue(name, expected):
    assert gigaflop(WORKS[name]) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(("name", "expected"), [("W1", 320), ("W4", 5120)])
def test_a_work_has_every_combination_once(name, expected):
    assert len(set(runs_of(WORKS[name]))) == len(runs_of(WORKS[name])) == expected


@pytest.mark.parametrize("key", ["activation", "initializer", "learning_rate"])
def test_twenty_runs_are_a_fair_sample(key):
    counts = Counter(getattr(run, key) for run in runs_of(WORKS["W1"])[:20])
    assert len(set(counts.values())) == 1
    assert len(counts) == (5 if key == "activation" else 4)


def test_relu_exp_has_a_configuration_for_every_run():
    assert set(configurations(WORKS["W1"], 200)) == {run.name for run in runs_of(WORKS["W1"])}


def test_fleets_and_peers_train_the_same(tmp_path):
    runs = [run for run in runs_of(TINY) if run.activation == "tanh"]
    every = configurations(TINY, NUM_STEPS)
    sample = {run.name: every[run.name] for run in runs}
    train_fleets(list(sample.values()), tmp_path, "cpu", 1, None)
    fleet = curves(tmp_path, sample)

    chunk = Chunk("tanh", sorted(runs, key=lambda run: run.seed))
    parameters = vmap.initial_parameters(TINY, chunk)
    stacked = torch.cat(
        [
            vmap.train(parameters, chunk, 1),
            vmap.train(parameters, chunk, NUM_STEPS - 1, first=1),
        ],
        dim=1,
    )
    for run, losses in zip(chunk.runs, stacked, strict=True):
        alone = plain.train(TINY, run, NUM_STEPS)
        num_steps = 1 if run.initializer == "unit_normal" else NUM_STEPS
        for found in (fleet[run.name], losses.tolist()):
            assert len(found) == NUM_STEPS
            assert found[:num_steps] == pytest.approx(alone[:num_steps], rel=TOLERANCE)


def test_a_way_that_trains_something_else_is_found_out():
    runs = runs_of(TINY)[:8]
    right = {run.name: plain.train(TINY, run, 3) for run in runs}
    assert deviation(TINY, right) == 0
    late = {name: losses[1:] for name, losses in right.items()}
    assert deviation(TINY, late) > TOLERANCE
    assert deviation(TINY, {}) > TOLERANCE
    assert deviation(TINY, right | {runs[0].name: [float("nan")]}) > TOLERANCE


def test_the_rate_of_a_pool_leaves_out_its_start_and_its_end():
    first = [("a", 10.0), ("a", 11.0), ("a", 12.0)]
    second = [("b", 10.5), ("b", 12.5)]
    assert steady_rate([*first, *second]) == pytest.approx(1 + 0.5)
    with pytest.raises(ValueError, match="too few runs"):
        steady_rate([("a", 1.0), ("b", 2.0)])


def test_ratios_are_those_of_one_round():
    cells = [cell("fleet", 10.0), cell("plain", 5.0), cell("fleet", 6.0, 2), cell("plain", 2.0, 2)]
    _, peer = rows(cells)
    assert peer.ratios == [2.0, 3.0]
    assert "2.50 (2.00 … 3.00)" in markdown(cells)


def test_a_broken_way_is_told_and_not_compared():
    table = markdown([cell("fleet", 10.0), cell("jax", 5.0, error="losses differ by 1e+00")])
    assert "losses differ" in table
    assert "2.00" not in table


def test_runs_that_end_early_do_not_count_towards_the_ceiling():
    (row,) = rows([cell("fleet", 5.0, updates=0.5)])
    assert row.shares == [pytest.approx(5 * 0.5 * gigaflop(WORKS["W1"]) / 100)]


def test_an_unknown_way_is_named_with_the_valid_ones():
    with pytest.raises(ValueError, match="jaxx is not a way; valid: fleet"):
        chosen("plain,jaxx")
    assert [each.label for each in chosen("fleet,jax:32")] == ["fleet", "jax:32"]


def test_a_peer_that_is_not_installed_is_noticed():
    assert missing(Way("", "", {}, ("torch", "no_such_package.at_all"))) == [
        "no_such_package.at_all"
    ]
    assert missing(WAYS["plain"]) == []


def test_a_missing_peer_is_one_line_and_the_way_is_left_out(monkeypatch, capsys):
    monkeypatch.setattr(program, "missing", lambda way: ["jax"])
    monkeypatch.setattr("sys.argv", ["benchmarks", "--ways", "jax", "--work", "W1,W2"])
    program.main()
    assert capsys.readouterr().err.splitlines() == [
        "jax: left out, jax not installed: pip install -e '.[bench]'"
    ]


def test_ratios_are_drawn_where_there_are_any(tmp_path):
    draw([cell("fleet", 10.0)], tmp_path / "none.png")
    draw([cell("fleet", 10.0), cell("plain", 5.0), cell("process", 0.5)], tmp_path / "some.png")
    assert [file.name for file in tmp_path.iterdir()] == ["some.png"]


def test_tables_of_cost_take_their_place_in_the_page_and_nothing_else():
    page = (Path(__file__).parents[1] / "docs" / "scaling.md").read_text(encoding="utf-8")
    for name in ("measured", "computed"):
        other = written(page, name, ["| 1 |"])
        assert "| 1 |" in other
        assert written(other, name, ["| 2 |"]) == written(page, name, ["| 2 |"])
        assert other.partition(f"<!-- {name}: begin")[0] == page.partition(f"<!-- {name}: begin")[0]
        assert other.partition(f"{name}: end -->")[2] == page.partition(f"{name}: end -->")[2]
    with pytest.raises(ValueError, match="no <!-- mesured: begin"):
        written(page, "mesured", [])


def test_a_million_runs_are_computed_for_every_gpu():
    lines = million()
    assert "3,907 fleets" in lines[0]
    rows = [line.split(" | ") for line in lines if "00 |" in line]
    assert len(rows) == 2
    assert all(float(one) > 50 * float(many.rstrip("| ")) for *_, one, many in rows)


def test_the_phases_of_a_fleet_add_up_to_its_time(monkeypatch):
    monkeypatch.setitem(WORKS, "W1", TINY)
    before = [getattr(place, name) for _, place, name in phases.PHASES]
    runs = phases.fleet("W1", "relu", 4, NUM_STEPS)
    with phases.Watch("cpu") as watch:
        total = phases.train(runs, "cpu")
    assert all(seconds > 0 for seconds in watch.seconds.values())
    assert sum(watch.seconds.values()) <= total
    assert [getattr(place, name) for _, place, name in phases.PHASES] == before
