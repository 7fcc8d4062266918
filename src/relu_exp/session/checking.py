"""Checking a text: reads it, marks its claims with saved verdicts, and prints what was found."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["check_document"]


def check_document(name: str, results: Path, format: str, language: str) -> None:
    """Print the claims that a text makes.

    Args:
        name: its file, or `-` for standard input.
        results: the folder whose verdicts are shown.
        format: `text`, `json` or `markdown`.
        language: of what is said about the text, `en` or `ko`.

    Raises:
        UsageError: the text cannot be read, or the verdicts are damaged.
    """
    from rich.console import Console

    from relu_exp.core.naming import shown
    from relu_exp.evidence.check import (
        as_json,
        as_markdown,
        check_text,
        print_checked,
        read_document,
        verdicts_for,
    )
    from relu_exp.evidence.data.language import language as written_in

    text = read_document(name)
    verdicts = verdicts_for(results)
    found = check_text(text, verdicts)
    with written_in(language):
        if format == "json":
            print(as_json(found), end="")
        elif format == "markdown":
            print(as_markdown(found, "-" if name == "-" else shown(Path(name).name)), end="")
        else:
            print_checked(found, Console(highlight=False, markup=False))
    if found and not verdicts:
        print(f"note: no verdicts in {results}: `relu-exp reproduce` decides them", file=sys.stderr)
