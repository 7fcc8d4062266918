"""A session: one command's work, from sweeps through fleets to reports."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from relu_exp.launchers import local
from relu_exp.launchers.task import Mission
from relu_exp.plan import FLEET_SIZES, Plan, estimate, plan
from relu_exp.progress import Meter, duration
from relu_exp.registry import load_plugins
from relu_exp.reporting import Interrupted, Reports, index, judge, report, show_verdicts
from relu_exp.schema import SCHEMA_VERSION, RunConfig, UsageError
from relu_exp.seeds import MAX_LOOKS, more_seeds
from relu_exp.store import Store, describe_machine, new_session
from relu_exp.watching import Watch

if TYPE_CHECKING:
    from relu_exp.config import Sweep

__all__ = ["ASK_FROM", "Options", "train"]

ASK_FROM = 100_000
"""Sweeps of more runs than this need --yes."""


@dataclass(frozen=True)
class Options:
    """What a command says beside its experiments and overrides."""

    results: Path
    device: str = "auto"
    num_workers: int | None = None
    plugins: tuple[str, ...] = ()
    budget: str | None = None
    only_plan: bool = False
    yes: bool = False
    watches: bool = False
    """Whether reports on partial results are written while it trains."""
    judges: bool = False
    """Whether the claims are decided in the end."""
    max_seeds: int | None = None
    """Seeds up to which open claims get more of them; None: they stay open."""


@dataclass(frozen=True)
class _Task:
    """One sweep of a session: its runs, their place, where they train and how many at a time."""

    sweep: Sweep
    runs: list[RunConfig]
    store: Store
    device: str
    num_workers: int
    command: str
    studies: Mapping[str, str]
    """Name → the part that holds it."""

    def plan(self) -> Plan:
        size = self.sweep.launcher.fleet_size or FLEET_SIZES[self.device]
        return plan(self.runs, self.store.finished(), size, self.num_workers)


def train(names: Sequence[str], overrides: Sequence[str], options: Options) -> int:
    """Train what is missing of some experiments, report on each, and return the exit code.

    Raises:
        UsageError: an experiment, an override, the device or the place of the results is not
            valid, or the sweep is so large that it needs --yes.
    """
    load_plugins(options.plugins)
    tasks = _tasks(names or ["default"], overrides, options)
    if options.only_plan:
        seconds = sum(_show_plan(task) for task in tasks)
        if options.judges:
            _show_claims(tasks)
            print(f"time in all about {duration(seconds)}, without studies and reports")
        return 0
    if len(tasks) == 1:
        num_lost = _train(tasks[0], options)
        report(tasks[0].store.root)
        return 1 if num_lost else 0
    num_lost = _train_all(tasks, options)
    if not options.judges:
        index(options.results)
        return 1 if num_lost else 0
    if options.max_seeds is None:
        judge(options.results)
    else:
        num_lost += _until_decided(tasks, overrides, options, options.max_seeds)
    show_verdicts(options.results)
    return 1 if num_lost else 0


def _train_all(tasks: Sequence[_Task], options: Options, looks: int = 1) -> int:
    """Train several sweeps, each reported on while the next trains; return the runs lost."""
    with Reports(options.plugins) as reports:
        num_lost = 0
        for task in tasks:
            num_lost += _train(task, options, looks)
            reports.begin(task.store.root)
    return num_lost


def _until_decided(
    tasks: Sequence[_Task], overrides: Sequence[str], options: Options, most: int
) -> int:
    """Judge, and give open claims' experiments more seeds, a few times; return the runs lost."""
    num_seeds = {task.sweep.name: len({run.seed for run in task.runs}) for task in tasks}
    num_lost = 0
    for looks in range(2, MAX_LOOKS + 1):
        grown = more_seeds(judge(options.results), num_seeds, most)
        if not grown:
            return num_lost
        for name, seeds in grown.items():
            print(f"{name}: {num_seeds[name]} seeds leave claims open, {seeds} may decide them")
        more = [
            task
            for name, seeds in grown.items()
            for task in _tasks([name], [*overrides, f"seed=range({seeds})"], options)
        ]
        num_lost += _train_all(more, options, looks)
        num_seeds.update(grown)
    judge(options.results)
    return num_lost


def _tasks(names: Sequence[str], overrides: Sequence[str], options: Options) -> list[_Task]:
    """Compose and expand every sweep, so that whatever is wrong shows before the first trains."""
    from relu_exp.config import sweeps

    found = sweeps(names, overrides, options.budget)
    total = sum(sweep.num_runs for sweep in found)
    if total > ASK_FROM and not options.yes:
        raise UsageError(f"that is {total:,} runs: add --yes if you mean it")
    _check_figures(names, found)
    device = local.resolve_device(options.device)
    tasks = []
    for name, sweep in zip(names, found, strict=True):
        num_workers = options.num_workers or sweep.launcher.num_workers or local.num_cores()
        tasks.append(
            _Task(
                sweep=sweep,
                runs=sweep.runs(),
                store=Store(options.results / sweep.name),
                device=device,
                num_workers=num_workers if device == "cpu" else 1,
                command=_command(name, overrides, options),
                studies=_studies(sweep, device),
            )
        )
    return tasks


def _studies(sweep: Sweep, device: str) -> dict[str, str]:
    if not sweep.studies:
        return {}
    from relu_exp.engine.studies import part_of  # torch loads only where there is a study

    try:
        return {study: part_of(study, device, sweep.budget) for study in sweep.studies}
    except UsageError as error:
        raise UsageError(f"{sweep.name}: {error}") from error


