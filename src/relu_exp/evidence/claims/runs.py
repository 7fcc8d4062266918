"""The runs of a claim: the command that makes them, how they ended, and how often it was judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import NamedTuple

from relu_exp.core.arguments import is_experiment_file
from relu_exp.core.schema import UsageError
from relu_exp.evidence.claims.registry import Claim, Evidence, MissingRunsError
from relu_exp.evidence.data.commands import (
    about_results,
    called_here,
    overrides_of,
    plugins_of,
    run_again,
    run_words,
)
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.texts import Text

__all__ = [
    "command",
    "looks",
    "older_than_rule",
    "origin",
    "remarks",
    "stale_remarks",
    "why_skipped",
]

_MOST_REASONS = 3
"""For which runs are stale, named below a claim; the report of the experiment names more."""
_MOST_CHARACTERS = 200
"""Of such a reason."""


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
        f"and these runs were made before, {when}: only later runs, of seeds that were not "
        "used before, decide it"
    )


_UNKNOWN = datetime.min.replace(tzinfo=UTC)


def _moment(since: date) -> datetime:
    """Return when a day begins; a moment is what it is, in UTC unless it says otherwise."""
    moment = since if isinstance(since, datetime) else datetime.combine(since, time())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _starts(claim: Claim, evidence: Evidence) -> list[datetime]:
    """Return when the sessions that made a claim's runs and studies started."""
    found = []
    for _, frames in _results(claim, evidence):
        sessions = set(frames.runs["session"]) or {frames.manifest.get("session")}
        for session in sessions:
            started = (frames.store.read_manifest(str(session)) or {}).get("started")
            found.append(_moment(datetime.fromisoformat(started)) if started else _UNKNOWN)
    return found


def why_skipped(claim: Claim, evidence: Evidence) -> Text | None:
    """Return which data an experiment that a claim rests on was skipped without, if one was."""
    for experiment in claim.experiments:
        try:
            evidence[experiment]
        except MissingRunsError as missing:
            if missing.korean:
                return Text(f"{missing}.", missing.korean)
        except UsageError:
            continue
    return None


def command(claim: Claim, evidence: Evidence) -> str:
    """Return the command that makes a claim's runs, and ends with the verdict.

    Overrides and budget are those of the results; experiments that were run with different ones
    have a command each. An experiment in a file of one's own is named as it was when it was run, or
    else by the file of its name in the current folder.
    """
    made = {each.experiment: each for each in _made(claim, evidence)}
    budgets = {each.budget for each in made.values()} - {None}
    usual = _Options((), str(budgets.pop()) if len(budgets) == 1 else None)
    groups: dict[_Options, list[str]] = {}
    for name in claim.experiments:
        options = made[name].options if name in made else usual
        groups.setdefault(options, []).append(
            made[name].called if name in made else called_here(name)
        )
    plugins = dict.fromkeys(plugin for each in made.values() for plugin in each.plugins)
    *before, last = [["run", *names, *options.words] for options, names in groups.items()]
    commands = [*before, [*last, "--claim", claim.id]]
    return " && ".join(
        about_results(*words, results=evidence.root, plugins=plugins) for words in commands
    )


class _Options(NamedTuple):
    """What a command set beside its experiments."""

    overrides: tuple[str, ...]
    budget: str | None

    @property
    def words(self) -> list[str]:
        """The options as words of a command."""
        return [*self.overrides, *(["--budget", self.budget] if self.budget else [])]


def origin(claim: Claim, evidence: Evidence) -> tuple[str, str]:
    """Return the budget and the commit of a claim's results; empty where unknown or not one."""
    made = _made(claim, evidence)
    budgets, commits = {each.budget for each in made}, {each.commit for each in made}
    return _only(budgets), _only(commits)


def _only(values: set[str | None]) -> str:
    return (values.pop() or "") if len(values) == 1 else ""


@dataclass(frozen=True)
class _Made:
    """What is known of one experiment's results: budget, runs by how they ended, looks planned.

    `called` is what the command named: the experiment, or its file.
    """

    experiment: str
    called: str
    plugins: list[str]
    overrides: tuple[str, ...]
    budget: str | None
    commit: str | None
    endings: dict[str, int]
    looks: int

    @property
    def options(self) -> _Options:
        """What its command set."""
        return _Options(self.overrides, self.budget)


def _results(claim: Claim, evidence: Evidence) -> Iterator[tuple[str, Frames]]:
    """Yield the experiments that a claim rests on and that have usable results."""
    for experiment in claim.experiments:
        try:
            frames = evidence[experiment]
        except (MissingRunsError, UsageError):
            continue
        yield experiment, frames


def _made(claim: Claim, evidence: Evidence) -> list[_Made]:
    found = []
    for experiment, frames in _results(claim, evidence):
        endings = dict(Counter(frames.runs["status"]))
        endings["missing"] = frames.num_missing
        found.append(
            _Made(
                experiment,
                _called(experiment, frames),
                plugins_of(frames.root, frames.manifest),
                tuple(overrides_of(frames.manifest)),
                frames.manifest.get("budget"),
                frames.manifest.get("commit"),
                endings,
                frames.store.looks(),
            )
        )
    return found


def _called(experiment: str, frames: Frames) -> str:
    """Return the file that a command ran an experiment from, or its name."""
    words = run_words(frames.root, frames.manifest)
    return next(filter(is_experiment_file, words), experiment)


def stale_remarks(
    claim: Claim, evidence: Evidence, run_ids: Collection[str] = ()
) -> tuple[str, ...]:
    """Return a sentence for each experiment with stale runs among those that a claim rests on.

    It names what has changed since, and the command that trains the runs again. Without `run_ids`
    the claim rests on every run of its experiments.
    """
    phrases = []
    for each in _made(claim, evidence):
        frames = evidence[each.experiment]
        every = {*frames.runs["run_id"]}
        every = every.intersection(run_ids) if run_ids else every
        by_reason = {reason: every.intersection(ids) for reason, ids in frames.stale.items()}
        reasons = [reason for reason, stale in by_reason.items() if stale]
        if reasons:
            number = len(frozenset().union(*by_reason.values()))
            words = [reason[:_MOST_CHARACTERS] for reason in reasons[:_MOST_REASONS]]
            if len(reasons) > len(words):
                words.append(f"{len(reasons) - len(words):,} more")
            again = run_again(frames.root, frames.manifest, "--stale", "rerun")
            phrases.append(
                f"{number:,} of {len(every):,} runs of {each.experiment} that it rests on "
                f"{'is' if number == 1 else 'are'} stale: made before {', '.join(words)}. To train "
                f"{'it' if number == 1 else 'them'} again: {again}"
            )
    return tuple(phrases)


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
