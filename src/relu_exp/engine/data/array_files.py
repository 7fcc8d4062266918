"""Reader of NPZ files: inputs and labels as arrays, images with their channels first or last."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from relu_exp.core.schema import UsageError
from relu_exp.engine.data.arrays import as_labels
from relu_exp.engine.data.table_parts import (
    LARGEST,
    Part,
    Source,
    check_known,
    label_name,
    listed,
    whole,
)
from relu_exp.engine.data.targets import check_finite

__all__ = ["read_npz"]

Array = np.ndarray[Any, Any]

_KERAS = ("x_train", "y_train", "x_test", "y_test")


def read_npz(place: Path, file: str, source: Source) -> list[Part]:
    """Return the arrays of an NPZ file: inputs and labels, or four arrays as Keras names them.

    Raises:
        UsageError: an array is missing, or its shape or a value is not valid.
        ValueError: it is not an NPZ file.
    """
    if not zipfile.is_zipfile(place):
        raise ValueError("it is not an NPZ file")
    with np.load(place, allow_pickle=False) as held:
        arrays = {key: held[key] for key in held.files}
    if source.ignore is not None or (source.features or "").startswith("["):
        raise UsageError(f"{file} has arrays and no columns: dataset.features=NAME is one of them")
    if {*_KERAS} <= {*arrays}:
        pairs = (_KERAS[:2], _KERAS[2:])
        return [_arrays(file, x, arrays[x], y, arrays[y], source) for x, y in pairs]
    label = label_name(file, list(arrays), source, "array")
    others = {key: each for key, each in arrays.items() if key != label and each.ndim > 1}
    if source.features is not None:
        check_known(file, list(arrays), "features", source.features, "array")
        others = {source.features: arrays[source.features]}
    if len(others) != 1:
        shapes = [f"{key} {each.shape}" for key, each in arrays.items()]
        raise UsageError(
            f"{file}: which array holds the inputs? Name it with dataset.features=NAME; arrays: "
            f"{listed(shapes)}"
        )
    ((x, inputs),) = others.items()
    return [_arrays(file, x, inputs, label, arrays[label], source)]


def _arrays(file: str, x: str, inputs: Array, y: str, labels: Array, source: Source) -> Part:
    if inputs.ndim == 0 or labels.ndim == 0 or len(inputs) != len(labels) or not len(labels):
        raise UsageError(
            f"{file}: {x} has shape {inputs.shape} and {y} {labels.shape}; expected one label for "
            "each sample"
        )
    if inputs.dtype.kind not in "fiub":
        raise UsageError(f"{file}: {x} holds {inputs.dtype}, which is no real number")
    is_valid = np.abs(inputs) <= LARGEST if inputs.dtype.kind == "f" else np.array([True])
    if not is_valid.all():
        place = tuple(int(index) for index in np.argwhere(~is_valid)[0])
        raise UsageError(
            f"{file}: {x}[{', '.join(map(str, place))}] is {inputs[place]:g}; expected a finite "
            f"number up to {LARGEST:.1e}"
        )
    inputs = inputs.astype(np.uint8) if inputs.dtype.kind == "b" else inputs
    if source.has_targets:
        return Part(file, _channels_first(file, x, inputs), _targets(file, y, labels))
    if labels.ndim == 2:
        labels = labels[:, 0] if labels.shape[1] == 1 else as_labels(file, labels, labels.shape[1])
    if labels.ndim != 1 or labels.dtype.kind not in "fiubU":
        raise UsageError(f"{file}: {y} holds {labels.dtype} {labels.shape}, which are no labels")
    classes = labels if labels.dtype.kind == "U" else whole(file, y, labels.astype(np.float64))
    return Part(file, _channels_first(file, x, inputs), classes)


def _targets(file: str, y: str, labels: Array) -> Array:
    if labels.ndim > 2 or labels.dtype.kind not in "fiub":
        raise UsageError(
            f"{file}: {y} holds {labels.dtype} {labels.shape}, which are no numbers to predict; "
            "expected (samples,) or (samples, targets)"
        )
    numbers = labels.reshape(len(labels), -1).astype(np.float64)
    check_finite(f"{file}: {y}, row", numbers, first=1)
    return numbers


def _channels_first(file: str, x: str, inputs: Array) -> Array:
    """Return images as (samples, channels, rows, columns); features as they are."""
    if inputs.ndim == 2:
        return inputs
    if inputs.ndim == 3:
        return inputs[:, None]
    for valid in ((1, 3), (1, 2, 3, 4)):
        is_first, is_last = (inputs.ndim == 4 and inputs.shape[axis] in valid for axis in (1, 3))
        if is_first != is_last:
            return inputs if is_first else inputs.transpose(0, 3, 1, 2)
    raise UsageError(
        f"{file}: {x} has shape {inputs.shape}; expected (samples, features), (samples, rows, "
        "columns), or one axis more of one to four channels, after the samples or last"
    )
