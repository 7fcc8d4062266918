"""The claims: each a decorated function with its statement, sources and rule before it."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from relu_exp.core.absent_data import absent_data_in
from relu_exp.core.naming import nearest, shown
from relu_exp.core.schema import DEFAULT_PRECISION, UsageError
from relu_exp.evidence.claims.absent import why_not_run
from relu_exp.evidence.claims.shown import Shown
from relu_exp.evidence.claims.verdicts import Effects, Rule
from relu_exp.evidence.data.commands import (
    DEFAULT_RESULTS,
    about_results,
    called_here,
    run_again,
)
from relu_exp.evidence.data.frames import Frames
from relu_exp.results.store import Store

__all__ = ["Claim", "Evidence", "Literature", "Source", "all_claims", "claim", "find_claim"]

Group = Literal["A", "B", "C", "D", "E", "F"]
GROUPS: Mapping[Group, str] = {
    "A": "Formulas",
    "B": "Signals at initialization",
    "C": "Training",
    "D": "Dying units and sparsity",
    "E": "Variants",
    "F": "Cost",
}


@dataclass(frozen=True)
class Source:
    """Where a document says it."""

    document: str
    section: str


@dataclass(frozen=True)
class Literature:
    """What a paper found: its setting and number, and how we know of it.

    `known` says whether the paper itself was read or is quoted second-hand.
    """

    reference: str
    found: str
    known: Literal["read", "second-hand"]


@dataclass(frozen=True)
class Claim:
    """A statement of the documents, its rule, and the function that measures its effects."""

    id: str
    group: Group
    statement: str
    statement_ko: str
    sources: tuple[Source, ...]
    experiments: tuple[str, ...]
    rule: Rule
    effects: Callable[[Evidence], Effects]
    figure: str | Shown | None = None
    literature: tuple[Literature, ...] = ()
    disagrees_with: str | None = None

    @property
    def command(self) -> str:
        """The command that makes the runs it rests on, and ends with the verdict."""
        return self.command_for(Path(DEFAULT_RESULTS))

    def command_for(self, results: Path) -> str:
        """Return the command that makes its runs in a folder, and ends with the verdict."""
        experiments = map(called_here, self.experiments)
        return about_results("run", *experiments, "--claim", self.id, results=results)


class MissingRunsError(Exception):
    """An experiment that a claim rests on has not been run, or not enough of it.

    `korean` says the same in Korean, where it is known.
    """

    def __init__(self, message: str, korean: str = "") -> None:
        super().__init__(message)
        self.korean = korean


@dataclass
class Evidence:
    """The result folders of all experiments, opened when a claim asks for them.

    Claims see runs of the default precision and no others.
    """

    root: Path
    _opened: dict[Path, Frames] = field(default_factory=dict)
    _judged: dict[str, Frames] = field(default_factory=dict)
    effects: dict[str, Effects] = field(default_factory=dict)
    """What was measured for each claim that was judged, by its id."""

    def __reduce__(self) -> tuple[type[Evidence], tuple[Path]]:
        """Return what another process opens the same results with: nothing read goes there."""
        return Evidence, (self.root,)

    def __getitem__(self, experiment: str) -> Frames:
        """Return the frames of an experiment, without runs that verdicts do not rest on.

        Raises:
            MissingRunsError: it has not been run, or not in the default precision.
        """
        if experiment in self._judged:
            return self._judged[experiment]
        folder = self.root / experiment
        if folder not in self._opened and not Store(folder).part_ids():
            raise self._missing(experiment)
        every = self.at(folder)
        frames = every.only(DEFAULT_PRECISION)
        if frames.runs.empty and not every.runs.empty:
            raise MissingRunsError(
                f"{experiment} has no run of precision={DEFAULT_PRECISION}, the only one that "
                f"verdicts rest on: {self.run(experiment)}"
            )
        self._judged[experiment] = frames
        return frames

    def _missing(self, experiment: str) -> MissingRunsError:
        """Return why an experiment has no results: skipped without its data, or not run."""
        folder = self.root / experiment
        try:
            manifest = Store(folder).latest_manifest() or {}
        except UsageError:
            manifest = {}
        if absent := absent_data_in(manifest):
            return MissingRunsError(*why_not_run(experiment, absent, run_again(folder, manifest)))
        return MissingRunsError(f"{experiment} has not been run: {self.run(experiment)}")

    def run(self, experiment: str) -> str:
        """Return the command that runs an experiment into this folder."""
        return about_results("run", called_here(experiment), results=self.root)

    def at(self, folder: Path) -> Frames:
        """Return the frames of a folder, every run of it, opened once.

        Raises:
            UsageError: there are no results in it, or they are damaged.
        """
        if folder not in self._opened:
            self._opened[folder] = Frames.open(folder)
        return self._opened[folder]


_CLAIMS: dict[str, Claim] = {}
_ID = re.compile(r"[a-z0-9]+([-.][a-z0-9]+)*")


def claim(
    id: str,
    *,
    group: Group,
    statement: str,
    statement_ko: str = "",
    sources: Mapping[str, str],
    experiments: tuple[str, ...] | str,
    rule: Rule,
    figure: str | Shown | None = None,
    literature: tuple[Literature, ...] = (),
    disagrees_with: str | None = None,
) -> Callable[[Callable[[Evidence], Effects]], Callable[[Evidence], Effects]]:
    """Register the decorated function as what measures the effects of a claim.

    Args:
        id: its name, in lower case with hyphens, also in what is written below the results.
        group: A to F.
        statement: one sentence, in our own words.
        statement_ko: the same in Korean; a claim of one's own may leave it out.
        sources: document (`D0` … `D4`, or a name) → section in it.
        experiments: those whose runs it rests on.
        rule: fixed before the runs.
        figure: what its picture shows of the runs that were judged, or the name of a figure, which
            is drawn of those of the first experiment.
        literature: what papers found.
        disagrees_with: the claim that says otherwise, judged on the same evidence.

    Raises:
        UsageError: the id is taken or no name, there is no such group, or the rule has no threshold
            where its kind needs one.
    """
    if not _ID.fullmatch(id):
        raise UsageError(f"claim {shown(id)!r} is not valid: write it in lower case with hyphens")
    if group not in GROUPS:
        groups = ", ".join(f"{key} ({name})" for key, name in GROUPS.items())
        raise UsageError(f"claim {id}: group {shown(group)} is not valid; valid: {groups}")

    def add(effects: Callable[[Evidence], Effects]) -> Callable[[Evidence], Effects]:
        if not effects.__module__.startswith("relu_exp."):
            _load()  # the project's own names are taken before a plugin's
        if id in _CLAIMS:
            raise UsageError(f"claim {id} is registered twice: choose another name")
        if (rule.threshold is None) != (rule.kind in ("cases", "counts")):
            raise UsageError(
                f'claim {id}: a rule needs a threshold, or kind="cases" if it is exact'
            )
        if rule.version > 1 and not rule.reason:
            raise UsageError(f"claim {id}: a rule that was amended says why: give its reason")
        _CLAIMS[id] = Claim(
            id=id,
            group=group,
            statement=statement,
            statement_ko=statement_ko or statement,
            sources=tuple(Source(*pair) for pair in sources.items()),
            experiments=(experiments,) if isinstance(experiments, str) else experiments,
            rule=rule,
            effects=effects,
            figure=figure,
            literature=literature,
            disagrees_with=disagrees_with,
        )
        return effects

    return add


@cache
def _load() -> None:
    """Import every topic: a claim is added by being written down in one."""
    import relu_exp.evidence.claims.topics as topics

    for module in sorted(pkgutil.iter_modules(topics.__path__), key=lambda found: found.name):
        importlib.import_module(f"{topics.__name__}.{module.name}")


def all_claims() -> Iterator[Claim]:
    """Yield every claim, by group and then in the order of its topic."""
    _load()
    yield from sorted(_CLAIMS.values(), key=lambda claim: claim.group)


def find_claim(id: str) -> Claim:
    """Return a claim by its id.

    Raises:
        UsageError: there is none; the nearest is named.
    """
    _load()
    if id not in _CLAIMS:
        raise UsageError(f"unknown claim {id!r}{nearest(id, _CLAIMS)}; see `relu-exp list claims`")
    return _CLAIMS[id]
