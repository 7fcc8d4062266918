"""The commands that train: `run` and `reproduce`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from relu_exp.cli.completion import complete_run
from relu_exp.cli.options import (
    BUDGETS,
    DEVICES,
    HERE,
    STALE,
    Budget,
    Debug,
    Device,
    Plan,
    Plugins,
    Results,
    Retry,
    Stale,
    Workers,
    Yes,
    check_words,
    whole,
)
from relu_exp.core.schema import UsageError

__all__ = ["reproduce", "run"]

MAX_SEEDS = 64


def run(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[EXPERIMENT|FILE.yaml|KEY=VALUE]...",
            help="What to run (`default` if not given) and what to change in it.",
            autocompletion=complete_run,
        ),
    ] = None,
    plan: Plan = False,
    budget: Budget = None,
    device: Device = "auto",
    results: Results = HERE,
    workers: Workers = None,
    plugin: Plugins = None,
    yes: Yes = False,
    retry: Retry = None,
    stale: Stale = "keep",
    watch: Annotated[
        bool, typer.Option("--watch", help="Write the report again and again while it trains.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Train what is missing of a sweep, then report."""
    names = [word for word in words or [] if "=" not in word]
    overrides = [word for word in words or [] if "=" in word]
    _train(
        names,
        overrides,
        only_plan=plan,
        budget=budget,
        device=device,
        results=results,
        workers=workers,
        plugin=plugin,
        yes=yes,
        retry=retry,
        stale=stale,
        watches=watch,
    )


def reproduce(
    plan: Plan = False,
    budget: Budget = "quick",
    device: Device = "auto",
    results: Results = HERE,
    workers: Workers = None,
    plugin: Plugins = None,
    yes: Yes = False,
    retry: Retry = None,
    stale: Stale = "keep",
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
            parser=whole("--max-seeds", 2, 10_000),
            help="At most so many; 64 if not given.",
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """Run every experiment, decide every claim, and report on all of them."""
    if max_seeds is not None and not until_decided:
        raise UsageError("--max-seeds has a meaning with --until-decided only")
    most = (max_seeds or MAX_SEEDS) if until_decided else None
    _train(
        [],
        [],
        only_plan=plan,
        budget=budget,
        device=device,
        results=results,
        workers=workers,
        plugin=plugin,
        yes=yes,
        retry=retry,
        stale=stale,
        judges=True,
        max_seeds=most,
    )


def _train(
    names: Sequence[str],
    overrides: Sequence[str],
    *,
    only_plan: bool,
    budget: str | None,
    device: str,
    results: Path,
    workers: int | None,
    plugin: Sequence[str] | None,
    yes: bool,
    retry: str | None,
    stale: str,
    judges: bool = False,
    max_seeds: int | None = None,
    watches: bool = False,
) -> None:
    """Train, and end the command with the exit code of that."""
    check_words(
        [
            ("--device", device, DEVICES),
            ("--budget", budget, BUDGETS),
            ("--retry", retry, ("failed",)),
            ("--stale", stale, STALE),
        ]
    )
    if device != "cuda" and not only_plan:
        from relu_exp.launchers.processes import warm_up

        warm_up()
    from relu_exp.session.session import Options, train

    options = Options(
        results=results,
        device=device,
        num_workers=workers,
        plugins=tuple(plugin or ()),
        budget=budget,
        only_plan=only_plan,
        yes=yes,
        watches=watches,
        judges=judges,
        retry_failed=retry is not None,
        rerun_stale=stale == "rerun",
        max_seeds=max_seeds,
    )
    raise typer.Exit(train(names, overrides, options))
