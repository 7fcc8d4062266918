"""Histograms of a layer's values: in the bins of the result tables, and in bins of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from relu_exp.engine.probes.summaries import histogram

__all__ = ["Counts", "Spread", "counts_of", "spread_of"]

NUM_BINS = 41
_REACH = 4.0
"""Standard deviations on either side of the mean that a histogram of its own shows at most."""


@dataclass(frozen=True)
class Counts:
    """Values in the bins of the table `histograms`, those below and above included; their extent.

    `counts` has `schema.HISTOGRAM_BINS[kind]` bins and two.
    """

    counts: Sequence[int]
    minimum: float
    maximum: float
    mean: float


@dataclass(frozen=True)
class Spread:
    """Values in equal bins from `low` to `high`: shares of all values, and what lies outside."""

    low: float
    high: float
    shares: tuple[float, ...]
    outside: float


def counts_of(values: Tensor, kind: str) -> Counts:
    """Return the counts of one layer's values (any shape), by the engine's code."""
    counts, extent = histogram(values.reshape(1, -1), kind)
    return Counts(counts[0].tolist(), *(float(each[0]) for each in extent))


def spread_of(values: Tensor) -> Spread | None:
    """Return how one layer's values (any shape) are spread; None if one of them is not finite."""
    flat = values.detach().double().flatten()
    if not flat.numel() or not bool(flat.isfinite().all()):
        return None
    mean, std = float(flat.mean()), float(flat.std(correction=0))
    low = max(float(flat.min()), mean - _REACH * std)
    high = min(float(flat.max()), mean + _REACH * std)
    if not high - low > 1e-9 * max(abs(low), abs(high)):
        # all values are one: a bar in the middle
        half = max(abs(mean) * 1e-3, 1e-30)
        low, high = mean - half, mean + half
    counts = torch.histc(flat.cpu(), NUM_BINS, low, high)
    shares = tuple((counts / flat.numel()).tolist())
    return Spread(low, high, shares, max(0.0, 1 - math.fsum(shares)))
