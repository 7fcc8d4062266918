"""Samples from a plugin: what looks like an array is converted to one, or refused in one line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np
import torch

from relu_exp.core.naming import shown
from relu_exp.core.schema import UsageError

__all__ = [
    "as_array",
    "as_inputs",
    "as_labels",
    "as_named_labels",
    "check_spaces",
    "columns_of",
    "digest_of",
    "where",
]

Array = np.ndarray[Any, Any]

_LARGEST = float(np.finfo(np.float32).max)
_MOST_NAMES = 10
"""Names of classes that an error message lists."""


def columns_of(inputs: Any) -> tuple[str, ...]:
    """Return the names of a data frame's columns; none for anything else."""
    return tuple(str(column) for column in getattr(inputs, "columns", ()))


def as_inputs(name: str, inputs: Any) -> Array:
    """Return inputs (samples, ...) as an array of numbers that float32 can hold.

    Args:
        name: the data set's name, for error messages.
        inputs: an array, a tensor, a data frame or nested lists.

    Raises:
        UsageError: they are no numbers, or one of them is not finite in float32; the message names
            the sample, the column and the value.
    """
    columns = columns_of(inputs)
    array = as_array(name, "inputs", inputs)
    if array.ndim < 2 or not array.size:
        raise UsageError(
            f"dataset {name}: inputs have shape {array.shape}; expected (samples, features), or "
            "(samples, channels, rows, columns) for images"
        )
    if array.dtype.kind in "OUST":
        array = _as_numbers(name, array, columns)
    if array.dtype.kind not in "fiub":
        first = (0,) * array.ndim
        raise UsageError(
            f"dataset {name}: inputs of type {array.dtype} are not real numbers: "
            f"{where(first, columns)} is {shown(str(array[first]))}"
        )
    if array.dtype.kind == "f":
        # comparisons with nan are false
        is_valid = np.abs(array) <= min(_LARGEST, float(np.finfo(array.dtype).max))
        if not is_valid.all():
            place = tuple(int(index) for index in np.argwhere(~is_valid)[0])
            others = np.count_nonzero(~is_valid) - 1
            also = f" (and {others:,} more are not valid)" if others else ""
            # in a type of 16 bits, what is not finite has most likely overflowed
            limit = f"; {array.dtype} ends at 65,504" if array.dtype == np.float16 else ""
            raise UsageError(
                f"dataset {name}: {where(place, columns)} is {array[place]}{also}: expected "
                f"finite numbers up to {_LARGEST:.1e} in size{limit}"
            )
        return array.astype(np.float32) if array.dtype == np.float16 else array
    return array.astype(np.uint8) if array.dtype.kind == "b" else array


def as_labels(name: str, labels: Any, num_classes: int) -> Array:
    """Return labels as class numbers, int64 (samples,): see `as_named_labels`."""
    return as_named_labels(name, labels, num_classes)[0]


