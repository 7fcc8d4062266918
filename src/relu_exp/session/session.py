"""A session: the work of one command, from sweeps to reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from rich.console import Console

from relu_exp.core.absent_data import as_json
from relu_exp.core.launchers import LAUNCHERS
from relu_exp.core.plugin_files import absolute
from relu_exp.core.plugin_loading import load_plugins
from relu_exp.core.schema import UsageError
from relu_exp.evidence.data.commands import seeds as seeds_from
from relu_exp.launchers.local import living_workers
from relu_exp.launchers.slurm_queue import cancel_left_behind
from relu_exp.launchers.task import CHECKPOINT_SECONDS, FleetJob
from relu_exp.results.lock import alone
from relu_exp.results.provenance import working_diff
from relu_exp.results.refusal import no_folders_if_refused, no_manifest_if_refused
from relu_exp.results.replaced import drop_replaced
from relu_exp.results.store import new_session
from relu_exp.session.data_checks import Skipped, see_data_as_they_are, with_checked_data
from relu_exp.session.listing import show_claim
from relu_exp.session.preview import kept_lines, show_claims, show_plan, show_skipped
from relu_exp.session.progress import Meter, duration
from relu_exp.session.reporting import (
    Interrupted,
    Reports,
    has_results,
    index,
    judge,
    report,
    show_verdicts,
)
from relu_exp.session.seeds import MAX_LOOKS, more_seeds
from relu_exp.session.tasks import Options, Task, tasks_of
from relu_exp.session.watching import Watch

__all__ = ["Options", "train"]

_CALIBRATED_FROM = 600
"""Seconds of training above which measuring this machine is worth the few percent it gains."""


def train(names: Sequence[str], overrides: Sequence[str], options: Options) -> int:
    """Train the missing runs of some experiments, report on each, and return the exit code.

    Without names it is every experiment where claims are judged, else `default`.

    Raises:
        UsageError: an experiment, an override, the device or the results folder is not valid, or
            the sweep is so large that it needs --yes; or data are damaged or not valid, or missing
            where no claim is to be judged: a sweep without its data is skipped before judging.
    """
    load_plugins(options.plugins)
    see_data_as_they_are()
    if options.claim is not None:
        from relu_exp.evidence.claims.registry import find_claim

        find_claim(options.claim)
    if not names and not options.judges:
        names = ["default"]
    if options.judges or options.claim is not None:
        names = _in_budget(names, options.budget)
    tasks, skipped = with_checked_data(
        tasks_of(names, overrides, options),
        may_download=not options.only_plan,
        may_skip=options.judges or options.claim is not None,
    )
    if options.only_plan:
        seconds = sum(show_plan(task) for task in tasks)
        show_skipped(skipped)
        if options.judges:
            show_claims(tasks)
            print(f"total time about {duration(seconds)}, without studies and reports")
        return 0
    for task in tasks:
        LAUNCHERS[task.sweep.launcher.name].check()
    for each in skipped:
        _skip(each)
    if len(names) == len(tasks) == 1:
        num_lost = _train(tasks[0], options)
        report(tasks[0].store.root, language=options.language)
        _show_claim(options)
        return 1 if num_lost else 0
    # which claims get a second look depends on the first: all that are planned count from there on
    looks = 1 if options.max_seeds is None else MAX_LOOKS
    num_lost = _train_all(tasks, options, looks)
    if not options.judges:
        if tasks:
            index(options.results, options.language)
        _show_claim(options)
        return 1 if num_lost else 0
    if options.max_seeds is None:
        judge(options.results, options.language)
    else:
        num_lost += _until_decided(tasks, overrides, options, options.max_seeds)
    show_verdicts(options.results)
    return 1 if num_lost else 0


def _show_claim(options: Options) -> None:
    """Judge the claims on the results, if there are any, and show the one that was asked for."""
    if options.claim is not None:
        if has_results(options.results):
            judge(options.results, options.language)
        show_claim(options.claim, options.plugins, options.results, options.language)


def _skip(skipped: Skipped) -> None:
    """Say that a sweep is skipped, and leave the reason in its folder for those who judge it.

    Where it was run before, its results stay as they are.
    """
    console, store = _console(), skipped.task.store
    console.print(skipped.line, markup=False)
    with no_folders_if_refused(store):
        store.open()
        with _alone(skipped.task, console):
            if not store.part_ids():
                manifest = skipped.task.manifest(new_session())
                store.write_manifest(manifest | as_json(skipped.absent))


def _console() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)


def _in_budget(names: Sequence[str], budget: str | None) -> Sequence[str]:
    """Return the experiments that are part of a budget, of all unless some are named.

    The others are told; where no other is left they stay, and composing them says what is wrong.
    """
    from relu_exp.config import experiment_names, find_experiment

    found = {name: find_experiment(name) for name in names or experiment_names()}
    skipped = [name for name, each in found.items() if budget in each.skipped_in]
    if not skipped or len(skipped) == len(found):
        return names or [*found]
    words = f"not part of the {budget} budget: {', '.join(skipped)}"
    _console().print(words, markup=False)
    return [name for name in found if name not in skipped]


def _train_all(tasks: Sequence[Task], options: Options, looks: int = 1) -> int:
    """Train sweeps, building reports meanwhile, and return the number of lost runs."""
    with living_workers(), Reports(options.plugins, options.language) as reports:
        num_lost = 0
        for task in tasks:
            num_lost += _train(task, options, looks)
            reports.begin(task.store.root)
    return num_lost


def _until_decided(
    tasks: Sequence[Task], overrides: Sequence[str], options: Options, most: int
) -> int:
    """Judge, add seeds for open claims, and repeat; return the number of lost runs."""
    num_seeds = {task.sweep.name: len({run.seed for run in task.runs}) for task in tasks}
    first = {task.sweep.name: min(run.seed for run in task.runs) for task in tasks if task.runs}
    num_lost = 0
    for _ in range(1, MAX_LOOKS):
        grown = more_seeds(judge(options.results, options.language), num_seeds, most)
        if not grown:
            return num_lost
        for name, seeds in grown.items():
            print(f"{name}: claims are open after {num_seeds[name]} seeds; training {seeds} seeds")
        more = [
            task
            for name, seeds in grown.items()
            for task in tasks_of([name], [*overrides, seeds_from(first[name], seeds)], options)
        ]
        more, _ = with_checked_data(more, may_skip=True)
        num_lost += _train_all(more, options, MAX_LOOKS)
        num_seeds.update(grown)
    judge(options.results, options.language)
    return num_lost


def _train(task: Task, options: Options, looks: int = 1) -> int:
    """Train the runs that are due; return how many failed, now or before, or were interrupted."""
    console = _console()
    with no_folders_if_refused(task.store):
        task.store.open()
        with _alone(task, console), no_manifest_if_refused(task.store):
            # jobs that still wait would train runs that this command trains, too
            cancel_left_behind(
                task.store.root / "jobs",
                lambda line: console.print(f"{task.sweep.name}: {line}", markup=False),
            )
            return _train_alone(task, options, looks, console)


@contextmanager
def _alone(task: Task, console: Console) -> Iterator[None]:
    """Lock the sweep's results folder; a second command waits for the first to finish."""

    def notify(line: str) -> None:
        console.print(f"{task.sweep.name}: {line}", markup=False)

    with ExitStack() as stack:
        try:
            stack.enter_context(alone(task.store.root, notify))
        except KeyboardInterrupt:
            raise Interrupted("interrupted: nothing was trained") from None
        except OSError as error:
            raise UsageError(f"{task.store.root} cannot be locked: {error}") from error
        yield


