"""Launchers: whatever happens to a fleet, its runs end as rows and the others go on."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import torch

from relu_exp.core.schema import TABLES, UsageError
from relu_exp.launchers.local import Progress, launch, living_workers, num_cores, resolve_device
from relu_exp.launchers.task import FleetJob, Outcome, train_and_save
from relu_exp.planning.plan import plan
from relu_exp.results.store import Store

from configs import make_run

FAILING, KILLING, WAITING, ABSENT, CROWDED = 0.7, 0.8, 0.9, 0.6, 0.5
"""Learning rates by which the fake trainer knows what to do."""


def fake_train(runs, device, on_step):
    rates = {run.learning_rate for run in runs}
    if ABSENT in rates:
        raise UsageError("dataset fashion_mnist is not there")
    if KILLING in rates:
        os.kill(os.getpid(), signal.SIGKILL)
    if FAILING in rates:
        raise ValueError("this run cannot be trained")
    if CROWDED in rates and len(runs) > 1:
        raise MemoryError("too many at once")
    for step in range(1, 5):
        on_step(step)
    if WAITING in rates:
        for step in range(1000):
            time.sleep(0.05)
            on_step(step)
    rows = [{**run.as_row(), "status": "done", "device": device} for run in runs]
    columns = [c for c in TABLES["runs"] if c not in ("fleet_id", "session")]
    curves = {column: [] for column in TABLES["curves"]}
    curves.update({key: [value] * len(runs) for key, value in CURVE.items()})
    curves["run_id"] = [run.run_id for run in runs]
    return {"runs": {c: [row.get(c) for row in rows] for c in columns}, "curves": curves}


CURVE = {"step": 0, "split": "train", "loss": 2.3, "accuracy": 0.1, "r2": None}


def runs_of(*rates, num_seeds=4):
    return [make_run(learning_rate=r, seed=s) for r in rates for s in range(num_seeds)]


@pytest.fixture(params=[1, 2], ids=["in-process", "processes"])
def num_workers(request):
    return request.param


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "results")
    store.open()
    return store


def see(store, fleets, num_workers, train=fake_train, **job):
    events = []
    launch(fleets, FleetJob(store.root, "session", "cpu", **job), num_workers, events.append, train)
    return [event for event in events if isinstance(event, Outcome)]


def statuses(store):
    return {
        run_id: status
        for part in store.read("runs", ["run_id", "status"])
        for run_id, status in zip(*part.to_pydict().values(), strict=True)
    }


def test_every_fleet_is_saved_under_its_own_name(store, num_workers):
    runs = runs_of(0.1, 0.2)
    fleets = plan(runs, (), 3).fleets
    outcomes = see(store, fleets, num_workers)
    assert store.finished() == {run.run_id for run in runs}
    assert store.part_ids() == sorted(fleet.fleet_id for fleet in fleets)
    assert Counter(outcome.fleet.fleet_id for outcome in outcomes) == Counter(store.part_ids())
    assert all(outcome.counts == {"done": len(outcome.fleet.runs)} for outcome in outcomes)
    for part_id in store.part_ids():
        table = store.read_part(part_id, "runs").to_pydict()
        assert set(table["fleet_id"]) == {part_id}
        assert set(table["session"]) == {"session"}


def test_a_run_that_fails_is_a_row_with_its_traceback_and_the_others_are_kept(store, num_workers):
    runs = [*runs_of(0.1, num_seeds=6), make_run(learning_rate=FAILING)]
    outcomes = see(store, plan(runs, (), 4).fleets, num_workers)
    assert Counter(statuses(store).values()) == {"done": 6, "failed": 1}
    assert sum(outcome.counts.get("failed", 0) for outcome in outcomes) == 1
    reasons = [reason for outcome in outcomes for reason in outcome.reasons]
    assert reasons == ["ValueError: this run cannot be trained"]
    errors = [e for part in store.read("runs", ["error"]) for e in part["error"].to_pylist() if e]
    assert len(errors) == 1
    assert "Traceback" in errors[0]
    curves = [row for part in store.read("curves") for row in part.to_pylist()]
    assert sorted(row["run_id"] for row in curves) == sorted(store.finished())
    assert all(row.items() >= CURVE.items() for row in curves)


def test_a_fleet_too_large_for_the_memory_is_trained_in_smaller_ones(store):
    see(store, plan(runs_of(CROWDED), (), 4).fleets, 1)
    assert len(store.finished()) == 4


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("too many at once"),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_out_of_memory_halves_the_fleet_and_a_run_too_large_alone_is_tried_another_day(
    store, error
):
    sizes = []

    def crowded(runs, device, on_step):
        sizes.append(len(runs))
        if len(runs) > 2 or {run.seed for run in runs} & {5}:
            raise error
        return fake_train(runs, device, on_step)

    see(store, plan(runs_of(0.1, num_seeds=8), (), 8).fleets, 1, crowded)
    assert sizes == [8, 4, 2, 2, 4, 2, 1, 1, 2]
    assert Counter(statuses(store).values()) == {"done": 7, "interrupted": 1}


def test_a_fleet_of_the_engine_continues_from_its_checkpoint(store, monkeypatch):
    """Out of memory, killed in the second half: of that half, not a step is made twice."""
    from relu_exp.engine import checkpoints, training

    monkeypatch.setattr(checkpoints, "_MAX_SHARE", float("inf"))
    monkeypatch.setitem(training.READ_LOSSES_EVERY, "cpu", 1)
    fleets = plan(runs_of(0.1), (), 4).fleets
    job = FleetJob(store.root, "session", "cpu", checkpoint_seconds=0.0)
    train_fleet, steps = training.train_fleet, []

    def crowded(runs, *rest):
        if len(runs) > 2:
            raise MemoryError
        return train_fleet(runs, *rest)

    def stop(step):
        steps.append(step)
        if len(steps) == 7:  # of 4 and 4
            raise KeyboardInterrupt

    monkeypatch.setattr(training, "train_fleet", crowded)
    with pytest.raises(KeyboardInterrupt):
        train_and_save(fleets[0], job, stop)
    assert len(list(store.checkpoints.iterdir())) == 2
    steps.clear()
    train_and_save(fleets[0], job, steps.append)
    assert steps == [4]
    assert len(store.finished()) == 4
    assert list(store.checkpoints.iterdir()) == []


def test_a_worker_that_is_killed_costs_its_own_fleet_only(store):
    runs = [*runs_of(0.1, num_seeds=8), make_run(learning_rate=KILLING)]
    outcomes = see(store, plan(runs, (), 1).fleets, 2)
    counts = Counter(statuses(store).values())
    assert counts == {"done": 8, "interrupted": 1}
    (reason,) = [reason for outcome in outcomes for reason in outcome.reasons]
    assert "SIGKILL" in reason
    assert "\n" not in reason


def processes_of(store):
    errors = [e for part in store.read("runs", ["error"]) for e in part["error"].to_pylist() if e]
    return {re.search(r"process (\d+) trains", error)[1] for error in errors}


def telling_train(runs, device, on_step):
    raise ValueError(f"process {os.getpid()} trains")


def test_workers_live_from_one_launch_to_the_next_within_a_command(store):
    first, second = (plan(runs_of(rate), (), 1).fleets for rate in (0.1, 0.2))
    with living_workers():
        see(store, first, 2, telling_train)
        workers = processes_of(store)
        assert len(workers) == 2
        see(store, second, 2, telling_train)
        assert processes_of(store) == workers
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(int(worker), 0)
    see(store, plan(runs_of(0.3), (), 1).fleets, 2, telling_train)
    assert len(processes_of(store)) == 4


def test_a_worker_that_was_killed_while_it_waited_is_replaced(store):
    first, second = (plan(runs_of(rate), (), 1).fleets for rate in (0.1, 0.2))
    with living_workers():
        see(store, first, 2, telling_train)
        for worker in multiprocessing.active_children():
            worker.kill()
            worker.join()
        outcomes = see(store, second, 2)
    assert [outcome.counts for outcome in outcomes] == [{"done": 1}] * len(second)


def test_no_worker_waits_after_an_error(store):
    with living_workers():
        see(store, plan(runs_of(0.1), (), 1).fleets, 2)
        with pytest.raises(UsageError):
            see(store, plan(runs_of(0.2, ABSENT), (), 1).fleets, 2)
    assert not multiprocessing.active_children()


def test_a_launch_ends_even_if_every_worker_dies(store):
    fleets = plan(runs_of(KILLING, num_seeds=5), (), 1).fleets
    assert len(see(store, fleets, 2)) == 5
    assert store.finished() == set()


def test_what_no_run_can_do_without_ends_the_launch_in_one_line(store, num_workers):
    with pytest.raises(UsageError, match="fashion_mnist is not there"):
        see(store, plan(runs_of(ABSENT, 0.1), (), 1).fleets, num_workers)


def test_a_plugin_that_cannot_be_imported_ends_the_launch_in_one_line(store, num_workers):
    with pytest.raises(UsageError, match="--plugin no_such_module"):
        see(store, plan(runs_of(0.1), (), 1).fleets, num_workers, plugins=("no_such_module",))


def test_results_that_cannot_be_written_end_the_launch_in_one_line(tmp_path, num_workers):
    (tmp_path / "results").write_text("in the way")
    with pytest.raises(UsageError, match="cannot write results"):
        see(Store(tmp_path / "results"), plan(runs_of(0.1), (), 1).fleets, num_workers)


def test_training_here_leaves_the_process_as_it_was(store):
    def observing(runs, device, on_step):
        seen.append((torch.get_num_threads(), (tiny * 1).item()))
        return fake_train(runs, device, on_step)

    seen, threads = [], torch.get_num_threads()
    tiny = torch.tensor([1e-310], dtype=torch.float64)  # denormal
    see(store, plan(runs_of(0.1), (), 4).fleets, 1, observing)
    assert seen == [(1, 0.0)]
    assert torch.get_num_threads() == threads
    assert (tiny * 1).item() == 1e-310


def test_a_long_fleet_tells_its_steps(store, num_workers):
    def callback(event):
        if isinstance(event, Progress) and event.step > 8:
            raise KeyboardInterrupt

    fleets = plan(runs_of(WAITING, num_seeds=2), (), 1).fleets
    with pytest.raises(KeyboardInterrupt):
        launch(fleets, FleetJob(store.root, "session", "cpu"), num_workers, callback, fake_train)
    assert store.part_ids() == []


PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_launchers import WAITING, fake_train, runs_of
from relu_exp.launchers.local import launch
from relu_exp.launchers.task import FleetJob, Outcome
from relu_exp.planning.fleets import Fleet
if __name__ == "__main__":
    fleets = [Fleet((run,)) for run in runs_of(0.1, WAITING)]
    def callback(event):
        print("saved" if isinstance(event, Outcome) else "step", flush=True)
    try:
        launch(fleets, FleetJob(Path({root!r}), "session", "cpu"), 2, callback, fake_train)
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_was_saved_stays_and_no_worker_outlives_its_parent(store, tmp_path, number):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.format(tests=str(Path(__file__).parent), root=str(store.root)))
    # a session of its own: its process group is then exactly what the launch has started
    process = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    told = []
    for line in process.stdout:
        told.append(line.strip())
        if "step" in told and told.count("saved") == 4:
            break
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.kill()
    assert process.wait(timeout=30) == (130 if number == signal.SIGINT else -number)
    process.stdout.close()
    assert len(store.finished()) == 4
    for _ in range(300):
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.1)
    else:
        pytest.fail("a worker outlives its parent")


def test_an_unknown_or_absent_device_is_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert resolve_device("cpu") == resolve_device("auto") == "cpu"
    with pytest.raises(UsageError, match="no usable GPU"):
        resolve_device("cuda")
    with pytest.raises(UsageError, match="choose from auto, cpu, cuda"):
        resolve_device("tpu")


def test_a_gpu_is_used_without_being_told(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert resolve_device("auto") == resolve_device("cuda") == "cuda"


def test_there_is_at_least_one_core():
    assert 1 <= num_cores() <= (os.cpu_count() or 1)
