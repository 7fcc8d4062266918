"""Korean: scopes, notes, evidence and literature of claims, which are composed in English."""

from __future__ import annotations

from relu_exp.evidence.claims.korean.said import (
    change_in_korean,
    data_note_in_korean,
    in_korean,
    measure_in_korean,
    paper_in_korean,
    with_korean,
)

__all__ = [
    "change_in_korean",
    "data_note_in_korean",
    "in_korean",
    "measure_in_korean",
    "paper_in_korean",
    "with_korean",
]
