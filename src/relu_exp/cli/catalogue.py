"""The commands that say what there is: `list` and `claim`."""

from __future__ import annotations

from typing import Annotated

import typer

from relu_exp.cli.completion import complete_claim, complete_kind
from relu_exp.cli.options import HERE, Debug, Plugins, Results

__all__ = ["claim", "list_"]


def list_(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND]", help="What to list; all if not given.", autocompletion=complete_kind
        ),
    ] = None,
    results: Results = HERE,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """List what there is, with settings and references; claims with their verdicts."""
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
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Show a claim: what is said and where, the rule, the latest verdict and what it rests on."""
    from relu_exp.session.listing import show_claim

    show_claim(id, plugin or (), results)
