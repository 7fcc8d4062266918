"""The plan: groups the runs that are due into fleets, and estimates their work and disk space."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from relu_exp.core.schema import RunConfig
from relu_exp.planning.costs import Costs, fleet_seconds
from relu_exp.planning.fleets import Fleet, shape, suitable_size
from relu_exp.planning.memory import bytes_of

__all__ = ["Plan", "plan"]


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
    costs: Costs | None = None,
    *,
    grows: bool = False,
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
        costs: those of the machine, or typical ones: the longest fleets come first.
        grows: whether fleets of small networks have more runs than `fleet_size`.
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
    fair = max(1, math.ceil(len(due) / num_workers))
    fleets = []
    for group in groups.values():
        size = suitable_size(group[0], fleet_size) if grows else fleet_size
        fleets += _cut(group, _fitting(min(size, fair), group[0], room))
    # longest first: if a long fleet started last, the other workers would wait for it
    seconds = fleet_seconds(fleets, costs)
    fleets = [fleets[at] for at in sorted(range(len(fleets)), key=lambda at: -seconds[at])]
    return Plan((*begun, *fleets), num_runs=len(runs), num_finished=len(runs) - num_due)


def _fitting(size: int, run: RunConfig, room: float | None) -> int:
    """Return how many runs of one shape fit into memory, at most `size` and at least one."""
    return size if room is None else max(1, min(size, int(room / bytes_of(run))))


def _cut(group: Iterable[RunConfig], size: int) -> list[Fleet]:
    """Return the group as fleets of at most `size` runs, whose sizes differ by at most one."""
    runs = sorted(group, key=lambda run: run.seed)
    count = math.ceil(len(runs) / size)
    edges = [len(runs) * index // count for index in range(count + 1)]
    return [Fleet(tuple(runs[a:b])) for a, b in pairwise(edges)]
