"""Data that are not on a machine: the error that says so, and what a manifest keeps of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from relu_exp.core.lines import one_line
from relu_exp.core.naming import printable
from relu_exp.core.schema import UsageError

__all__ = ["DATA_FOLDER", "AbsentData", "AbsentDataError", "absent_data_in", "as_json"]

DATA_FOLDER = "RELU_EXP_DATA"
"""The environment variable that names the folder of data sets."""
_KEY = "absent_data"
_MOST = 20
"""Data sets that are read from a manifest."""


class AbsentDataError(UsageError):
    """The files of a data set are not on this machine: experiments that need them can be skipped.

    Damaged files are a plain `UsageError`.

    Args:
        message: one line: what is missing where, and how to get it.
        package: the Debian package that installs the files.
        folder: what the folder that `RELU_EXP_DATA` names would have to hold.
    """

    def __init__(self, message: str, package: str = "", folder: str = "") -> None:
        super().__init__(message)
        self.package = package
        self.folder = folder


class AbsentData(NamedTuple):
    """A data set that was not on a machine; see `AbsentDataError`."""

    dataset: str
    message: str
    package: str = ""
    folder: str = ""


def as_json(absent: Iterable[AbsentData]) -> dict[str, Any]:
    """Return what the manifest of an experiment says that was skipped because of absent data."""
    return {_KEY: [each._asdict() for each in absent]}


def absent_data_in(manifest: Mapping[str, Any] | None) -> tuple[AbsentData, ...]:
    """Return the data sets that a manifest says were absent; none where it is not valid.

    Results may come from anybody: texts are short, in one line and safe to print.
    """
    rows = (manifest or {}).get(_KEY)
    found = []
    for row in rows[:_MOST] if isinstance(rows, list) else []:
        if isinstance(row, Mapping) and isinstance(row.get("dataset"), str):
            words = {key: printable(one_line(row.get(key) or "")) for key in AbsentData._fields}
            found.append(AbsentData(**words))
    return tuple(found)
