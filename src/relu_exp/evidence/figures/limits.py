"""Limits: how much of a large sweep figures draw, and the words that say what they leave out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from relu_exp.evidence.figures.printing import current_size
from relu_exp.evidence.figures.words import text

__all__ = [
    "ALL_FIGURES",
    "is_limited",
    "left_out_words",
    "limits",
    "most_across",
    "most_down",
    "spread",
]

ALL_FIGURES = "--all-figures"
"""The option of `relu-exp report` that lifts every limit."""


@dataclass(frozen=True)
class _Limits:
    apply: bool = True
    command: str = ""


_LIMITS: ContextVar[_Limits | None] = ContextVar("limits", default=None)


def _current() -> _Limits:
    return _LIMITS.get() or _Limits()


@contextmanager
def limits(*, apply: bool, command: str) -> Iterator[None]:
    """Let limits apply to what is drawn within, or not; `command` redraws the report."""
    before = _LIMITS.get()
    _LIMITS.set(_Limits(apply, command))
    try:
        yield
    finally:
        # no token: a generator may be closed from another context
        _LIMITS.set(before)


def is_limited() -> bool:
    """Return whether figures keep to their limits."""
    return _current().apply


def spread(items: Sequence[Any], at_most: int) -> list[Any]:
    """Return at most so many items, evenly spaced, the first and the last among them.

    Returns all of them where no limits apply.
    """
    if len(items) <= at_most or not is_limited():
        return list(items)
    if at_most == 1:
        return [items[-1]]
    return [items[round(n * (len(items) - 1) / (at_most - 1))] for n in range(at_most)]


def most_across(at_most: int) -> int:
    """Return how many panels stand side by side: fewer where there is room for fewer in print."""
    size = current_size()
    return min(at_most, size.columns) if size else at_most


def most_down(at_most: int) -> int:
    """Return how many rows of panels there are, likewise."""
    size = current_size()
    return min(at_most, size.rows) if size else at_most


def left_out_words(num_kept: int, num_items: int, what: str, which: str = "") -> str:
    """Return the sentence about what is not drawn and how to see it, or nothing.

    Args:
        num_kept: how many are drawn.
        num_items: how many there are.
        what: their name, in the plural.
        which: which of them are drawn, where they are not simply spread evenly.
    """
    if num_kept == num_items:
        return ""
    command = _current().command
    return text(
        "drawn_part",
        kept=num_kept,
        n=num_items,
        what=what,
        which=text("drawn_which", which=which) if which else "",
        how=text("drawn_how", command=f"{command} {ALL_FIGURES}") if command else "",
    )
