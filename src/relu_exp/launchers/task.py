"""Training and saving one fleet, the part that all launchers share."""

from __future__ import annotations

import gc
import json
import platform
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from relu_exp.core.lines import last_line
from relu_exp.core.plugin_loading import load_plugins
from relu_exp.core.schema import TABLES, RunConfig, Status, UsageError
from relu_exp.planning.fleets import Fleet
from relu_exp.results.provenance import differences, fingerprint
from relu_exp.results.store import Columns, Store

if TYPE_CHECKING:
    from relu_exp.engine.checkpoints import Checkpointer

__all__ = [
    "CHECKPOINT_SECONDS",
    "Engine",
    "FleetJob",
    "Outcome",
    "Tables",
    "Trainer",
    "check_code",
    "code_of_runs",
    "free_memory",
    "mark_lost",
    "outcome_of",
    "ready",
    "train_and_save",
]

Tables: TypeAlias = Mapping[str, Columns]
_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "ALLOC_FAILED")

CHECKPOINT_SECONDS = 60.0
"""Time between two checkpoints of a fleet, unless configured."""

OnStep: TypeAlias = Callable[[int], None]
Trainer: TypeAlias = Callable[[Sequence[RunConfig], str, OnStep], Tables]
"""Trains runs on a device, reports each step, and returns all tables; `runs` may lack
`fleet_id`, `session` and `made_from`."""


@dataclass(frozen=True)
class FleetJob:
    """Settings that all fleets of one command share; can be sent to any process or machine."""

    results: Path
    session: str
    device: str
    plugins: tuple[str, ...] = ()
    checkpoint_seconds: float | None = None
    """Minimum time between two checkpoints of a fleet; None: no checkpoints."""


@dataclass(frozen=True)
class Outcome:
    """The number of runs of a fleet with each status, and why some did not finish."""

    fleet: Fleet
    counts: Mapping[Status, int]
    reasons: tuple[str, ...] = ()


@contextmanager
def ready(job: FleetJob) -> Iterator[None]:
    """Prepare this process for training within the context: one CPU thread, denormals flushed.

    With one thread a run's numbers are the same, bit for bit, at every fleet size.

    Raises:
        UsageError: a plugin cannot be imported.
    """
    import torch

    load_plugins(job.plugins)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    # denormal numbers, which badly initialized networks produce, would slow a CPU down
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)


def code_of_runs(fleets: Iterable[Fleet], job: FleetJob) -> dict[str, str]:
    """Return the digests of all code here that makes the runs of fleets: the engine's and plugins'.

    Raises:
        UsageError: a plugin cannot be imported.
    """
    from relu_exp.engine.made_from import plugins_of

    load_plugins(job.plugins)
    found = fingerprint()
    for fleet in fleets:
        for run in fleet.runs:
            found.update(plugins_of(run))
    return found


def check_code(fleets: Iterable[Fleet], job: FleetJob, expected: Mapping[str, str]) -> None:
    """Check on a node that fleets are made here by the driver's code.

    Args:
        fleets: what the node trains.
        job: the settings that all fleets share.
        expected: the driver's `code_of_runs` of these fleets.

    Raises:
        UsageError: the node has other code, or a plugin cannot be imported.
    """
    here = code_of_runs(fleets, job)
    apart = [name for name in {**expected, **here} if expected.get(name) != here.get(name)]
    if apart:
        words = ", ".join(differences(expected, {name: here.get(name, "") for name in apart}))
        raise UsageError(
            f"node {platform.node()} has other code than the machine of the command ({words}): "
            "both need the same relu-exp, torch and plugins"
        )


def train_and_save(
    fleet: Fleet, job: FleetJob, on_step: OnStep, train: Trainer | None = None
) -> Outcome:
    """Train a fleet and write its part.

    Args:
        fleet: the runs to train.
        job: the settings that all fleets share.
        on_step: called with the current step.
        train: the trainer; the engine by default.

    Raises:
        UsageError: a data set is missing, or the results cannot be written.
    """
    engine = Engine(job)
    tables = _train(fleet.runs, job.device, on_step, train or engine.train)
    outcome = _save(fleet, job, tables)
    engine.drop_checkpoints()
    return outcome


