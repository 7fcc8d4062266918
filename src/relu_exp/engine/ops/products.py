"""Matrix products of a whole fleet, whose bits are those of each run alone.

The plain path multiplies one run after another. As `layout` places every run's operands where a
lone run's would lie, these are the very calls that a lone run makes. One batched call is faster for
small matrices, but no library promises that it sums in the same order. So it is taken for a shape
only once it has been compared with the plain path on this machine, bit for bit, on random numbers:
another order of summation changes the last bits of many sums, whatever the numbers.
"""

from __future__ import annotations

import timeit
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from relu_exp.engine.ops.layout import new_stack, placed

__all__ = ["Multiplication", "Path", "add_product_", "paths", "product"]

_COMPARE_AT = 3
"""How often a shape is multiplied before the two paths are compared: shapes that come up less
often, as runs leave a fleet, are not worth it."""

_COMPARED_SUMS = 1000
_num_uses: Counter[Any] = Counter()
_has_equal_bits: dict[Any, bool] = {}


def product(A: Tensor, B: Tensor, out: Tensor | None = None) -> Tensor:
    """Return the matrix products A B of every run: (runs, m, k) by (runs, k, n) to (runs, m, n).

    Args:
        A: (runs, m, k).
        B: (runs, k, n); one matrix that all runs share is expanded, without a copy.
        out: a stack that they are written to.
    """
    A, B = placed(A), placed(B)
    if out is None:
        out = new_stack(A, A.shape[1], B.shape[2])
    return Multiplication(out, A, B)()


def add_product_(C: Tensor, A: Tensor, B: Tensor, alpha: float) -> None:
    """Make C += alpha · A B for every run, C (runs, m, n) being a stack or columns of one."""
    Multiplication(C, placed(A), placed(B), alpha)()


class Multiplication:
    """C = A B, or C += alpha · A B, for every run of a fleet, in memory that may be used again.

    Args:
        C: (runs, m, n).
        A: (runs, m, k), placed as `layout.placed` has it.
        B: (runs, k, n), likewise.
        alpha: None to overwrite C.
    """

    def __init__(self, C: Tensor, A: Tensor, B: Tensor, alpha: float | None = None) -> None:
        self.C, self.A, self.B, self.alpha = C, A, B, alpha
        # all that a library's choice of how to multiply may depend on
        places = tuple((each.shape, each.stride()) for each in (C, A, B))
        self.shape = (alpha, C.dtype, C.device.type, *places)
        self.is_batched = False if len(C) == 1 else _has_equal_bits.get(self.shape)

    def __call__(self) -> Tensor:
        """Multiply, and return C."""
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
        for c, a, b in zip(self.C, self.A, self.B, strict=True):
            if self.alpha is None:
                torch.mm(a, b, out=c)
            else:
                c.addmm_(a, b, alpha=self.alpha)

    def _compare(self) -> bool | None:
        """Return whether both paths write the same bits, None as long as that is not known."""
        # while a CUDA graph is captured nothing can be compared
        if self.C.is_cuda and torch.cuda.is_current_stream_capturing():
            return None
        _num_uses[self.shape] += 1
        if _num_uses[self.shape] < _COMPARE_AT:
            return None
        if self.shape not in _has_equal_bits:
            # a single sum may well have the same bits in two orders, not hundreds of them
            draws = range(0, _COMPARED_SUMS, self.C.numel())
            _has_equal_bits[self.shape] = all(self._has_equal_bits(draw) for draw in draws)
        return _has_equal_bits[self.shape]

    def _has_equal_bits(self, draw: int) -> bool:
        """Return whether both paths write the same bits, given random numbers placed like these."""
        A, B = _random_like(self.A, 3 * draw), _random_like(self.B, 3 * draw + 1)
        batched, plain = (
            Multiplication(_random_like(self.C, 3 * draw + 2), A, B, self.alpha) for _ in range(2)
        )
        batched._batched()
        plain._run_by_run()
        return torch.equal(batched.C, plain.C)


@dataclass(frozen=True)
class Path:
    """How this machine multiplies (m, k) by (k, n) for a number of runs, and what it costs.

    `slowdown` is the time of the path taken over that of a batched call: 1 where that is taken.
    """

    shape: tuple[int, int, int, int]
    is_batched: bool
    slowdown: float


def paths(shapes: Iterable[tuple[int, int, int, int]]) -> list[Path]:
    """Return which path products (runs, m, k, n) take in a process of one thread."""
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
    """Return random numbers to compare products with; drawing them anew would take longer."""
    return torch.randn(2 * _NUM_RANDOM, generator=torch.Generator().manual_seed(0))


def _random_like(tensor: Tensor, draw: int) -> Tensor:
    """Return random numbers in new memory, with a tensor's shape and strides."""
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    extent = 1 + sum((size - 1) * step for size, step in steps)
    begin = 97 * draw % _NUM_RANDOM
    numbers = _random()[begin : begin + min(extent, _NUM_RANDOM)]
    numbers = numbers.repeat(-(-extent // len(numbers))).to(tensor)
    return numbers.as_strided(tensor.shape, tensor.stride())
