"""The updates of `optimizers` by the compiled kernels: one pass over the numbers.

The bits are those of the formulas, but for square roots: PyTorch's may be off in the last bit.

Every function returns False, and changes nothing, where there are no kernels or the tensors are not
float32 on the CPU with each run's numbers in a row.
"""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from relu_exp.engine.ops.compiled import library, pointer

__all__ = ["adam", "rmsprop", "sgd"]


class _Parameters(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("w", "g", "first", "second")),
        *((name, ctypes.c_int64) for name in ("run_w", "run_g", "run_first", "run_second")),
        ("size", ctypes.c_int64),
        ("num_runs", ctypes.c_int),
        ("decay", ctypes.c_float),
    )


def sgd(
    w: Tensor, g: Tensor, velocity: Tensor | None, rates: Tensor, decay: float, momentum: float
) -> bool:
    """Update w by gradients g, both (runs, ...), with a learning rate for each run (runs,)."""
    return _update("update_sgd", w, g, velocity, None, rates, decay, momentum)


def adam(
    w: Tensor,
    g: Tensor,
    moments: tuple[Tensor, Tensor],
    rates: Tensor,
    decay: float,
    betas: tuple[float, float],
    root: Tensor,
    epsilon: float,
) -> bool:
    """Update w and the moments by gradients g, all (runs, ...).

    Args:
        w: the parameters.
        g: their gradients.
        moments: the first and second moment.
        rates: the learning rates, by the correction of the first moment (runs,).
        decay: L2 penalty.
        betas: decay of each moment.
        root: of the correction of the second moment, a single number.
        epsilon: added to the denominator.
    """
    first, second = betas
    numbers = (first, 1 - first, second, 1 - second, root, epsilon)
    return _update("update_adam", w, g, *moments, rates, decay, *numbers)


def rmsprop(
    w: Tensor,
    g: Tensor,
    square: Tensor,
    velocity: Tensor | None,
    rates: Tensor,
    decay: float,
    alpha: float,
    epsilon: float,
    momentum: float,
) -> bool:
    """Update w by gradients g, both (runs, ...), with a learning rate for each run (runs,)."""
    numbers = (alpha, 1 - alpha, epsilon, momentum)
    return _update("update_rmsprop", w, g, square, velocity, rates, decay, *numbers)


def _update(
    function: str,
    w: Tensor,
    g: Tensor,
    first: Tensor | None,
    second: Tensor | None,
    rates: Tensor,
    decay: float,
    *numbers: float | Tensor,
) -> bool:
    found = library()
    if found is None or not all(map(_is_plain, (w, g, first, second))):
        return False
    parameters = _Parameters(
        *(None if each is None else each.data_ptr() for each in (w, g, first, second)),
        *(0 if each is None else each.stride(0) for each in (w, g, first, second)),
        *(w[0].numel(), len(w), decay),
    )
    rates = rates.to(torch.float32).contiguous()
    getattr(found.functions, function)(
        ctypes.byref(parameters),
        pointer(rates),
        *(ctypes.c_float(float(number)) for number in numbers),
    )
    return True


def _is_plain(x: Tensor | None) -> bool:
    return x is None or (
        x.dtype == torch.float32 and x.device.type == "cpu" and x[0].is_contiguous()
    )
