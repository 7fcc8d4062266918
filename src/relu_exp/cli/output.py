"""Standard output, which may be full, closed, or a pipe whose reader has ended."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

__all__ = ["open_output", "output_error"]


def open_output() -> None:
    """Let what is printed vanish where there is no standard output or error."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def output_error() -> OSError | None:
    """Write what was printed; return the error if standard output cannot take it, else None.

    What is left then vanishes, or the interpreter would fail on it once more as it ends.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
        return error
    return None
