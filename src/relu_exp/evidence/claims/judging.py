"""Judging: each claim's rule is applied to the effects that its function measured.

Every claim gets a verdict, whatever happened to its runs, and is corrected for the number judged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from relu_exp.core.lines import one_line
from relu_exp.core.schema import UsageError
from relu_exp.evidence.claims.by_count import judge_cases, judge_counts, judge_either, judge_share
from relu_exp.evidence.claims.by_interval import judge_effects
from relu_exp.evidence.claims.correction import corrected
from relu_exp.evidence.claims.failures import failures, without_failures
from relu_exp.evidence.claims.korean import with_korean
from relu_exp.evidence.claims.registry import Claim, Evidence, MissingRunsError, all_claims
from relu_exp.evidence.claims.runs import looks, older_than_rule, remarks, stale_remarks
from relu_exp.evidence.claims.sets import in_sets, seeds_of_sets
from relu_exp.evidence.claims.verdicts import Effects, Kind, Rule, Verdict, VerdictName

__all__ = [
    "ORDER",
    "Alone",
    "can_decide",
    "count",
    "judge",
    "judge_all",
    "judge_alone",
    "judge_claim",
    "judge_together",
]

ORDER: tuple[VerdictName, ...] = (
    "supported",
    "refuted",
    "conditional",
    "inconclusive",
    "not decided",
)
"""The verdicts, as summaries list them."""
FEWEST_SEEDS = 2
"""With one seed there is no interval, so nothing statistical is decided."""


_JUDGES: Mapping[Kind, Callable[[Effects, Rule], Verdict]] = {
    "effects": judge_effects,
    "cases": judge_cases,
    "counts": judge_counts,
    "share": judge_share,
    "either": judge_either,
}


def judge(effects: Effects, rule: Rule) -> Verdict:
    """Return the verdict that a rule gives on effects, before the correction for many claims."""
    notes = [*effects.notes, *failures(effects.rows)]
    if rule.failures == "apart":
        effects = replace(effects, rows=without_failures(effects.rows))
    for place, rows in effects.elsewhere.items():
        there = judge(Effects(rows), rule)
        notes.append(f"On the {place}, {there.name}: {there.text}")
    if rule.set_of > 1:
        effects = replace(effects, rows=in_sets(effects.rows, rule))
    verdict = replace(_JUDGES[rule.kind](effects, rule), notes=tuple(notes))
    return seeds_of_sets(verdict, rule) if rule.set_of > 1 else verdict


def judge_all(
    evidence: Evidence | Path, claims: Iterable[Claim] | None = None
) -> dict[str, Verdict]:
    """Return the verdict of every claim on results (a folder's), in the order of the claims.

    Statistical claims are corrected for their number (Holm), and for the looks planned while seeds
    are added. The text of an undecided claim gives the reason and the command to run; that of an
    inconclusive one gives the number of seeds that would decide it.
    """
    if isinstance(evidence, Path):
        evidence = Evidence(evidence)
    judged = all_claims() if claims is None else claims
    return judge_together({claim.id: judge_alone(claim, evidence) for claim in judged})


class Alone(NamedTuple):
    """The verdict of a claim by itself, and how often its runs may be judged."""

    verdict: Verdict
    looks: int


def judge_alone(claim: Claim, evidence: Evidence) -> Alone:
    """Return the verdict of a claim with what its correction needs."""
    return Alone(judge_claim(claim, evidence), looks(claim, evidence))


def judge_together(alone: Mapping[str, Alone]) -> dict[str, Verdict]:
    """Return the verdicts of claims after the correction for their number; see `judge_all`."""
    verdicts = {id: one.verdict for id, one in alone.items()}
    taken = {id: one.looks for id, one in alone.items()}
    together = corrected(verdicts, taken)
    return {id: with_korean(_with_seeds(verdict)) for id, verdict in together.items()}


def judge_claim(claim: Claim, evidence: Evidence) -> Verdict:
    """Return the verdict of one claim, before the correction for the number of claims."""
    try:
        evidence.effects[claim.id] = effects = claim.effects(evidence)
        verdict = judge(effects, claim.rule)
        if older := older_than_rule(claim, evidence):
            return _undecided(f"{older}.", claim, evidence)
    except MissingRunsError as missing:
        return replace(_undecided(f"{missing}.", claim, evidence), text_ko=missing.korean)
    except UsageError as error:
        return _undecided(f"The results cannot be used: {error}.", claim, evidence)
    except Exception as error:
        # an error in one claim, or unforeseen results, must not stop the other claims
        text = f"Deciding it failed with {type(error).__name__}: {one_line(error)}."
        return _undecided(text, claim, evidence)
    stale = stale_remarks(claim, evidence, verdict.run_ids)
    return replace(verdict, notes=(*stale, *verdict.notes, *remarks(claim, evidence)))


def count(verdicts: Iterable[Verdict]) -> dict[VerdictName, int]:
    """Return how many verdicts there are of each name, none left out."""
    found = Counter(verdict.name for verdict in verdicts)
    return {name: found[name] for name in ORDER}


def can_decide(claim: Claim, num_seeds: Mapping[str, float]) -> str | None:
    """Return why runs with so many seeds per experiment cannot decide a claim; None if they can."""
    for experiment in claim.experiments:
        if experiment not in num_seeds:
            return f"{experiment} is not run"
        if not claim.rule.is_exact and num_seeds[experiment] < FEWEST_SEEDS:
            return f"{experiment} has one seed"
    return None


def _with_seeds(verdict: Verdict) -> Verdict:
    """Return a verdict that says what would decide it, or that there is nothing to decide."""
    if verdict.equivalent:
        where = "In that setting there" if verdict.settings and verdict.place else "That"
        said = f"{where} is no difference that matters."
        return replace(verdict, seeds_needed=None, text=f"{verdict.text} {said}")
    if verdict.name != "inconclusive" or verdict.num_seeds < 2:
        return verdict
    if verdict.bound != "none":
        how = "Longer runs or more learning rates would decide it, not more seeds: where an arm"
        how += " never arrives, or is fastest at the last rate tried, nothing more is known."
    elif verdict.seeds_needed:
        how = f"About {verdict.seeds_needed:,} seeds would decide it with 80% power, if effect and"
        how += " spread are as measured."
    else:
        how = "Seeds are not what is missing: more than 10,000 would be needed."
    return replace(verdict, text=f"{verdict.text} {how}")


def _undecided(reason: str, claim: Claim, evidence: Evidence) -> Verdict:
    reason = " ".join(reason.replace("..", ".").split())
    if not reason.startswith(claim.experiments):  # names keep their lower case
        reason = reason[:1].upper() + reason[1:]
    names_command = "relu-exp run" in reason or not claim.experiments
    how = "" if names_command else f" Run {claim.command_for(evidence.root)}."
    notes = (*stale_remarks(claim, evidence), *remarks(claim, evidence))
    return Verdict("not decided", f"{reason}{how}", notes=notes)
