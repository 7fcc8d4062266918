"""A pool of processes for pieces of work that do not depend on each other."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from relu_exp.launchers.processes import TRAINING, end_with_parent, processes, start

__all__ = ["Piece", "Pool"]

Piece = Callable[[], Any]
"""A piece of work; what it returns, or raises, can be pickled."""

_SECONDS = 10
"""That a process may take to end before it is killed."""
_NO_PICKLE = (pickle.PicklingError, AttributeError, TypeError)
"""Errors of what cannot be sent to another process: a function within a function, for example."""


class _NotSent:
    """Stands for what a piece returned and cannot be sent."""


@dataclass
class _Raised:
    """What a piece raised instead of returning."""

    error: Exception


@dataclass
class Pool:
    """Processes that compute pieces of work while its context is open.

    Each first calls `begin`, if there is one; `preload` is a module that is loaded once for all.
    With fewer than two processes, or once all have died, the pieces are computed in this one: what
    they return is the same. So is a piece that cannot be pickled, or whose result cannot.
    """

    num_processes: int
    begin: Piece | None = None
    preload: str = TRAINING
    _workers: dict[Connection, BaseProcess] = field(default_factory=dict)

    def __enter__(self) -> Pool:
        """Start the processes."""
        for _ in range(self.num_processes if self.num_processes > 1 else 0):
            ours, theirs = multiprocessing.Pipe()
            worker = processes(self.preload).Process(
                target=_work, args=(theirs, self.begin), daemon=True
            )
            start(worker)
            # only the worker holds its end now, so that our end closes when the worker dies
            theirs.close()
            self._workers[ours] = worker
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes, whatever they are doing."""
        for worker in self._workers.values():
            worker.terminate()
        for pipe in [*self._workers]:
            self._end(pipe)

    def do(
        self, pieces: Sequence[Piece], show: Callable[[int, int], None] | None = None
    ) -> Iterator[Any]:
        """Yield what each piece returns, in the order of the pieces; they are begun in it, too.

        `show` is called with how many are done, and of how many. A piece whose process died,
        perhaps because memory ran out, is computed in this one.

        Raises:
            Exception: a piece raised it.
        """
        due, here = deque(range(len(pieces))), deque[int]()
        free, busy = [*self._workers], dict[Connection, int]()
        found: dict[int, Any] = {}
        num_done = 0
        for number in range(len(pieces)):
            while number not in found:
                while free and due:
                    pipe = free.pop()
                    busy[pipe] = due.popleft()
                    try:
                        pipe.send(pieces[busy[pipe]])
                    except OSError:
                        pass  # the worker has died; receiving notices
                    except _NO_PICKLE:
                        free.append(pipe)
                        here.append(busy.pop(pipe))
                num_before = len(found)
                if here or not busy:
                    mine = here.popleft() if here else due.popleft()
                    found[mine] = _outcome(pieces[mine])
                for ready in wait([*busy], 0 if number in found else None):
                    assert isinstance(ready, Connection)
                    done = busy.pop(ready)
                    try:
                        outcome = ready.recv()
                        free.append(ready)
                        if isinstance(outcome, _NotSent):
                            here.append(done)
                        else:
                            found[done] = outcome
                    except (EOFError, OSError):
                        self._end(ready)
                        here.append(done)
                num_done += len(found) - num_before
                if show is not None:
                    show(num_done, len(pieces))
            outcome = found.pop(number)
            if isinstance(outcome, _Raised):
                raise outcome.error
            yield outcome

    def _end(self, pipe: Connection) -> None:
        pipe.close()
        worker = self._workers.pop(pipe)
        worker.join(_SECONDS)
        if worker.is_alive():
            worker.kill()
            worker.join()


def _work(pipe: Connection, begin: Piece | None) -> None:
    """Compute the pieces that arrive through the pipe, until it closes."""
    end_with_parent()
    # Ctrl-C reaches every process of the terminal, but the parent decides what to do
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # who is told to end deletes what is half written
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with suppress(EOFError, OSError):
        if begin is not None:
            begin()
        while True:
            outcome = _outcome(pipe.recv())
            try:
                pipe.send(outcome)
            except _NO_PICKLE:
                pipe.send(_NotSent())


def _outcome(piece: Piece) -> Any:
    try:
        return piece()
    except Exception as error:
        return _Raised(error)
