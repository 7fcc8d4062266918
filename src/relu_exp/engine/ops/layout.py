"""The memory layout of a fleet's tensors, which gives each run the bits of a lone run.

The last bits of a matrix product may depend on the alignment of its operands to cache lines. In a
stack, each run's part therefore has the alignment that PyTorch gives a separate tensor: a library
that is called for one run's part computes exactly what it computes for a lone run.

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
"""Elements: a multiple of the width of any vectorized loop of PyTorch."""

_ALIGNMENT = 16
"""Each run's part begins at a multiple of this many elements: 64 bytes of float32."""

_LINE = 64
"""Every tensor of PyTorch begins at a multiple of this many bytes."""


def new_stack(like: Tensor, *shape: int) -> Tensor:
    """Return an uninitialized stack (runs, *shape) with the number of runs and type of `like`."""
    runs, (part, *steps) = like.shape[0], _strides(tuple(shape))
    size = math.prod(shape)
    memory = like.new_empty(_multiple(runs * part, VECTORIZED))
    # computations include the padding, so it must hold finite numbers
    if part > size:
        memory.zero_()
    else:
        memory[runs * part :].zero_()
    return memory.as_strided((runs, *shape), (part, *steps))


def stacked(tensor: Tensor) -> Tensor:
    """Return a tensor (runs, ...) as a stack: the tensor itself if it is one, else a copy."""
    if _is_stack(tensor):
        return tensor
    with torch.no_grad():
        return new_stack(tensor, *tensor.shape[1:]).copy_(tensor)


def placed(matrices: Tensor) -> Tensor:
    """Return matrices (runs, m, n), each aligned and stored in row-major or column-major order.

    Matrices that are stored so already are not copied: a stack, its transpose, a part of its
    columns, or one matrix that all runs share. A single row or column always gets the strides of a
    row-major matrix: they have no meaning, but libraries may choose an algorithm by them.
    """
    runs, m, n = matrices.shape
    run, row, column = matrices.stride()
    if m > 1 and n > 1 and row == 1 and column >= m:
        return placed(matrices.transpose(1, 2)).transpose(1, 2)
    is_aligned = run % _ALIGNMENT == 0 and matrices.data_ptr() % _LINE == 0
    is_row_major = (n == 1 or column == 1) and (m == 1 or row >= n)
    if not is_aligned or not is_row_major:
        return stacked(matrices)
    if m > 1 and n > 1:
        return matrices
    return matrices.as_strided((runs, m, n), (run, n if m == 1 else row, 1))


def padded(stack: Tensor) -> Tensor:
    """Return the whole memory of a stack, including the padding, as one vector.

    An elementwise function can be applied to all of it; its results in the padding are never read.
    """
    strides = _strides(stack.shape[1:])
    assert stack.stride() == strides
    return stack.as_strided((_multiple(stack.shape[0] * strides[0], VECTORIZED),), (1,))


def kept(stack: Tensor, runs: Tensor) -> Tensor:
    """Return a copy of some runs of a stack, given as int64 indices on the same device."""
    return stacked(stack.detach().index_select(0, runs))


def aligned(tensor: Tensor) -> Tensor:
    """Return an aligned contiguous tensor whose gradient is too; a copy only if necessary."""
    result: Tensor = _Aligned.apply(tensor)
    return result


class _Aligned(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return _as_aligned(tensor)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return _as_aligned(grads[0])


def _as_aligned(tensor: Tensor) -> Tensor:
    is_aligned = tensor.data_ptr() % _LINE == 0 and tensor.is_contiguous()
    return (
        tensor.view_as(tensor)
        if is_aligned
        else tensor.clone(memory_format=torch.contiguous_format)
    )


@cache
def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of a stack whose parts have a shape; the stride between runs is first."""
    steps = [math.prod(shape[place + 1 :]) for place in range(len(shape))]
    return _multiple(math.prod(shape), _ALIGNMENT), *steps


def _multiple(size: int, of: int) -> int:
    return -(-size // of) * of


def _is_stack(tensor: Tensor) -> bool:
    strides = _strides(tensor.shape[1:])
    if tensor.stride() != strides or tensor.data_ptr() % _LINE:
        return False
    # a tensor with these strides may end where its memory ends, without room for the padding
    end = tensor.storage_offset() + _multiple(tensor.shape[0] * strides[0], VECTORIZED)
    return bool(end * tensor.itemsize <= tensor.untyped_storage().nbytes())
