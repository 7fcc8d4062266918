"""Check: the sentences of a text that make a claim, each with its verdict and its correction."""

from __future__ import annotations

from relu_exp.evidence.check.checking import (
    Checked,
    Mark,
    always_corrected,
    check_text,
    verdicts_for,
)
from relu_exp.evidence.check.output import as_json, as_markdown, print_checked
from relu_exp.evidence.check.reading import read_document

__all__ = [
    "Checked",
    "Mark",
    "always_corrected",
    "as_json",
    "as_markdown",
    "check_text",
    "print_checked",
    "read_document",
    "verdicts_for",
]
