"""What all readers of tables share: the settings, what a file holds, and names of columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from relu_exp.core.naming import nearest, shown
from relu_exp.core.schema import UsageError

__all__ = [
    "LARGEST",
    "Part",
    "Source",
    "check_known",
    "chosen",
    "label_name",
    "label_names",
    "listed",
    "whole",
]

Array = np.ndarray[Any, Any]

LARGEST = float(np.finfo(np.float32).max)
"""The largest input there can be."""

_LABELS = ("label", "labels", "target", "targets", "class", "classes", "species", "y")
"""Names by which a column of labels is known, in any case."""

_MOST_NAMES = 20


@dataclass(frozen=True)
class Source:
    """Where a table lies and which of its columns are used: the settings of `dataset=table`."""

    path: str | None
    root: str | None = None
    label: str | None = None
    features: str | None = None
    ignore: str | None = None
    test_path: str | None = None
    task: str = "classes"

    @property
    def has_targets(self) -> bool:
        """Whether the labels are numbers to predict."""
        return self.task == "regression"


@dataclass(frozen=True)
class Part:
    """The samples of one file: inputs (samples, ...), and their labels as written, (samples,).

    Targets are float64 (samples, targets).

    `columns` names the features, where they have names.
    """

    file: str
    inputs: Array
    labels: Array
    columns: tuple[str, ...] = ()


def label_name(file: str, names: Sequence[str], source: Source, what: str = "column") -> str:
    """Return the name of the labels: as stated, or the only one that says so itself."""
    if source.label is not None:
        check_known(file, names, "label", source.label, what)
        return source.label
    likely = [each for each in names if each.strip().casefold() in _LABELS]
    if len(likely) != 1:
        raise UsageError(
            f"{file}: which {what} holds the labels? Name it with dataset.label=NAME; "
            f"{what}s: {listed(names)}"
        )
    return likely[0]


def label_names(file: str, names: Sequence[str], source: Source) -> list[str]:
    """Return the columns of the labels: one of classes, one or more of targets."""
    if source.label is None or not source.label.startswith("[") or source.label in names:
        return [label_name(file, names, source)]
    if not source.has_targets:
        raise UsageError(
            f"dataset.label={shown(source.label)} names several columns: classes are one, and "
            "numbers to predict need dataset.task=regression"
        )
    found = chosen(file, names, "label", source.label) or ()
    if not found or len({*found}) < len(found):
        raise UsageError(f"dataset.label={shown(source.label)} names no column, or one twice")
    return list(found)


def chosen(
    file: str, names: Sequence[str], setting: str, stated: str | None
) -> Sequence[str] | None:
    """Return the columns that a setting states: one name, or a list as JSON."""
    if stated is None:
        return None
    columns = json.loads(stated) if stated.startswith("[") else [stated]
    for each in columns:
        check_known(file, names, setting, each)
    return [str(each) for each in columns]


def check_known(
    file: str, names: Sequence[str], setting: str, value: str, what: str = "column"
) -> None:
    """Raise a UsageError with the nearest guess if a setting names what is not there."""
    if value not in names:
        raise UsageError(
            f"dataset.{setting}={shown(value)}: {file} has no such {what}{nearest(value, names)}; "
            f"{what}s: {listed(names)}"
        )


def whole(file: str, where: str, values: Array) -> Array:
    """Return labels as int64, or raise a UsageError that names the first that is no class."""
    # beyond 2⁶³ there is no whole number to be
    is_whole = (values == np.floor(values)) & (np.abs(values) < 2**63)
    if not is_whole.all():
        row = int(np.argmin(is_whole))
        raise UsageError(
            f"{file}: row {row + 1}, {where} is {values[row]:g}, which is no class; expected whole "
            "numbers or text, or dataset.task=regression to predict numbers"
        )
    return values.astype(np.int64)


def listed(names: Sequence[str], most: int = _MOST_NAMES) -> str:
    """Return names for one line of an error, the first of them if there are many."""
    more = ", ..." if len(names) > most else ""
    return ", ".join(shown(each) for each in names[:most]) + more