def _check_figures(names: Sequence[str], found: Sequence[Sweep]) -> None:
    """Raise a UsageError for a figure that a file of the user's own names and there is not."""
    from relu_exp.config import experiment_names

    for name, sweep in zip(names, found, strict=True):
        if name not in experiment_names() and sweep.figures:
            from relu_exp.evidence.figures import FIGURES

            for figure in sweep.figures:
                try:
                    FIGURES[figure]
                except UsageError as error:
                    raise UsageError(f"{name}: {error}") from error


def _command(name: str, overrides: Sequence[str], options: Options) -> str:
    """Return the command that trains these runs; where it ran and what it wrote to is left out."""
    words = ["relu-exp", "run", name, *overrides]
    if options.budget:
        words += ["--budget", options.budget]
    for plugin in options.plugins:
        words += ["--plugin", plugin]
    return shlex.join(words)


def _train(task: _Task, options: Options, looks: int = 1) -> int:
    """Train what is due and return how many runs were lost on the way."""
    name, store, session = task.sweep.name, task.store, new_session()
    store.open()
    made = task.plan()
    store.write_manifest(_manifest(task, options, session) | {"looks": looks})
    _study(task)
    if not made.num_runs:
        return 0
    if not made.fleets:
        print(f"{name}: {made.num_runs} runs, all finished before: nothing to train")
        return 0
    console = Console(stderr=True, highlight=False)
    mission = Mission(store.root, session, task.device, options.plugins)
    meter = Meter(name, made.fleets, console)
    try:
        with meter, Watch(store.root, options.plugins, meter) as watch:
            tell = watch if options.watches else meter
            local.launch(made.fleets, mission, task.num_workers, tell)
    except KeyboardInterrupt:
        kept = len(store.finished().intersection(run.run_id for run in task.runs))
        raise Interrupted(
            f"interrupted: kept {kept} finished runs; run the same command to continue"
        ) from None
    for reason, count in meter.reasons.items():
        console.print(f"{name}: {reason} (fleets: {count})", markup=False, soft_wrap=True)
    return meter.counts["failed"] + meter.counts["interrupted"]


def _study(task: _Task) -> None:
    """Make the sweep's studies that are not there yet."""
    if not task.studies:
        return
    from relu_exp.engine.studies import STUDIES

    for study, part_id in task.studies.items():
        if part_id in task.store.part_ids():
            print(f"{task.sweep.name}: study {study}, finished before")
            continue
        try:
            tables = STUDIES[study].make(task.device, task.sweep.budget)
        except KeyboardInterrupt:
            raise Interrupted(
                f"interrupted: study {study} is not kept; run the same command to continue"
            ) from None
        task.store.write_part(part_id, tables)


def _manifest(task: _Task, options: Options, session: str) -> dict[str, Any]:
    sweep = task.sweep
    return {
        "schema_version": SCHEMA_VERSION,
        "session": session,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": task.command,
        "experiment": sweep.name,
        "title": sweep.title,
        "question": sweep.question,
        "figures": list(sweep.figures),
        "thresholds": {name: list(values) for name, values in sweep.thresholds.items()},
        "axes": {axis: list(labels) for axis, labels in sweep.axes.items()},
        "budget": options.budget,
        "run_ids": [run.run_id for run in task.runs],
        "studies": task.studies,
        "device": task.device,
        **describe_machine(),
    }


def _show_plan(task: _Task) -> float:
    """Print what a sweep takes, and return the seconds of its training."""
    task.store.check_version()
    made = task.plan()
    print(task.sweep.title)
    for study, part_id in task.studies.items():
        print(f"  study    {study}: {'finished' if part_id in task.store.part_ids() else 'new'}")
    if not made.num_runs:
        return 0.0
    cost = estimate(made.fleets, task.device, task.num_workers)
    num_workers = max(1, min(task.num_workers, len(made.fleets)))
    processes = f"{num_workers} process{'es' if num_workers > 1 else ''}"
    where = processes if task.device == "cpu" else "the GPU"
    print(f"  runs     {made.num_runs:,}: {made.num_due:,} new, {made.num_finished:,} finished")
    print(f"  fleets   {len(made.fleets):,} on {where}")
    print(f"  time     about {duration(cost.seconds)}")
    print(f"  disk     about {cost.num_bytes / 1e6:.1f} MB in {task.store.root}")
    return cost.seconds


def _show_claims(tasks: Sequence[_Task]) -> None:
    """Print how many claims these runs can decide, and what stands in the others' way."""
    from relu_exp.evidence.claims.court import can_decide
    from relu_exp.evidence.claims.registry import all_claims

    num_seeds = {
        # what is not trained has no seeds to be short of
        task.sweep.name: len({run.seed for run in task.runs}) or math.inf
        for task in tasks
    }
    claims = list(all_claims())
    reasons = {claim.id: can_decide(claim, num_seeds) for claim in claims}
    possible = [claim for claim in claims if reasons[claim.id] is None]
    exact = sum(claim.rule.is_exact for claim in possible)
    seeds = sorted(number for number in num_seeds.values() if number < math.inf)
    print(f"{len(claims)} claims")
    print(f"  decidable  {len(possible)}: {exact} exact, {len(possible) - exact} by statistics")
    if seeds:
        print(f"  seeds      {seeds[0]} to {seeds[-1]}, by experiment")
    for claim, reason in reasons.items():
        if reason is not None:
            print(f"  open       {claim}: {reason}")
