"""The words of commands about results, in both languages of the reports."""

from __future__ import annotations

from relu_exp.evidence.data.language import Words

__all__ = ["text"]

text = Words(__package__, "words.yaml")
"""Return the text of a key in the language that is written now, with values filled in."""
