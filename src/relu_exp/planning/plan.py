"""The plan: groups the runs that are due into fleets, and estimates their work and disk space."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from relu_exp.core.run_keys import RUN_KEYS
from relu_exp.core.schema import HISTOGRAM_BINS, QUANTITIES, SPLITS, RunConfig
from relu_exp.planning.memory import bytes_of

__all__ = [
    "FLEET_SIZES",
    "TYPICAL_RATE",
    "Fleet",
    "Plan",
    "flops",
    "num_bytes",
    "num_rows",
    "plan",
    "shape",
]

FLEET_SIZES = {"cpu": 16, "cuda": 256}
"""Default runs per fleet by device, used if this machine was not measured."""

TYPICAL_RATE = {"cpu": 4e10, "cuda": 5e12}
"""Typical operations per second by device; off by a factor of two or three."""

_OVERHEAD_FLOPS = 2e7
"""Fixed cost of a layer at every step of a fleet: a guess, good enough to compare fleets on a
machine that was not measured."""

_SEARCHED = 0.2
"""Average share of the training set that a search for dead units sees; most runs need none."""

_BYTES_PER_ROW = {"curves": 8, "layers": 5, "histograms": 100}
_BYTES_PER_FLEET = 25_000
"""Compressed Parquet, as measured on the default experiment."""


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
    def flops(self) -> float:
        """Floating-point operations of all its runs."""
        return len(self.runs) * flops(self.runs[0])

    @cached_property
    def num_layer_steps(self) -> int:
        """Layers times steps, probes and evaluations: the number of small operations."""
        # loads torch
        from relu_exp.engine.networks import layers_of

        run = self.runs[0]
        num_steps = run.num_steps + len(run.probe_steps) + len(run.evaluation_steps)
        return len(layers_of(run)) * num_steps

    @property
    def cost(self) -> float:
        """Work of training, in floating-point operations of a typical core."""
        return self.flops + _OVERHEAD_FLOPS * self.num_layer_steps


@dataclass(frozen=True)
class Plan:
    """Fleets to train, the longest first, and the number of runs that are finished."""

    fleets: tuple[Fleet, ...]
    num_runs: int
    num_finished: int

    @property
    def num_due(self) -> int:
        """Runs to train."""
        return self.num_runs - self.num_finished


def plan(
    runs: Sequence[RunConfig],
    finished: Collection[str],
    fleet_size: int,
    num_workers: int = 1,
    under_way: Iterable[Sequence[str]] = (),
    room: float | None = None,
) -> Plan:
    """Return the fleets that train every run not yet finished.

    Runs train together if they differ only in initializer, learning rate, seed or numeric settings
    of the activation. Runs of one seed are adjacent, because they share their minibatches.

    Args:
        runs: every run of the sweep.
        finished: the run_ids that need no training.
        fleet_size: most runs per fleet.
        num_workers: fleets become smaller if that keeps all workers busy.
        under_way: the run_ids of fleets that have a checkpoint: if all of them are still due, the
            fleet continues unchanged, before all others.
        room: bytes of memory that a fleet may take; None: no limit.
    """
    due = {run.run_id: run for run in runs if run.run_id not in finished}
    num_due = len(due)
    begun = [
        Fleet(tuple(due.pop(run_id) for run_id in run_ids))
        for run_ids in under_way
        if all(run_id in due for run_id in run_ids)
        and len({shape(due[run_id]) for run_id in run_ids}) == 1
    ]
    groups: dict[Hashable, list[RunConfig]] = {}
    for run in due.values():
        groups.setdefault(shape(run), []).append(run)
    size = max(1, min(fleet_size, math.ceil(len(due) / num_workers)))
    fleets = [
        fleet for group in groups.values() for fleet in _cut(group, _fitting(size, group[0], room))
    ]
    # longest first: if a long fleet started last, the other workers would wait for it
    fleets.sort(key=lambda fleet: -fleet.cost)
    return Plan((*begun, *fleets), num_runs=len(runs), num_finished=len(runs) - num_due)


def _fitting(size: int, run: RunConfig, room: float | None) -> int:
    """Return how many runs of one shape fit into memory, at most `size` and at least one."""
    return size if room is None else max(1, min(size, int(room / bytes_of(run))))


def shape(run: RunConfig) -> Hashable:
    """Return what must be equal for two runs to train as one tensor program."""
    words = tuple(
        (key, None if _is_number(value) else value) for key, value in run.activation.settings
    )
    return (
        run.activation.name,
        words,
        run.network,
        run.dataset,
        run.optimizer,
        *(getattr(run, name) for name, key in RUN_KEYS.items() if not key.may_differ),
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _cut(group: Iterable[RunConfig], size: int) -> list[Fleet]:
    """Return the group as fleets of at most `size` runs, whose sizes differ by at most one."""
    runs = sorted(group, key=lambda run: run.seed)
    count = math.ceil(len(runs) / size)
    edges = [len(runs) * index // count for index in range(count + 1)]
    return [Fleet(tuple(runs[a:b])) for a, b in pairwise(edges)]


def flops(run: RunConfig) -> float:
    """Return the floating-point operations of a run.

    A training step costs three forward passes (forward, gradient by inputs, gradient by weights),
    and the first layer skips one of them. A probe does the same on its batch; an evaluation sees
    parts of all splits; together with a probe it also searches training samples for dead units.
    """
    from relu_exp.engine.data.datasets import shape_of
    from relu_exp.engine.fleet.batches import TRAIN_EVALUATION_SAMPLES
    from relu_exp.engine.networks import forward_flops, layers_of

    num_train = shape_of(run.dataset).num_train
    forward = forward_flops(run)
    first = layers_of(run)[0]
    learning = 3 * forward - 2 * math.prod(first.shape) * first.positions
    num_learned = run.batch_size * run.num_steps + run.probe_samples * len(run.probe_steps)
    # validation and test splits together are about a third of the training set
    evaluated = num_train / 3 + min(num_train, TRAIN_EVALUATION_SAMPLES)
    num_searches = len(set(run.probe_steps) & set(run.evaluation_steps))
    num_seen = evaluated * len(run.evaluation_steps) + _SEARCHED * num_train * num_searches
    return float(learning * num_learned + forward * num_seen)


def num_bytes(fleets: Iterable[Fleet]) -> int:
    """Return the disk space that fleets will take."""
    return sum(_num_bytes(fleet) for fleet in fleets)


def num_rows(run: RunConfig) -> dict[str, int]:
    """Return the number of rows of a run in the tables that have many."""
    from relu_exp.engine.networks import layers_of

    layer_probes = (len(layers_of(run)) - 1) * len(run.probe_steps)
    return {
        "curves": run.num_steps + len(run.evaluation_steps) * (len(SPLITS) - 1),
        "layers": layer_probes * len(QUANTITIES),
        "histograms": layer_probes * len(HISTOGRAM_BINS),
    }


def _num_bytes(fleet: Fleet) -> int:
    per_run = sum(count * _BYTES_PER_ROW[table] for table, count in num_rows(fleet.runs[0]).items())
    return _BYTES_PER_FLEET + len(fleet.runs) * per_run
