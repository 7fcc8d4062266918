"""Corrections for how much was judged: the number of claims (Holm) and of looks (Bonferroni)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from relu_exp.evidence.claims.verdicts import ALPHA, Verdict

__all__ = ["corrected"]

_DECIDED = ("supported", "refuted", "conditional")


def corrected(
    verdicts: dict[str, Verdict], looks: Mapping[str, int] | None = None
) -> dict[str, Verdict]:
    """Return the verdicts of a family of claims after Holm's correction for their number.

    A decided claim whose corrected p-value exceeds 5% becomes inconclusive and says so. `looks`
    says how often a claim may be judged while seeds are added: each look is one more chance to err,
    so p-values count that often (Bonferroni), from the first look on. Whether a claim needs a
    second look depends on the first, so all that are planned are paid for. The seeds that an open
    claim needs are those at the level that is left to it after both.
    """
    looks = looks or {}
    tested = {
        claim: min(1.0, verdict.p_value * looks.get(claim, 1))
        for claim, verdict in verdicts.items()
        if verdict.name in _DECIDED and not math.isnan(verdict.p_value)
    }
    order = sorted(tested, key=lambda claim: tested[claim])
    family = sum(not math.isnan(verdict.p_value) for verdict in verdicts.values())
    changed = dict(verdicts)
    largest = 0.0
    for rank, claim in enumerate(order):
        largest = max(largest, min(1.0, tested[claim] * (family - rank)))
        if largest > ALPHA:
            many = looks.get(claim, 1)
            note = (
                f"{verdicts[claim].name} on its own (p = {verdicts[claim].p_value:.2g}), but not "
                f"after correcting for {family} claims"
                + (f" and {many} looks" if many > 1 else "")
                + f" (Holm: p = {largest:.2g})"
            )
            changed[claim] = replace(
                verdicts[claim],
                name="inconclusive",
                notes=(*verdicts[claim].notes, note),
            )
    num_decided = sum(changed[claim].name in _DECIDED for claim in order)
    return {
        claim: _with_needed(verdict, ALPHA / max(1, family - num_decided) / looks.get(claim, 1))
        for claim, verdict in changed.items()
    }


def _with_needed(verdict: Verdict, level: float) -> Verdict:
    """Return an inconclusive verdict with the seeds that decide it at a level."""
    if verdict.name != "inconclusive" or verdict.needs is None:
        return verdict
    return replace(verdict, seeds_needed=verdict.needs(level))
