"""Compression: measurements as small integers, deflated, for a browser to read back."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = [
    "CODES",
    "MISSING",
    "OVERFLOW",
    "ZERO",
    "Array",
    "Stream",
    "float_codes",
    "log_codes",
    "real_codes",
    "share_codes",
    "whole_codes",
]

Array = np.ndarray[Any, Any]
MISSING, ZERO = -32768, -32767
"""Codes of what was not measured, and of zero, which has no logarithm."""
OVERFLOW = 32767
"""The code of what is larger than the largest logarithm, `LARGEST`."""
LARGEST = 1e32


def log_codes(values: Array) -> Array:
    """Return positive numbers as thousandths of a decade.

    Zero, what is missing and what is above `LARGEST` are marked.
    """
    values = np.asarray(values, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        codes = np.clip(np.round(1000 * np.log10(values)), -32000, 32000)
    codes = np.where(values > 0, codes, ZERO)
    codes = np.where(values > LARGEST, OVERFLOW, codes)
    return np.where(np.isnan(values), MISSING, codes).astype("<i2")


def share_codes(values: Array) -> Array:
    """Return shares between 0 and 1 as ten-thousandths; missing ones are marked."""
    values = np.asarray(values, dtype=float)
    return np.where(np.isnan(values), MISSING, np.round(10_000 * values)).astype("<i2")


def real_codes(values: Array) -> Array:
    """Return numbers of either sign as bits of float16, infinite above 65,504; missing as -0."""
    values = np.asarray(values, dtype=float)
    with np.errstate(over="ignore"):
        bits = (values.astype("<f2") + np.float16(0)).view("<i2")
    return np.where(np.isnan(values), MISSING, bits).astype("<i2")


def whole_codes(shares: Array) -> Array:
    """Return shares (..., parts) of a whole as ten-thousandths whose sum is 10,000 exactly.

    What rounding down leaves goes to the parts with the largest remainders. A whole of which
    nothing was measured, all zeros, stays so.
    """
    scaled = 10_000 * np.asarray(shares, dtype=float)
    codes = np.floor(scaled)
    missing = np.where(scaled.any(axis=-1), 10_000 - codes.sum(axis=-1), 0)
    order = np.argsort(codes - scaled, axis=-1, kind="stable")
    rank = np.argsort(order, axis=-1, kind="stable")
    whole: Array = codes + (rank < missing[..., None])
    return whole.astype("<u2")


def float_codes(values: Array) -> Array:
    """Return numbers as float32, two integers each, the lower half first; missing ones are NaN."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, dtype="<f4").view("<i2")


CODES: Mapping[str, Callable[[Array], Array]] = {
    "log": log_codes,
    "share": share_codes,
    "real": real_codes,
    "float": float_codes,
}
"""`float` takes two integers a number, the others one."""


@dataclass
class Stream:
    """Numbers to be compressed: all signed integers first, then all histograms."""

    numbers: list[Array] = field(default_factory=list)
    counts: list[Array] = field(default_factory=list)
    num_numbers: int = 0
    num_counts: int = 0

    def add(self, codes: Array) -> None:
        """Append signed integers of 16 bits."""
        self.numbers.append(codes.ravel())
        self.num_numbers += codes.size

    def add_counts(self, codes: Array) -> None:
        """Append unsigned integers of 16 bits, which come after the signed ones."""
        self.counts.append(codes.ravel())
        self.num_counts += codes.size

    def compressed(self) -> str:
        """Return everything, deflated, in base64.

        Of the histograms the lower bytes come before the upper ones, most of which are zero.
        """
        counts = np.concatenate([np.zeros(0, "<u2"), *self.counts])
        planes = [(counts & 255).astype(np.uint8), (counts >> 8).astype(np.uint8)]
        pieces = [each.tobytes() for each in (*self.numbers, *planes)]
        return base64.b64encode(zlib.compress(b"".join(pieces), 9)).decode()
