"""Options that several commands share, and their valid values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from relu_exp.cli.completion import starting
from relu_exp.core.registry import nearest
from relu_exp.core.schema import UsageError

__all__ = [
    "BUDGETS",
    "DEVICES",
    "HERE",
    "STALE",
    "Budget",
    "Debug",
    "Device",
    "Place",
    "Plan",
    "Plugins",
    "Results",
    "Retry",
    "Stale",
    "Workers",
    "Yes",
    "check_words",
    "whole",
]

DEVICES = ("auto", "cpu", "cuda")
BUDGETS = ("quick", "standard", "full")
STALE = ("keep", "rerun")
HERE = Path("results")


def whole(option: str, least: int, most: int) -> Callable[[str], int]:
    """Return a parser for whole numbers from `least` to `most`."""

    def parse(text: str) -> int:
        if not (text.isdecimal() and len(text) < 10 and least <= int(text) <= most):
            raise UsageError(
                f"{option} {text} is not valid: it must be a number from {least} to {most}"
            )
        return int(text)

    return parse


Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Plan = Annotated[
    bool, typer.Option("--plan", help="Show runs, fleets, time and disk; train nothing.")
]
Budget = Annotated[
    str | None,
    typer.Option(
        "--budget",
        metavar="|".join(BUDGETS),
        help="How much of each experiment to run.",
        autocompletion=starting(BUDGETS),
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="|".join(DEVICES),
        help="Where to train; auto is the GPU if there is one.",
        autocompletion=starting(DEVICES),
    ),
]
Results = Annotated[
    Path, typer.Option("--results", metavar="DIR", help="Folder with a subfolder per experiment.")
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        parser=whole("--workers", 1, 10_000),
        help="Processes on a CPU; by default as many as train fastest.",
    ),
]
Plugins = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin", metavar="MODULE", help="Module with your own entries; may be repeated."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Train even a very large sweep.")]
Retry = Annotated[
    str | None,
    typer.Option(
        "--retry", metavar="failed", help="Train failed runs again; by default they are kept."
    ),
]
Stale = Annotated[
    str,
    typer.Option(
        "--stale",
        metavar="|".join(STALE),
        help="Keep finished runs of other code or another PyTorch (default), or train them again.",
        autocompletion=starting(STALE),
    ),
]
Place = Annotated[
    Path, typer.Argument(metavar="[RESULTS]", help="Folder of one experiment, or of several.")
]


def check_words(given: Sequence[tuple[str, str | None, Sequence[str]]]) -> None:
    """Raise a UsageError if an option has an invalid value."""
    for option, value, valid in given:
        if value is not None and value not in valid:
            raise UsageError(
                f"{option} {value} is not valid{nearest(value, valid)}; valid: {', '.join(valid)}"
            )
