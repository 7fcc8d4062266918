"""The words of figures, in both languages of reports."""

from __future__ import annotations

from relu_exp.evidence.data.language import Words

__all__ = ["claim_text", "text"]

text = Words(__package__, "words.yaml")
"""Return the text of a key in the language that is written now, with values filled in."""
claim_text = Words(__package__, "words_claims.yaml")
"""The same of the pictures of claims."""
