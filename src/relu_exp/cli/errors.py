"""Error messages in one line: what is wrong, what is valid, and the nearest guess."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Sequence

import typer

from relu_exp.cli.completion import setting_keys
from relu_exp.core.naming import nearest, shown
from relu_exp.core.schema import UsageError

__all__ = ["explain"]

_OUT_OF_MEMORY = (
    "failed to map segment",
    "cannot allocate memory",
    "can't allocate memory",
    "not enough memory",
    "can't start new thread",
)
"""What the loader of libraries, the system, PyTorch and Python say where memory is short."""


def explain(error: Exception, words: Sequence[str], commands: Sequence[str]) -> tuple[str, int]:
    """Return the one-line message of an error, and the exit code."""
    if isinstance(error, typer.TyperException):
        return f"error: {_unusable(error, words, commands)}", error.exit_code
    if isinstance(error, UsageError):
        return f"error: {error}", 2
    # an intended end of a session, such as Ctrl-C, has its own exit code
    if code := getattr(error, "exit_code", None):
        return str(error), code
    if _is_out_of_memory(error):
        return f"error: there is not enough memory ({error or type(error).__name__})", 2
    if isinstance(error, BrokenPipeError):
        # the reader of a pipe has ended, as in `relu-exp list | head`
        return "", 1
    if isinstance(error, OSError) and error.strerror:
        # files that are written have a name, and Python's own streams have none
        where = shown(os.fsdecode(error.filename)) if error.filename else "output"
        return f"error: {where}: {error.strerror}", 2
    return f"error: {type(error).__name__}: {error} (a bug: --debug shows where)", 1


def _is_out_of_memory(error: Exception) -> bool:
    """Return whether an error says that the system gave no more memory or no more threads."""
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    text = str(error).lower()
    return isinstance(error, ImportError | RuntimeError | OSError) and any(
        words in text for words in _OUT_OF_MEMORY
    )


def _unusable(error: typer.TyperException, words: Sequence[str], commands: Sequence[str]) -> str:
    """Return a message about words that Typer could not parse, with a hint or the nearest guess."""
    if hasattr(error, "possibilities"):
        return _no_such_option(error, words)
    first = next((word for word in words if not word.startswith("-")), None)
    if first is not None and first not in commands:
        from relu_exp.config import experiment_names

        runs = "=" in first or first in experiment_names() or first.endswith((".yaml", ".yml"))
        guess = (
            f" (did you mean `relu-exp run {shlex.quote(first)}`?)"
            if runs
            else nearest(first, commands)
        )
        return f"no such command {first}{guess}; valid: {', '.join(commands)}"
    return error.format_message()


def _no_such_option(error: typer.TyperException, words: Sequence[str]) -> str:
    """Return a message about an unknown option; it may be a setting, which has no dashes."""
    name = str(getattr(error, "option_name", ""))
    typed = next((word for word in words if word.startswith(name)), name)
    key, _, value = typed.lstrip("-").partition("=")
    key = key.replace("-", "_")
    if {key, key.partition(".")[0]} & {*setting_keys()}:
        following = words[words.index(typed) + 1 :] if typed in words else []
        value = value or next(iter(following), "VALUE")
        return f"no such option {typed}: settings have no dashes, write {key}={value}"
    if not typed.startswith("--") or value:
        guess = nearest(key, setting_keys())
        return f"no such option {typed}{guess}: settings are written as in learning_rate=0.1"
    options = getattr(error, "possibilities", None) or ()
    return f"no such option {typed}{nearest(typed, options)}"
