"""One job of a Slurm queue: trains some fleets and reports to the driver through files."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from relu_exp.core.schema import UsageError
from relu_exp.launchers.local import Notice, Progress, launch, paced
from relu_exp.launchers.task import FleetJob, Outcome, Trainer, check_code, mark_lost, outcome_of
from relu_exp.planning.fleets import Fleet
from relu_exp.results.atomic import write_text
from relu_exp.results.store import Store

__all__ = ["SlurmJob", "checkpoint_time", "grouped", "outcome_in", "read_error", "read_step"]

_NOTE_SECONDS = 5.0


@dataclass(frozen=True)
class SlurmJob:
    """Fleets that one job of a queue trains; submitit sends it to a node.

    After preemption or at the time limit submitit sends it again; fleets that were saved by then
    are not trained again. The job writes files only: parts in the results, and steps and errors in
    the command's own folder.
    """

    fleets: tuple[Fleet, ...]
    job: FleetJob
    folder: Path
    num_workers: int
    code: Mapping[str, str]
    """The driver's `code_of_runs`."""
    max_retries: int
    train: Trainer | None = None
    driver: int | None = None
    """The driver's process id if the job runs on the driver's machine; the job ends with it."""
    num_saved: int = 0
    num_fruitless: int = 0
    """How often it was stopped in a row without progress: a fleet saved, or a checkpoint."""
    checkpoints: tuple[int, ...] = ()
    """When each fleet's checkpoint was written before it was stopped, as `checkpoint_time`."""

    def due(self) -> list[Fleet]:
        """Return the fleets that are not saved yet."""
        return [fleet for fleet in self.fleets if outcome_in(fleet, self.job) is None]

    def __call__(self) -> None:
        """Train the fleets that are due; a `UsageError` is written to a file."""
        try:
            check_code(self.fleets, self.job, self.code)
            self.mark_lost_fleets()
            launch(self.due(), self.job, self.num_workers, _StepNotes(self), self.train)
        except UsageError as error:
            write_text(self.folder / "error", str(error))

    def mark_lost_fleets(self) -> None:
        """Mark the fleets in training as lost if the job was stopped too often without saving."""
        due = self.due()
        if self.num_fruitless > self.max_retries and len(self.fleets) - len(due) == self.num_saved:
            reason = f"stopped {self.num_fruitless} times, by preemption or the time limit"
            for fleet in due[: self.num_workers]:
                mark_lost(fleet, self.job, reason)

    def checkpoint(self) -> Any:
        """Return the job to submit next; submitit calls this before the job is stopped."""
        from submitit.helpers import DelayedSubmission

        num_saved = len(self.fleets) - len(self.due())
        checkpoints = tuple(checkpoint_time(fleet, self.job) for fleet in self.fleets)
        has_progress = num_saved > self.num_saved or any(
            now > before for now, before in zip_longest(checkpoints, self.checkpoints, fillvalue=0)
        )
        return DelayedSubmission(
            replace(
                self,
                num_saved=num_saved,
                num_fruitless=0 if has_progress else self.num_fruitless + 1,
                checkpoints=checkpoints,
            )
        )


class _StepNotes:
    """Writes a fleet's step to a file at intervals, and ends the job if its driver has died."""

    def __init__(self, slurm_job: SlurmJob) -> None:
        self.slurm_job = slurm_job
        self.notes: dict[str, Any] = {}

    def __call__(self, event: Progress | Outcome | Notice) -> None:
        if self.slurm_job.driver is not None and not _is_alive(self.slurm_job.driver):
            sys.exit(1)
        if isinstance(event, Progress):
            note = self.notes.setdefault(
                event.fleet.fleet_id, paced(event.fleet, self.note, _NOTE_SECONDS)
            )
            note(event.step)

    def note(self, event: object) -> None:
        assert isinstance(event, Progress)
        # on a full disk, writing the results raises the error
        with suppress(OSError):
            path = self.slurm_job.folder / f"{event.fleet.fleet_id}.step"
            path.write_text(str(event.step))


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def outcome_in(fleet: Fleet, job: FleetJob) -> Outcome | None:
    """Return a fleet's outcome in this session, or None if its part is not saved yet."""
    store = Store(job.results)
    if not (store.parts / fleet.fleet_id).is_dir():
        return None
    runs = store.read_part(fleet.fleet_id, "runs", ["status", "error", "session"]).to_pydict()
    # a fleet that failed before has a part from another session
    return outcome_of(fleet, runs) if set(runs["session"]) == {job.session} else None


def checkpoint_time(fleet: Fleet, job: FleetJob) -> int:
    """Return when a fleet's checkpoint was last written, in nanoseconds; 0 if there is none."""
    try:
        path = Store(job.results).checkpoints / f"{fleet.fleet_id}.pt"
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def read_step(fleet: Fleet, folder: Path) -> int | None:
    """Return the last step that a fleet's job wrote down, if any."""
    try:
        return int((folder / f"{fleet.fleet_id}.step").read_text())
    except (OSError, ValueError):
        return None


def read_error(folder: Path) -> UsageError | None:
    """Return the error that ended a job, if there is one."""
    try:
        return UsageError((folder / "error").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def grouped(fleets: Sequence[Fleet], size: int) -> list[tuple[Fleet, ...]]:
    """Return fleets in groups of at most `size` that take about equally long.

    Fleets are sorted by length, the longest first, and dealt out in turn.
    """
    count = -(-len(fleets) // size)
    return [tuple(fleets[place::count]) for place in range(count)]
