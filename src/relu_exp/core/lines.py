"""The text of an error in one printable line: all of it, its first line or its last."""

from __future__ import annotations

from relu_exp.core.naming import printable

__all__ = ["first_line", "last_line", "one_line"]

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


def _lines(error: object, otherwise: str) -> list[str]:
    lines = (line.strip() for line in str(error).splitlines())
    return [printable(line) for line in lines if line] or [otherwise]
