"""Settings that decide: those that the number of a verdict speaks of."""

from __future__ import annotations

from collections.abc import Sequence

from relu_exp.evidence.claims.verdicts import Rule, SettingVerdict, Verdict

__all__ = ["decider", "deciding"]


def deciding(
    verdict: Verdict, rule: Rule, some: Sequence[SettingVerdict] | None = None
) -> list[SettingVerdict]:
    """Return the settings, of `some` or of all, whose numbers make the verdict what it is.

    Where every setting must hold, those that fail refute a claim; where some must, those that hold
    support it. Otherwise it takes all of them.
    """
    every = list(verdict.settings if some is None else some)
    if verdict.name == "refuted" and rule.need == "every":
        return [each for each in every if each.verdict == "refuted"]
    if verdict.name == "supported" and rule.need == "some":
        return [each for each in every if each.verdict == "supported"]
    return every


def decider(verdict: Verdict) -> SettingVerdict | None:
    """Return the one of several settings whose numbers a verdict has; None where it has its own."""
    if not verdict.place or len(verdict.settings) < 2:
        return None
    numbers = (verdict.effect, verdict.low, verdict.high, verdict.num_seeds)
    for each in verdict.settings:
        if numbers == (each.effect, each.low, each.high, each.num_seeds):
            return each
    return None