@dataclass
class Engine:
    """The default trainer: the engine, with checkpoints."""

    job: FleetJob
    checkpointers: list[Checkpointer] = field(default_factory=list)

    def train(self, runs: Sequence[RunConfig], device: str, on_step: OnStep) -> Tables:
        """Train runs, starting from their checkpoint if there is one."""
        from relu_exp.engine import training
        from relu_exp.engine.made_from import made_from

        tables = training.train_fleet(runs, device, on_step, self._checkpointer(runs))
        made = [json.dumps(made_from(run)) for run in runs]
        return {**tables, "runs": {**tables["runs"], "made_from": made}}

    def _checkpointer(self, runs: Sequence[RunConfig]) -> Checkpointer | None:
        if self.job.checkpoint_seconds is None:
            return None
        from relu_exp.engine.checkpoints import Checkpointer

        # half a fleet, trained after an error, has its own checkpoint
        path = Store(self.job.results).checkpoints / f"{Fleet(tuple(runs)).fleet_id}.pt"
        checkpointer = Checkpointer(path, self.job.checkpoint_seconds)
        self.checkpointers.append(checkpointer)
        return checkpointer

    def drop_checkpoints(self) -> None:
        """Delete the checkpoints; the part is saved."""
        for checkpointer in self.checkpointers:
            checkpointer.delete()


def mark_lost(fleet: Fleet, job: FleetJob, reason: str) -> Outcome:
    """Write a part in which every run is `interrupted`, with the reason."""
    return _save(fleet, job, _unfinished(fleet.runs, job.device, "interrupted", reason))


def _train(runs: Sequence[RunConfig], device: str, on_step: OnStep, train: Trainer) -> Tables:
    """Train runs; a run that raises an exception becomes a row with an error.

    After an exception the fleet is halved until the runs at fault are alone, which also helps if
    memory was short. A run that is out of memory or disk space even alone is `interrupted` rather
    than `failed`, because it may succeed another time.
    """
    try:
        return train(runs, device, on_step)
    except UsageError:
        raise
    except Exception as error:
        if len(runs) == 1:
            status: Status = "interrupted" if _is_shortage(error) else "failed"
            return _unfinished(runs, device, status, traceback.format_exc())
    # outside the except block, so that the exception's frames no longer hold the fleet's tensors;
    # then free what reference cycles and the GPU's allocator still hold
    free_memory(device)
    middle = len(runs) // 2
    first = _train(runs[:middle], device, on_step, train)
    return _joined(first, _train(runs[middle:], device, on_step, train))


def _is_shortage(error: Exception) -> bool:
    """Return whether an error says that memory or disk space ran out."""
    import torch

    if isinstance(error, (MemoryError, OSError, torch.OutOfMemoryError)):
        return True
    # on a CPU torch raises a plain RuntimeError
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)


def free_memory(device: str) -> None:
    """Free what reference cycles hold, and a GPU's memory that no tensor uses."""
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
    from relu_exp.engine.made_from import plugins_of

    rows: list[dict[str, Any]] = [
        {
            **run.as_row(),
            "status": status,
            "error": error,
            "device": device,
            "made_from": json.dumps(plugins_of(run)),
        }
        for run in runs
    ]
    return {"runs": {column: [row.get(column) for row in rows] for column in TABLES["runs"]}}


def _save(fleet: Fleet, job: FleetJob, tables: Tables) -> Outcome:
    runs = dict(tables["runs"])
    runs["fleet_id"] = [fleet.fleet_id] * len(fleet.runs)
    runs["session"] = [job.session] * len(fleet.runs)
    runs.setdefault("made_from", [None] * len(fleet.runs))
    Store(job.results).write_part(fleet.fleet_id, {**tables, "runs": runs})
    return outcome_of(fleet, runs)


def outcome_of(fleet: Fleet, runs: Columns) -> Outcome:
    """Return a fleet's outcome from the rows of its runs."""
    # the last line of a traceback names the error; the table holds all of it
    reasons = {last_line(error): None for error in runs["error"] if error}
    return Outcome(fleet, dict(Counter(runs["status"])), tuple(reasons))
