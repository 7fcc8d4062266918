"""Pieces of work on results that do not depend on each other, so that processes may share them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

__all__ = ["Each", "Piece", "in_turn"]

Piece = Callable[[], Any]
Each = Callable[[Sequence[Piece]], Iterator[Any]]
"""Yields what each piece returns, in the order of the pieces."""


def in_turn(pieces: Sequence[Piece]) -> Iterator[Any]:
    """Yield what each piece returns, computed here, one after the other."""
    for piece in pieces:
        yield piece()
