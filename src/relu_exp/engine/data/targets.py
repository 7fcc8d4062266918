"""Targets: the numbers that a regression predicts, checked and standardized by training samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from relu_exp.core.naming import shown
from relu_exp.core.schema import UsageError
from relu_exp.engine.data.arrays import as_array
from relu_exp.engine.data.scaling import Scaling, moments

__all__ = ["as_targets", "check_finite", "standardizing"]

Array = np.ndarray[Any, Any]

_LARGEST = float(np.finfo(np.float32).max)


def as_targets(name: str, targets: Any, num_targets: int) -> Array:
    """Return targets (samples,) or (samples, targets) as float64 (samples, targets).

    Args:
        name: the data set's name, for error messages.
        targets: an array, a tensor, a series, a data frame or nested lists.
        num_targets: how many numbers there are for a sample.

    Raises:
        UsageError: they are no numbers, not finite, or more or fewer than the layout says.
    """
    array = as_array(name, "targets", targets)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or not array.size or array.shape[1] != num_targets:
        shape = f"(samples, {num_targets})" + (" or (samples,)" if num_targets == 1 else "")
        raise UsageError(f"dataset {name}: targets have shape {array.shape}; expected {shape}")
    if array.dtype.kind not in "fiubO":
        raise UsageError(
            f"dataset {name}: targets of type {array.dtype} are no numbers: the first is "
            f"{shown(str(array[0, 0]))!r}"
        )
    try:
        numbers = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"dataset {name}: targets are no numbers: {error}") from None
    check_finite(f"dataset {name}: the target of sample", numbers, first=0)
    return numbers


def check_finite(words: str, numbers: Array, first: int) -> None:
    """Raise a UsageError that names the first of numbers (samples, targets) that is not finite.

    `words` say what a number is, up to its sample; samples count from `first`.
    """
    is_valid = np.abs(numbers) <= _LARGEST
    if not is_valid.all():
        sample, target = (int(index) for index in np.argwhere(~is_valid)[0])
        raise UsageError(
            f"{words} {sample + first} is {numbers[sample, target]:g}; expected a finite number up "
            f"to {_LARGEST:.1e}"
        )


def standardizing(name: str, targets: Array) -> Scaling:
    """Return the scaling that gives training targets (samples, targets) mean 0 and variance 1.

    `targets = scaled * unit + offset` leads back to their own units.

    Raises:
        UsageError: a target is constant: there is nothing to learn.
    """
    mean, std = moments(targets[:, :, None])
    is_constant = (targets.min(axis=0) == targets.max(axis=0)) | (std == 0)
    if is_constant.any():
        place = int(np.argmax(is_constant))
        which = f"target {place}" if targets.shape[1] > 1 else "the target"
        raise UsageError(
            f"dataset {name}: {which} is {targets[0, place]:g} in every training sample: there is "
            "nothing to learn"
        )
    return Scaling(mean, std)
