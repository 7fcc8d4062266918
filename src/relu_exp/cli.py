"""The command line: Typer commands, which import what they need when they are called."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from relu_exp import __version__
from relu_exp.registry import nearest, printable
from relu_exp.schema import UsageError

__all__ = ["app", "main"]

# plain help: rich would take a third of the time that --help may take
app = typer.Typer(
    name="relu-exp",
    help="Claims about activation functions and weight initialization, decided by experiment.",
    epilog="Try: relu-exp run | relu-exp run depth=2,10 activation=relu,tanh 'seed=range(3)'",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

DEVICES = ("auto", "cpu", "cuda")
BUDGETS = ("quick", "standard", "full")
MAX_SEEDS = 64


def _starting(words: Sequence[str]) -> Callable[[str], list[str]]:
    """Return a completion that offers the words which start like the one being typed."""
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


def _complete_run(incomplete: str) -> list[str]:
    """Complete the names of experiments and the keys of what can be changed."""
    from relu_exp.config import experiment_names

    return _starting([*experiment_names(), *(f"{key}=" for key in _keys())])(incomplete)


def _keys() -> tuple[str, ...]:
    from relu_exp.config.groups import GROUPS
    from relu_exp.config.keys import PLAIN_KEYS, SCHEDULE_KEYS, THRESHOLD_KEYS

    return (*GROUPS, *PLAIN_KEYS, *SCHEDULE_KEYS, *THRESHOLD_KEYS)


def _complete_kind(incomplete: str) -> list[str]:
    from relu_exp.listing import KINDS

    return _starting(KINDS)(incomplete)


def _complete_claim(incomplete: str) -> list[str]:
    from relu_exp.evidence.claims.registry import all_claims

    return _starting([claim.id for claim in all_claims()])(incomplete)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"relu-exp {__version__}")
        raise typer.Exit


def _whole(option: str, least: int, most: int) -> Callable[[str], int]:
    """Return a parser of a whole number within limits."""

    def parse(text: str) -> int:
        if not (text.isdecimal() and len(text) < 10 and least <= int(text) <= most):
            raise UsageError(
                f"{option} {text} is not valid: it must be a number from {least} to {most}"
            )
        return int(text)

    return parse


Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Plan = Annotated[
    bool, typer.Option("--plan", help="Show runs, fleets, time and disk; train nothing.")
]
Budget = Annotated[
    str | None,
    typer.Option(
        "--budget",
        metavar="|".join(BUDGETS),
        help="How much of each experiment to run.",
        autocompletion=_starting(BUDGETS),
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="|".join(DEVICES),
        help="Where to train; auto is the GPU where there is one.",
        autocompletion=_starting(DEVICES),
    ),
]
Results = Annotated[
    Path, typer.Option("--results", metavar="DIR", help="Where each experiment has its folder.")
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        parser=_whole("--workers", 1, 10_000),
        help="Processes on a CPU; one per core if not given.",
    ),
]
Plugins = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin", metavar="MODULE", help="Module with entries of your own; may be repeated."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Train a sweep of very many runs, too.")]
HERE = Path("results")


@app.callback()
def _relu_exp(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Debug = False,
) -> None:
    """Take the options that stand before a command."""


@app.command("run")
def run(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[EXPERIMENT|FILE.yaml|KEY=VALUE]...",
            help="What to run (`default` if not given) and what to change in it.",
            autocompletion=_complete_run,
        ),
    ] = None,
    plan: Plan = False,
    budget: Budget = None,
    device: Device = "auto",
    results: Results = HERE,
    workers: Workers = None,
    plugin: Plugins = None,
    yes: Yes = False,
    debug: Debug = False,
) -> None:
    """Train what is missing of a sweep, then report."""
    names = [word for word in words or [] if "=" not in word]
    overrides = [word for word in words or [] if "=" in word]
    _train(names, overrides, plan, budget, device, results, workers, plugin, yes)


@app.command("reproduce")
def reproduce(
    plan: Plan = False,
    budget: Budget = "quick",
    device: Device = "auto",
    results: Results = HERE,
    workers: Workers = None,
    plugin: Plugins = None,
    yes: Yes = False,
    until_decided: Annotated[
        bool,
        typer.Option(
            "--until-decided", help="Give open claims more seeds, as many as may decide them."
        ),
    ] = False,
    max_seeds: Annotated[
        int | None,
        typer.Option(
            "--max-seeds",
            metavar="N",
            parser=_whole("--max-seeds", 2, 10_000),
            help="At most so many; 64 if not given.",
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """Run every experiment, decide every claim, and report on all of them."""
    from relu_exp.config import experiment_names

    if max_seeds is not None and not until_decided:
        raise UsageError("--max-seeds has a meaning with --until-decided only")
    most = (max_seeds or MAX_SEEDS) if until_decided else None
    names = experiment_names()
    _train(names, [], plan, budget, device, results, workers, plugin, yes, True, most)


def _train(
    names: Sequence[str],
    overrides: Sequence[str],
    plan: bool,
    budget: str | None,
    device: str,
    results: Path,
    workers: int | None,
    plugin: Sequence[str] | None,
    yes: bool,
    judges: bool = False,
    max_seeds: int | None = None,
) -> None:
    _check_words([("--device", device, DEVICES), ("--budget", budget, BUDGETS)])
    if device != "cuda" and not plan:
        from relu_exp.launchers.processes import warm_up

        warm_up()
    from relu_exp.session import Options, train

    options = Options(
        results=results,
        device=device,
        num_workers=workers,
        plugins=tuple(plugin or ()),
        budget=budget,
        only_plan=plan,
        yes=yes,
        judges=judges,
        max_seeds=max_seeds,
    )
    raise typer.Exit(train(names, overrides, options))


def _check_words(given: Sequence[tuple[str, str | None, Sequence[str]]]) -> None:
    """Raise a UsageError where an option has a value that is none of its words."""
    for option, value, valid in given:
        if value is not None and value not in valid:
            raise UsageError(
                f"{option} {value} is not valid{nearest(value, valid)}; valid: {', '.join(valid)}"
            )


@app.command("report")
def report(
    results: Annotated[
        Path, typer.Argument(metavar="[RESULTS]", help="Folder of one experiment, or of several.")
    ] = HERE,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Rebuild figures, reports and verdicts from the results; trains nothing."""
    from relu_exp.reporting import report_all

    report_all(results, plugin or ())


