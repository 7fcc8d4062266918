"""The words of the page in both of its languages; statements and errata bring their own."""

from __future__ import annotations

from collections.abc import Mapping

from relu_exp.evidence.data.texts import Text, texts_of
from relu_exp.evidence.report.explorer_section import EXPLORER_WORDS
from relu_exp.evidence.report.looks import LOOKS

__all__ = ["WORDS"]

CHECK = "relu_exp.evidence.check"
"""Whose words stand beside the marks of a checked text too."""

WORDS: Mapping[str, Text] = {
    **texts_of(__package__, "words.yaml"),
    **EXPLORER_WORDS,
    **texts_of(__package__, "words_check.yaml"),
    **{f"mark_{name}": text for name, text in texts_of(CHECK, "words.yaml").items()},
    **texts_of(__package__, "words_story.yaml"),
    **{name: look.word for name, look in LOOKS.items()},
    **{f"{name}_means": look.meaning for name, look in LOOKS.items()},
}
