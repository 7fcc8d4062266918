"""Options that several commands share, and their valid values."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from relu_exp.cli.completion import starting
from relu_exp.core.registry import nearest
from relu_exp.core.schema import UsageError

__all__ = [
    "HERE",
    "AnyPlace",
    "Budget",
    "BudgetChoice",
    "Debug",
    "Device",
    "DeviceChoice",
    "Language",
    "Place",
    "Plan",
    "Plugins",
    "Results",
    "Retry",
    "Stale",
    "StaleChoice",
    "Workers",
    "Yes",
    "whole",
]

HERE = Path("results")


class DeviceChoice(StrEnum):
    """Values of `--device`."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class BudgetChoice(StrEnum):
    """Values of `--budget`."""

    QUICK = "quick"
    STANDARD = "standard"
    FULL = "full"


class StaleChoice(StrEnum):
    """Values of `--stale`."""

    KEEP = "keep"
    RERUN = "rerun"


class RetryChoice(StrEnum):
    """Values of `--retry`."""

    FAILED = "failed"


class LanguageChoice(StrEnum):
    """Values of `--language`."""

    EN = "en"
    KO = "ko"


Choices = TypeVar("Choices", bound=StrEnum)


def whole(option: str, least: int, most: int) -> Callable[[str], int]:
    """Return a parser for whole numbers from `least` to `most`."""

    def parse(text: str) -> int:
        if not (text.isdecimal() and len(text) < 10 and least <= int(text) <= most):
            raise UsageError(
                f"{option} {text} is not valid: it must be a number from {least} to {most}"
            )
        return int(text)

    return parse


def one_of(option: str, choices: type[Choices]) -> Callable[[str], Choices]:
    """Return a parser for the values of an enum, which names the nearest one in its error."""

    def parse(text: str) -> Choices:
        valid = [*choices]
        if text not in valid:
            raise UsageError(
                f"{option} {text} is not valid{nearest(text, valid)}; valid: {', '.join(valid)}"
            )
        return choices(text)

    return parse


def _choice(option: str, choices: type[StrEnum], help: str) -> Any:
    """Return an option whose values are those of an enum."""
    return typer.Option(
        option,
        metavar="|".join(choices),
        help=help,
        parser=one_of(option, choices),
        autocompletion=starting([*choices]),
    )


Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Plan = Annotated[
    bool, typer.Option("--plan", help="Show runs, fleets, time and disk; train nothing.")
]
Budget = Annotated[
    BudgetChoice | None,
    _choice("--budget", BudgetChoice, "How much of each experiment to run."),
]
Device = Annotated[
    DeviceChoice,
    _choice("--device", DeviceChoice, "Where to train; auto is the GPU if there is one."),
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
        "--plugin",
        metavar="MODULE|PATH",
        help="Module, .py file or package folder with your own entries; may be repeated.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Train even a very large sweep.")]
Retry = Annotated[
    RetryChoice | None,
    _choice("--retry", RetryChoice, "Train failed runs again; by default they are kept."),
]
Stale = Annotated[
    StaleChoice,
    _choice(
        "--stale",
        StaleChoice,
        "Keep finished runs of other code or another PyTorch (default), or train them again.",
    ),
]
Language = Annotated[
    LanguageChoice | None,
    _choice("--language", LanguageChoice, "Initial language of report.html, which holds both."),
]
_FOLDER = "Folder of one experiment, or of several."
Place = Annotated[Path, typer.Argument(metavar="[RESULTS]", help=_FOLDER)]
AnyPlace = Annotated[Path, typer.Argument(metavar="RESULTS", help=_FOLDER)]
