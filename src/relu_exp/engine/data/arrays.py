"""Samples from a plugin: what looks like an array is converted to one, or refused in one line."""

from __future__ import annotations

from typing import Any

import numpy as np

from relu_exp.core.schema import UsageError

__all__ = ["as_inputs", "as_labels"]

Array = np.ndarray[Any, Any]

_LARGEST = float(np.finfo(np.float32).max)


def as_inputs(name: str, inputs: Any) -> Array:
    """Return inputs (samples, ...) as an array of numbers that float32 can hold.

    Args:
        name: the data set's name, for error messages.
        inputs: an array, a tensor, a data frame or nested lists.

    Raises:
        UsageError: they are no numbers, or one of them is not finite in float32; the message names
            the sample, the column and the value.
    """
    columns = [str(column) for column in getattr(inputs, "columns", ())]
    array = _as_array(name, "inputs", inputs)
    if array.dtype.kind == "O":
        array = _as_numbers(name, array, columns)
    if array.dtype.kind not in "fiub":
        raise UsageError(f"dataset {name}: inputs of type {array.dtype} are not real numbers")
    if array.ndim < 2 or not array.size:
        raise UsageError(
            f"dataset {name}: inputs have shape {array.shape}; expected (samples, features), or "
            "(samples, channels, rows, columns) for images"
        )
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    if array.dtype.kind == "f":
        # comparisons with nan are false
        is_valid = np.abs(array) <= _LARGEST
        if not is_valid.all():
            place = tuple(int(index) for index in np.argwhere(~is_valid)[0])
            raise UsageError(
                f"dataset {name}: {_where(place, columns)} is {array[place]}, and so are "
                f"{np.count_nonzero(~is_valid) - 1:,} other inputs: expected finite numbers up to "
                f"{_LARGEST:.1e} in size"
            )
    return array.astype(np.uint8) if array.dtype.kind == "b" else array


def as_labels(name: str, labels: Any, num_classes: int) -> Array:
    """Return labels as class numbers, int64 (samples,).

    Whole numbers of any type, truth values, a column (samples, 1), one-hot rows (samples, classes)
    and names, which are numbered in their sorted order.

    Args:
        name: the data set's name, for error messages.
        labels: an array, a tensor, a series or a list.
        num_classes: how many classes there are.

    Raises:
        UsageError: they are nothing of the kind, or beyond the classes; the message names the
            sample and its label.
    """
    array = _as_array(name, "labels", labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2:
        array = _from_one_hot(name, array)
    if array.ndim != 1:
        raise UsageError(
            f"dataset {name}: labels have shape {array.shape}; expected (samples,) or one-hot rows"
        )
    if array.dtype.kind in "OUS":
        names, array = np.unique(array.astype(str), return_inverse=True)
        if len(names) > num_classes:
            shown = ", ".join(names[: num_classes + 1])
            raise UsageError(
                f"dataset {name}: labels have {len(names)} names ({shown}, ...); "
                f"expected {num_classes}"
            )
    if array.dtype.kind not in "fiub":
        raise UsageError(f"dataset {name}: labels of type {array.dtype} are not class labels")
    is_valid = (array >= 0) & (array < num_classes) & (array == np.floor(array))
    if not is_valid.all():
        place = int(np.argmin(is_valid))
        raise UsageError(
            f"dataset {name}: the label of sample {place} is {array[place]}; "
            f"expected whole numbers from 0 to {num_classes - 1}"
        )
    return array.astype(np.int64)


def _as_array(name: str, what: str, values: Any) -> Array:
    for method in ("detach", "cpu"):  # tensors, also those of a GPU that autograd follows
        values = getattr(values, method, lambda values=values: values)()
    to_numpy = getattr(values, "to_numpy", None)
    try:
        return np.asarray(to_numpy() if to_numpy else values)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"dataset {name}: {what} cannot be converted to an array: {error}"
        ) from None


def _as_numbers(name: str, array: Array, columns: list[str]) -> Array:
    """Return an array of Python objects as numbers."""
    try:
        numbers: Array = array.astype(np.float64)
        return numbers
    except (TypeError, ValueError):
        for place, value in np.ndenumerate(array):
            try:
                float(value)
            except (TypeError, ValueError):
                raise UsageError(
                    f"dataset {name}: {_where(place, columns)} is {value!r}; expected a number"
                ) from None
        raise


def _from_one_hot(name: str, array: Array) -> Array:
    is_one_hot = ((array == 0) | (array == 1)).all(1) & (np.sum(array != 0, axis=1) == 1)
    if not is_one_hot.all():
        place = int(np.argmin(is_one_hot))
        raise UsageError(
            f"dataset {name}: the label of sample {place} is {array[place].tolist()}; "
            "expected one number, or a row with a single 1 among zeros"
        )
    classes: Array = array.argmax(1)
    return classes


def _where(place: tuple[int, ...], columns: list[str]) -> str:
    sample, *rest = place
    column = repr(columns[rest[0]]) if columns and rest else ", ".join(map(str, rest))
    return f"sample {sample}, column {column}"
