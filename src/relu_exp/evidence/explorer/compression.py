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
    "log_codes",
    "real_codes",
    "share_codes",
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


CODES: Mapping[str, Callable[[Array], Array]] = {
    "log": log_codes,
    "share": share_codes,
    "real": real_codes,
}


@dataclass
class Stream:
    """Numbers to be compressed: all integers of 16 bits first, then all histograms."""

    numbers: list[Array] = field(default_factory=list)
    counts: list[Array] = field(default_factory=list)
    num_numbers: int = 0
    num_counts: int = 0

    def add(self, codes: Array) -> None:
        """Append integers of 16 bits."""
        self.numbers.append(codes.ravel())
        self.num_numbers += codes.size

    def add_counts(self, codes: Array) -> None:
        """Append integers of 8 bits, which come after those of 16."""
        self.counts.append(codes.ravel())
        self.num_counts += codes.size

    def compressed(self) -> str:
        """Return everything, deflated, in base64."""
        pieces = [each.tobytes() for each in (*self.numbers, *self.counts)]
        return base64.b64encode(zlib.compress(b"".join(pieces), 9)).decode()
