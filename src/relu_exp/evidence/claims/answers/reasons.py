"""Reasons: why a claim could not be decided, in words without the names of experiments."""

from __future__ import annotations

import re

from relu_exp.evidence.data.language import in_language
from relu_exp.evidence.data.texts import Text, read_texts

__all__ = ["reason"]

_REASONS = [
    (re.compile(each["is"]), Text(each["en"], each["ko"]))
    for each in read_texts(__package__, "reasons.yaml")
]
"""What texts of verdicts match, and the reason that they give; the last matches all."""


def reason(text: str) -> str:
    """Return the reason that the text of an undecided verdict gives."""
    for pattern, words in _REASONS:
        if match := pattern.search(text):
            return match.expand(in_language(words))
    raise ValueError("the last reason must match every text")
