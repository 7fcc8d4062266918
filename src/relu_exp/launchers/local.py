"""The local launcher: processes of one thread each, or one worker on the GPU."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TypeAlias

from relu_exp.core.schema import UsageError
from relu_exp.launchers.processes import end_with_parent, processes
from relu_exp.launchers.task import Mission, Outcome, Trainer, ready, see_through, write_off
from relu_exp.planning.plan import Fleet

__all__ = ["Progress", "Tell", "launch", "num_cores", "paced", "resolve_device"]

_MESSAGE_SECONDS = 0.2
"""Shortest time between two messages about the steps of one fleet."""


@dataclass(frozen=True)
class Progress:
    """The step that a fleet is at."""

    fleet: Fleet
    step: int


Tell: TypeAlias = Callable[[Progress | Outcome], None]
"""Hears of every step now and then, and of every fleet that came to its end."""


def num_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def resolve_device(device: str) -> str:
    """Return `cpu` or `cuda`; `auto` is the GPU where there is one.

    Raises:
        UsageError: the device is unknown or not there.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"--device {device} is not valid: choose from auto, cpu, cuda")
    if device == "cpu":
        return device
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise UsageError("--device cuda: this machine has no usable GPU; leave it out or use cpu")
    return "cpu"


def launch(
    fleets: Iterable[Fleet],
    mission: Mission,
    num_workers: int,
    tell: Tell,
    train: Trainer | None = None,
) -> None:
    """See fleets through on this machine, and return when the last one is saved.

    Whatever ends it early, a KeyboardInterrupt or an error, stops the workers at once; the parts
    that were saved stay.

    Args:
        fleets: what to train, in this order.
        mission: where to, and on which device.
        num_workers: processes on a CPU; with one, and on a GPU, this very process trains.
        tell: called with each `Progress` and each `Outcome`.
        train: what trains; the engine unless given. Worker processes import it by its name.

    Raises:
        UsageError: a data set is not there, or the results cannot be written.
    """
    due = list(fleets)
    num_workers = min(num_workers, len(due))
    if mission.device == "cpu" and num_workers > 1:
        _Crew(mission, tell, train, iter(due)).launch(num_workers)
        return
    with ready(mission):
        for fleet in due:
            tell(see_through(fleet, mission, paced(fleet, tell), train))


def paced(fleet: Fleet, tell: Tell, seconds: float = _MESSAGE_SECONDS) -> Callable[[int], None]:
    """Return a listener to steps that passes them on, but not too often."""
    told = time.monotonic()

    def on_step(step: int) -> None:
        nonlocal told
        if time.monotonic() - told >= seconds:
            told = time.monotonic()
            tell(Progress(fleet, step))

    return on_step


@dataclass
class _Crew:
    """Worker processes, each at one fleet, each at the other end of a pipe."""

    mission: Mission
    tell: Tell
    train: Trainer | None
    due: Iterator[Fleet]
    workers: dict[Connection, BaseProcess] = field(default_factory=dict)
    fleets: dict[Connection, Fleet] = field(default_factory=dict)

    def launch(self, num_workers: int) -> None:
        try:
            for _ in range(num_workers):
                self.hire()
            while self.workers:
                for pipe in wait(list(self.workers)):
                    assert isinstance(pipe, Connection)
                    self.hear(pipe)
        finally:
            for worker in self.workers.values():
                worker.kill()
            for worker in self.workers.values():
                worker.join()

    def hire(self) -> None:
        """Start a worker for the next fleet, if there is one."""
        if (fleet := next(self.due, None)) is None:
            return
        ours, theirs = multiprocessing.Pipe()
        arguments = (theirs, self.mission, self.train)
        worker = processes().Process(target=_work, args=arguments, daemon=True)
        worker.start()
        # the last copy of their end is theirs: when they die, our end says so
        theirs.close()
        self.workers[ours] = worker
        self.assign(ours, fleet)

    def assign(self, pipe: Connection, fleet: Fleet) -> None:
        self.fleets[pipe] = fleet
        # a worker that died meanwhile is noticed when its pipe is heard
        with suppress(OSError):
            pipe.send(fleet)

    def dismiss(self, pipe: Connection) -> int | None:
        """Close the pipe, which ends the worker, and return its exit code."""
        pipe.close()
        worker = self.workers.pop(pipe)
        worker.join()
        return worker.exitcode

    def hear(self, pipe: Connection) -> None:
        fleet = self.fleets[pipe]
        try:
            message = pipe.recv()
        except (EOFError, OSError):
            reason = _death(self.dismiss(pipe))
            self.tell(write_off(fleet, self.mission, reason))
            self.hire()
            return
        if isinstance(message, Exception):
            raise message
        self.tell(message)
        if isinstance(message, Outcome):
            if (fleet_due := next(self.due, None)) is None:
                self.dismiss(pipe)
            else:
                self.assign(pipe, fleet_due)


def _work(pipe: Connection, mission: Mission, train: Trainer | None) -> None:
    """Train the fleets that come through the pipe, until it closes."""
    end_with_parent()
    # Ctrl-C reaches every process of the terminal: the parent alone decides what follows
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def tell(message: object) -> None:
        try:
            pipe.send(message)
        except OSError:
            # the parent is gone; no exception that a training could take for its own
            sys.exit(1)

    try:
        with ready(mission):
            while (fleet := _next(pipe)) is not None:
                tell(see_through(fleet, mission, paced(fleet, tell), train))
    except UsageError as error:
        tell(error)
    except Exception:
        tell(RuntimeError(f"a worker process failed\n{traceback.format_exc()}"))


def _next(pipe: Connection) -> Fleet | None:
    """Return the next fleet, or None when the pipe was closed."""
    try:
        fleet: Fleet = pipe.recv()
    except (EOFError, OSError):
        return None
    return fleet


def _death(exitcode: int | None) -> str:
    """Return why a worker process ended, in words."""
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        memory = ", perhaps for want of memory" if -exitcode == signal.SIGKILL else ""
        return f"the worker process was ended by {name}{memory}"
    return f"the worker process ended with exit code {exitcode}"
