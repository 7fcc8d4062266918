"""The progress line, on a real pseudo-terminal and elsewhere."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import termios
from collections import Counter
from collections.abc import Iterator

import pyte
import pytest
from rich.console import Console

from relu_exp.launchers.local import Progress
from relu_exp.launchers.task import Outcome
from relu_exp.planning.fleets import Fleet
from relu_exp.session import progress
from relu_exp.session.progress import Meter

from configs import make_run

FLEETS = [
    Fleet(tuple(make_run(activation=name, depth=depth, seed=seed) for seed in range(2)))
    for name, depth in [("relu", 9), ("tanh", 9), ("elu", 9), ("relu", 2), ("tanh", 2)]
]


class Terminal:
    """A pseudo-terminal, and the screen that a person in front of it sees."""

    def __init__(self, columns: int) -> None:
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.file = os.fdopen(theirs, "w")
        self.screen = pyte.Screen(columns, 24)
        self.stream = pyte.ByteStream(self.screen)

    def lines(self) -> list[str]:
        self.file.flush()
        os.set_blocking(self.ours, False)
        while True:
            try:
                self.stream.feed(os.read(self.ours, 65536))
            except BlockingIOError:
                return [line.rstrip() for line in self.screen.display if line.strip()]


@pytest.fixture(params=[80, 50])
def terminal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("COLUMNS", "LINES", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    made = Terminal(request.param)
    yield made
    made.file.close()
    os.close(made.ours)


def outcome(fleet: Fleet, **counts: int) -> Outcome:
    return Outcome(fleet, Counter(counts), Counter())  # type: ignore[arg-type]


def test_a_terminal_shows_a_bar_numbers_and_what_is_trained(terminal: Terminal) -> None:
    # rich asks the standard streams how wide they are
    console = Console(file=terminal.file, width=terminal.screen.columns)
    meter = Meter("an [odd] title", FLEETS, console)
    with meter:
        meter(Progress(FLEETS[0], 2))
        meter(Progress(FLEETS[1], 1))
        assert meter._bar is not None
        meter._bar.refresh()
        top, below = terminal.lines()
        assert top.startswith("an [odd] title ")
        assert "0/10 runs" in top
        assert below == "training relu (depth 9), tanh (depth 9)"
        meter(outcome(FLEETS[0], done=1, diverged=1))
        meter(Progress(FLEETS[2], 1))
        meter._bar.refresh()
        top, below = terminal.lines()
        assert "2/10 runs" in top
        assert below == "training tanh (depth 9), elu (depth 9)"
        if terminal.screen.columns == 80:
            assert "━" in top
            assert "1 diverged" in top
            assert top.endswith("left")
        for fleet in FLEETS[1:]:
            meter(outcome(fleet, done=2))
    last = "".join(terminal.lines())
    assert last.startswith("an [odd] title: 10/10 runs, ")
    assert "━" not in last


def test_elsewhere_there_are_plain_lines_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    with Meter("default", FLEETS, Console(file=file, width=80)) as meter:
        for fleet in FLEETS:
            meter(Progress(fleet, 1))
        assert file.getvalue() == ""
        monkeypatch.setattr(progress, "_LINE_SECONDS", 0)
        meter(outcome(FLEETS[0], done=1, diverged=1))
        for fleet in FLEETS[1:]:
            meter(outcome(fleet, done=2))
    first, *_, last = file.getvalue().splitlines()
    assert first.startswith("default: 2/10 runs, ")
    names = "tanh (depth 9), elu (depth 9), relu (depth 2), and 1 more"
    assert first.endswith(f"1 diverged, {first.split(', ')[3].split(';')[0]}; training {names}")
    assert last.startswith("default: 10/10 runs, ")
    assert "training" not in last
    assert file.getvalue().count("10/10 runs") == 1
    assert "\x1b" not in file.getvalue()
    assert "\r" not in file.getvalue()


def test_the_time_left_is_told_once_it_can_be_foreseen() -> None:
    meter = Meter("default", FLEETS, Console(file=io.StringIO()))
    assert "left" not in meter.state()
    meter(Progress(FLEETS[0], 2))
    assert meter.state().endswith("left")
