"""Sentences of an inspection, kept as key and values, so that each language can say them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from relu_exp.evidence.data.language import Words

__all__ = ["TABLE_WORDS", "WORDS", "Sentence", "say"]

WORDS = Words(__package__ or "", "findings.yaml")
TABLE_WORDS = Words(__package__ or "", "words_table.yaml")
"""Words of an inspection as text."""


@dataclass(frozen=True)
class Sentence:
    """A text of `findings.yaml` with its values; printed, it is in the language written now."""

    key: str = ""
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return WORDS(self.key, **self.values) if self.key else ""


def say(key: str, /, **values: object) -> Sentence:
    """Return the sentence of a key; values may be sentences themselves."""
    return Sentence(key, values)
