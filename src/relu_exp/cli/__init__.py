"""The command line: a Typer program with one-line errors and documented exit codes."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import typer

from relu_exp import __version__
from relu_exp.cli.cancelling import cancelled_like_ctrl_c
from relu_exp.cli.catalogue import claim, list_
from relu_exp.cli.checking import check
from relu_exp.cli.errors import explain
from relu_exp.cli.inspecting import inspect
from relu_exp.cli.options import Debug
from relu_exp.cli.output import open_output, output_error
from relu_exp.cli.results import compare, contrast, export, report, verify
from relu_exp.cli.training import reproduce, run
from relu_exp.core.naming import printable

__all__ = ["COMMANDS", "app", "main"]

COMMANDS: Mapping[str, Callable[..., None]] = {
    "run": run,
    "reproduce": reproduce,
    "report": report,
    "verify": verify,
    "compare": compare,
    "contrast": contrast,
    "list": list_,
    "claim": claim,
    "export": export,
    "inspect": inspect,
    "check": check,
}

# plain help: rich would make --help noticeably slower
app = typer.Typer(
    name="relu-exp",
    help="Claims about activation functions and weight initialization, decided by experiment.",
    epilog="Try: relu-exp run | relu-exp run depth=2,10 activation=relu,tanh 'seed=range(3)'",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _name, _command in COMMANDS.items():
    app.command(_name)(_command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"relu-exp {__version__}")
        raise typer.Exit


@app.callback()
def _relu_exp(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Debug = False,
) -> None:
    """Handle the options that come before a command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; an error is one line on stderr.

    0: all well. 1: some run failed, or a bug. 2: bad usage or configuration. 130: interrupted.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    open_output()
    try:
        # without a command, Typer would report its help as an error
        with cancelled_like_ctrl_c():
            code = app(words or ["--help"], prog_name="relu-exp", standalone_mode=False)
        if failure := output_error():
            raise failure
    except Exception as error:
        if "--debug" in words:
            traceback.print_exc()
        # a command may have failed because nothing more could be printed
        message, code = explain(output_error() or error, words, [*COMMANDS])
        if message:
            print("relu-exp:", printable(" ".join(message.split())), file=sys.stderr)
    else:
        # Typer returns this code after Ctrl-C
        if code == 130:
            print("relu-exp: interrupted", file=sys.stderr)
    return int(code or 0)
