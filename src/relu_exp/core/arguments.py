"""Arguments of a command: which name an experiment or its file, and which set a key."""

from __future__ import annotations

from pathlib import Path

__all__ = ["is_experiment", "is_experiment_file"]

_ENDINGS = (".yaml", ".yml")


def is_experiment(argument: str) -> bool:
    """Return whether an argument names an experiment or its file rather than a `KEY=VALUE`.

    The path of a file may hold a `=`, as in `lr=0.1/mine.yaml`.
    """
    return "=" not in argument or is_experiment_file(argument)


def is_experiment_file(argument: str) -> bool:
    """Return whether an argument is the path of an experiment's file."""
    if not argument.endswith(_ENDINGS):
        return False
    key, equals, _ = argument.partition("=")
    return not equals or "/" in key or "\\" in key or Path(argument).is_file()