def as_named_labels(name: str, labels: Any, num_classes: int) -> tuple[Array, tuple[str, ...]]:
    """Return labels as class numbers, int64 (samples,), and the classes' names.

    Whole numbers of any type, truth values, a column (samples, 1), one-hot rows (samples, classes)
    and names. Names are numbered in their sorted order, or by value if all are whole numbers.

    Args:
        name: the data set's name, for error messages.
        labels: an array, a tensor, a series or a list.
        num_classes: how many classes there are.

    Returns:
        The numbers; and a name for each class, or none if labels are no names.

    Raises:
        UsageError: they are nothing of the kind, or beyond the classes; the message names the
            sample and its label.
    """
    array = as_array(name, "labels", labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2 and array.dtype.kind in "fiub":
        array = _from_one_hot(name, array)
    if array.ndim != 1 or not array.size:
        raise UsageError(
            f"dataset {name}: labels have shape {array.shape}; expected (samples,) or one-hot rows"
        )
    names: tuple[str, ...] = ()
    if array.dtype.kind == "O":
        array = _of_one_type(name, array)
    if array.dtype.kind in "UST":
        array, names = _numbered(name, array, num_classes)
    if array.dtype.kind not in "fiub":
        raise UsageError(f"dataset {name}: labels of type {array.dtype} are not class labels")
    is_valid = (array >= 0) & (array < num_classes) & (array == np.floor(array))
    if not is_valid.all():
        place = int(np.argmin(is_valid))
        is_whole = bool((array == np.floor(array)).all())
        is_fraction = not is_whole and bool(np.isfinite(array[place]))
        is_renamed = is_whole and len(np.unique(array)) == num_classes
        raise UsageError(
            f"dataset {name}: the label of sample {place} is {array[place]}; "
            f"expected whole numbers from 0 to {num_classes - 1}"
            + (", or names: labels.astype(str)" if is_renamed else "")
            + ("; numbers to predict are a layout's num_targets" if is_fraction else "")
        )
    return array.astype(np.int64), names


def digest_of(*arrays: Array) -> str:
    """Return a digest of all values of arrays, their types and shapes: 16 hexadecimal digits."""
    digest = hashlib.blake2b(digest_size=8)
    for array in arrays:
        digest.update(f"{array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def as_array(name: str, what: str, values: Any) -> Array:
    """Return any array-like as an array of its own type; nothing is filled in or left out."""
    kind = type(values).__name__
    is_sparse_tensor = isinstance(values, torch.Tensor) and values.layout != torch.strided
    if is_sparse_tensor or hasattr(values, "tocsr"):
        dense = "to_dense" if is_sparse_tensor else "toarray"
        raise UsageError(f"dataset {name}: {what} are sparse ({kind}): pass {what}.{dense}()")
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        place = tuple(int(index) for index in np.argwhere(np.ma.getmaskarray(values))[0])
        raise UsageError(
            f"dataset {name}: {what} are masked at {where(place, ())}: fill or drop what is masked"
        )
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().resolve_conj().resolve_neg()
        if values.dtype == torch.bfloat16:  # NumPy has no such type
            values = values.float()
    to_numpy = getattr(values, "to_numpy", None)
    try:
        array = np.asarray(to_numpy() if to_numpy else values)
        if array.dtype.kind == "O" and array.ndim == 1 and all(map(_is_row, array)):
            array = np.asarray(array.tolist())
    except (TypeError, ValueError, RuntimeError) as error:
        reason = _ragged(values) or " ".join(str(error).split())
        raise UsageError(f"dataset {name}: {what} cannot be an array: {reason}") from None
    if array.ndim == 0:
        raise UsageError(
            f"dataset {name}: {what} are of type {kind}; expected an array, a tensor, a data frame "
            "or nested lists"
        )
    return array


def _is_row(value: object) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, (str, bytes))


def _ragged(values: Any) -> str:
    """Return which sample is not as long as the first, if that is what is wrong."""
    try:
        lengths = [len(value) if _is_row(value) else 1 for value in values]
    except TypeError:
        return ""
    for sample, length in enumerate(lengths):
        if length != lengths[0]:
            return f"sample {sample} holds {length} values, and sample 0 {lengths[0]}"
    return ""


def _as_numbers(name: str, array: Array, columns: tuple[str, ...]) -> Array:
    """Return an array of Python objects or texts as numbers."""
    try:
        numbers: Array = array.astype(np.float64)
        return numbers
    except (TypeError, ValueError, OverflowError):
        for place, value in np.ndenumerate(array):
            try:
                float(value)
            except (TypeError, ValueError, OverflowError):
                raise UsageError(
                    f"dataset {name}: {where(place, columns)} is {shown(_repr(value))}; "
                    "expected a number"
                ) from None
        raise


def _repr(value: object) -> str:
    return repr(str(value)) if isinstance(value, str) else repr(value)


def _from_one_hot(name: str, array: Array) -> Array:
    is_one_hot = ((array == 0) | (array == 1)).all(1) & (np.sum(array != 0, axis=1) == 1)
    if not is_one_hot.all():
        place = int(np.argmin(is_one_hot))
        raise UsageError(
            f"dataset {name}: the label of sample {place} is {shown(array[place].tolist())}; "
            "expected one number, or a row with a single 1 among zeros"
        )
    classes: Array = array.argmax(1)
    return classes


def _of_one_type(name: str, array: Array) -> Array:
    """Return labels that are Python objects as numbers, or as names if all are text."""
    is_text = isinstance(array[0], (str, bytes))
    for sample, value in enumerate(array):
        if _is_missing(value):
            raise UsageError(f"dataset {name}: the label of sample {sample} is missing ({value})")
        if not isinstance(value, (str, bytes) if is_text else (Real, np.bool_)):
            expected = "a name as the others" if is_text else "a whole number or a name"
            raise UsageError(
                f"dataset {name}: the label of sample {sample} is {shown(_repr(value))}; "
                f"expected {expected}"
            )
    return np.asarray(array.tolist())


def _is_missing(value: object) -> bool:
    """Return whether a value stands for none: None, NaN, or what pandas has in their place."""
    is_nan = isinstance(value, Real) and value != value
    return value is None or is_nan or type(value).__name__ in ("NAType", "NaTType")


def _numbered(name: str, array: Array, num_classes: int) -> tuple[Array, tuple[str, ...]]:
    """Return labels that are texts as class numbers, and the classes' names."""
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    if (array == "").any():
        place = int(np.argmax(array == ""))
        raise UsageError(f"dataset {name}: the label of sample {place} is missing (empty)")
    found, numbers = np.unique(array, return_inverse=True)
    names = tuple(map(str, found))
    check_spaces(f"dataset {name}", names)
    if all(text.isdecimal() for text in names):
        order = sorted(range(len(names)), key=lambda at: int(names[at]))
        numbers = np.argsort(order)[numbers]
        names = tuple(names[at] for at in order)
    if len(names) != num_classes:
        listed = ", ".join(map(shown, names[:_MOST_NAMES]))
        more = ", ..." if len(names) > _MOST_NAMES else ""
        raise UsageError(
            f"dataset {name}: labels have {len(names)} names ({listed}{more}); "
            f"expected {num_classes}"
        )
    return numbers, names


def check_spaces(place: str, names: Iterable[str]) -> None:
    """Raise a UsageError if two names of classes differ only in the spaces around them."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.strip(), name)
        if other != name:
            raise UsageError(
                f"{place}: the labels {shown(repr(other))} and {shown(repr(name))} differ only in "
                "the spaces around them, and would be two classes: write them alike"
            )


def where(place: tuple[int, ...], columns: tuple[str, ...]) -> str:
    """Return in words which value of an array (samples, ...) is at a place."""
    sample, *rest = place
    if not rest:
        return f"sample {sample}"
    if len(rest) > 1:
        return f"sample {sample}, value {tuple(rest)}"
    return f"sample {sample}, column {shown(repr(columns[rest[0]])) if columns else rest[0]}"
