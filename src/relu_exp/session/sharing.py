"""Work on reports and verdicts, shared by processes, with a bar that shows how much is done."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rich.console import Console

from relu_exp.core.plugin_loading import load_plugins, named_plugins
from relu_exp.launchers.local import num_cores
from relu_exp.launchers.pool import Piece, Pool
from relu_exp.session.progress import BarLine, duration

__all__ = ["Sharing"]

MOST_PROCESSES = 8
"""Each takes some 400 MB; with more, the largest piece of the work would take the longest."""
_PRELOAD = "relu_exp.session.preload_reports"
ALONE_SECONDS = 1.0
"""Of work that is done before processes are started: that takes longer."""
_LINE_SECONDS = 10
"""Time between two lines where there is no terminal to draw a bar on."""


@dataclass
class Sharing:
    """Processes that share pieces of work, on as many cores as there are, while it is open.

    They are started once pieces have taken a second here: of small results all is done before.
    A bar shows on a terminal how many of the pieces given at once are done; elsewhere, a line every
    few seconds does.
    """

    title: str
    console: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))

    def __enter__(self) -> Sharing:
        """Start the clock, and the bar if the console is a terminal."""
        self._open = ExitStack()
        self._pool: Pool | None = None
        self._begun = self._last_line = time.monotonic()
        self._bar = BarLine(self.console, redirect=False)
        self._task = self._bar.add_task("", total=None, state="")
        if self.console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the bar and end the processes."""
        if self.console.is_terminal:
            self._bar.stop()
        self._open.close()

    def each(self, pieces: Sequence[Piece]) -> Iterator[Any]:
        """Yield what each piece of work returns, in their order.

        Raises:
            Exception: a piece raised it.
        """
        spent, done = 0.0, 0
        while self._pool is None and done < len(pieces):
            self._show(done, len(pieces))
            begun = time.monotonic()
            yield pieces[done]()
            done += 1
            spent += time.monotonic() - begun
            if spent > ALONE_SECONDS and done < len(pieces):
                self._pool = self._open.enter_context(_pool())
        if self._pool is not None:
            yield from self._pool.do(pieces[done:], partial(self._show, before=done))
        self._show(len(pieces), len(pieces))

    def _show(self, done: int, total: int, before: int = 0) -> None:
        done, total = done + before, total + before
        now = time.monotonic()
        state = f"{done}/{total}, {duration(now - self._begun)}"
        self._bar.update(
            self._task, description=self.title, completed=done, total=total, state=state
        )
        if not self.console.is_terminal and now - self._last_line >= _LINE_SECONDS:
            self._last_line = now
            words = f"{self.title}: {state}"
            self.console.print(words, markup=False, highlight=False, soft_wrap=True)


def _pool() -> Pool:
    begin = partial(load_plugins, named_plugins())
    return Pool(min(num_cores(), MOST_PROCESSES), begin, _PRELOAD)
