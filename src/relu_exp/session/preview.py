"""What is known before training: the output of --plan, and which runs will not be trained."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from relu_exp.core.launchers import LAUNCHERS
from relu_exp.core.schema import UsageError
from relu_exp.planning.fleets import Fleet, num_bytes
from relu_exp.planning.run_status import RunStatuses
from relu_exp.session.data_checks import Skipped
from relu_exp.session.progress import duration
from relu_exp.session.tasks import Task

__all__ = ["kept_lines", "show_claims", "show_plan", "show_skipped"]

_MOST_REASONS = 5
_MOST_SHAPES = 40


def kept_lines(task: Task, found: RunStatuses) -> list[str]:
    """Return lines on failed and stale runs that are not trained, and how to train them."""
    lines = []
    if found.stale and not task.rerun_stale:
        lines.append(
            f"{_runs(found.stale)} finished before but stale ({_reasons(found.stale_reasons)}): "
            "kept; --stale rerun trains them again"
        )
    lines += [
        f"{count:,} run{'' if count == 1 else 's'} finished before, but whether the data are the "
        f"same is unknown: {problem}"
        for problem, count in found.not_compared.items()
    ]
    if found.failed and not task.retry_failed:
        lines.append(
            f"{_runs(found.failed)} failed before ({_reasons(found.failures)}): "
            "not trained; --retry failed trains them again"
        )
    return lines


def _runs(run_ids: set[str]) -> str:
    return f"{len(run_ids):,} run{'' if len(run_ids) == 1 else 's'}"


def _reasons(counted: Counter[str]) -> str:
    """Return the most common reasons."""
    words = [reason for reason, _ in counted.most_common(_MOST_REASONS)]
    if len(counted) > len(words):
        words.append(f"and {len(counted) - len(words)} more")
    return "; ".join(words)


def _counts(found: RunStatuses) -> str:
    """Return the number of runs of each status; rare ones only if there are any."""
    rare = {"stale": found.stale, "failed before": found.failed, "interrupted": found.interrupted}
    words = [f"{len(found.new):,} new", f"{len(found.finished):,} finished"]
    words += [f"{len(run_ids):,} {name}" for name, run_ids in rare.items() if run_ids]
    return ", ".join(words)


def show_plan(task: Task) -> float:
    """Print the runs, fleets, time and disk space of a sweep; return the seconds of training.

    Raises:
        UsageError: a data set is not there, so that no run could train on it.
    """
    task.store.check_version()
    found = task.run_statuses()
    data_lines = _data_lines(task, found)
    made = task.plan(found)
    if made.fleets and not task.costs:
        task = task.calibrated()
        made = task.plan(found)
    print(task.sweep.title)
    for study, part_id in task.studies.items():
        print(f"  study    {study}: {'finished' if part_id in task.store.part_ids() else 'new'}")
    if not made.num_runs:
        return 0.0
    num_workers = max(1, min(task.num_workers, len(made.fleets)))
    processes = f"{num_workers} process{'es' if num_workers > 1 else ''}"
    where = processes if task.device == "cpu" else "the GPU"
    launcher = LAUNCHERS[task.sweep.launcher.name]
    if launcher.is_elsewhere:
        where = f"{launcher.name} (time: if {num_workers} train at once, at this machine's speed)"
    print(f"  runs     {made.num_runs:,}: {_counts(found)}")
    for line in [*kept_lines(task, found), *task.data_notes]:
        print(f"           {line}")
    for line in data_lines:
        print(f"  data     {line}")
    if not made.fleets:
        print("           nothing to train")
        return 0.0
    print(f"  fleets   {len(made.fleets):,} on {where}")
    if task.device == "cpu" and not launcher.is_elsewhere:
        print(f"  products {_products(made.fleets)}")
    seconds = task.seconds(made)
    guess = "less if runs diverge" if task.costs else "a guess: this machine was not measured"
    print(f"  time     about {duration(seconds)}, {guess}")
    print(f"  disk     about {num_bytes(made.fleets) / 1e6:.1f} MB in {task.store.root}")
    return seconds


def show_skipped(skipped: Sequence[Skipped]) -> None:
    """Print the sweeps that would be skipped, and which data they lack."""
    for each in skipped:
        print(each.task.sweep.title)
        for absent in each.absent:
            print(f"  skipped  {absent.message}")


def _data_lines(task: Task, found: RunStatuses) -> list[str]:
    """Return lines on the data sets that are due and not there yet; see `show_plan`."""
    from relu_exp.engine.data.datasets import DATASETS, check_there, with_all_samples

    lines = []
    skipped = found.skipped(task.retry_failed, task.rerun_stale)
    due = [run.dataset for run in task.runs if run.run_id not in skipped]
    for choice in dict.fromkeys(map(with_all_samples, due)):
        if DATASETS[choice.name].is_bundled:
            continue
        try:
            if not check_there(choice):
                lines.append(f"{choice.name} is not there: the first run downloads it")
        except UsageError as error:
            # other machines have their own files
            if not task.is_elsewhere:
                raise
            lines.append(f"not on this machine: {error}")
    return lines


def _products(fleets: Sequence[Fleet]) -> str:
    """Return a sentence on how this machine multiplies the dense layers of fleets."""
    from relu_exp.engine.networks import layers_of
    from relu_exp.engine.ops.products import paths

    shapes = dict.fromkeys(
        (len(fleet.runs), *layer.shape, fleet.runs[0].batch_size)
        for fleet in fleets
        for layer in layers_of(fleet.runs[0])
        if layer.is_used and len(layer.shape) == 2
    )
    found = paths(list(shapes)[:_MOST_SHAPES])
    slow = [path for path in found if not path.is_batched]
    if not slow:
        return "batched: each run gets the same bits as when it trains alone"
    worst = max(slow, key=lambda path: path.slowdown)
    runs, m, k, n = worst.shape
    return (
        f"batched for {len(found) - len(slow)} of {len(found)} shapes; run by run for the others, "
        f"where a batched call gives other bits: {m} × {k} by {k} × {n} for {runs} runs takes "
        f"{worst.slowdown:.2f} times as long"
    )


def show_claims(tasks: Sequence[Task]) -> None:
    """Print how many claims these runs can decide, and why the others stay open."""
    from relu_exp.evidence.claims.judging import can_decide
    from relu_exp.evidence.claims.registry import all_claims

    num_seeds = {
        # an experiment without training cannot have too few seeds
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
