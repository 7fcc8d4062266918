"""Options that several commands share, and their valid values."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from relu_exp.cli.completion import starting
from relu_exp.core.naming import nearest, shown
from relu_exp.core.schema import BUDGETS, DEVICES, UsageError

__all__ = [
    "HERE",
    "AnyPlace",
    "Budget",
    "Debug",
    "Device",
    "Language",
    "Place",
    "Plan",
    "Plugins",
    "Results",
    "Retry",
    "Stale",
    "Workers",
    "Yes",
    "choice",
    "path",
    "whole",
]

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


def path(text: str | Path) -> Path:
    """Return a path, or raise a UsageError where no system could have it."""
    try:
        str(text).encode()
        os.lstat(text)
    except UnicodeEncodeError:
        raise UsageError(f"the path {str(text)!a} is not text in UTF-8") from None
    except ValueError as error:
        raise UsageError(f"the path {str(text)!a} is not valid: {error}") from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise UsageError(f"the path {shown(str(text))} is too long") from None
    return Path(text)


def choice(option: str, choices: Sequence[str], help: str) -> Any:
    """Return an option with these values; its error names the nearest one."""

    def parse(text: str) -> str:
        if text not in choices:
            valid = ", ".join(choices)
            raise UsageError(
                f"{option} {text} is not valid{nearest(text, choices)}; valid: {valid}"
            )
        return text

    return typer.Option(
        option,
        metavar="|".join(choices),
        help=help,
        parser=parse,
        autocompletion=starting(choices),
    )


Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Plan = Annotated[
    bool, typer.Option("--plan", help="Show runs, fleets, time and disk; train nothing.")
]
Budget = Annotated[str | None, choice("--budget", BUDGETS, "How much of each experiment to run.")]
Device = Annotated[
    str, choice("--device", DEVICES, "Where to train; auto is the GPU if there is one.")
]
Results = Annotated[
    Path,
    typer.Option(
        "--results", metavar="DIR", parser=path, help="Folder with a subfolder per experiment."
    ),
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
    str | None,
    choice("--retry", ("failed",), "Train failed runs again; by default they are kept."),
]
Stale = Annotated[
    str,
    choice(
        "--stale",
        ("keep", "rerun"),
        "Keep finished runs of other code or another PyTorch (default), or train them again.",
    ),
]
Language = Annotated[
    str,
    choice(
        "--language",
        ("en", "ko"),
        "Language of the reports; the page about all claims holds both and begins with this one.",
    ),
]
_FOLDER = "Folder of one experiment, or of several."
Place = Annotated[Path, typer.Argument(metavar="[RESULTS]", parser=path, help=_FOLDER)]
AnyPlace = Annotated[Path, typer.Argument(metavar="RESULTS", parser=path, help=_FOLDER)]
