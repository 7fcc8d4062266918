"""Data of one's own: files whose sizes, classes and images are found in them, as a data set.

What cannot be learned from is refused in one line that names the file, the row, the column and the
value; rows count from 1, without the line of names.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from relu_exp.core.naming import nearest, printable, shown
from relu_exp.core.schema import UsageError
from relu_exp.engine.data.array_files import read_npz
from relu_exp.engine.data.arrays import check_spaces
from relu_exp.engine.data.columns import from_table, read_text
from relu_exp.engine.data.image_files import Arrays
from relu_exp.engine.data.image_folders import read_images
from relu_exp.engine.data.splits import Layout
from relu_exp.engine.data.table_parts import Part, Source

__all__ = ["Source", "forget_tables", "layout_of", "samples_of"]

Array = np.ndarray[Any, Any]

_FILES = "a CSV, TSV, Parquet or NPZ file, or a folder with a folder of PNG or JPEG for each class"


@dataclass(frozen=True)
class _Samples:
    """All samples, with class numbers for labels; the last `num_test` are the given test set.

    A regression has no classes, and targets (samples, targets) for labels.
    """

    inputs: Array
    labels: Array
    num_classes: int
    num_test: int


@lru_cache(maxsize=64)
def layout_of(source: Source) -> Layout:
    """Return the sizes and the shape of a table, from the file itself.

    A given test set stays one; a tenth of the other samples each goes to validation, and to test if
    none is given, and at least as many as there are classes.

    Raises:
        UsageError: the file is missing, or there is something in it that cannot be learned from.
    """
    found = _samples(source)
    num_own = len(found.labels) - found.num_test
    # targets have a variance from two samples on
    fewest = found.num_classes or 2
    extra = max(num_own // 10, fewest)
    num_test = found.num_test or extra
    num_train = num_own - extra - (0 if found.num_test else extra)
    if not found.num_classes and min(num_train, num_test) < fewest:
        raise UsageError(
            f"{_name(source.path)} has {num_own:,} samples: too few to train, validate and test on "
            "two of them each"
        )
    if num_train < fewest:
        raise UsageError(
            f"{_name(source.path)} has {num_own:,} samples of {found.num_classes:,} classes: too "
            "few to train, validate and test on each; if these are not classes, name the labels "
            "with dataset.label=NAME, or predict numbers with dataset.task=regression"
        )
    size = found.inputs.shape[1:]
    return Layout(
        math.prod(size),
        found.num_classes,
        (num_train, extra, num_test),
        image_shape=(size[0], size[1], size[2]) if len(size) == 3 else None,
        given_test=found.num_test > 0,
        by_feature=True,
        num_targets=0 if found.num_classes else found.labels.shape[1],
    )


def samples_of(source: Source) -> Arrays:
    """Return the inputs and class numbers of all samples, those of a given test set last.

    Raises:
        UsageError: see `layout_of`.
    """
    found = _samples(source)
    # the caller keeps them in another form
    _samples.cache_clear()
    return found.inputs, found.labels


def forget_tables() -> None:
    """Let every file be read again: it may hold something else by now."""
    layout_of.cache_clear()
    _samples.cache_clear()


@lru_cache(maxsize=1)
def _samples(source: Source) -> _Samples:
    if source.path is None:
        raise UsageError(f"dataset=table needs dataset.path=FILE: {_FILES}")
    parts = _read("path", source.path, source)
    if source.test_path is not None:
        if len(parts) > 1:
            raise UsageError(f"{_name(source.path)} has a test set: leave dataset.test_path out")
        parts = [*parts, *_read("test_path", source.test_path, source)[:1]]
    first, *tests = parts
    tests = [_in_order_of(first, test) for test in tests]
    if source.has_targets:
        return _with_targets(first, tests)
    classes = np.unique(first.labels)
    if classes.dtype.kind == "U":
        check_spaces(first.file, map(str, classes))
    if len(classes) < 2:
        raise UsageError(f"{first.file}: every label is {_shown(classes[0])}; at least two classes")
    for test in tests:
        _check_alike(first, test)
        _check_known(first, test, classes)
    labels = [np.searchsorted(classes, part.labels) for part in parts]
    inputs = np.concatenate([part.inputs for part in (first, *tests)]) if tests else first.inputs
    num_test = sum(len(test.labels) for test in tests)
    return _Samples(inputs, np.concatenate(labels), len(classes), num_test)


def _with_targets(first: Part, tests: Sequence[Part]) -> _Samples:
    for test in tests:
        _check_alike(first, test)
        if test.labels.shape[1] != first.labels.shape[1]:
            raise UsageError(
                f"{test.file} has {test.labels.shape[1]} targets and {first.file} "
                f"{first.labels.shape[1]}: the test set must be like the training set"
            )
    inputs = np.concatenate([part.inputs for part in (first, *tests)]) if tests else first.inputs
    targets = np.concatenate([part.labels for part in (first, *tests)])
    return _Samples(inputs, targets, 0, sum(len(test.labels) for test in tests))


def _in_order_of(first: Part, test: Part) -> Part:
    """Return a test set with its columns in the order of the training set's, by their names."""
    if not (first.columns and test.columns):
        return test
    for one, other in ((first, test), (test, first)):
        if missing := [each for each in one.columns if each not in other.columns]:
            raise UsageError(
                f"{other.file} has no column {shown(repr(missing[0]))}, which {one.file} "
                "learns from: the test set must have the columns of the training set"
            )
    order = [test.columns.index(each) for each in first.columns]
    return replace(test, inputs=test.inputs[:, order], columns=first.columns)


