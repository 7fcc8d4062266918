"""Calibration: measures this machine's speed once, by training small fleets, and stores it."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import multiprocessing
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from relu_exp.core.schema import RunConfig, UsageError
from relu_exp.launchers.local import num_cores, resolve_device
from relu_exp.launchers.processes import end_with_parent, processes, start, warm_up
from relu_exp.launchers.task import FleetJob, ready
from relu_exp.planning.costs import PHASES, Amounts, Costs
from relu_exp.planning.fleets import FLEET_SIZES, Fleet
from relu_exp.planning.memory import bytes_of, room_for_fleet
from relu_exp.results import machine
from relu_exp.results.atomic import write_text
from relu_exp.results.provenance import fingerprint, hash_of
from relu_exp.results.store import Store
from relu_exp.session.calibration_runs import new_fleet, sample_run, samples

__all__ = ["OFF", "calibrated", "measure", "stored"]

OFF = "RELU_EXP_CALIBRATION"
"""With this environment variable set to `off`, nothing is measured or read from an earlier run."""

_SIZES = {"cpu": (8, 16, 32, 64), "cuda": (256, 512, 1024, 2048, 4096)}
_RUNS_A_SEED = {"cpu": 2, "cuda": 64}
_ENOUGH = 0.93
"""Share of the best rate that is good enough: the smallest fleet or process count to reach it."""

_WAIT_SECONDS = 60


@cache
def calibrated(device: str) -> Costs | None:
    """Return the costs of this machine, stored or measured now; None if they cannot be measured.

    A device that this machine does not have cannot be measured.
    """
    if is_off():
        return None
    if (found := stored(device)) is not None:
        return found
    try:
        resolve_device(device)
    except UsageError:
        return None
    lasts = "about 10 s" if device == "cpu" else "about a minute"
    print(f"measuring this machine's speed, only once: {lasts}", file=sys.stderr, flush=True)
    try:
        found = measure(device)
    except Exception as error:
        # whatever went wrong, a sweep can train with the defaults
        print(
            f"this machine could not be measured ({error or type(error).__name__}): "
            "using the defaults",
            file=sys.stderr,
        )
        return None
    _write(found, device)
    return found


def is_off() -> bool:
    """Return whether the user has turned calibration off."""
    return os.environ.get(OFF) == "off"


def stored(device: str) -> Costs | None:
    """Return what was measured on this kind of machine with this code, or None."""
    if is_off():
        return None
    try:
        found = json.loads(_file(device).read_text(encoding="utf-8"))["costs"]
        return Costs(
            seconds={str(kind): float(each) for kind, each in found["seconds"].items()},
            fleet_size=max(1, int(found["fleet_size"])),
            num_workers=max(1, int(found["num_workers"])),
            speeds={int(count): float(each) for count, each in found["speeds"].items()},
            start_seconds=float(found["start_seconds"]),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _write(costs: Costs, device: str) -> None:
    file = _file(device)
    text = json.dumps({**_key(device), "costs": asdict(costs)}, indent=1, ensure_ascii=False)
    # if it cannot be written, the next command only has to measure again
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, text)


def _file(device: str) -> Path:
    from relu_exp.engine.data.places import cache_folder

    words = json.dumps(_key(device), sort_keys=True)
    return cache_folder() / f"calibration-{hashlib.sha256(words.encode()).hexdigest()[:16]}.json"


def _key(device: str) -> dict[str, Any]:
    """Return what identifies a measurement; if any of it changes, the machine is measured again."""
    where: dict[str, Any] = {"machine": machine.describe(), "usable cores": num_cores()}
    if device == "cuda":
        import torch

        where["gpu"] = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    files = ("machine_calibration.py", "calibration_runs.py")
    model = hash_of(
        "planning/costs.py", *(f"session/{file}" for file in files), "planning/plan.py"
    )[:16]
    return {"device": device, **where, **fingerprint(), "cost model": model}


def measure(device: str) -> Costs:
    """Measure the costs of this machine, which takes some seconds.

    On a CPU only processor time counts, so that other programs hardly disturb the measurement.
    """
    start = time.process_time()  # this command took so long to start, and so will the next
    if device == "cpu":
        warm_up()  # meanwhile loads torch for the workers at the end
    with ready(FleetJob(Path(), "", device)):
        watch = _Watch(device)
        for run in (sample_run(), sample_run(dataset="digits")):
            watch.train(run, 2)  # loads data and code
        watch.seen.clear()
        size = _best_size(watch)
        for run, runs in samples():
            watch.train(run, runs * FLEET_SIZES[device] // FLEET_SIZES["cpu"])
        seconds = _solved(watch.seen)
    if device == "cuda":
        return Costs(seconds, size, num_workers=1, speeds={1: 1.0}, start_seconds=start)
    speeds = _speeds()
    return Costs(seconds, size, _enough(speeds), speeds, start)


@dataclass
class _Watch:
    """Trains fleets and notes the duration of each phase."""

    device: str
    seen: list[tuple[Amounts, float]] = field(default_factory=list)

    def now(self) -> float:
        if self.device == "cpu":
            return time.process_time()
        import torch

        torch.cuda.synchronize()
        return time.perf_counter()

    def train(self, run: RunConfig, size: int) -> float:
        """Train a fleet of such runs, save it, and return the duration of one step."""
        from relu_exp.engine.training import train_fleet

        fleet = new_fleet(run, size, _RUNS_A_SEED[self.device])
        reads = [(0, self.now())]
        tables = train_fleet(fleet.runs, self.device, lambda step: reads.append((step, self.now())))
        # steps are taken in a row, as in any training, and observed ones each by itself
        rows = {
            begin: (end - begin, after - before)
            for (begin, before), (end, after) in itertools.pairwise(reads)
        }
        observed = {0, *run.evaluation_steps, *run.probe_steps}
        others = [row for begin, row in rows.items() if begin not in observed]
        step = sum(seconds for _, seconds in others) / sum(number for number, _ in others)
        self.note(fleet, "step", step)
        number, seconds = rows[0]
        self.note(fleet, "start", seconds - number * step)
        for phase, steps in (("evaluation", run.evaluation_steps), ("probe", run.probe_steps)):
            for observed_step in steps:
                self.note(fleet, phase, rows[observed_step][1] - step)
        with tempfile.TemporaryDirectory() as folder:
            began = self.now()
            Store(Path(folder)).write_part(fleet.fleet_id, tables | {"runs": {}})
            self.note(fleet, "save", self.now() - began)
        return step

    def note(self, fleet: Fleet, phase: str, seconds: float) -> None:
        self.seen.append((PHASES[phase](fleet), max(seconds, 1e-6)))


def _best_size(watch: _Watch) -> int:
    """Return the number of runs per fleet beyond which more would hardly help."""
    from relu_exp.engine.training import READ_LOSSES_EVERY

    num_steps = 2 * READ_LOSSES_EVERY[watch.device]
    unobserved = {"evaluation_steps": (), "probe_steps": (), "num_steps": num_steps}
    shapes = [sample_run(**unobserved), sample_run(**unobserved, dataset="digits", width=32)]
    room = room_for_fleet(watch.device, num_cores())
    largest = math.inf if room is None else room / bytes_of(shapes[0])
    sizes = [size for size in _SIZES[watch.device] if size <= largest] or [1]
    taken = [{size: watch.train(run, size) / size for size in sizes} for run in shapes]
    return _enough({n: sum(min(each.values()) / each[n] for each in taken) for n in sizes})


def _enough(rates: Mapping[int, float]) -> int:
    """Return the smallest number whose rate is nearly the best."""
    best = max(rates.values())
    return min(number for number, rate in rates.items() if rate >= _ENOUGH * best)


def _solved(seen: Sequence[tuple[Amounts, float]]) -> dict[str, float]:
    """Return the seconds per unit of each kind of work that fit the measured times best.

    Least squares of relative errors, so that small fleets count as much as large ones, with no
    negative seconds.
    """
    import numpy as np
    from scipy.optimize import nnls

    kinds = sorted({kind for amounts, _ in seen for kind in amounts})
    rows = np.array([[amounts.get(kind, 0) / taken for kind in kinds] for amounts, taken in seen])
    largest = np.maximum(rows.max(axis=0), 1e-300)
    solution, _ = nnls(rows / largest, np.ones(len(seen)))
    return dict(zip(kinds, (solution / largest).tolist(), strict=True))


def _speeds() -> dict[int, float]:
    """Return the speedup of several processes over one: one per core, and one per real core.

    Two processes that share a real core each take more processor time.
    """
    counts = sorted({1, machine.num_real_cores(), num_cores()})
    alone, *_ = times = [statistics.mean(_side_by_side(count)) for count in counts]
    return {count: count * alone / each for count, each in zip(counts, times, strict=True)}


def _side_by_side(count: int) -> list[float]:
    """Return the duration of a step in each of `count` processes that train at the same time."""
    context = processes()
    barrier = context.Barrier(count)
    workers, pipes = [], []
    try:
        for _ in range(count):
            ours, theirs = multiprocessing.Pipe(duplex=False)
            worker = context.Process(target=_train_beside, args=(theirs, barrier), daemon=True)
            start(worker)
            theirs.close()
            workers.append(worker)
            pipes.append(ours)
        return [float(pipe.recv()) for pipe in pipes]
    finally:
        for worker in workers:
            worker.kill()
            worker.join()


def _train_beside(pipe: Connection, barrier: Barrier) -> None:
    """Train at the same time as the others, and send the duration of a step."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    run = sample_run(dataset="digits")
    with ready(FleetJob(Path(), "", "cpu")):
        watch = _Watch("cpu")
        watch.train(run, 2)
        barrier.wait(_WAIT_SECONDS)
        pipe.send(statistics.median(watch.train(run, FLEET_SIZES["cpu"]) for _ in range(3)))
