"""Synonyms: words by which readers search for claims, and that mean the same."""

from __future__ import annotations

from collections.abc import Sequence

from relu_exp.evidence.data.texts import read_texts

__all__ = ["SYNONYMS"]

SYNONYMS: Sequence[Sequence[str]] = read_texts(__package__, "synonyms.yaml")
"""Groups of beginnings of words, in lower case; a search for one finds them all."""
