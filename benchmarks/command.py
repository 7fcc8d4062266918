"""relu-exp's command, as this checkout has it."""

from __future__ import annotations

import sys

__all__ = ["relu_exp"]


def relu_exp(*words: str) -> list[str]:
    """Return the command line that runs relu-exp with some words."""
    program = "import sys; from relu_exp.cli import main; sys.exit(main())"
    return [sys.executable, "-c", program, *words]
