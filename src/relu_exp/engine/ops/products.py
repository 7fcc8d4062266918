"""Matrix products of a whole fleet, with the same bits that each run has alone.

The plain path multiplies run by run. Because of `layout`, these are exactly the calls that a lone
run makes. One batched call is faster for small matrices, but no library guarantees that it sums in
the same order. It is used for a shape only after it has given the same bits as the plain path on
this machine for random numbers; another order of summation changes the last bits of many sums.
On a GPU with Triton, a kernel of `gpu_products` takes the place of both.
"""

from __future__ import annotations

import importlib.util
import timeit
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from relu_exp.engine.ops.layout import new_stack, placed

__all__ = ["Multiplication", "Path", "add_product_", "gpu_kernel", "paths", "product"]

_COMPARE_AT = 3
"""The paths are compared at this use of a shape; rarer shapes, which occur when runs leave a fleet,
are not worth the time."""

_COMPARED_SUMS = 1000
_num_uses: Counter[Any] = Counter()
_has_equal_bits: dict[Any, bool] = {}


@cache
def gpu_kernel() -> Callable[..., None] | None:
    """Return `gpu_products.multiply`, or None where Triton is missing."""
    if importlib.util.find_spec("triton") is None:
        return None
    from relu_exp.engine.ops.gpu_products import multiply

    return multiply


def product(A: Tensor, B: Tensor, out: Tensor | None = None) -> Tensor:
    """Return the matrix products A B of every run: (runs, m, k) by (runs, k, n) to (runs, m, n).

    Args:
        A: (runs, m, k).
        B: (runs, k, n); a matrix that all runs share is expanded without a copy.
        out: a stack that the result is written to.
    """
    A, B = placed(A), placed(B)
    if out is None:
        out = new_stack(A, A.shape[1], B.shape[2])
    return Multiplication(out, A, B)()


def add_product_(C: Tensor, A: Tensor, B: Tensor, alpha: float) -> None:
    """Do C += alpha · A B for every run; C (runs, m, n) is a stack or columns of one."""
    Multiplication(C, placed(A), placed(B), alpha)()


class Multiplication:
    """C = A B, or C += alpha · A B, for every run of a fleet, between fixed tensors.

    Args:
        C: (runs, m, n).
        A: (runs, m, k), as `layout.placed` returns it.
        B: (runs, k, n), likewise.
        alpha: None to overwrite C.
    """

    def __init__(self, C: Tensor, A: Tensor, B: Tensor, alpha: float | None = None) -> None:
        self.C, self.A, self.B, self.alpha = C, A, B, alpha
        self.kernel = gpu_kernel() if C.is_cuda else None
        # everything that a library's choice of an algorithm may depend on
        layouts = tuple((each.shape, each.stride()) for each in (C, A, B))
        self.shape = (alpha, C.dtype, C.device.type, *layouts)
        self.is_batched = False if len(C) == 1 else _has_equal_bits.get(self.shape)

    def __call__(self) -> Tensor:
        """Multiply, and return C."""
        if self.kernel is not None:
            self.kernel(self.C, self.A, self.B, self.alpha)
            return self.C
        is_batched = self.is_batched
        if is_batched is None:
            is_batched = self.is_batched = self._compare()
        if is_batched:
            self._batched()
        else:
            self._run_by_run()
        return self.C

    def _batched(self) -> None:
        if self.alpha is None:
            torch.bmm(self.A, self.B, out=self.C)
        else:
            self.C.baddbmm_(self.A, self.B, alpha=self.alpha)

    def _run_by_run(self) -> None:
        # iterating over a tensor gives the same parts at twice the cost
        parts = zip(self.C.unbind(), self.A.unbind(), self.B.unbind(), strict=True)
        if self.alpha is None:
            for c, a, b in parts:
                torch.mm(a, b, out=c)
        else:
            for c, a, b in parts:
                c.addmm_(a, b, alpha=self.alpha)

    def _compare(self) -> bool | None:
        """Return whether both paths give the same bits, None as long as that is unknown."""
        # nothing can be compared while a CUDA graph is captured
        if self.C.is_cuda and torch.cuda.is_current_stream_capturing():
            return None
        _num_uses[self.shape] += 1
        if _num_uses[self.shape] < _COMPARE_AT:
            return None
        if self.shape not in _has_equal_bits:
            # a few sums may have the same bits in two orders of summation, but not hundreds
            draws = range(0, _COMPARED_SUMS, self.C.numel())
            _has_equal_bits[self.shape] = all(self._has_equal_bits(draw) for draw in draws)
        return _has_equal_bits[self.shape]

    def _has_equal_bits(self, draw: int) -> bool:
        """Return whether both paths give the same bits for random numbers of the same layout."""
        A, B = _random_like(self.A, 3 * draw), _random_like(self.B, 3 * draw + 1)
        batched, plain = (
            Multiplication(_random_like(self.C, 3 * draw + 2), A, B, self.alpha) for _ in range(2)
        )
        batched._batched()
        plain._run_by_run()
        return torch.equal(batched.C, plain.C)


@dataclass(frozen=True)
class Path:
    """How this machine computes products of a shape (runs, m, k, n), and at what cost.

    `slowdown` is the time of the path in use divided by that of a batched call.
    """

    shape: tuple[int, int, int, int]
    is_batched: bool
    slowdown: float


def paths(shapes: Iterable[tuple[int, int, int, int]]) -> list[Path]:
    """Return the paths that a process with one thread uses for products (runs, m, k, n)."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [_path(*shape) for shape in dict.fromkeys(shapes)]
    finally:
        torch.set_num_threads(threads)


def _path(runs: int, m: int, k: int, n: int) -> Path:
    A, B = (_stack_of_random(runs, *shape) for shape in ((m, k), (k, n)))
    multiplication = Multiplication(new_stack(A, m, n), A, B)
    for _ in range(_COMPARE_AT):
        multiplication()
    is_batched = runs == 1 or bool(multiplication.is_batched)
    slowdown = 1.0
    if not is_batched:
        slowdown = _seconds(multiplication._run_by_run) / _seconds(multiplication._batched)
    return Path((runs, m, k, n), is_batched, slowdown)


def _stack_of_random(runs: int, m: int, n: int) -> Tensor:
    return _random_like(new_stack(torch.empty(runs), m, n), m + n)


def _seconds(call: Callable[[], None]) -> float:
    return min(timeit.repeat(call, number=3, repeat=5))


_NUM_RANDOM = 1 << 18


@cache
def _random() -> Tensor:
    """Return random numbers for comparing products, cached because drawing them takes long."""
    return torch.randn(2 * _NUM_RANDOM, generator=torch.Generator().manual_seed(0))


def _random_like(tensor: Tensor, draw: int) -> Tensor:
    """Return random numbers in new memory with the shape and strides of a tensor."""
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    extent = 1 + sum((size - 1) * step for size, step in steps)
    begin = 97 * draw % _NUM_RANDOM
    numbers = _random()[begin : begin + min(extent, _NUM_RANDOM)]
    numbers = numbers.repeat(-(-extent // len(numbers))).to(tensor)
    return numbers.as_strided(tensor.shape, tensor.stride())
