"""Progress of training: a bar on a terminal, a plain line every few seconds otherwise."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from rich.console import Console, RenderableType
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Column
from rich.text import Text

from relu_exp.core.schema import Status
from relu_exp.launchers.local import Notice, Progress
from relu_exp.launchers.task import Outcome
from relu_exp.planning.costs import Costs, fleet_seconds
from relu_exp.planning.fleets import Fleet

__all__ = ["BarLine", "Meter", "duration"]

_LINE_SECONDS = 10
"""Time between two plain lines."""
_FORESEEN = 0.01
"""Share of the work that must be done before the time left is estimated."""
_MOST_NAMES = 3
"""Number of networks in training that are named."""


@dataclass
class Meter:
    """A launcher's callback that counts runs and shows progress on the console.

    Work is counted in estimated seconds, so that the time left is right even though the longest
    fleets train first.
    """

    title: str
    fleets: Sequence[Fleet]
    console: Console
    costs: Costs | None = None
    counts: Counter[Status] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    _begun: float = field(default_factory=time.monotonic)
    _shares: dict[str, float] = field(default_factory=dict)
    _last_line: float = field(default_factory=time.monotonic)
    _bar: Bar | None = None

    def __enter__(self) -> Meter:
        """Start the clock, and the bar if the console is a terminal."""
        self._begun = self._last_line = time.monotonic()
        if self.console.is_terminal:
            self._bar = _Training(self.console, self.under_way)
            self._bar.add_task(self.title, total=1.0, state=self.state())
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Remove the bar and print the final state, unless an exception ended the context."""
        if self._bar is not None:
            self._bar.stop()
        if kind is None:
            self._line()

    def __call__(self, event: Progress | Outcome | Notice) -> None:
        """Count an event, and update what is shown; print a notice."""
        if isinstance(event, Notice):
            self._print(event.text)
            return
        fleet = event.fleet
        if isinstance(event, Outcome):
            self._shares[fleet.fleet_id] = 1.0
            self.counts.update(event.counts)
            self.reasons.update(event.reasons)
        else:
            self._shares[fleet.fleet_id] = min(event.step / max(fleet.num_steps, 1), 1.0)
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self._done(), state=self.state())
        # __exit__ prints the last line
        elif self._done() < 1 and time.monotonic() - self._last_line >= _LINE_SECONDS:
            self._line()

    def state(self) -> str:
        """Return counts, rate and time left, as in `12/720 runs, 5.1 runs/s, 2:19 left`."""
        seconds = max(time.monotonic() - self._begun, 1e-9)
        shares = [(self._shares.get(fleet.fleet_id, 0.0), fleet) for fleet in self.fleets]
        runs = sum(share * len(fleet.runs) for share, fleet in shares)
        words = [
            f"{sum(self.counts.values())}/{sum(len(fleet.runs) for fleet in self.fleets)} runs",
            f"{runs / seconds:.3g} runs/s",
        ]
        words += [
            f"{self.counts[status]} {status}"
            for status in ("diverged", "failed", "interrupted")
            if self.counts[status]
        ]
        done = self._done()
        if _FORESEEN <= done < 1:
            words.append(f"{duration(seconds / done - seconds)} left")
        elif done >= 1:
            words.append(f"in {duration(seconds)}")
        return ", ".join(words)

    def under_way(self) -> str:
        """Return what is training now, as in `training relu (depth 20), tanh (depth 20)`."""
        now = [fleet for fleet in self.fleets if 0 <= self._shares.get(fleet.fleet_id, -1) < 1]
        names = list(dict.fromkeys(_name(fleet) for fleet in now))
        if len(names) > _MOST_NAMES:
            names[_MOST_NAMES:] = [f"and {len(names) - _MOST_NAMES} more"]
        return f"training {', '.join(names)}" if names else ""

    def _done(self) -> float:
        """Return the share of the work that is done."""
        pairs = zip(self.fleets, self._seconds, strict=True)
        done = sum(self._shares.get(fleet.fleet_id, 0.0) * seconds for fleet, seconds in pairs)
        total = sum(self._seconds)
        return done / total if total else 1.0

    @cached_property
    def _seconds(self) -> list[float]:
        return fleet_seconds(self.fleets, self.costs)

    def _line(self) -> None:
        self._last_line = time.monotonic()
        words = "; ".join(filter(None, [self.state(), self.under_way()]))
        self._print(words)

    def _print(self, words: str) -> None:
        # where this is not a terminal, lines must not be wrapped
        self.console.print(f"{self.title}: {words}", markup=False, highlight=False, soft_wrap=True)


class BarLine(Bar):
    """A line with title, bar and numbers (the field `state` of a task), that goes when all is done.

    `redirect` holds back what is printed meanwhile, so that it stands above the line.
    """

    def __init__(self, console: Console, *, redirect: bool = True) -> None:
        super().__init__(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=6)),
            TextColumn("{task.fields[state]}", markup=False, table_column=Column(no_wrap=True)),
            console=console,
            transient=True,
            redirect_stdout=redirect,
            expand=True,
        )


class _Training(BarLine):
    """The bar, and below it the networks in training."""

    def __init__(self, console: Console, under_way: Callable[[], str]) -> None:
        self._under_way = under_way
        super().__init__(console)

    def get_renderables(self) -> Iterable[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        yield Text(self._under_way(), style="dim", no_wrap=True, overflow="ellipsis")


def _name(fleet: Fleet) -> str:
    """Return a short name for a fleet: its activation and depth."""
    run = fleet.runs[0]
    return f"{run.activation.name} (depth {run.depth})"


def duration(seconds: float) -> str:
    """Return seconds as text: `8 s`, `2:05`, `1:02:05`."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}" if minutes else f"{rest} s"
