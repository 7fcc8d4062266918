"""Corrections for how much was judged: the number of claims (Holm) and of looks (Bonferroni)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from relu_exp.evidence.claims.verdicts import ALPHA, Verdict
from relu_exp.evidence.data.statistics import seeds_to_decide

__all__ = ["corrected"]


def corrected(
    verdicts: dict[str, Verdict], looks: Mapping[str, int] | None = None
) -> dict[str, Verdict]:
    """Return the verdicts of a family of claims after Holm's correction for their number.

    A decided claim whose corrected p-value exceeds 5% becomes inconclusive and says so. A
    conditional one is decided setting by setting, at levels already corrected, and counts no more
    for the number of claims. `looks` says how often a claim was judged while seeds were added: each
    look is one more chance to err, so p-values, of settings too, count that often (Bonferroni).
    """
    looks = looks or {}
    tested = {
        claim: min(1.0, verdict.p_value * looks.get(claim, 1))
        for claim, verdict in verdicts.items()
        if verdict.name in ("supported", "refuted") and not math.isnan(verdict.p_value)
    }
    order = sorted(tested, key=lambda claim: tested[claim])
    family = sum(not math.isnan(verdict.p_value) for verdict in verdicts.values())
    changed = {
        claim: _looked_at(verdict, looks.get(claim, 1)) for claim, verdict in verdicts.items()
    }
    largest = 0.0
    for rank, claim in enumerate(order):
        largest = max(largest, min(1.0, tested[claim] * (family - rank)))
        if largest > ALPHA:
            note = (
                f"{verdicts[claim].name} on its own (p = {tested[claim]:.2g}), but not after "
                f"correcting for {family} claims (Holm: p = {largest:.2g})"
            )
            changed[claim] = replace(
                verdicts[claim],
                name="inconclusive",
                notes=(*verdicts[claim].notes, note),
                seeds_needed=seeds_to_decide(
                    verdicts[claim].p_value,
                    verdicts[claim].num_seeds,
                    ALPHA / (family - rank) / looks.get(claim, 1),
                ),
            )
    return changed


def _looked_at(verdict: Verdict, looks: int) -> Verdict:
    """Return a verdict that rests on settings as it is after so many looks."""
    is_tested = not math.isnan(verdict.p_value)
    if looks == 1 or (is_tested and verdict.name != "conditional"):
        return verdict
    if not is_tested:
        if verdict.name in ("inconclusive", "not decided") or not verdict.settings:
            return verdict
        note = f"Judged {looks} times while seeds were added, which its intervals do not pay for."
        return replace(verdict, notes=(*verdict.notes, note))
    level = ALPHA / looks / len(verdict.settings)
    sides = {setting.verdict for setting in verdict.settings if setting.p_value <= level}
    if {"supported", "refuted"} <= sides:
        return verdict
    note = f"conditional on its own, but not after correcting for {looks} looks"
    return replace(verdict, name="inconclusive", notes=(*verdict.notes, note))
