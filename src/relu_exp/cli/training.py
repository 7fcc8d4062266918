"""The commands that train: `run` and `reproduce`."""

from __future__ import annotations

from typing import Annotated

import typer

from relu_exp.cli.completion import complete_claim, complete_run
from relu_exp.cli.options import (
    HERE,
    Budget,
    Debug,
    Device,
    Language,
    Plan,
    Plugins,
    Results,
    Retry,
    Stale,
    Workers,
    Yes,
    whole,
)
from relu_exp.core.arguments import is_experiment
from relu_exp.core.schema import UsageError

__all__ = ["reproduce", "run"]

DEFAULT_BUDGET = "quick"
MAX_SEEDS = 64


def run(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[EXPERIMENT|FILE.yaml|KEY=VALUE]...",
            help="What to run (`default` if omitted), and overrides of its settings.",
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
        bool, typer.Option("--watch", help="Update the report repeatedly during training.")
    ] = False,
    claim: Annotated[
        str | None,
        typer.Option(
            "--claim",
            metavar="ID",
            help="End with the verdict on this claim.",
            autocompletion=complete_claim,
        ),
    ] = None,
    language: Language = "en",
    debug: Debug = False,
) -> None:
    """Train the missing runs of a sweep, then report."""
    _warm_up(device, plan)
    from relu_exp.session.session import Options, train

    names = [word for word in words or [] if is_experiment(word)]
    overrides = [word for word in words or [] if not is_experiment(word)]
    options = Options(
        results=results,
        device=device,
        num_workers=workers,
        plugins=tuple(plugin or ()),
        budget=budget,
        only_plan=plan,
        yes=yes,
        retry_failed=retry is not None,
        rerun_stale=stale == "rerun",
        watches=watch,
        claim=claim,
        language=language,
    )
    raise typer.Exit(train(names, overrides, options))


def reproduce(
    plan: Plan = False,
    budget: Budget = DEFAULT_BUDGET,
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
            "--until-decided", help="Train more seeds for open claims until they are decided."
        ),
    ] = False,
    max_seeds: Annotated[
        int | None,
        typer.Option(
            "--max-seeds",
            metavar="N",
            parser=whole("--max-seeds", 2, 10_000),
            help="Most seeds for an open claim; 64 by default.",
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """Run every experiment, decide every claim, and report on all of them.

    Results of a larger budget stay: those of a smaller one go to a folder of its name beside them.
    """
    if max_seeds is not None and not until_decided:
        raise UsageError("--max-seeds can only be used with --until-decided")
    _warm_up(device, plan)
    from relu_exp.session.results_folder import folder_for
    from relu_exp.session.session import Options, train

    options = Options(
        results=folder_for(results, budget or DEFAULT_BUDGET),
        device=device,
        num_workers=workers,
        plugins=tuple(plugin or ()),
        budget=budget,
        only_plan=plan,
        yes=yes,
        retry_failed=retry is not None,
        rerun_stale=stale == "rerun",
        judges=True,
        max_seeds=(max_seeds or MAX_SEEDS) if until_decided else None,
    )
    raise typer.Exit(train([], [], options))


def _warm_up(device: str, only_plan: bool) -> None:
    """Let worker processes load torch while this process loads the rest."""
    if device != "cuda" and not only_plan:
        from relu_exp.launchers.processes import warm_up

        warm_up()
