"""The summaries of `summaries` by the compiled kernels, each in one pass over a run's numbers.

Every function returns None where there are no kernels or x is not float32 on the CPU.
"""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from relu_exp.engine.ops.compiled import library, pointer

__all__ = [
    "effective_ranks",
    "histograms",
    "moments",
    "norms",
    "norms_of_differences",
    "shares",
    "spreads",
]


def norms(x: Tensor) -> Tensor | None:
    """Return the Euclidean norm of every run's part of x (runs, ...): (runs,)."""
    if (found := library()) is None or not _is_plain(x):
        return None
    result = x.new_empty(len(x))
    found.functions.norms(*_located(x), *_sizes(x[0].numel()), pointer(result))
    return result


def norms_of_differences(x: Tensor, y: Tensor) -> Tensor | None:
    """Return the Euclidean norm of every run's part of x − y (runs, ...): (runs,)."""
    if (found := library()) is None or not (_is_plain(x) and _is_plain(y)):
        return None
    result = x.new_empty(len(x))
    address, step, runs = _located(x)
    found.functions.norms_of_differences(
        *(address, step, *_located(y)[:2], runs), *_sizes(x[0].numel()), pointer(result)
    )
    return result


def moments(x: Tensor) -> Tensor | None:
    """Return mean, std, std over samples and root mean square of units' means: (4, runs).

    Args:
        x: (runs, units, samples).
    """
    if (found := library()) is None or not _is_plain(x):
        return None
    result = x.new_empty(4, len(x))
    found.functions.moments(
        *_located(x), ctypes.c_int(x.shape[1]), *_sizes(x.shape[2]), pointer(result)
    )
    return result


def shares(derivative: Tensor, a: Tensor, limits: Tensor) -> Tensor | None:
    """Return the shares of saturated values, dead units and zeros: (3, runs).

    Args:
        derivative: φ′ (runs, units, samples).
        a: φ, alike in memory.
        limits: |φ′| up to which a value is saturated (runs,).
    """
    is_plain = _is_plain(derivative) and _is_plain(a) and derivative.stride() == a.stride()
    if (found := library()) is None or not is_plain or limits.device.type != "cpu":
        return None
    result, limits = a.new_empty(3, len(a)), limits.to(torch.float32).contiguous()
    address, step, runs = _located(a)
    units, samples = map(ctypes.c_int, a.shape[1:])
    found.functions.shares(
        *(pointer(derivative), address, step, runs, units, samples),
        *(pointer(limits), pointer(result)),
    )
    return result


def spreads(x: Tensor, step: int) -> Tensor | None:
    """Return how far rows are from their mean row, each `step`-th number of each: (runs,).

    Args:
        x: (runs, rows, ...).
        step: 1 takes all numbers of a row.
    """
    if (found := library()) is None or not _is_plain(x):
        return None
    rows, columns = x.shape[1], x[0, 0].numel()
    result, scratch = x.new_empty(len(x)), torch.empty(2 * columns, dtype=torch.float64)
    found.functions.spreads(
        *(*_located(x), ctypes.c_int(rows), *_sizes(columns, step)),
        *(pointer(scratch), pointer(result)),
    )
    return result


def effective_ranks(x: Tensor, step: int, rounding: float) -> Tensor | None:
    """Return the participation ratio of the covariance of units: (runs,).

    Args:
        x: (runs, units, samples).
        step: 1 takes all samples.
        rounding: the share of the largest value up to which deviations count as none.
    """
    if (found := library()) is None or not _is_plain(x):
        return None
    units, samples = x.shape[1:]
    size = -(-samples // step)
    scratch, result = x.new_empty(units * size + min(units, size) ** 2), x.new_empty(len(x))
    found.functions.effective_ranks(
        *(ctypes.c_void_p(found.gemm), *_located(x)),
        *(ctypes.c_int(units), ctypes.c_int(samples), ctypes.c_int(step)),
        *(ctypes.c_float(rounding), pointer(scratch), pointer(result)),
    )
    return result


def histograms(x: Tensor, low: float, scale: float, bins: int) -> tuple[Tensor, Tensor] | None:
    """Return counts (runs, bins + 2), int32, and least, largest and mean value (3, runs).

    Args:
        x: (runs, ...).
        low: where the first bin begins.
        scale: bins in a unit.
        bins: how many; the first and last column count what is below and above them.
    """
    if (found := library()) is None or not _is_plain(x) or not x[0].numel():
        return None
    counts, extents = x.new_empty(len(x), bins + 2, dtype=torch.int32), x.new_empty(3, len(x))
    found.functions.histograms(
        *(*_located(x), *_sizes(x[0].numel()), ctypes.c_float(low), ctypes.c_float(scale)),
        *(ctypes.c_int(bins), pointer(counts), pointer(extents)),
    )
    return counts, extents


def _is_plain(x: Tensor) -> bool:
    """Return whether x (runs, ...) is float32 on the CPU, every run's numbers in a row."""
    return x.dtype == torch.float32 and x.device.type == "cpu" and x[0].is_contiguous()


def _located(x: Tensor) -> tuple[ctypes.c_void_p, ctypes.c_int64, ctypes.c_int]:
    """Return where x lies, the numbers from one run to the next, and the number of runs."""
    return pointer(x), ctypes.c_int64(x.stride(0)), ctypes.c_int(len(x))


def _sizes(*sizes: int) -> list[ctypes.c_int64]:
    return [ctypes.c_int64(size) for size in sizes]
