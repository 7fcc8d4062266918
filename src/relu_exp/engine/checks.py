"""Checks: the documents' formulas, computed; every case says what is expected and what is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch

from relu_exp.store import Columns

__all__ = ["CHECKS", "Case", "check", "study"]


@dataclass(frozen=True)
class Case:
    """One comparison: the value that a statement gives, the value that is found, do they agree."""

    case: str
    expected: float
    found: float
    holds: bool
    detail: str = ""


Check = Callable[[], Iterator[Case]]
CHECKS: dict[str, Check] = {}


def check(name: str) -> Callable[[Check], Check]:
    """Register the decorated function as the check of that name: it yields its cases."""

    def add(function: Check) -> Check:
        CHECKS[name] = function
        return function

    return add


def near(case: str, expected: float, found: float, detail: str = "", within: float = 1e-12) -> Case:
    """Return a case that holds where both values agree within an absolute tolerance."""
    return Case(case, expected, found, abs(expected - found) <= within, detail)


def study(device: str = "cpu", budget: str | None = None) -> Mapping[str, Columns]:
    """Return the table `checks` with the rows of every check; device and budget change nothing."""
    rows = [(name, case) for name, cases in CHECKS.items() for case in cases()]
    return {
        "checks": {
            "check": [name for name, _ in rows],
            **{
                column: [getattr(case, column) for _, case in rows]
                for column in ("case", "expected", "found", "holds", "detail")
            },
        }
    }


@check("relu-definition")
def relu_definition() -> Iterator[Case]:
    """max(0, x), with slope 0 on the left and 1 on the right."""
    x = torch.tensor([-2.0, -1e-30, 0.0, 1e-30, 2.0], dtype=torch.float64, requires_grad=True)
    y = torch.relu(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    for point, value, gradient in zip(x.tolist(), y.tolist(), slope.tolist(), strict=True):
        yield near(f"value at {point:g}", max(0.0, point), value)
        if point:
            yield near(f"slope at {point:g}", float(point > 0), gradient)
    yield Case("slope at 0 as D1 has it", 1.0, slope[2].item(), slope[2].item() == 1.0)