@app.command("list")
def list_(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND]", help="What to list; all if not given.", autocompletion=_complete_kind
        ),
    ] = None,
    results: Results = HERE,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """List what there is, with settings and references; claims with their verdicts."""
    from relu_exp.listing import show

    show(kind, plugin or (), results)


@app.command("claim")
def claim(
    id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="Which claim: relu-exp list claims.", autocompletion=_complete_claim
        ),
    ],
    results: Results = HERE,
    debug: Debug = False,
) -> None:
    """Show a claim: what is said and where, the rule, the latest verdict and what it rests on."""
    from relu_exp.listing import show_claim

    show_claim(id, results)


@app.command("verify")
def verify(
    results: Annotated[
        Path, typer.Argument(metavar="RESULTS", help="Folder of one experiment, or of several.")
    ],
    sample: Annotated[
        int | None,
        typer.Option(
            "--sample",
            metavar="N",
            parser=_whole("--sample", 1, 1_000_000),
            help="Runs to train again; 10 if not given.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="S",
            parser=_whole("--seed", 0, 999_999_999),
            help="Which runs are drawn; others every time if not given.",
        ),
    ] = None,
    studies: Annotated[
        bool, typer.Option("--studies", help="Compute formulas again, too: about a minute.")
    ] = False,
    device: Device = "auto",
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Train some finished runs again and compare every table; exit 1 when something differs."""
    from relu_exp.verification import NUM_SAMPLED
    from relu_exp.verification import verify as verify_results

    _check_words([("--device", device, DEVICES)])
    code = verify_results(results, sample or NUM_SAMPLED, seed, device, plugin or (), studies)
    raise typer.Exit(code)


@app.command("compare")
def compare(
    before: Annotated[
        Path, typer.Argument(metavar="RESULTS", help="Folder of one experiment, or of several.")
    ],
    after: Annotated[Path, typer.Argument(metavar="RESULTS", help="Another one.")],
    as_json: Annotated[bool, typer.Option("--json", help="The same for machines.")] = False,
    debug: Debug = False,
) -> None:
    """Tell what changed between two result sets: configurations, versions, verdicts, effects."""
    from relu_exp.evidence.comparison import compare as compare_results

    print(compare_results(before, after, as_json=as_json), end="")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; an error is one line on stderr.

    0: all well. 1: some run failed, or a bug. 2: bad usage or configuration. 130: interrupted.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        # without a command Typer would call its help an error
        code = app(words or ["--help"], prog_name="relu-exp", standalone_mode=False)
    except Exception as error:
        if "--debug" in words:
            traceback.print_exc()
        message, code = _explain(error, words)
        print("relu-exp:", printable(" ".join(message.split())), file=sys.stderr)
    else:
        # Typer turns Ctrl-C into this code
        if code == 130:
            print("relu-exp: interrupted", file=sys.stderr)
    return int(code or 0)


def _explain(error: Exception, words: Sequence[str]) -> tuple[str, int]:
    """Return what a person reads of an error, and the exit code."""
    if isinstance(error, typer.TyperException):
        return f"error: {_unusable(error, words)}", error.exit_code
    if isinstance(error, UsageError):
        return f"error: {error}", 2
    # what ends a session on purpose brings its own exit code
    if code := getattr(error, "exit_code", None):
        return str(error), code
    return f"error: {type(error).__name__}: {error} (a bug: --debug shows where)", 1


def _unusable(error: typer.TyperException, words: Sequence[str]) -> str:
    """Return what Typer could not understand, with how it is written or the nearest guess."""
    from relu_exp.config import experiment_names

    if hasattr(error, "possibilities"):
        name = str(getattr(error, "option_name", ""))
        typed = next((word for word in words if word.startswith(name)), name)
        key, _, value = typed.lstrip("-").partition("=")
        key = key.replace("-", "_")
        if key in _keys() or key.partition(".")[0] in _keys():
            following = words[words.index(typed) + 1 :] if typed in words else []
            value = value or next(iter(following), "VALUE")
            return f"no such option {typed}: settings have no dashes, write {key}={value}"
        if not typed.startswith("--") or value:
            guess = nearest(key, _keys())
            return f"no such option {typed}{guess}: settings are written as in learning_rate=0.1"
        return f"no such option {typed}{nearest(typed, error.possibilities or ())}"
    commands = [command.name for command in app.registered_commands if command.name]
    first = next((word for word in words if not word.startswith("-")), None)
    if first is not None and first not in commands:
        runs = "=" in first or first in experiment_names() or first.endswith((".yaml", ".yml"))
        guess = f" (did you mean relu-exp run {first}?)" if runs else nearest(first, commands)
        return f"no such command {first}{guess}; valid: {', '.join(commands)}"
    return error.format_message()
