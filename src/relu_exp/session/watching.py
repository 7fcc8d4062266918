"""Reports on partial results, written again and again by a process beside the training."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType

from relu_exp.core.registry import load_plugins
from relu_exp.launchers.local import Callback, Progress
from relu_exp.launchers.processes import processes
from relu_exp.launchers.task import Outcome

__all__ = ["Watch"]

_SECONDS = 20.0
"""Shortest time between the end of one report and the beginning of the next."""
_SHARE = 0.1
"""Share of the time, at most, in which a report is being written."""


class Watch:
    """Passes on what a launcher tells, and has the report written when fleets have landed.

    One report at a time, at the lowest priority and seldom enough that training hardly notices.
    What cannot be reported yet is left to the report at the end. Leaving the context waits for the
    one under way, so that no two are written at once.
    """

    def __init__(self, root: Path, plugins: Sequence[str], callback: Callback) -> None:
        self.root = root
        self.plugins = tuple(plugins)
        self.callback = callback
        self._has_landed = False
        self._writing: BaseProcess | None = None
        self._begun = 0.0
        self._due = 0.0

    def __call__(self, event: Progress | Outcome) -> None:
        """Hear an event; begin a report if there is something new to say and it is time to."""
        self.callback(event)
        self._has_landed |= isinstance(event, Outcome)
        now = time.monotonic()
        if self._writing is not None and not self._writing.is_alive():
            self._writing = None
            self._due = now + max(_SECONDS, (now - self._begun) / _SHARE)
        if self._has_landed and self._writing is None and now >= self._due:
            self._has_landed, self._begun = False, now
            arguments = (self.root, self.plugins)
            self._writing = processes().Process(target=_write, args=arguments, daemon=True)
            self._writing.start()

    def __enter__(self) -> Watch:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the report under way; Ctrl-C has reached it, too."""
        if self._writing is not None:
            self._writing.join()


def _write(root: Path, plugins: Sequence[str]) -> None:
    """Write the report on what is there."""
    from relu_exp.evidence.report.report import build

    with suppress(OSError):
        os.nice(19)
    # whatever is wrong, the report at the end says so
    with suppress(Exception, KeyboardInterrupt):
        load_plugins(plugins)
        build(root, reload_seconds=round(_SECONDS))
