"""One fleet, one task: train it, save what came out, tell how it went. All launchers share this."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from relu_exp.plan import Fleet
from relu_exp.registry import load_plugins
from relu_exp.schema import TABLES, RunConfig, Status, UsageError
from relu_exp.store import Columns, Store

__all__ = [
    "Mission",
    "Outcome",
    "Tables",
    "Trainer",
    "outcome_of",
    "ready",
    "see_through",
    "write_off",
]

Tables: TypeAlias = Mapping[str, Columns]
OnStep: TypeAlias = Callable[[int], None]
Trainer: TypeAlias = Callable[[Sequence[RunConfig], str, OnStep], Tables]
"""Trains runs on a device, tells the step it is at, and returns every table but two columns."""


@dataclass(frozen=True)
class Mission:
    """What the fleets of one command share: plain data that travels to any process or machine."""

    results: Path
    session: str
    device: str
    plugins: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How a fleet went: how many runs reached which status, and why some did not finish."""

    fleet: Fleet
    counts: Mapping[Status, int]
    reasons: tuple[str, ...] = ()


@contextmanager
def ready(mission: Mission) -> Iterator[None]:
    """Make this process fit for training, for a while: one thread on a CPU, denormals flushed.

    With one thread a run's numbers are bit for bit the same at every fleet size.

    Raises:
        UsageError: a plugin cannot be imported.
    """
    import torch

    load_plugins(mission.plugins)
    threads = torch.get_num_threads()
    if mission.device == "cpu":
        torch.set_num_threads(1)
    # values that shrink towards zero, as in a badly initialized network, would slow a CPU down
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)


def see_through(
    fleet: Fleet, mission: Mission, on_step: OnStep, train: Trainer | None = None
) -> Outcome:
    """Train a fleet and write its part.

    Args:
        fleet: the runs to train.
        mission: where to, and on which device.
        on_step: called with the step the fleet is at.
        train: what trains; the engine unless given.

    Raises:
        UsageError: a data set is not there, or the results cannot be written.
    """
    if train is None:
        from relu_exp.engine.training import train_fleet

        train = train_fleet
    tables = _train(fleet.runs, mission.device, on_step, train)
    return _save(fleet, mission, tables)


def write_off(fleet: Fleet, mission: Mission, reason: str) -> Outcome:
    """Write a part that says of each run that it was interrupted, and why."""
    return _save(fleet, mission, _unfinished(fleet.runs, mission.device, "interrupted", reason))


def _train(runs: Sequence[RunConfig], device: str, on_step: OnStep, train: Trainer) -> Tables:
    """Train runs; those that raise an exception become failed rows, and the others are kept.

    Halving finds the runs at fault, and where memory was short it also finds the room.
    """
    try:
        return train(runs, device, on_step)
    except UsageError:
        raise
    except Exception:
        if len(runs) == 1:
            return _unfinished(runs, device, "failed", traceback.format_exc())
    middle = len(runs) // 2
    first = _train(runs[:middle], device, on_step, train)
    return _joined(first, _train(runs[middle:], device, on_step, train))


def _joined(first: Tables, second: Tables) -> Tables:
    return {
        table: {
            column: [*first.get(table, {}).get(column, ()), *second.get(table, {}).get(column, ())]
            for column in columns
        }
        for table, columns in TABLES.items()
    }


def _unfinished(runs: Sequence[RunConfig], device: str, status: Status, error: str) -> Tables:
    rows: list[dict[str, Any]] = [
        {**run.as_row(), "status": status, "error": error, "device": device} for run in runs
    ]
    return {"runs": {column: [row.get(column) for row in rows] for column in TABLES["runs"]}}


def _save(fleet: Fleet, mission: Mission, tables: Tables) -> Outcome:
    runs = dict(tables["runs"])
    runs["fleet_id"] = [fleet.fleet_id] * len(fleet.runs)
    runs["session"] = [mission.session] * len(fleet.runs)
    Store(mission.results).write_part(fleet.fleet_id, {**tables, "runs": runs})
    return outcome_of(fleet, runs)


def outcome_of(fleet: Fleet, runs: Columns) -> Outcome:
    """Return how a fleet went, by the rows of its runs."""
    # the last line of a traceback names the error; the whole of it is in the table
    reasons = {error.strip().splitlines()[-1]: None for error in runs["error"] if error}
    return Outcome(fleet, dict(Counter(runs["status"])), tuple(reasons))