def _check_alike(first: Part, test: Part) -> None:
    if first.inputs.shape[1:] != test.inputs.shape[1:]:
        raise UsageError(
            f"{test.file} has samples of shape {test.inputs.shape[1:]} and {first.file} of "
            f"{first.inputs.shape[1:]}: the test set must be like the training set"
        )


def _check_known(first: Part, test: Part, classes: Array) -> None:
    is_known = np.isin(test.labels, classes)
    if not is_known.all():
        row = int(np.argmin(is_known))
        raise UsageError(
            f"{test.file}: the label of row {row + 1} is {_shown(test.labels[row])}, which "
            f"{first.file} has not"
        )


def _read(setting: str, path: str, source: Source) -> list[Part]:
    """Return what a file holds: one part, or a training and a test set."""
    place, name = _find(setting, path, source.root), _name(path)
    suffix = place.suffix.lower()
    try:
        if place.is_dir():
            return [read_images(place, name, source)]
        if suffix == ".npz":
            return read_npz(place, name, source)
        if suffix in (".csv", ".tsv", ".txt"):
            return [from_table(read_text(place, name), name, source)]
        if suffix in (".parquet", ".pq"):
            return [from_table(parquet.read_table(place), name, source)]
    except (pa.ArrowException, OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile) as e:
        reason = shown(" ".join(str(e).split()))
        raise UsageError(f"{name} cannot be read as {suffix[1:] or 'a folder'}: {reason}") from e
    raise UsageError(f"dataset.{setting}={name} is none that is read: name {_FILES}")


def _find(setting: str, path: str, root: str | None) -> Path:
    """Return a path that is there: from the root, or from the current folder."""
    try:
        given = Path(path).expanduser()
        bases = [Path(root).expanduser()] if root else []
        places = [base / given for base in (*bases, Path.cwd())]
        for place in places:
            # a pipe or a device could be read for ever
            if place.is_file() or place.is_dir():
                return place
        folder = places[0].parent
        names = sorted(each.name for each in folder.iterdir()) if folder.is_dir() else None
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(f"dataset.{setting}={_name(path)} is no path: {error}") from error
    if names is None:
        raise UsageError(
            f"dataset.{setting}={_name(path)}: there is no folder {printable(str(folder))}"
        )
    if places[0].name in names:
        # such as a pipe, a device or a broken link
        raise UsageError(f"dataset.{setting}={_name(path)} is neither a file nor a folder")
    guess = printable(nearest(places[0].name, names))
    raise UsageError(
        f"dataset.{setting}={_name(path)}: there is no such file in {printable(str(folder))}{guess}"
    )


def _name(path: str | None) -> str:
    return printable(str(path))


def _shown(value: Any) -> str:
    return repr(shown(str(value))) if isinstance(value, str) else str(value)
