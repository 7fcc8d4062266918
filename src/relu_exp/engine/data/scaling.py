"""Scaling: what inputs are shifted and divided by, from the training samples alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["OF_A_RANGE", "SCALINGS", "Scaling", "fit", "moments"]

Array = np.ndarray[Any, Any]

SCALINGS: Mapping[str, str] = {
    "none": "as they are",
    "standardize": "mean 0 and variance 1 of each feature, of images each channel",
    "minmax": "each feature, of images each channel, from 0 to 1",
}
"""What can be made of the inputs of every data set: of the training samples, then of all alike."""

OF_A_RANGE: Mapping[str, str] = {
    "standard": "mean 0 and standard deviation 1 over all training inputs, one number each",
    "unit": "the value range becomes 0 to 1",
}
"""What else can be made of inputs with a value range."""

_PIECE = 10**7
"""Numbers that are worked on at once: in float64 a large set would take twice its memory more."""


@dataclass(frozen=True)
class Scaling:
    """An offset to subtract and a unit to divide by: two numbers, or two for each feature."""

    offset: float | Array
    unit: float | Array

    def apply(self, inputs: Array) -> Array:
        """Return inputs (samples, features), scaled, in float32; what overflows is not finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            if isinstance(self.offset, float):
                rows = inputs.astype(np.float32)
                rows -= np.float32(self.offset)
                rows /= np.float32(self.unit)
                return rows
            # a large offset would take the digits of a small difference in float32
            pieces = [(piece - self.offset) / self.unit for piece in _pieces(inputs)]
            return np.concatenate([piece.astype(np.float32) for piece in pieces])


def fit(
    inputs: Array,
    scaling: str,
    value_range: tuple[float, float] | None,
    image_shape: tuple[int, int, int] | None,
) -> Scaling:
    """Return a scaling for training inputs (samples, ...).

    A feature or channel that is constant in training becomes 0, also in samples where it differs:
    its weights could learn nothing.

    Args:
        inputs: the training samples.
        scaling: one of `SCALINGS`, or of `OF_A_RANGE` where there is a range.
        value_range: the lowest and the highest raw input.
        image_shape: of images: (channels, rows, columns); their pixels share a channel's scale, so
            that a pixel that is rarely lit does not become a large number.
    """
    if scaling == "none":
        return Scaling(0.0, 1.0)
    if scaling == "unit" and value_range:
        low, high = value_range
        return Scaling(float(low), float(high - low))
    if scaling == "standard":
        return _over_all(inputs)
    num_pixels = math.prod(image_shape[1:]) if image_shape else 1
    rows = inputs.reshape(len(inputs), -1, num_pixels)
    lowest = rows.min(axis=(0, 2)).astype(np.float64)
    highest = rows.max(axis=(0, 2)).astype(np.float64)
    offset, unit = (lowest, highest - lowest) if scaling == "minmax" else moments(rows)
    # rounding gives a constant a deviation of its own
    unit = np.where((lowest == highest) | (unit == 0), np.inf, unit)
    return Scaling(np.repeat(offset, num_pixels), np.repeat(unit, num_pixels))


def moments(rows: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation (features,) of inputs (samples, features, pixels)."""
    count = rows.shape[0] * rows.shape[2]
    mean = sum(piece.sum(axis=(0, 2)) for piece in _pieces(rows)) / count
    deviations = (np.square(piece - mean[:, None]) for piece in _pieces(rows))
    return mean, np.sqrt(sum(piece.sum(axis=(0, 2)) for piece in deviations) / count)


def _pieces(rows: Array) -> Iterator[Array]:
    """Yield the samples in float64, some at a time."""
    for piece in np.array_split(rows, 1 + rows.size // _PIECE):
        yield piece.astype(np.float64)


def _over_all(inputs: Array) -> Scaling:
    mean = float(inputs.mean(dtype=np.float64))
    # in pieces, because the squares of a large set would take eight times its memory
    pieces = np.array_split(inputs, 1 + inputs.size // _PIECE)
    squares = sum(float(np.square(piece - mean, dtype=np.float64).sum()) for piece in pieces)
    return Scaling(mean, math.sqrt(squares / inputs.size) or 1.0)
