"""The work on claims: each judged and drawn, those that rest on one experiment together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

from relu_exp.evidence.claims.judging import Alone, judge_alone
from relu_exp.evidence.claims.registry import Claim, Evidence
from relu_exp.evidence.data.pieces import Piece
from relu_exp.evidence.data.texts import Text
from relu_exp.evidence.report.claim_pictures import ClaimPicture, draw_claims

__all__ = ["Worked", "claim_pieces"]

MOST_TOGETHER = 3
"""Claims in one piece of work: more would keep one process busy when all others are done."""


class Worked(NamedTuple):
    """What is found of a claim by itself: its verdict and its picture, or why there is none."""

    alone: Alone
    picture: ClaimPicture | None
    no_picture: Text | None


def claim_pieces(evidence: Evidence, claims: Sequence[Claim]) -> list[Piece]:
    """Return pieces of work that return what was `Worked` out by claim; the largest come first."""
    by_experiment: dict[str, list[Claim]] = {}
    for claim in claims:
        by_experiment.setdefault(claim.experiments[0] if claim.experiments else "", []).append(
            claim
        )
    groups = sorted(by_experiment.values(), key=len, reverse=True)
    return [partial(_work_on, evidence, part) for group in groups for part in _cut(group)]


def _cut(claims: Sequence[Claim]) -> Iterator[Sequence[Claim]]:
    for start in range(0, len(claims), MOST_TOGETHER):
        yield claims[start : start + MOST_TOGETHER]


def _work_on(evidence: Evidence, claims: Sequence[Claim]) -> dict[str, Worked]:
    """Judge claims and draw the pictures of those that were decided.

    Raises:
        OSError: a picture cannot be written.
    """
    alone = {claim.id: judge_alone(claim, evidence) for claim in claims}
    decided = {claim.id: claim for claim in claims if alone[claim.id].verdict.name != "not decided"}
    pictures, failed = draw_claims(evidence.root, evidence, decided)
    return {id: Worked(one, pictures.get(id), failed.get(id)) for id, one in alone.items()}
