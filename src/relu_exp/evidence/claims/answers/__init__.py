"""Answers: what was found about each claim, in one plain sentence of each language.

A sentence is built from the verdict alone, by its name and the kind of its rule; the words of each
claim are in `claims.yaml`.
"""

from __future__ import annotations

from relu_exp.evidence.claims.answers.sentences import answer

__all__ = ["answer"]
