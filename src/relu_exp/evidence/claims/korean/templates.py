"""Templates: sentences with places for values, in English and Korean, and how they are matched.

A place is written `{name}` for a number, which stays as it is, or `{name:kind}` for a text whose
Korean is found by its kind: one of the catalogue's own, or one of `PLAIN` and `RECURSIVE`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from string import Formatter

from relu_exp.evidence.data.texts import as_text, read_texts

__all__ = ["FILES", "ITEMS", "PLAIN", "RECURSIVE", "Template", "catalogue"]

FILES = (
    *("judging", "runs", "missing", "measures", "rules", "reasons", "literature", "phrases"),
    *("formulas", "signals", "training", "dying", "variants", "cost"),
    *("errors", "changes", "data"),
)
"""The files of the catalogue: each maps kinds to templates."""
_NUMBER = r"(?:[-−+]?(?:\d+(?:[.,]\d+)*(?:e[-−+]?\d+)?(?:-\d+)*|inf|nan)[%×]?)(?![\w%×])"
_LIST = r"(?:(?!\. [A-Z]).)+?"
"""A list ends where the next sentence begins, and a name at a colon too."""
PLAIN: Mapping[str, str] = {
    "number": _NUMBER,
    "numbers": r"[\w.+-]+(?:, [\w.+-]+)*",
    "name": r"(?:(?!\. [A-Z]|: ).)+?",
    "code": r"[\w.′]+(?:\([^()]*\))?",
    "any": r".+",
    "message": r"(?:(?!\. Run relu-exp ).)+",
}
"""Kinds of values that stay as they are, and what they look like."""
ITEMS = "items"
"""The kind of a list of values, in which known phrases are replaced."""
RECURSIVE: Mapping[str, str] = {
    ITEMS: _LIST,
    "listed": rf"(?: \({_LIST}\))?",
    "word": r"\w+",
    "sentences": r".+",
}
"""Kinds of values that hold phrases or sentences, and what they look like."""


@dataclass(frozen=True)
class Template:
    """A sentence in both languages: what its English looks like, and the kinds of its values."""

    en: str
    ko: str
    pattern: str
    kinds: Mapping[str, str]

    @classmethod
    def read(cls, en: str, ko: str) -> Template:
        """Read a template.

        Raises:
            ValueError: the Korean has other values than the English.
        """
        pattern, kinds = "", {}
        for literal, name, kind, _ in Formatter().parse(en):
            pattern += re.escape(literal)
            if name is not None:
                kinds[name] = kind or "number"
                looks = PLAIN.get(kinds[name]) or RECURSIVE.get(kinds[name]) or r".+?"
                pattern += f"(?P<{name}>{looks})"
        if {name for _, name, _, _ in Formatter().parse(ko) if name is not None} != set(kinds):
            raise ValueError(f"the Korean of {en!r} has other values")
        if en[0].isalpha():  # a sentence may begin with it
            pattern = f"(?:{en[0].upper()}|{en[0].lower()}){pattern[1:]}"
        return cls(en, ko, pattern, kinds)


@cache
def catalogue() -> Mapping[str, tuple[Template, ...]]:
    """Return the templates of every kind, in the order of the files."""
    found: dict[str, list[Template]] = defaultdict(list)
    for name in FILES:
        for kind, entries in read_texts(__package__, f"{name}.yaml").items():
            texts = [as_text(each, f"{name}.yaml: {kind}") for each in entries]
            found[kind] += [Template.read(*text) for text in texts]
    return {kind: tuple(templates) for kind, templates in found.items()}
