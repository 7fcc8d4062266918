"""The words of figures, in both languages of reports."""

from __future__ import annotations

from relu_exp.evidence.claims.answers.places import label_words
from relu_exp.evidence.data.language import Words, current_language

__all__ = ["claim_text", "shown_label", "text"]

text = Words(__package__, "words.yaml")
"""Return the text of a key in the language that is written now, with values filled in."""
claim_text = Words(__package__, "words_claims.yaml")
"""The same of the pictures of claims."""


def shown_label(label: object) -> str:
    """Return a label of the runs as a figure shows it; in English as it is."""
    return label_words(str(label)) if current_language() == "ko" else str(label)
