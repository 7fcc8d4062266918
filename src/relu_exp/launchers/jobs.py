"""What a job of a queue does: some fleets, told to the driver by files beside the results."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from relu_exp.core.schema import UsageError
from relu_exp.launchers.local import Progress, launch, paced
from relu_exp.launchers.task import Mission, Outcome, Trainer, outcome_of, write_off
from relu_exp.planning.plan import Fleet
from relu_exp.results.atomic import write_whole
from relu_exp.results.provenance import changes
from relu_exp.results.store import Store

__all__ = ["Job", "end_of", "error_in", "groups", "step_of"]

_NOTE_SECONDS = 5.0


@dataclass(frozen=True)
class Job:
    """Fleets that one job of a queue sees through, as often as it takes.

    It is what submitit sends to a node, and sends again after preemption or at the time limit:
    what was saved by then is not trained again. Nothing comes back but files: parts in the results,
    and steps and errors in a folder of the command's own.
    """

    fleets: tuple[Fleet, ...]
    mission: Mission
    folder: Path
    num_workers: int
    fingerprint: tuple[tuple[str, str], ...]
    max_retries: int
    train: Trainer | None = None
    driver: int | None = None
    """The process to live no longer than, where the job runs on the driver's own machine."""
    num_saved: int = 0
    num_vain: int = 0
    """Times that it was stopped without having saved one more fleet."""

    def due(self) -> list[Fleet]:
        """Return the fleets that are not saved yet."""
        return [fleet for fleet in self.fleets if end_of(fleet, self.mission) is None]

    def __call__(self) -> None:
        """See what is due through; an error for people becomes a file."""
        try:
            if found := changes({"fingerprint": dict(self.fingerprint)}):
                raise UsageError(
                    f"node {platform.node()} would train otherwise than where the command was "
                    f"given ({', '.join(found)}): both need the same relu-exp and torch"
                )
            self.give_up()
            launch(self.due(), self.mission, self.num_workers, _Teller(self), self.train)
        except UsageError as error:
            words = str(error)
            write_whole(self.folder / "error", lambda file: file.write(words.encode()))

    def give_up(self) -> None:
        """Write off what was under way each time that this job was stopped in vain too often."""
        due = self.due()
        if self.num_vain > self.max_retries and len(self.fleets) - len(due) == self.num_saved:
            reason = f"stopped {self.num_vain} times, by preemption or the time limit"
            for fleet in due[: self.num_workers]:
                write_off(fleet, self.mission, reason)

    def checkpoint(self) -> Any:
        """Return what is submitted next when a signal announces that the job is stopped."""
        from submitit.helpers import DelayedSubmission

        num_saved = len(self.fleets) - len(self.due())
        num_vain = 0 if num_saved > self.num_saved else self.num_vain + 1
        return DelayedSubmission(replace(self, num_saved=num_saved, num_vain=num_vain))


class _Teller:
    """Notes a fleet's step in a file now and then, and ends a job that its driver left behind."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.notes: dict[str, Any] = {}

    def __call__(self, event: Progress | Outcome) -> None:
        if self.job.driver is not None and not _is_alive(self.job.driver):
            sys.exit(1)
        if isinstance(event, Progress):
            note = self.notes.setdefault(
                event.fleet.fleet_id, paced(event.fleet, self.note, _NOTE_SECONDS)
            )
            note(event.step)

    def note(self, event: object) -> None:
        assert isinstance(event, Progress)
        # a full disk is the business of who writes results
        with suppress(OSError):
            path = self.job.folder / f"{event.fleet.fleet_id}.step"
            path.write_text(str(event.step))


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def end_of(fleet: Fleet, mission: Mission) -> Outcome | None:
    """Return how a fleet went in this session, or None while its part is not there."""
    store = Store(mission.results)
    if not (store.parts / fleet.fleet_id).is_dir():
        return None
    runs = store.read_part(fleet.fleet_id, "runs", ["status", "error", "session"]).to_pydict()
    # a fleet that failed before has a part already, of another session
    return outcome_of(fleet, runs) if set(runs["session"]) == {mission.session} else None


def step_of(fleet: Fleet, folder: Path) -> int | None:
    """Return the step that a fleet's job noted last."""
    try:
        return int((folder / f"{fleet.fleet_id}.step").read_text())
    except (OSError, ValueError):
        return None


def error_in(folder: Path) -> UsageError | None:
    """Return what ended a job in one line, if something did."""
    try:
        return UsageError((folder / "error").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def groups(fleets: Sequence[Fleet], size: int) -> list[tuple[Fleet, ...]]:
    """Return fleets in groups of at most `size`, each with long and short ones.

    Fleets come the longest first: dealt out like cards, jobs take about equally long.
    """
    count = -(-len(fleets) // size)
    return [tuple(fleets[place::count]) for place in range(count)]
