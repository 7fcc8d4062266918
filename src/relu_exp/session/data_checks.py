"""The data of a command's runs, read and checked before anything is trained or stored."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from relu_exp.core.absent_data import AbsentData, AbsentDataError
from relu_exp.core.schema import REGRESSION
from relu_exp.session.tasks import Task

__all__ = ["Skipped", "see_data_as_they_are", "with_checked_data"]


class Skipped(NamedTuple):
    """A task whose data are not on this machine, and which data those are."""

    task: Task
    absent: tuple[AbsentData, ...]

    @property
    def line(self) -> str:
        """What a person is told."""
        reasons = "; ".join(each.message for each in self.absent)
        return f"{self.task.sweep.name}: skipped: {reasons}"


def see_data_as_they_are() -> None:
    """Let a command read files that an earlier one of the same process, as in a notebook, read."""
    if datasets := sys.modules.get("relu_exp.engine.data.datasets"):
        datasets.forget_what_may_change()


def with_checked_data(
    tasks: Sequence[Task], *, may_download: bool = True, may_skip: bool = False
) -> tuple[list[Task], list[Skipped]]:
    """Return tasks with what is to be said of the data sets that they will train on.

    Data sets that come with the installation are known to be sound. Those of other machines are
    checked there, by each fleet. A task all of whose runs are finished needs no data.

    Args:
        tasks: the tasks.
        may_download: whether data sets that are asked for and not there yet are downloaded, or else
            left out.
        may_skip: whether tasks whose data are not on this machine are set apart; else they are an
            error.

    Raises:
        UsageError: the data are missing, damaged or not valid.
    """
    kept, skipped = [], []
    for task in tasks:
        checked, errors = _checked(task, may_download)
        if not errors:
            kept.append(checked)
        elif may_skip:
            skipped.append(Skipped(task, tuple(_described(*each) for each in errors.items())))
        else:
            raise next(iter(errors.values()))
    return kept, skipped


def _described(name: str, error: AbsentDataError) -> AbsentData:
    return AbsentData(name, str(error), error.package, error.folder)


def _checked(task: Task, may_download: bool) -> tuple[Task, dict[str, AbsentDataError]]:
    """Return a task with its notes on data; and each data set that is absent, with the error."""
    from relu_exp.engine.data.datasets import (
        DATASETS,
        check_there,
        forget,
        load,
        with_all_samples,
    )
    from relu_exp.engine.data.notes import notes

    # what standardized targets are in their own units is known once they are read
    runs = [
        run
        for run in task.runs
        if not DATASETS[run.dataset.name].is_bundled or run.network["output"] == REGRESSION
    ]
    if task.is_elsewhere or not runs:
        return task, {}
    task.store.check_version()
    skipped = task.run_statuses().skipped(task.retry_failed, task.rerun_stale)
    due = dict.fromkeys(with_all_samples(run.dataset) for run in runs if run.run_id not in skipped)
    found: dict[str, None] = {}
    names: dict[str, list[str]] = {}
    absent: dict[str, AbsentDataError] = {}
    for choice in due:
        try:
            if not (may_download or check_there(choice)):
                continue
            found |= dict.fromkeys(notes(choice))
        except AbsentDataError as error:
            absent[choice.name] = error
            continue
        if class_names := load(choice).class_names:
            names[choice.name] = list(class_names)
    if task.device == "cpu" and task.num_workers > 1:
        # worker processes read the data for themselves
        forget()
    return replace(task, data_notes=tuple(found), class_names=names), absent
