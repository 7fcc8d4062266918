"""Reports on partial results, written repeatedly by a separate process during training."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

from relu_exp.core.plugin_loading import load_plugins
from relu_exp.launchers.local import Callback, Notice, Progress
from relu_exp.launchers.processes import processes, start
from relu_exp.launchers.task import Outcome

__all__ = ["Watch"]

_SECONDS = 20.0
"""Minimum time between the end of one report and the start of the next."""
_SHARE = 0.1
"""Largest share of the time that may be spent on writing reports."""


class Watch:
    """A launcher's callback that has the report rewritten when fleets were saved.

    One report at a time, at the lowest priority, and rarely enough that training is hardly slower.
    Errors are ignored, because the final report will show them. Leaving the context waits for the
    current report, so that two are never written at once.
    """

    def __init__(
        self, root: Path, plugins: Sequence[str], callback: Callback, language: str = "en"
    ) -> None:
        self.root = root
        self.plugins = tuple(plugins)
        self.language = language
        self.callback = callback
        self._has_news = False
        self._writing: BaseProcess | None = None
        self._begun = 0.0
        self._due = 0.0

    def __call__(self, event: Progress | Outcome | Notice) -> None:
        """Pass an event on; start a report if a fleet was saved and enough time has passed."""
        self.callback(event)
        self._has_news |= isinstance(event, Outcome)
        now = time.monotonic()
        if self._writing is not None and not self._writing.is_alive():
            self._writing = None
            self._due = now + max(_SECONDS, (now - self._begun) / _SHARE)
        if self._has_news and self._writing is None and now >= self._due:
            self._has_news, self._begun = False, now
            arguments = (self.root, self.plugins, self.language)
            self._writing = processes().Process(target=_write, args=arguments, daemon=True)
            start(self._writing)

    def __enter__(self) -> Watch:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the current report; Ctrl-C has stopped it, too."""
        if self._writing is not None:
            self._writing.join()


def _write(root: Path, plugins: Sequence[str], language: str) -> None:
    """Write the report on the results so far."""
    from relu_exp.evidence.report.report import build

    # Windows has no niceness
    with suppress(OSError, AttributeError):
        os.nice(19)
    # the final report will show any error
    with suppress(Exception, KeyboardInterrupt):
        load_plugins(plugins)
        build(root, reload_seconds=round(_SECONDS), language=language)
