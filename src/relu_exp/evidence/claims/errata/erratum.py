"""An erratum: what a document says, what is right, and who says so."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CHECKED", "Erratum"]


@dataclass(frozen=True)
class Erratum:
    """One mistake: where it stands, what is written (paraphrased), what is right, by whom.

    `claim` is the claim that tests it, None where no computation is needed.
    """

    document: str
    section: str
    written: str
    right: str
    written_ko: str
    right_ko: str
    source: str
    claim: str | None = None


CHECKED = "computed here: relu-exp run formulas"
"""Source of what `relu-exp run formulas` computes."""
