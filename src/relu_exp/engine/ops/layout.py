"""Where a fleet's tensors lie in memory: each run's part begins as a lone run's tensor does.

The last bits of a matrix product may depend on where its operands begin relative to a cache line.
In a stacked tensor each run's part therefore begins where PyTorch would begin a tensor of its own:
a library that is called for one run's part cannot tell it from a lone run's.

An elementwise loop ends in a scalar tail, whose exp may differ from the vectorized one. The memory
of a stack therefore ends with padding, so that every element of every run is vectorized.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import torch
from torch import Tensor

__all__ = ["VECTORIZED", "aligned", "kept", "new_stack", "padded", "placed", "stacked"]

VECTORIZED = 64
"""Elements: a multiple of what any vectorized loop of PyTorch takes at once."""

_ALIGNMENT = 16
"""Elements at a multiple of which each run's part begins: 64 bytes of float32."""

_LINE = 64
"""Bytes at a multiple of which PyTorch begins every tensor."""


def new_stack(like: Tensor, *shape: int) -> Tensor:
    """Return a stack (runs, *shape) of no values yet, with the runs and type of `like`."""
    runs, (part, *steps) = like.shape[0], _strides(tuple(shape))
    size = math.prod(shape)
    memory = like.new_empty(_multiple(runs * part, VECTORIZED))
    # padding is computed with, so it holds numbers
    if part > size:
        memory.zero_()
    else:
        memory[runs * part :].zero_()
    return memory.as_strided((runs, *shape), (part, *steps))


def stacked(tensor: Tensor) -> Tensor:
    """Return a tensor (runs, ...) as a stack: itself if it is one, else a copy."""
    if _is_stack(tensor):
        return tensor
    with torch.no_grad():
        return new_stack(tensor, *tensor.shape[1:]).copy_(tensor)


def placed(matrices: Tensor) -> Tensor:
    """Return matrices (runs, m, n), each stored by rows or by columns from an aligned place on.

    It is a copy, unless they are stored so already: as a stack, its transpose, a part of its
    columns, or one matrix that all runs share. The strides of a single row or column, which have no
    meaning but may decide how a library multiplies, are always those of a matrix stored by rows.
    """
    runs, m, n = matrices.shape
    run, row, column = matrices.stride()
    if m > 1 and n > 1 and row == 1 and column >= m:
        return placed(matrices.transpose(1, 2)).transpose(1, 2)
    begins_aligned = run % _ALIGNMENT == 0 and matrices.data_ptr() % _LINE == 0
    is_by_rows = (n == 1 or column == 1) and (m == 1 or row >= n)
    if not begins_aligned or not is_by_rows:
        return stacked(matrices)
    if m > 1 and n > 1:
        return matrices
    return matrices.as_strided((runs, m, n), (run, n if m == 1 else row, 1))


def padded(stack: Tensor) -> Tensor:
    """Return all memory of a stack, padding included, as one vector.

    An elementwise function may be computed over all of it at once; what it makes of the padding is
    never read.
    """
    strides = _strides(stack.shape[1:])
    assert stack.stride() == strides
    return stack.as_strided((_multiple(stack.shape[0] * strides[0], VECTORIZED),), (1,))


def kept(stack: Tensor, runs: Tensor) -> Tensor:
    """Return a stack of some of the runs (int64 indices on the stack's device), as a copy."""
    return stacked(stack.detach().index_select(0, runs))


def aligned(tensor: Tensor) -> Tensor:
    """Return a tensor that begins at an aligned place, as does its gradient; a copy if need be."""
    result: Tensor = _Aligned.apply(tensor)
    return result


class _Aligned(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return _moved(tensor)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return _moved(grads[0])


def _moved(tensor: Tensor) -> Tensor:
    is_aligned = tensor.data_ptr() % _LINE == 0 and tensor.is_contiguous()
    return (
        tensor.view_as(tensor)
        if is_aligned
        else tensor.clone(memory_format=torch.contiguous_format)
    )


@cache
def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of a stack of parts of a shape, that between runs first."""
    steps = [math.prod(shape[place + 1 :]) for place in range(len(shape))]
    return _multiple(math.prod(shape), _ALIGNMENT), *steps


def _multiple(size: int, of: int) -> int:
    return -(-size // of) * of


def _is_stack(tensor: Tensor) -> bool:
    strides = _strides(tensor.shape[1:])
    if tensor.stride() != strides or tensor.data_ptr() % _LINE:
        return False
    # what looks like a stack may lie at the very end of its memory, with no padding behind
    end = tensor.storage_offset() + _multiple(tensor.shape[0] * strides[0], VECTORIZED)
    return bool(end * tensor.itemsize <= tensor.untyped_storage().nbytes())
