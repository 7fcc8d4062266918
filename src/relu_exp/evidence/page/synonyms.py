"""Synonyms: words by which readers search for claims, and that mean the same."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from relu_exp.evidence.data.texts import read_texts

__all__ = ["IDLE", "SYNONYMS"]

_FOUND = read_texts(__package__, "synonyms.yaml")

SYNONYMS: Sequence[Sequence[str]] = _FOUND["groups"]
"""Groups of beginnings of words, in lower case; a search for one finds them all."""

IDLE: Sequence[str] = tuple(chain.from_iterable(_FOUND["idle"]))
"""Words that a search leaves out, because every question has them."""