def _train_alone(task: Task, options: Options, looks: int, console: Console) -> int:
    name, store, session = task.sweep.name, task.store, new_session()
    # after waiting for the lock: another command may have trained them all
    found = task.run_statuses()
    drop_replaced(store)  # a command that was killed had no time for it
    task.clear_checkpoints(found)
    made = task.plan(found)
    if not (task.costs or task.is_elsewhere) and task.seconds(made) > _CALIBRATED_FROM:
        task = task.calibrated()
        made = task.plan(found)
    diff = working_diff()
    kept: dict[str, Any] = {"diff": store.write_diff(diff)} if diff else {}
    if found.stale:
        kept["stale"] = found.stale_because
    # runs that were judged while seeds were added stay so, whatever command comes after
    looks = max(looks, store.looks())
    store.write_manifest(task.manifest(session) | kept | {"looks": looks})
    _study(task)
    for line in [*task.data_notes, *kept_lines(task, found)]:
        console.print(f"{name}: {line}", markup=False)
    num_failed = 0 if task.retry_failed else len(found.failed)
    if not made.num_runs:
        return 0
    if not made.fleets:
        print(f"{name}: all {made.num_runs} runs were finished before: nothing to train")
        return num_failed
    seconds = task.sweep.launcher.checkpoint_seconds
    job = FleetJob(
        store.root,
        session,
        task.device,
        tuple(map(absolute, options.plugins)),
        CHECKPOINT_SECONDS if seconds is None else seconds,
    )
    meter = Meter(name, made.fleets, console, costs=task.costs)
    try:
        with meter, Watch(store.root, options.plugins, meter, options.language) as watch:
            callback = watch if options.watches else meter
            task.launch(made.fleets, job, callback)
    except KeyboardInterrupt:
        num_kept = len(store.finished().intersection(run.run_id for run in task.runs))
        raise Interrupted(
            f"interrupted: {num_kept} finished runs are kept; run the same command to continue"
        ) from None
    if found.interrupted or found.failed:
        drop_replaced(store)
    for reason, count in meter.reasons.items():
        console.print(f"{name}: {reason} (fleets: {count})", markup=False)
    return num_failed + meter.counts["failed"] + meter.counts["interrupted"]


def _study(task: Task) -> None:
    """Compute the sweep's studies that are not finished yet."""
    if not task.studies:
        return
    from relu_exp.engine.studies.registry import STUDIES

    for study, part_id in task.studies.items():
        if part_id in task.store.part_ids():
            print(f"{task.sweep.name}: study {study} was finished before")
            continue
        try:
            tables = STUDIES[study].make(task.study_device, task.sweep.budget)
        except KeyboardInterrupt:
            raise Interrupted(
                f"interrupted: study {study} was not saved; run the same command to continue"
            ) from None
        task.store.write_part(part_id, tables)
