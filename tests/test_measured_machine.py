"""Calibration: measured once, stored, used by `--plan` and `run`, and never an obstacle."""

import json
import time
from dataclasses import replace

import pytest

from relu_exp import cli
from relu_exp.engine.training import train_fleet
from relu_exp.planning.costs import Costs, sweep_seconds
from relu_exp.planning.fleets import Fleet
from relu_exp.results import machine
from relu_exp.session import machine_calibration
from relu_exp.session.machine_calibration import _best_size, _enough, _solved

from configs import make_run

COSTS = Costs(
    seconds={"steps": 2.5},
    fleet_size=3,
    num_workers=1,
    speeds={1: 1.0, 2: 1.9},
    start_seconds=2.0,
)
TINY = """
title: Tiny
question: Does it run?
overrides: {initializer: he_normal, width: 8, num_steps: 6, batch_size: 32}
sweep: {seed: range(4)}
figures: [loss_curves]
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Return an empty cache folder, with measuring switched on."""
    monkeypatch.delenv(machine_calibration.OFF)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    machine_calibration.calibrated.cache_clear()
    yield tmp_path / "cache" / "relu-exp"
    machine_calibration.calibrated.cache_clear()


@pytest.fixture
def measured(monkeypatch):
    """Return the devices that were measured, each by a measurement that takes no time."""
    devices = []

    def measure(device):
        devices.append(device)
        return COSTS

    monkeypatch.setattr(machine_calibration, "measure", measure)
    return devices


