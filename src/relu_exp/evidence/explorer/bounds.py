"""Bounds: the values that an activation can take, found from its own curve."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from relu_exp.evidence.explorer.compression import Array

__all__ = ["Bounds", "bounds_by_label"]

Bounds = tuple[float | None, float | None]
"""The smallest and the largest value; None where there is none, or none is known."""
FLAT = 0.05
"""A curve that is bounded ends with at most this share of its largest slope."""
STEPS_BEFORE = 2.0
"""How far before the end of the curve its slope must have been at least twice as large."""


def bounds_by_label(functions: pd.DataFrame, labels: Sequence[str]) -> list[Bounds]:
    """Return the bounds of each activation, by its label in the table `functions`."""
    curves = dict(list(functions.groupby("activation_label", observed=True)))
    return [
        _bounds(curves[label].sort_values("x")) if label in curves else (None, None)
        for label in labels
    ]


def _bounds(curve: pd.DataFrame) -> Bounds:
    """Return where a curve flattens out: tanh at -1 and 1, ReLU at 0 and nowhere above."""
    x, value, slope = (curve[name].to_numpy(float) for name in ("x", "value", "derivative"))
    if len(x) < 2 or not (np.isfinite(value).all() and np.isfinite(slope).all()):
        return None, None
    ends = _limit(-x[::-1], value[::-1], -slope[::-1]), _limit(x, value, slope)
    limits = [end for end in ends if end is not None]
    low = min(value.min(), *limits, math.inf) if _stops(ends, value, 0) else None
    high = max(value.max(), *limits, -math.inf) if _stops(ends, value, 1) else None
    return _rounded(low), _rounded(high)


def _limit(x: Array, value: Array, slope: Array) -> float | None:
    """Return what the values tend to as x grows, or None where they go on growing.

    The slope must vanish, or shrink like an exponential: then so does the distance to the limit.
    """
    last = abs(slope[-1])
    if last == 0:
        return float(value[-1])
    before = abs(np.interp(x[-1] - STEPS_BEFORE, x, slope))
    if last > FLAT * abs(slope).max() or before < 2 * last:
        return None
    rate = math.log(before / last) / STEPS_BEFORE
    return float(value[-1] + slope[-1] / rate)


def _stops(ends: tuple[float | None, float | None], value: Array, side: int) -> bool:
    """Return whether the values have a smallest (side 0) or a largest (side 1) one.

    An end that goes on growing does so in the direction in which the curve leaves its grid.
    """
    growing = [place for place, end in zip((0, -1), ends, strict=True) if end is None]
    middle = float(np.median(value))
    return not any((value[place] < middle) == (side == 0) for place in growing)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 3) + 0.0
