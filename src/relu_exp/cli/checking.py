"""The command that checks a text: `check`."""

from __future__ import annotations

from typing import Annotated

import typer

from relu_exp.cli.options import HERE, Debug, Language, Results, choice

__all__ = ["check"]


def check(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="Text, Markdown or HTML, Korean or English; - for standard input."
        ),
    ],
    results: Results = HERE,
    format: Annotated[
        str, choice("--format", ("text", "json", "markdown"), "What to print.")
    ] = "text",
    language: Language = "en",
    debug: Debug = False,
) -> None:
    """Mark the sentences of a text that make a tested claim, with verdicts and corrections."""
    from relu_exp.session.checking import check_document

    check_document(file, results, format, language)
