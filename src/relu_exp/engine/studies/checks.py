"""Checks: the values that documents state beside computed ones, as the table `checks`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from relu_exp.results.store import Columns

__all__ = ["Case", "Check", "Checks", "near", "study"]


@dataclass(frozen=True)
class Case:
    """One comparison: the stated value, the computed value and whether they agree."""

    case: str
    expected: float
    found: float
    holds: bool
    detail: str = ""


Check = Callable[[], Iterator[Case]]


class Checks(dict[str, Check]):
    """Checks by name, each a function that yields its cases.

    A check named like a claim tests what the documents state; the others add context.
    """

    def add(self, name: str) -> Callable[[Check], Check]:
        """Register the decorated function as the check of that name."""

        def register(function: Check) -> Check:
            self[name] = function
            return function

        return register


def near(case: str, expected: float, found: float, detail: str = "", within: float = 1e-12) -> Case:
    """Return a case that holds where both values agree within an absolute tolerance."""
    return Case(case, float(expected), float(found), abs(expected - found) <= within, detail)


def study(checks: Mapping[str, Check]) -> Mapping[str, Columns]:
    """Return the table `checks` with the rows of every check."""
    rows = [(name, case) for name, cases in checks.items() for case in cases()]
    columns = ("case", "expected", "found", "holds", "detail")
    return {
        "checks": {
            "check": [name for name, _ in rows],
            **{column: [getattr(case, column) for _, case in rows] for column in columns},
        }
    }
