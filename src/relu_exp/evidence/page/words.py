"""The words of the page in both of its languages; statements and errata bring their own."""

from __future__ import annotations

from collections.abc import Mapping

from relu_exp.evidence.data.texts import Text, texts_of
from relu_exp.evidence.report.looks import LOOKS

__all__ = ["WORDS"]

WORDS: Mapping[str, Text] = {
    **texts_of(__package__, "words.yaml"),
    **texts_of(__package__, "words_explorer.yaml"),
    **texts_of(__package__, "words_story.yaml"),
    **{name: look.word for name, look in LOOKS.items()},
    **{f"{name}_means": look.meaning for name, look in LOOKS.items()},
}
