"""Where the time of a fleet goes: its start, updates, observations and tables, in one process.

The matrix products of the updates are timed by themselves, on the same shapes and as many runs as
were alive; what the updates take beside them is elementwise: activations, slopes, losses, Python.

python -m benchmarks.phases [--device cpu] [--work W1,W2,W3] [--activation relu] [--size 16]
"""

from __future__ import annotations

import argparse
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
from benchmarks.work import ACTIVATIONS, NUM_STEPS, WORKS, prepare
from relu_exp.core.schema import RunConfig
from relu_exp.engine import training
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
    ("evaluations", Observer, "_evaluate"),
    ("probes", Observer, "_probe"),
    ("search for dead units", Observer, "_search_dead_units"),
    ("sizes of updates", Observer, "compare"),
    ("tables to Parquet", task, "_save"),
)
"""Phases that do not contain each other: where each is computed."""


class Watch:
    """Adds up the seconds of each phase while it is in use."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.seconds = dict.fromkeys((name for name, *_ in PHASES), 0.0)
        self.num_updates = 0

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
            synchronize(self.device)
            began, step = time.perf_counter(), getattr(args[0], "step", 0)
            try:
                return function(*args, **keys)
            finally:
                synchronize(self.device)
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


def products(runs: list[RunConfig], num_updates: int, rounds: int = 10) -> float:
    """Return the seconds of the products of so many updates of a run, one after the other."""
    trainer = training._FleetTrainer(runs, "cpu")
    x = trainer.batches.at(trainer.seeds, trainer._indices(0))
    weights = [W.detach() for W in trainer.stack.weights]
    active = x.num_active_features or (x.inputs.shape[1],) * len(x.sizes)
    group = [group for group, size in enumerate(x.sizes) for _ in range(size)]
    layers = [torch.zeros(W.shape[1], x.inputs.shape[2]) for W in weights]
    samples = [x.inputs[own, : active[own]] for own in range(len(x.sizes))]

    def a_step() -> None:
        for run, own in enumerate(group):
            inputs = [samples[own], *layers[:-1]]
            each = [
                W[run] if index else W[run, :, : active[own]] for index, W in enumerate(weights)
            ]
            for W, h, a in zip(each, inputs, layers, strict=True):
                torch.mm(W, h, out=a)
            for index in reversed(range(len(each))):
                if index:
                    torch.mm(each[index].T, layers[index], out=layers[index - 1])
                each[index].addmm_(layers[index], inputs[index].T, alpha=-1e-9)

    a_step()
    began = time.perf_counter()
    for _ in range(rounds):
        a_step()
    return (time.perf_counter() - began) / rounds / len(runs) * num_updates


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
        alone = min(updates, products(runs, watch.num_updates))
        found = {"updates: products": alone, "updates: all else": updates - alone, **found}
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
