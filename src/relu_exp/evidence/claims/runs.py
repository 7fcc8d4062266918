"""The runs of a claim: the command that makes them, how they ended, and how often it was judged."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from relu_exp.core.schema import UsageError
from relu_exp.core.words import is_experiment_file
from relu_exp.evidence.claims.registry import Claim, Evidence, MissingRunsError
from relu_exp.evidence.data.commands import about_results, plugins_of, run_words
from relu_exp.evidence.data.frames import Frames

__all__ = ["command", "looks", "older_than_rule", "remarks"]


def looks(claim: Claim, evidence: Evidence) -> int:
    """Return how often a claim's runs may be judged while seeds are added, as was planned."""
    return max([made.looks for made in _made(claim, evidence)], default=1)


def older_than_rule(claim: Claim, evidence: Evidence) -> str | None:
    """Return why runs decide nothing under a rule that was amended after them; None if they do.

    Runs without a known start are taken for older. A rule of the first version needs no date.
    """
    rule = claim.rule
    if rule.version == 1:
        return None
    first = min(_starts(claim, evidence), default=None)
    if first is None or first >= _moment(rule.since):
        return None
    when = "at a time that is not known" if first == _UNKNOWN else f"on {first:%Y-%m-%d}"
    return (
        f"The rule was amended on {rule.since:%Y-%m-%d} (version {rule.version}: {rule.reason}), "
        f"and these runs were made before, {when}: runs of seeds that nobody had looked at decide "
        "it"
    )


_UNKNOWN = datetime.min.replace(tzinfo=UTC)


def _moment(since: date) -> datetime:
    """Return when a day begins; a moment is what it is, in UTC unless it says otherwise."""
    moment = since if isinstance(since, datetime) else datetime.combine(since, time())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _starts(claim: Claim, evidence: Evidence) -> list[datetime]:
    """Return when the sessions that made a claim's runs and studies started."""
    found = []
    for experiment in claim.experiments:
        try:
            frames = evidence[experiment]
        except (MissingRunsError, UsageError):
            continue
        sessions = set(frames.runs["session"]) or {frames.manifest.get("session")}
        for session in sessions:
            started = (frames.store.read_manifest(str(session)) or {}).get("started")
            found.append(_moment(datetime.fromisoformat(started)) if started else _UNKNOWN)
    return found


def command(claim: Claim, evidence: Evidence) -> str:
    """Return the command that makes a claim's runs, and ends with the verdict.

    The budget is that of the results.

    An experiment in a file of one's own is named as it was when it was run.
    """
    made = {each.experiment: each for each in _made(claim, evidence)}
    words = [made[name].called if name in made else name for name in claim.experiments]
    budgets = {each.budget for each in made.values()} - {None}
    if len(budgets) == 1:
        words += ["--budget", str(budgets.pop())]
    plugins = dict.fromkeys(plugin for each in made.values() for plugin in each.plugins)
    return about_results("run", *words, "--claim", claim.id, results=evidence.root, plugins=plugins)


@dataclass(frozen=True)
class _Made:
    """What is known of one experiment's results: budget, runs by how they ended, looks planned.

    `called` is what the command named: the experiment, or its file.
    """

    experiment: str
    called: str
    plugins: list[str]
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
        found.append(
            _Made(
                experiment,
                _called(experiment, frames),
                plugins_of(frames.root, frames.manifest),
                frames.manifest.get("budget"),
                endings,
                frames.store.looks(),
            )
        )
    return found


def _called(experiment: str, frames: Frames) -> str:
    """Return the file that a command ran an experiment from, or its name."""
    words = run_words(frames.root, frames.manifest)
    return next(filter(is_experiment_file, words), experiment)


def remarks(claim: Claim, evidence: Evidence) -> list[str]:
    """Return sentences about the runs of a claim that are missing, failed or diverged."""
    words = {
        "failed": "failed with an error and count for nothing",
        "interrupted": "were interrupted before the end",
        "missing": "have not been run",
        "diverged": "diverged",
    }
    phrases, made = [], _made(claim, evidence)
    for each in made:
        for ending, text in words.items():
            if number := each.endings.get(ending, 0):
                asked = sum(each.endings.values())
                phrases.append(f"{number:,} of {asked:,} runs of {each.experiment} {text}.")
    rule = claim.rule
    if rule.version > 1 and older_than_rule(claim, evidence) is None:
        phrases.append(
            f"Rule of version {rule.version}, since {rule.since:%Y-%m-%d} ({rule.reason}): the "
            "runs are younger."
        )
    many = looks(claim, evidence)
    if many > 1 and not claim.rule.is_exact:
        phrases.append(f"Judged up to {many} times while seeds are added: p counts {many} times.")
    budgets = {each.experiment: each.budget or "no" for each in made}
    if len(set(budgets.values())) > 1:
        listed = ", ".join(f"{name} at {budget} budget" for name, budget in budgets.items())
        phrases.append(f"Made at different budgets: {listed}.")
    return phrases
