"""Precision: what the operands of matrix products and convolutions are rounded to.

Parameters, activations and updates are float32, and so are the sums of every product. `bfloat16`
rounds the operands to 8 significant bits, in the backward pass too. Products of two such numbers
are exact in float32, so rounding first and multiplying in float32 gives, on any machine, what
bfloat16 hardware with float32 sums computes. With `tf32` the tensor cores of a GPU do the rounding,
to 11 bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from relu_exp.core.schema import DEFAULT_PRECISION, UsageError

__all__ = ["check", "in_use", "operand", "rounded", "rounds", "with_rounded_grad"]

_FIRST_WITH_TF32 = (8, 0)
"""Compute capability of the first GPUs that have tensor cores for TF32."""

_rounds_to: torch.dtype | None = None


def check(precision: str, device: str) -> None:
    """Raise a UsageError if a device cannot compute in a precision; there is no fallback."""
    if precision != "tf32":
        return
    has_gpu = device == "cuda" and torch.cuda.is_available()
    if not has_gpu or torch.cuda.get_device_capability() < _FIRST_WITH_TF32:
        raise UsageError(
            "precision=tf32 needs a GPU with TF32 tensor cores (Ampere or newer): "
            "use float32 or bfloat16, which any machine computes"
        )


@contextmanager
def in_use(precision: str, device: str) -> Iterator[None]:
    """Compute products in a precision within the context, in this process.

    Raises:
        UsageError: the device cannot.
    """
    global _rounds_to
    check(precision, device)
    # every bfloat16 number is a TF32 number, so TF32 tensor cores multiply them exactly
    cores = "ieee" if precision == DEFAULT_PRECISION else "tf32"
    # a CPU is not switched; on a GPU PyTorch computes convolutions in TF32 by default
    backends: Any = torch.backends
    switches = [backends.cuda.matmul, backends.cudnn.conv] if device == "cuda" else []
    before = _rounds_to, [switch.fp32_precision for switch in switches]
    _rounds_to = torch.bfloat16 if precision == "bfloat16" else None
    for switch in switches:
        switch.fp32_precision = cores
    try:
        yield
    finally:
        _rounds_to = before[0]
        for switch, found in zip(switches, before[1], strict=True):
            switch.fp32_precision = found


def operand(x: Tensor) -> Tensor:
    """Return an operand of a product rounded to the precision in use, without a gradient."""
    return x if _rounds_to is None else x.to(_rounds_to).to(x.dtype)


def rounds() -> bool:
    """Return whether operands are rounded before they are multiplied."""
    return _rounds_to is not None


def rounded(x: Tensor) -> Tensor:
    """Return `operand(x)`; autograd passes its gradient to x unchanged."""
    result: Tensor = _Rounded.apply(x)
    return result


def with_rounded_grad(z: Tensor) -> Tensor:
    """Return z; its gradient is rounded, because the backward pass multiplies it."""
    result: Tensor = _RoundedGrad.apply(z)
    return result


class _Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return operand(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0]


class _RoundedGrad(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        return z.view_as(z)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return operand(grads[0])
