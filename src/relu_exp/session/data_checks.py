"""The data of a command's runs, read and checked before anything is trained or stored."""

from __future__ import annotations

import sys
from dataclasses import replace

from relu_exp.session.tasks import Task

__all__ = ["see_data_as_they_are", "with_checked_data"]


def see_data_as_they_are() -> None:
    """Let a command read files that an earlier one of the same process, as in a notebook, read."""
    if datasets := sys.modules.get("relu_exp.engine.data.datasets"):
        datasets.forget_what_may_change()


def with_checked_data(task: Task, *, may_download: bool = True) -> Task:
    """Return a task with what is to be said of the data sets that it will train on.

    Data sets that come with the installation are known to be sound. Those of other machines are
    checked there, by each fleet.

    Args:
        task: the task.
        may_download: whether data sets that are asked for and not there yet are downloaded, or else
            left out.

    Raises:
        UsageError: the data are missing, damaged or not valid.
    """
    from relu_exp.engine.data.datasets import (
        DATASETS,
        check_there,
        forget,
        load,
        with_all_samples,
    )
    from relu_exp.engine.data.notes import notes

    runs = [run for run in task.runs if not DATASETS[run.dataset.name].is_bundled]
    if task.is_elsewhere or not runs:
        return task
    task.store.check_version()
    skipped = task.run_statuses().skipped(task.retry_failed, task.rerun_stale)
    due = dict.fromkeys(with_all_samples(run.dataset) for run in runs if run.run_id not in skipped)
    found: dict[str, None] = {}
    names: dict[str, list[str]] = {}
    for choice in due:
        if not (may_download or check_there(choice)):
            continue
        found |= dict.fromkeys(notes(choice))
        if class_names := load(choice).class_names:
            names[choice.name] = list(class_names)
    if task.device == "cpu" and task.num_workers > 1:
        # worker processes read the data for themselves
        forget()
    return replace(task, data_notes=tuple(found), class_names=names)
