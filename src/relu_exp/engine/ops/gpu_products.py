"""Matrix products of a whole fleet on a GPU, with the same bits at every fleet size.

A library's batched product chooses its algorithm by the number of matrices, so a run's last bits
would depend on its fleet. Here one kernel computes a tile of one run's product, always in the same
order, whatever else is computed beside it. It also reads a batch that several runs share in place.

Products of float32 numbers are computed as three products of TF32 numbers ("3xTF32"), whose sum has
the error of float32: https://github.com/NVIDIA/cutlass/tree/main/examples/28_ampere_3xtf32_fast_accurate_tensorop_fprop
GPUs without TF32 multiply in float32. Where TF32 is asked for (`precision`), it is one product.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

__all__ = ["multiply"]

_FIRST_WITH_TF32 = (8, 0)


def multiply(
    C: Tensor, A: Tensor, B: Tensor, alpha: float | None = None, groups: Tensor | None = None
) -> None:
    """Do C = A B, or C += alpha · A B, for every run of a fleet.

    Args:
        C: (runs, m, n).
        A: (runs, m, k).
        B: (runs, k, n), or (groups, k, n).
        alpha: None to overwrite C.
        groups: which matrix of B each run uses, int32 (runs,); None: its own.
    """
    runs, m, n = C.shape
    tile = _tile_for(m, A.shape[2])
    tiles = triton.cdiv(m, tile.m) * triton.cdiv(n, tile.n)
    _kernel[tiles, runs](
        C,
        A,
        B,
        C if groups is None else groups,
        alpha or 0.0,
        *(m, n, A.shape[2]),
        *(*C.stride(), *A.stride(), *B.stride()),
        adds=alpha is not None,
        is_grouped=groups is not None,
        precision=_input_precision(torch.backends.cuda.matmul.fp32_precision == "tf32"),
        tile_m=tile.m,
        tile_n=tile.n,
        tile_k=tile.k,
        num_warps=tile.warps,
        num_stages=tile.stages,
    )


class _Tile(NamedTuple):
    """Part of a product that is computed together, by so many warps, loads so many steps ahead."""

    m: int
    n: int
    k: int
    warps: int
    stages: int


def _tile_for(m: int, k: int) -> _Tile:
    """Return the fastest of 22 that were tried on an H200; never by the number of runs."""
    if m <= 32:
        return _Tile(32, 128, 32, 4, 3)
    return _Tile(128, 64, 32, 4, 3) if k >= 512 else _Tile(64, 64, 16, 2, 4)


@cache
def _input_precision(rounds: bool) -> str:
    """Return how Triton multiplies float32 numbers; `rounds`: to TF32."""
    if torch.cuda.is_available() and torch.cuda.get_device_capability() < _FIRST_WITH_TF32:
        return "ieee"
    return "tf32" if rounds else "tf32x3"


def _multiply_tile(
    C: tl.tensor,
    A: tl.tensor,
    B: tl.tensor,
    groups: tl.tensor,
    alpha: tl.tensor,
    m: tl.tensor,
    n: tl.tensor,
    k: tl.tensor,
    c_run: tl.tensor,
    c_row: tl.tensor,
    c_column: tl.tensor,
    a_run: tl.tensor,
    a_row: tl.tensor,
    a_column: tl.tensor,
    b_run: tl.tensor,
    b_row: tl.tensor,
    b_column: tl.tensor,
    adds: tl.constexpr,
    is_grouped: tl.constexpr,
    precision: tl.constexpr,
    tile_m: tl.constexpr,
    tile_n: tl.constexpr,
    tile_k: tl.constexpr,
) -> None:
    """Compute one tile of one run's product; all other arguments than the sizes are strides."""
    tile, run = tl.program_id(0), tl.program_id(1).to(tl.int64)
    group = run
    if is_grouped:
        group = tl.load(groups + run).to(tl.int64)
    across = tl.cdiv(n, tile_n)
    rows = (tile // across) * tile_m + tl.arange(0, tile_m)
    columns = (tile % across) * tile_n + tl.arange(0, tile_n)
    inner = tl.arange(0, tile_k)
    is_row, is_column = rows[:, None] < m, columns[None, :] < n
    a_at = A + run * a_run + rows[:, None] * a_row + inner[None, :] * a_column
    b_at = B + group * b_run + inner[:, None] * b_row + columns[None, :] * b_column
    total = tl.zeros((tile_m, tile_n), tl.float32)
    for begin in range(0, k, tile_k):
        is_inner = inner < k - begin
        a = tl.load(a_at, mask=is_row & is_inner[None, :], other=0.0)
        b = tl.load(b_at, mask=is_column & is_inner[:, None], other=0.0)
        total = tl.dot(a, b, total, input_precision=precision)
        a_at += tile_k * a_column
        b_at += tile_k * b_row
    c_at = C + run * c_run + rows[:, None] * c_row + columns[None, :] * c_column
    if adds:
        total = tl.load(c_at, mask=is_row & is_column) + alpha * total
    tl.store(c_at, total, mask=is_row & is_column)


_kernel: Any = triton.jit(_multiply_tile)
