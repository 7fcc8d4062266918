"""One fleet, one task: train it, save what came out, tell how it went. All launchers share this."""

from __future__ import annotations

import gc
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from relu_exp.core.registry import load_plugins
from relu_exp.core.schema import TABLES, RunConfig, Status, UsageError
from relu_exp.planning.plan import Fleet
from relu_exp.results.store import Columns, Store

if TYPE_CHECKING:
    from relu_exp.engine.checkpoints import Checkpointer

__all__ = [
    "CHECKPOINT_SECONDS",
    "Engine",
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
_WANT = ("can't allocate memory", "not enough memory", "ALLOC_FAILED")

CHECKPOINT_SECONDS = 60.0
"""Time between two checkpoints of a fleet, unless the configuration says otherwise."""

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
    checkpoint_seconds: float | None = None
    """Time between two checkpoints of a fleet, as far as they are cheap; None: there are none."""


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
    engine = Engine(mission)
    tables = _train(fleet.runs, mission.device, on_step, train or engine.train)
    outcome = _save(fleet, mission, tables)
    engine.drop_checkpoints()
    return outcome


@dataclass
class Engine:
    """What trains unless told otherwise: the engine, with a checkpoint now and then."""

    mission: Mission
    checkpointers: list[Checkpointer] = field(default_factory=list)

    def train(self, runs: Sequence[RunConfig], device: str, on_step: OnStep) -> Tables:
        """Train runs, from their checkpoint where there is one."""
        from relu_exp.engine import training

        if self.mission.checkpoint_seconds is None:
            return training.train_fleet(runs, device, on_step)
        from relu_exp.engine.checkpoints import Checkpointer

        # half a fleet, after an error, is one of its own
        path = Store(self.mission.results).checkpoints / f"{Fleet(tuple(runs)).fleet_id}.pt"
        checkpointer = Checkpointer(path, self.mission.checkpoint_seconds)
        self.checkpointers.append(checkpointer)
        return training.train_fleet(runs, device, on_step, checkpointer)

    def drop_checkpoints(self) -> None:
        """Forget what the saved part has made needless."""
        for checkpointer in self.checkpointers:
            checkpointer.delete()


def write_off(fleet: Fleet, mission: Mission, reason: str) -> Outcome:
    """Write a part that says of each run that it was interrupted, and why."""
    return _save(fleet, mission, _unfinished(fleet.runs, mission.device, "interrupted", reason))


def _train(runs: Sequence[RunConfig], device: str, on_step: OnStep, train: Trainer) -> Tables:
    """Train runs; those that raise an exception become failed rows, and the others are kept.

    Halving finds the runs at fault, and where memory was short it also finds the room. A run that
    has too little of memory or disk even alone is none that failed: another day it may not.
    """
    try:
        return train(runs, device, on_step)
    except UsageError:
        raise
    except Exception as error:
        if len(runs) == 1:
            status: Status = "interrupted" if _is_want(error) else "failed"
            return _unfinished(runs, device, status, traceback.format_exc())
    # the exception is gone and with it the frames that held the fleet's tensors; what they form
    # circles with, and what the GPU's allocator keeps for later, is room for the halves too
    _make_room(device)
    middle = len(runs) // 2
    first = _train(runs[:middle], device, on_step, train)
    return _joined(first, _train(runs[middle:], device, on_step, train))


def _is_want(error: Exception) -> bool:
    """Return whether an error says that the machine was short of something."""
    import torch

    if isinstance(error, (MemoryError, OSError, torch.OutOfMemoryError)):
        return True
    # what torch raises on a CPU has no type of its own
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _WANT)


def _make_room(device: str) -> None:
    gc.collect()
    if device == "cuda":
        import torch

        torch.cuda.empty_cache()


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
