"""Where the time of a fleet goes: its start, updates, observations and tables, in one process.

Of the updates it tells what their matrix products would take at the rate of large ones; the rest is
that small products are slower, and activations, slopes, losses and Python.

python -m benchmarks.phases [--device cpu] [--work W1,W2,W3] [--activation relu] [--size 16]
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.child import single_threaded
from benchmarks.device import synchronize
from benchmarks.peers.fleet import configurations
from benchmarks.records import RESULTS, save
from benchmarks.rounds import ceiling
from benchmarks.work import ACTIVATIONS, NUM_STEPS, WORKS, prepare
from relu_exp.core.schema import RunConfig
from relu_exp.engine import training
from relu_exp.engine.fleet.compiled_mlp import CompiledMlp
from relu_exp.engine.probes.observing import Observer
from relu_exp.launchers import task
from relu_exp.launchers.processes import processes
from relu_exp.launchers.task import FleetJob
from relu_exp.planning.fleets import FLEET_SIZES, Fleet
from relu_exp.results.store import Store

PHASES: tuple[tuple[str, Any, str], ...] = (
    ("start: weights, data", training._FleetTrainer, "__init__"),
    ("theory's predictions", Observer, "predict"),
    ("updates", training._FleetTrainer, "_take_steps"),
    ("updates at which networks are observed", training._FleetTrainer, "_begin_step"),
    ("updates at which networks are observed", training._FleetTrainer, "_update"),
    ("updates at which networks are observed", CompiledMlp, "backward"),
    ("evaluations", Observer, "_evaluate"),
    ("probes", Observer, "_probe"),
    ("search for dead units", Observer, "_search_dead_units"),
    ("sizes of updates", Observer, "compare"),
    ("tables to Parquet", task, "_save"),
)
"""Where each phase is computed; what a phase calls counts as that phase."""


class Watch:
    """Adds up the seconds of each phase while it is in use."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.seconds = dict.fromkeys((name for name, *_ in PHASES), 0.0)
        self.num_updates = 0
        self.phase = ""

    def __enter__(self) -> Watch:
        self.before = [(place, name, getattr(place, name)) for _, place, name in PHASES]
        for phase, place, name in PHASES:
            setattr(place, name, self._timed(phase, getattr(place, name)))
        return self

    def __exit__(self, *_: object) -> None:
        for place, name, function in self.before:
            setattr(place, name, function)

    def _timed(self, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **keys: Any) -> Any:
            if self.phase:
                return function(*args, **keys)
            synchronize(self.device)
            self.phase, began, step = phase, time.perf_counter(), getattr(args[0], "step", 0)
            try:
                return function(*args, **keys)
            finally:
                synchronize(self.device)
                self.phase = ""
                if phase == "updates":
                    self.num_updates += len(args[0].alive) * (args[0].step - step)
                self.seconds[phase] += time.perf_counter() - began

        return call


def train(runs: list[RunConfig], device: str) -> float:
    """Train and save a fleet as a worker does, and return the seconds."""
    with tempfile.TemporaryDirectory() as place:
        job = FleetJob(Path(place), "benchmark", device)
        Store(job.results).open()
        began = time.perf_counter()
        task.train_and_save(Fleet(tuple(runs)), job, lambda step: None)
        synchronize(device)
        return time.perf_counter() - began


def at_ceiling(runs: list[RunConfig], num_updates: int) -> float:
    """Return the seconds that the products of so many updates would take at the machine's ceiling.

    A product skips the features that are background in all samples of a minibatch.
    """
    trainer = training._FleetTrainer(runs, "cpu")
    x = trainer.batches.at(trainer.seeds, trainer._indices(0))
    active = x.num_active_features or (x.inputs.shape[1],)
    first, *others = (math.prod(layer.shape) for layer in trainer.stack.layers)
    share = sum(active) / len(active) / x.inputs.shape[1]
    # outputs, and gradients by weights and by inputs, the first layer's but these
    products = 2 * share * first + 3 * sum(others)
    gigaflop = 2 * products * x.inputs.shape[2] * num_updates / 1e9
    return gigaflop / ceiling(num_threads=1)


def worker_start() -> float:
    """Return the seconds until a worker process has started, with torch loaded by the server."""
    for _ in range(2):
        began = time.perf_counter()
        process = processes().Process(target=time.perf_counter)
        process.start()
        process.join()
    return time.perf_counter() - began


def fleet(work: str, activation: str, size: int, num_steps: int) -> list[RunConfig]:
    """Return the first runs of a work with an activation, those of a seed side by side."""
    every = configurations(WORKS[work], num_steps)
    found = [run for run in every.values() if run.activation.name == activation]
    return sorted(found, key=lambda run: run.seed)[:size]


def measure(work: str, options: argparse.Namespace) -> dict[str, float]:
    """Return the seconds of each phase of the second fleet; the first loads code and data."""
    runs = fleet(work, options.activation, options.size, options.steps)
    train(runs, options.device)
    with Watch(options.device) as watch:
        total = train(runs, options.device)
    found = dict(watch.seconds)
    if options.device == "cpu":
        updates = found.pop("updates")
        ideal = at_ceiling(runs, watch.num_updates)
        found = {
            "updates: products at the ceiling": ideal,
            "updates: the rest": updates - ideal,
            **found,
        }
    rest = total - sum(found.values())
    return {**found, "the rest": rest, "all": total, "a worker's start": worker_start()}


def markdown(found: dict[str, dict[str, float]]) -> str:
    """Return the table: a line for each phase, seconds and shares by work."""
    lines = [f"| phase | {' | '.join(found)} |", f"| --- |{' --- |' * len(found)}"]
    for phase in next(iter(found.values())):
        cells = [f"{one[phase]:.2f} s, {one[phase] / one['all']:.0%}" for one in found.values()]
        lines.append(f"| {phase} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure, print the table and save it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--work", default="W1,W2,W3", help=f"of {', '.join(WORKS)}")
    parser.add_argument("--activation", choices=ACTIVATIONS, default="relu")
    parser.add_argument("--size", type=int, help="runs of the fleet")
    parser.add_argument("--steps", type=int, default=NUM_STEPS)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    options.size = options.size or FLEET_SIZES[options.device]
    options.out = options.out or RESULTS / f"phases-{options.device}.json"
    prepare()
    single_threaded()
    found = {work: measure(work, options) for work in options.work.split(",")}
    device = torch.cuda.get_device_name() if options.device == "cuda" else "cpu"
    save(options.out, markdown(found), {"device": device, "seconds": found})


if __name__ == "__main__":
    main()
