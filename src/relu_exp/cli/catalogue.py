"""The commands that show what is available: `list` and `claim`."""

from __future__ import annotations

from typing import Annotated

import typer

from relu_exp.cli.completion import complete_claim, complete_kind
from relu_exp.cli.options import HERE, Debug, Language, Plugins, Results

__all__ = ["claim", "list_"]


def list_(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND]",
            help="What to list; everything by default.",
            autocompletion=complete_kind,
        ),
    ] = None,
    results: Results = HERE,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """List experiments, registry entries with settings and references, and claims with verdicts."""
    from relu_exp.session.listing import show

    show(kind, plugin or (), results)


def claim(
    id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="Which claim: relu-exp list claims.", autocompletion=complete_claim
        ),
    ],
    results: Results = HERE,
    language: Language = "en",
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Show a claim: its statement and sources, the rule, the latest verdict and its evidence."""
    from relu_exp.session.listing import show_claim

    show_claim(id, plugin or (), results, language)
