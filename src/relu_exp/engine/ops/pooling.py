"""The maximum over squares of 2 × 2, by a compiled kernel where there is one."""

from __future__ import annotations

import ctypes
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from relu_exp.engine.ops.compiled import library, pointer

__all__ = ["max_pool"]


def max_pool(maps: Tensor) -> Tensor:
    """Return the largest value of every 2 × 2 square: (..., height, width), each halved.

    An odd last row or column is left out, and of equal values the first one gets the gradient.
    """
    if library() is not None and maps.device.type == "cpu" and maps.dtype == torch.float32:
        pooled: Tensor = _MaxPool.apply(maps)
        return pooled
    halved = F.max_pool2d(maps.flatten(0, -4), 2, 2)
    return halved.reshape(*maps.shape[:-2], *halved.shape[-2:])


class _MaxPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        maps = maps.contiguous()
        *others, height, width = maps.shape
        pooled = maps.new_empty(*others, height // 2, width // 2)
        _call("max_pool", maps.shape, maps, pooled)
        ctx.save_for_backward(maps, pooled)
        return pooled

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        maps, pooled = ctx.saved_tensors
        found = torch.empty_like(maps)
        _call("max_pool_backward", maps.shape, maps, pooled, grads[0].contiguous(), found)
        return found


def _call(function: str, shape: torch.Size, *tensors: Tensor) -> None:
    """Call a compiled function with tensors, the shape of the maps, and the tensor it fills."""
    kernels = library()
    assert kernels is not None
    *read, filled = map(pointer, tensors)
    *others, height, width = shape
    number = ctypes.c_int64(math.prod(others))
    getattr(kernels.functions, function)(
        *read, number, ctypes.c_int(height), ctypes.c_int(width), filled
    )
