"""The court: every claim is heard, whatever happened to its runs, and each gets a verdict."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from relu_exp.core.schema import UsageError
from relu_exp.evidence.claims.registry import Claim, Evidence, MissingRunsError, all_claims
from relu_exp.evidence.claims.verdicts import Verdict, VerdictName, corrected

__all__ = ["ORDER", "can_decide", "command", "count", "decide", "decide_all"]

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


def decide_all(
    evidence: Evidence | Path, claims: Iterable[Claim] | None = None
) -> dict[str, Verdict]:
    """Return the verdict of every claim on results (a folder's), in the order of the claims.

    Statistical claims are corrected for their number (Holm), and for the looks taken while seeds
    were added. What cannot be decided says why, and with which command it could be; what is
    inconclusive says how many seeds would decide it.
    """
    if isinstance(evidence, Path):
        evidence = Evidence(evidence)
    heard = list(all_claims() if claims is None else claims)
    verdicts = {claim.id: decide(claim, evidence) for claim in heard}
    looks = {claim.id: _looks(claim, evidence) for claim in heard}
    return {id: _with_seeds(verdict) for id, verdict in corrected(verdicts, looks).items()}


def decide(claim: Claim, evidence: Evidence) -> Verdict:
    """Return the verdict of one claim, before the correction for the number of claims."""
    try:
        verdict = claim.decide(evidence)
    except MissingRunsError as missing:
        return _undecided(f"{missing}.", claim, evidence)
    except UsageError as error:
        return _undecided(f"The results cannot be used: {error}.", claim, evidence)
    except Exception as error:
        # a mistake in one claim, or results that nobody foresaw, must not take the others down
        message = " ".join(str(error).split())[:200]
        text = f"Deciding it failed with {type(error).__name__}: {message}."
        return _undecided(text, claim, evidence)
    return replace(verdict, notes=(*verdict.notes, *_remarks(claim, evidence)))


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


def _looks(claim: Claim, evidence: Evidence) -> int:
    """Return how often a claim's runs were judged while seeds were added, this time included."""
    return max([made.looks for made in _made(claim, evidence)], default=1)


def _with_seeds(verdict: Verdict) -> Verdict:
    """Return an inconclusive verdict with the seeds that would decide it, as far as one can say."""
    if verdict.name != "inconclusive" or verdict.num_seeds < 2:
        return verdict
    told = f"About {verdict.seeds_needed:,}" if verdict.seeds_needed else "More than 10,000"
    return replace(verdict, says=f"{verdict.says} {told} seeds would decide it.")


def command(claim: Claim, evidence: Evidence) -> str:
    """Return the command that makes a claim's runs, at the budget its results were made at.

    An experiment in a file of one's own is named as it was when it was run.
    """
    made = {each.experiment: each for each in _made(claim, evidence)}
    words = [made[name].called if name in made else name for name in claim.experiments]
    budgets = {each.budget for each in made.values()} - {None}
    again = " ".join(["relu-exp run", *words])
    return f"{again} --budget {budgets.pop()}" if len(budgets) == 1 else again


@dataclass(frozen=True)
class _Made:
    """What is known of one experiment's results: budget, runs by how they ended, looks taken.

    `called` is what the command named: the experiment, or the file it stands in.
    """

    experiment: str
    called: str
    budget: str | None
    endings: dict[str, int]
    looks: int


def _made(claim: Claim, evidence: Evidence) -> list[_Made]:
    found = []
    for experiment in claim.experiments:
        try:
            frames = evidence[experiment]
        except (MissingRunsError, UsageError):
            continue
        endings = dict(Counter(frames.runs["status"]))
        endings["missing"] = frames.num_missing
        looks = int(frames.manifest.get("looks") or 1)
        called = _called(experiment, str(frames.manifest.get("command") or ""))
        found.append(_Made(experiment, called, frames.manifest.get("budget"), endings, looks))
    return found


def _called(experiment: str, command: str) -> str:
    """Return the file that a command ran an experiment from, or its name."""
    try:
        words = shlex.split(command)
    except ValueError:  # no command that a shell could have taken
        return experiment
    files = [word for word in words if word.endswith((".yaml", ".yml"))]
    return shlex.quote(files[0]) if files and "=" not in files[0] else experiment


def _undecided(reason: str, claim: Claim, evidence: Evidence) -> Verdict:
    reason = " ".join(reason.replace("..", ".").split())
    if not reason.startswith(claim.experiments):  # names keep their lower case
        reason = reason[:1].upper() + reason[1:]
    is_told = "relu-exp run" in reason or not claim.experiments
    how = "" if is_told else f" Run {claim.command}."
    return Verdict("not decided", f"{reason}{how}", notes=tuple(_remarks(claim, evidence)))


def _remarks(claim: Claim, evidence: Evidence) -> list[str]:
    """Return what is amiss with the runs that a verdict rests on, in words."""
    words = {
        "failed": "failed with an error and count for nothing",
        "interrupted": "were interrupted before the end",
        "missing": "have not been run",
        "diverged": "diverged, which is a result",
    }
    told, made = [], _made(claim, evidence)
    for each in made:
        for ending, text in words.items():
            if number := each.endings.get(ending, 0):
                asked = sum(each.endings.values())
                told.append(f"{number:,} of {asked:,} runs of {each.experiment} {text}.")
    budgets = {each.experiment: each.budget or "no" for each in made}
    if len(set(budgets.values())) > 1:
        listed = ", ".join(f"{name} at {budget} budget" for name, budget in budgets.items())
        told.append(f"Made at different budgets: {listed}.")
    return told
