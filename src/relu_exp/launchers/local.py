"""The local launcher: processes of one thread each, on the CPU or sharing the GPU."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TypeAlias

from relu_exp.core.schema import DEVICES, UsageError
from relu_exp.launchers.processes import end_with_parent, processes, start
from relu_exp.launchers.task import (
    FleetJob,
    Outcome,
    Trainer,
    free_memory,
    mark_lost,
    ready,
    train_and_save,
)
from relu_exp.planning.fleets import Fleet

__all__ = [
    "Callback",
    "Notice",
    "Progress",
    "launch",
    "living_workers",
    "num_cores",
    "paced",
    "resolve_device",
]

_MESSAGE_SECONDS = 0.2
"""Minimum time between two messages about one fleet's steps."""


@dataclass(frozen=True)
class Progress:
    """The current step of a fleet."""

    fleet: Fleet
    step: int


@dataclass(frozen=True)
class Notice:
    """What a person who waits should know, in one line: for example why no job starts."""

    text: str


Callback: TypeAlias = Callable[[Progress | Outcome | Notice], None]
"""Receives the step of each fleet at intervals, the outcome of each fleet, and notices."""


def num_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def resolve_device(device: str) -> str:
    """Return `cpu` or `cuda`; `auto` is the GPU if there is one.

    Raises:
        UsageError: the device is unknown or this machine does not have it.
    """
    if device not in DEVICES:
        raise UsageError(f"--device {device} is not valid: choose from {', '.join(DEVICES)}")
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
    job: FleetJob,
    num_workers: int,
    callback: Callback,
    train: Trainer | None = None,
) -> None:
    """Train fleets on this machine, and return when the last one is saved.

    A KeyboardInterrupt or an error stops the workers at once; parts that were saved stay.

    Args:
        fleets: what to train, in this order.
        job: the settings that all fleets share.
        num_workers: processes; with one worker, this process trains.
        callback: called with each `Progress` and each `Outcome`.
        train: the trainer; the engine by default. Worker processes import it by its name.

    Raises:
        UsageError: a data set is missing, or the results cannot be written.
    """
    due = list(fleets)
    num_workers = min(num_workers, len(due))
    if num_workers > 1:
        _WorkerPool(job, callback, train, iter(due)).launch(num_workers)
        return
    with ready(job):
        for fleet in due:
            callback(train_and_save(fleet, job, paced(fleet, callback), train))


@contextmanager
def living_workers() -> Iterator[None]:
    """Keep worker processes alive from one `launch` to the next within the context.

    They start once, compare the paths of a product once, and read a bundled data set once.
    """
    global _waiting
    _waiting, before = {}, _waiting
    try:
        yield
    finally:
        waiting, _waiting = _waiting, before
        for pipe in waiting:
            pipe.close()
        for worker in waiting.values():
            worker.join()


_waiting: dict[Connection, BaseProcess] | None = None
"""Workers that wait for the next `launch`; None: they end with each."""


def paced(
    fleet: Fleet, callback: Callback, seconds: float = _MESSAGE_SECONDS
) -> Callable[[int], None]:
    """Return a function that passes steps on to the callback, at most once every `seconds`."""
    last = time.monotonic()

    def on_step(step: int) -> None:
        nonlocal last
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            callback(Progress(fleet, step))

    return on_step