@pytest.fixture
def said(capsys, tmp_path, monkeypatch):
    """Return a function that runs a command line on a tiny sweep, and returns all that it says."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)

    def run(*words):
        assert cli.main(["run", "tiny.yaml", "--device", "cpu", *words]) == 0
        return capsys.readouterr()

    return run


def again():
    """Return what the next command, a new process, would use."""
    machine_calibration.calibrated.cache_clear()
    return machine_calibration.calibrated("cpu")


def test_a_machine_is_measured_once(cache, measured, capsys):
    assert machine_calibration.stored("cpu") is None
    assert again() == again() == machine_calibration.stored("cpu") == COSTS
    assert measured == ["cpu"]
    assert capsys.readouterr().err == "measuring this machine's speed, only once: about 10 s\n"
    (file,) = cache.iterdir()
    assert json.loads(file.read_text())["machine"] == machine.describe()


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("machine.describe", {"model": "another"}),
        ("fingerprint", {"engine code": "another", "torch": "1", "schema": "1"}),
        ("hash_of", "other estimates"),
        ("num_cores", 77),
    ],
)
def test_another_machine_and_other_code_are_measured_anew(
    cache, measured, monkeypatch, name, answer
):
    again()
    monkeypatch.setattr(f"relu_exp.session.machine_calibration.{name}", lambda *_: answer)
    again()
    assert len(measured) == len(list(cache.iterdir())) == 2


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"costs": 3}', '{"costs": {"seconds": [1]}}', '{"costs": {"speeds": {}}}'],
)
def test_a_damaged_file_is_written_anew(cache, measured, content):
    again()
    (file,) = cache.iterdir()
    file.write_text(content)
    assert again() == COSTS
    assert len(measured) == 2
    assert machine_calibration.stored("cpu") == COSTS


def test_a_cache_that_cannot_be_written_only_costs_time(cache, measured, said):
    cache.parent.write_text("a file in the folder's place")
    for _ in range(2):
        machine_calibration.calibrated.cache_clear()
        assert "time     about" in said("--plan").out
    assert len(measured) == 2


def test_a_device_that_only_other_machines_have_is_not_measured(
    cache, measured, monkeypatch, capsys
):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    machine_calibration.calibrated.cache_clear()
    assert machine_calibration.calibrated("cuda") is None
    assert measured == []
    assert capsys.readouterr().err == ""


def test_a_machine_that_cannot_be_measured_trains_with_the_defaults(cache, monkeypatch, said):
    def fails(device):
        raise RuntimeError("no such thing")

    monkeypatch.setattr(machine_calibration, "measure", fails)
    out, err = said("--plan")
    assert "a guess: this machine was not measured" in out
    assert err.splitlines()[1:] == [
        "this machine could not be measured (no such thing): using the defaults"
    ]


def test_who_wants_no_measurement_gets_none(cache, measured, monkeypatch, said):
    monkeypatch.setenv(machine_calibration.OFF, "off")
    out, err = said("--plan")
    assert (err, measured) == ("", [])
    assert "a guess" in out


def test_a_plan_measures_and_estimates_by_it(cache, measured, said):
    out, err = said("--plan")
    assert err == "measuring this machine's speed, only once: about 10 s\n"
    # so small a network trains with four times as many others as were measured to be best
    assert "fleets   1 on 1 process\n" in out
    # one fleet of six steps of 2.5 s, and the command's own 2 s
    assert "time     about 17 s, less if runs diverge\n" in out
    assert said("--plan") == (out, "")


def test_what_the_user_says_goes_before_what_was_measured(cache, measured, said):
    out, _ = said("--plan", "launcher.fleet_size=1", "--workers", "2")
    assert "fleets   4 on 2 processes\n" in out


def test_a_small_sweep_trains_at_once_and_a_large_one_measures_first(
    cache, measured, monkeypatch, said
):
    said("--results", "small")
    assert measured == []
    monkeypatch.setattr("relu_exp.session.session._CALIBRATED_FROM", 0)
    assert "measuring this machine's speed" in said("--results", "large").err
    assert measured == ["cpu"]


def test_nothing_is_measured_where_nothing_is_due(cache, measured, said):
    said()
    assert "4: 0 new, 4 finished" in said("--plan").out
    assert measured == []


def test_times_of_fleets_come_apart_into_those_of_their_work():
    amounts = [{"a": 1, "b": n, "c": n * n} for n in range(6)]
    true = {"a": 2e-3, "b": 3e-5, "c": 0.0}
    seen = [(each, sum(true[kind] * n for kind, n in each.items())) for each in amounts]
    assert _solved(seen) == pytest.approx(true, abs=1e-9)


@pytest.mark.parametrize(
    ("rates", "enough"),
    [({1: 1.0, 2: 1.9}, 2), ({1: 1.0, 4: 3.9, 8: 4.0}, 4), ({1: 1.0, 4: 3.0, 8: 4.0}, 8)],
)
def test_processes_that_hardly_gain_are_not_started(rates, enough):
    assert _enough(rates) == enough


class Machine:
    """A device whose steps take a fixed time, one more for each run, and swap from a size on."""

    def __init__(self, device, fixed, swaps_from=10**9):
        self.device, self.fixed, self.swaps_from = device, fixed, swaps_from

    def train(self, run, size):
        return (self.fixed + size) * (2 if size >= self.swaps_from else 1)


@pytest.mark.parametrize(
    ("device", "size"),
    [
        (Machine("cpu", fixed=0), 8),
        (Machine("cpu", fixed=1), 16),
        (Machine("cpu", fixed=100), 64),
        (Machine("cpu", fixed=100, swaps_from=64), 32),
        (Machine("cuda", fixed=10), 256),
        (Machine("cuda", fixed=100), 1024),
        (Machine("cuda", fixed=1e6), 4096),
    ],
)
def test_the_smallest_fleet_is_taken_that_is_nearly_the_fastest(device, size, monkeypatch):
    monkeypatch.setattr(machine_calibration, "room_for_fleet", lambda device, num_workers: None)
    assert _best_size(device) == size


def test_no_fleet_is_tried_that_would_not_fit_the_memory(monkeypatch):
    monkeypatch.setattr(machine_calibration, "room_for_fleet", lambda device, num_workers: 1e9)
    monkeypatch.setattr(machine_calibration, "bytes_of", lambda run: 1e9 / 600)
    assert _best_size(Machine("cuda", fixed=1e6)) == 512
    monkeypatch.setattr(machine_calibration, "bytes_of", lambda run: 1e10)
    assert _best_size(Machine("cuda", fixed=1e6)) == 1


def test_cores_that_two_threads_share_count_once(tmp_path, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 1, 2, 5}, raising=False)
    assert machine.num_real_cores(tmp_path) == 4
    for core, siblings in {0: "0,4", 1: "1,5", 2: "2,6", 5: "1,5"}.items():
        folder = tmp_path / f"cpu{core}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{siblings}\n")
    assert machine.num_real_cores(tmp_path) == 3


def test_this_machine_is_measured_and_its_estimates_are_near(one_thread):
    """Half to twice here, where others use the machine; `benchmarks/estimates.py` says how near."""
    costs = machine_calibration.measure("cpu")
    assert costs.fleet_size in (8, 16, 32, 64)
    assert 1 <= costs.num_workers <= max(costs.speeds)
    assert costs.speeds[1] == 1
    run = make_run(depth=4, width=64, num_steps=100, activation="tanh", probe_steps=(0, 50, 100))
    fleet = Fleet(tuple(replace(run, seed=seed) for seed in range(12)))
    began = time.process_time()
    train_fleet(fleet.runs)
    taken = time.process_time() - began
    estimated = sweep_seconds([fleet], replace(costs, start_seconds=0), 1)
    assert taken / 2 < estimated < 2 * taken
