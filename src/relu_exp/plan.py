"""The plan: what is finished, what is due, which runs sail together, what it will cost."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from relu_exp.schema import HISTOGRAM_BINS, QUANTITIES, SPLITS, RunConfig

__all__ = ["FLEET_SIZES", "Estimate", "Fleet", "Plan", "cost", "estimate", "plan"]

FLEET_SIZES = {"cpu": 16, "cuda": 256}
"""Runs a fleet, by device: as many as still gain from being stacked."""

EFFICIENCY = {"cpu": 0.25, "cuda": 0.05}
"""Share of a large matrix product's rate that a fleet's training reaches, measurements included."""

_BYTES_PER_ROW = {"curves": 12, "layers": 9, "histograms": 90}
"""Compressed, as measured on the default experiment."""


@dataclass(frozen=True)
class Fleet:
    """Runs of equal shape that train together as one tensor program."""

    runs: tuple[RunConfig, ...]

    @cached_property
    def fleet_id(self) -> str:
        """16 hexadecimal digits of the SHA-256 of its run_ids: the name of its part."""
        words = ",".join(run.run_id for run in self.runs)
        return hashlib.sha256(words.encode()).hexdigest()[:16]

    @property
    def num_steps(self) -> int:
        """Updates of each of its runs."""
        return self.runs[0].num_steps

    @cached_property
    def cost(self) -> float:
        """Floating-point operations of all its runs."""
        return len(self.runs) * cost(self.runs[0])


@dataclass(frozen=True)
class Plan:
    """Fleets to train, the longest first, beside what needs no training any more."""

    fleets: tuple[Fleet, ...]
    num_runs: int
    num_finished: int

    @property
    def num_due(self) -> int:
        """Runs to train."""
        return self.num_runs - self.num_finished


@dataclass(frozen=True)
class Estimate:
    """What a plan will take."""

    seconds: float
    num_bytes: int


def plan(
    runs: Sequence[RunConfig],
    finished: Collection[str],
    fleet_size: int,
    num_workers: int = 1,
) -> Plan:
    """Return the fleets that train every run not yet finished.

    Runs sail together when only initializer, learning rate, seed or numbers of their activation
    differ. Those of one seed lie side by side, because they share their minibatches.

    Args:
        runs: every run that is asked for.
        finished: the run_ids that need no training.
        fleet_size: runs a fleet at most.
        num_workers: fleets become smaller where that keeps all workers busy.
    """
    due = [run for run in runs if run.run_id not in finished]
    groups: dict[Hashable, list[RunConfig]] = {}
    for run in due:
        groups.setdefault(_shape(run), []).append(run)
    size = max(1, min(fleet_size, math.ceil(len(due) / num_workers)))
    fleets = [fleet for group in groups.values() for fleet in _cut(group, size)]
    # a long fleet that starts last would keep one worker busy while the others wait
    fleets.sort(key=lambda fleet: -fleet.cost)
    return Plan(tuple(fleets), num_runs=len(runs), num_finished=len(runs) - len(due))


def _shape(run: RunConfig) -> Hashable:
    """Return what must be equal for two runs to be one tensor program."""
    words = tuple(
        (key, None if _is_number(value) else value) for key, value in run.activation.settings
    )
    return (
        run.activation.name,
        words,
        run.network,
        run.dataset,
        run.optimizer,
        run.depth,
        run.width,
        run.batch_size,
        run.num_steps,
        run.probe_steps,
        run.probe_samples,
        run.evaluation_steps,
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _cut(group: Iterable[RunConfig], size: int) -> list[Fleet]:
    """Return the group as fleets of at most `size` runs, equal within one run: no small tail."""
    runs = sorted(group, key=lambda run: run.seed)
    count = math.ceil(len(runs) / size)
    edges = [len(runs) * index // count for index in range(count + 1)]
    return [Fleet(tuple(runs[a:b])) for a, b in pairwise(edges)]


def cost(run: RunConfig) -> float:
    """Return the floating-point operations of a run.

    A training step costs about three forward passes (forward, gradient by inputs, gradient by
    weights), and so does a probe, which also looks at every training sample for dead units.
    """
    # torch loads with the engine: only who plans waits for it
    from relu_exp.engine.datasets import shape_of
    from relu_exp.engine.networks import forward_flops

    num_train = shape_of(run.dataset).num_train
    samples = 3 * run.batch_size * run.num_steps
    samples += len(run.probe_steps) * (3 * run.probe_samples + num_train)
    # validation and test splits together are about as large as a third of the training set
    samples += len(run.evaluation_steps) * num_train * 4 // 3
    return float(forward_flops(run)) * samples


def estimate(fleets: Sequence[Fleet], device: str, num_workers: int) -> Estimate:
    """Return the time and the disk that fleets will take, from a short measurement of this machine.

    Args:
        fleets: what is due.
        device: `cpu` or `cuda`.
        num_workers: fleets that train at the same time.
    """
    if not fleets:
        return Estimate(0.0, 0)
    rate = _flops_per_second(device) * EFFICIENCY[device]
    total = sum(fleet.cost for fleet in fleets)
    # never faster than its longest fleet on one worker
    seconds = max(total / num_workers, fleets[0].cost) / rate
    num_bytes = sum(len(fleet.runs) * _bytes_of(fleet.runs[0]) for fleet in fleets)
    return Estimate(seconds, num_bytes)


def _bytes_of(run: RunConfig) -> int:
    from relu_exp.engine.networks import layers_of

    num_hidden = sum(layer.is_used for layer in layers_of(run)) - 1
    layer_probes = num_hidden * len(run.probe_steps)
    rows = {
        "curves": run.num_steps + len(run.evaluation_steps) * (len(SPLITS) - 1),
        "layers": layer_probes * len(QUANTITIES),
        "histograms": layer_probes * len(HISTOGRAM_BINS),
    }
    return sum(count * _BYTES_PER_ROW[table] for table, count in rows.items())


def _flops_per_second(device: str, seconds: float = 0.3) -> float:
    """Return the rate of one worker's stacked matrix products, measured for a moment."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        runs, units, batch = FLEET_SIZES[device], 256, 128
        weights = torch.ones(runs, units, units, device=device)
        inputs = torch.ones(runs, units, batch, device=device)
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            torch.bmm(weights, inputs).sum().item()  # .item() waits for the device
            count += 1
        return count * 2.0 * runs * units * units * batch / (time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