@dataclass
class _WorkerPool:
    """Worker processes; each trains one fleet at a time and reports through a pipe."""

    job: FleetJob
    callback: Callback
    train: Trainer | None
    due: Iterator[Fleet]
    workers: dict[Connection, BaseProcess] = field(default_factory=dict)
    fleets: dict[Connection, Fleet] = field(default_factory=dict)

    def launch(self, num_workers: int) -> None:
        try:
            for _ in range(num_workers):
                self.start_worker()
            while self.workers:
                for pipe in wait(list(self.workers)):
                    assert isinstance(pipe, Connection)
                    self.receive(pipe)
        finally:
            for worker in self.workers.values():
                worker.kill()
            for worker in self.workers.values():
                worker.join()

    def start_worker(self) -> None:
        """Start a worker for the next fleet, if there is one."""
        if (fleet := next(self.due, None)) is None:
            return
        pipe, worker = _waiting_worker() or _new_worker()
        self.workers[pipe] = worker
        self.assign(pipe, fleet)

    def assign(self, pipe: Connection, fleet: Fleet) -> None:
        self.fleets[pipe] = fleet
        # if the worker has died, receive() notices
        with suppress(OSError):
            pipe.send((fleet, self.job, self.train))

    def dismiss(self, pipe: Connection) -> None:
        """Let a worker wait for the next launch if there may be one, else end it."""
        if _waiting is None:
            self.stop_worker(pipe)
        else:
            _waiting[pipe] = self.workers.pop(pipe)

    def stop_worker(self, pipe: Connection) -> int | None:
        """Close the pipe, which ends the worker, and return its exit code."""
        pipe.close()
        worker = self.workers.pop(pipe)
        worker.join()
        return worker.exitcode

    def receive(self, pipe: Connection) -> None:
        """Handle one message from a worker, or its death."""
        fleet = self.fleets[pipe]
        try:
            message = pipe.recv()
        except (EOFError, OSError):
            reason = _exit_reason(self.stop_worker(pipe))
            self.callback(mark_lost(fleet, self.job, reason))
            self.start_worker()
            return
        if isinstance(message, Exception):
            raise message
        self.callback(message)
        if isinstance(message, Outcome):
            if (fleet_due := next(self.due, None)) is None:
                self.dismiss(pipe)
            else:
                self.assign(pipe, fleet_due)


def _waiting_worker() -> tuple[Connection, BaseProcess] | None:
    while _waiting:
        pipe, worker = _waiting.popitem()
        if worker.is_alive():
            return pipe, worker
        pipe.close()
    return None


def _new_worker() -> tuple[Connection, BaseProcess]:
    ours, theirs = multiprocessing.Pipe()
    worker = processes().Process(target=_work, args=(theirs,), daemon=True)
    start(worker)
    # only the worker holds its end now, so that our end closes when the worker dies
    theirs.close()
    return ours, worker


def _work(pipe: Connection) -> None:
    """Train the fleets that arrive through the pipe, until it closes."""
    end_with_parent()
    # Ctrl-C reaches every process of the terminal, but the parent decides what to do
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def send(message: object) -> None:
        try:
            pipe.send(message)
        except OSError:
            # the parent is gone; SystemExit is not mistaken for an error of the training
            sys.exit(1)

    last = None
    try:
        while (task := _next(pipe)) is not None:
            fleet, job, train = task
            if last not in (None, job):
                _forget_files()
            last = job
            with ready(job):
                send(train_and_save(fleet, job, paced(fleet, send), train))
            if job.device == "cuda":
                # the next experiment is planned by what is free
                free_memory(job.device)
    except UsageError as error:
        send(error)
    except Exception:
        send(RuntimeError(f"a worker process failed\n{traceback.format_exc()}"))


def _forget_files() -> None:
    """Free the memory of the last experiment's data sets, unless they are small and bundled."""
    from relu_exp.engine.data.datasets import forget_what_may_change

    forget_what_may_change()


def _next(pipe: Connection) -> tuple[Fleet, FleetJob, Trainer | None] | None:
    """Return the next fleet, its job and its trainer, or None if the pipe is closed."""
    try:
        task: tuple[Fleet, FleetJob, Trainer | None] = pipe.recv()
    except (EOFError, OSError):
        return None
    return task


def _exit_reason(exitcode: int | None) -> str:
    """Return a sentence that says why a worker process ended."""
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        hint = ", possibly because memory ran out" if -exitcode == signal.SIGKILL else ""
        return f"the worker process was killed by {name}{hint}"
    return f"the worker process ended with exit code {exitcode}"
