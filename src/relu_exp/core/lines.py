"""Lines of text: an error's in one, all of it, its first or its last; and how wide one is."""

from __future__ import annotations

import unicodedata

from relu_exp.core.naming import printable

__all__ = ["first_line", "last_line", "num_cells", "one_line"]

_MOST_CHARACTERS = 200


def one_line(error: object) -> str:
    """Return an error's text without line breaks, at most its first 200 characters."""
    return printable(" ".join(str(error).split())[:_MOST_CHARACTERS])


def first_line(error: object, otherwise: str = "") -> str:
    """Return the first line of an error's text that is not blank; `otherwise` if there is none."""
    return _lines(error, otherwise)[0]


def last_line(error: object, otherwise: str = "") -> str:
    """Return the last line that is not blank, which in a traceback names the error."""
    return _lines(error, otherwise)[-1]


def num_cells(words: str) -> int:
    """Return how many cells of a terminal words take: letters such as Hangul take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in words)


def _lines(error: object, otherwise: str) -> list[str]:
    lines = (line.strip() for line in str(error).splitlines())
    return [printable(line) for line in lines if line] or [otherwise]
