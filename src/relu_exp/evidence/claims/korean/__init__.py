"""Korean: scopes, notes, evidence and literature of claims, which are composed in English."""

from __future__ import annotations

from relu_exp.evidence.claims.korean.said import in_korean, paper_in_korean, with_korean

__all__ = ["in_korean", "paper_in_korean", "with_korean"]
