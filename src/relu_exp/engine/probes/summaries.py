"""Numbers that summarize every run's part of a tensor: norms, moments, shares, histograms.

The run axis comes first. Each is a formula of PyTorch's operations, which the compiled kernels take
the place of where there are any (`compiled_summaries`); both agree up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from relu_exp.core.schema import HISTOGRAM_BINS
from relu_exp.engine.ops.kernels import zero_gradient_units
from relu_exp.engine.ops.products import product
from relu_exp.engine.probes import compiled_summaries as compiled

__all__ = [
    "ROUNDING",
    "Extent",
    "Moments",
    "Shares",
    "effective_rank",
    "histogram",
    "mean",
    "moments",
    "norm",
    "norm_of_difference",
    "shares",
    "spread",
]


ROUNDING = 1e-6
"""Deviations of less than this share of the largest value are rounding, which has full rank."""


class Moments(NamedTuple):
    """Of x (runs, units, samples), each (runs,).

    `std` is over units and samples together, `sample_std` the root mean square over units of the
    spread over samples, `unit_mean_rms` that of the mean over samples.
    """

    mean: Tensor
    std: Tensor
    sample_std: Tensor
    unit_mean_rms: Tensor


class Shares(NamedTuple):
    """Of a layer's values or units, each (runs,)."""

    saturated: Tensor
    dead: Tensor
    zero: Tensor


class Extent(NamedTuple):
    """Least, largest and mean value of each run: (runs,)."""

    minimum: Tensor
    maximum: Tensor
    mean: Tensor


def mean(x: Tensor) -> Tensor:
    """Return the mean of every run's part of x (runs, ...): (runs,)."""
    return x.flatten(1).mean(1)


def norm(x: Tensor) -> Tensor:
    """Return the Euclidean norm of every run's part of x (runs, ...): (runs,).

    Values are scaled before they are squared, or squared in float64: the squares of vanished
    gradients would underflow.
    """
    if (quick := compiled.norms(x)) is not None:
        return quick
    x = x.flatten(1)
    # not linalg.vector_norm, whose order of summation depends on the number of runs
    largest = x.abs().amax(1, keepdim=True)
    scale = torch.where(torch.isfinite(largest) & (largest > 0), largest, 1)
    found: Tensor = (x / scale).square_().sum(1).sqrt_() * scale[:, 0]
    return found


def norm_of_difference(x: Tensor, y: Tensor) -> Tensor:
    """Return the Euclidean norm of every run's part of x − y (runs, ...): (runs,)."""
    quick = compiled.norms_of_differences(x, y)
    return norm(x - y) if quick is None else quick


def moments(x: Tensor) -> Moments:
    """Return the moments of x (runs, units, samples)."""
    if (quick := compiled.moments(x)) is not None:
        return Moments(*quick)
    # two passes: the mean of squares loses a small spread around a large mean
    size, of_units = x[0].numel(), x.mean(2, keepdim=True)
    return Moments(
        mean(x),
        norm(x - x.mean((1, 2), keepdim=True)) / size**0.5,
        norm(x - of_units) / size**0.5,
        norm(of_units) / x.shape[1] ** 0.5,
    )


def shares(derivative: Tensor, a: Tensor, limits: Tensor) -> Shares:
    """Return the shares of saturated values, of dead units and of zeros.

    Args:
        derivative: φ′(z) (runs, units, samples).
        a: φ(z), likewise.
        limits: |φ′| up to which a value is saturated (runs, 1, 1).
    """
    if (quick := compiled.shares(derivative, a, limits.flatten())) is not None:
        return Shares(*quick)
    return Shares(
        _share(torch.le, derivative.abs(), limits),
        zero_gradient_units(derivative).float().mean(1),
        _share(torch.eq, a, 0),
    )


def _share(compare: Callable[..., Tensor], x: Tensor, y: Tensor | float) -> Tensor:
    # compare into floats: a boolean result would take five times as long
    return mean(compare(x, y, out=torch.empty_like(x)))


def spread(rows: Tensor, most: int) -> Tensor:
    """Return how far rows (runs, units, ...) are from their mean: 0 if equal, 1 if unrelated.

    Rows of zeros count as equal. Of more than `most` numbers in a row every n-th is taken.
    """
    step = max(1, -(-rows[0, 0].numel() // most))
    if (quick := compiled.spreads(rows, step)) is not None:
        return quick
    rows = rows.flatten(2)[:, :, ::step].contiguous()
    # scaled, because the squares of vanished gradients would underflow
    rows = rows / rows.abs().amax((1, 2), keepdim=True).clamp_min(torch.finfo(rows.dtype).tiny)
    distance = norm(rows - rows.mean(1, keepdim=True))
    return distance / norm(rows).clamp_min(torch.finfo(rows.dtype).tiny)


def effective_rank(a: Tensor, most: int) -> Tensor:
    """Return the participation ratio of the covariance of units: 0 to the number of units (runs,).

    Args:
        a: (runs, units, samples).
        most: of more samples every n-th is taken.
    """
    step = -(-a.shape[2] // most)
    if (quick := compiled.effective_ranks(a, step, ROUNDING)) is not None:
        return quick
    a = a[:, :, ::step]
    centered = a - a.mean(2, keepdim=True)
    size = centered.abs().amax((1, 2), keepdim=True)
    varies = (size > ROUNDING * a.abs().amax((1, 2), keepdim=True)).flatten()
    centered = centered / size.clamp_min(torch.finfo(a.dtype).tiny)
    # the covariance of units and the Gram matrix of samples have the same nonzero eigenvalues
    rows, columns = centered, centered.transpose(1, 2)
    covariance = product(rows, columns) if a.shape[1] <= a.shape[2] else product(columns, rows)
    trace = covariance.diagonal(dim1=1, dim2=2).sum(1)
    rank = (trace / norm(covariance).clamp_min(torch.finfo(a.dtype).tiny)).square()
    return torch.where(varies, rank, torch.zeros_like(rank))


def histogram(values: Tensor, kind: str) -> tuple[Tensor, Extent]:
    """Return the counts of values (runs, ...) in the fixed bins, and their extent.

    Returns:
        Counts (runs, bins + 2), int32. The first and last columns count what lies below and above
        all bins; nan counts as above.
    """
    low, high, bins = HISTOGRAM_BINS[kind]
    if quick := compiled.histograms(values, low, bins / (high - low), bins):
        return quick[0], Extent(*quick[1])
    runs, values = values.shape[0], values.flatten(1)
    place = (values - low).mul_(bins / (high - low)).nan_to_num_(nan=float(bins))
    # clamp before the cast: a float beyond int32 has no defined integer
    index = place.floor_().clamp_(-1, bins).int()
    first = 1 + torch.arange(runs, device=values.device, dtype=torch.int32)[:, None] * (bins + 2)
    counts = torch.bincount(index.add_(first).flatten(), minlength=runs * (bins + 2))
    extent = Extent(values.amin(1), values.amax(1), mean(values))
    return counts.reshape(runs, bins + 2).int(), extent
