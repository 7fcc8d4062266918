"""Quotes what Hydra's lexer cannot read bare: other scripts, signs, paths with `=`."""

from __future__ import annotations

import re

__all__ = ["quoted"]

_READ_BARE = re.compile(r"[A-Za-z0-9_ \t/\-\\+.$%*@?|:]*")
"""Characters of which Hydra makes text without quotes."""
_ESCAPED = re.compile(r"\\([\\()\[\]{}:=, \t])")
_PARTS = re.compile(
    r"""
    "(?:\\.|[^"\\])*"           # text in quotes, left alone
    | '(?:\\.|[^'\\])*'
    | [,()\[\]{}]               # what holds parts together
    | (?:\\[\\()\[\]{}:=,\ \t] | [^,()\[\]{}"'])+   # bare text
    | .                         # a quote that never ends: left to the parser
    """,
    re.VERBOSE | re.DOTALL,
)


def quoted(value: str) -> str:
    """Return a value in Hydra's grammar with bare text in quotes where it needs them.

    `/data/문서,b` becomes `'/data/문서',b`. A value that holds an interpolation is left as it is.
    """
    if _READ_BARE.fullmatch(value) or "${" in value:
        return value
    parts, depth = [], 0
    for part in _PARTS.findall(value):
        depth += {"(": 1, ")": -1}.get(part, 0)
        parts.append(_quoted(part) if _needs_quotes(part, depth) else part)
    return "".join(parts)


def _needs_quotes(part: str, depth: int) -> bool:
    """Return whether Hydra cannot read a part bare; within parentheses `=` names an argument."""
    if part[0] in ",()[]{}\"'":
        return False
    bare = _ESCAPED.sub("", part)
    if depth or bare.lstrip().startswith("="):
        bare = bare.replace("=", "")
    return _READ_BARE.fullmatch(bare) is None


def _quoted(part: str) -> str:
    text = _ESCAPED.sub(r"\1", part.strip(" \t"))
    # backslashes at the end would escape the closing quote
    text += "\\" * (len(text) - len(text.rstrip("\\")))
    return f"'{text}'"
