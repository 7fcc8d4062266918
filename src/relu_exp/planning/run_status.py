"""Run status: which runs of a sweep are new, finished, stale, failed or interrupted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from relu_exp.core.schema import FINISHED, RunConfig
from relu_exp.results.provenance import changes, parsed
from relu_exp.results.rows import check_identities
from relu_exp.results.store import End, Store

__all__ = ["RunStatuses", "run_statuses"]


@dataclass(frozen=True)
class RunStatuses:
    """The ids of a sweep's runs by status; each run is in exactly one set.

    `new`: not saved yet. `finished`: done or diverged, and made from what there is now. `stale`:
    finished, but the package's code, torch, the schema, a plugin or the data have changed since, or
    a measurement was added.
    `failed`: raised an error of its own. `interrupted`: stopped from outside, for example killed,
    or out of memory or disk space.
    """

    new: set[str] = field(default_factory=set)
    finished: set[str] = field(default_factory=set)
    stale: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    interrupted: set[str] = field(default_factory=set)
    stale_because: dict[str, list[str]] = field(default_factory=dict)
    """What has changed → the finished runs concerned."""
    failures: Counter[str] = field(default_factory=Counter)
    """Last line of an error → number of runs that failed with it."""
    not_compared: Counter[str] = field(default_factory=Counter)
    """Why data could not be compared with those of a run → number of finished runs concerned."""

    @property
    def stale_reasons(self) -> Counter[str]:
        """What has changed → number of finished runs concerned."""
        return Counter({reason: len(runs) for reason, runs in self.stale_because.items()})

    def skipped(self, retry_failed: bool, rerun_stale: bool) -> set[str]:
        """Return the runs that will not be trained.

        A failed run would fail again, so it is trained only on request. Interrupted runs always
        are.
        """
        kept = set(self.finished)
        if not rerun_stale:
            kept |= self.stale
        if not retry_failed:
            kept |= self.failed
        return kept


def run_statuses(runs: Sequence[RunConfig], store: Store) -> RunStatuses:
    """Return the status of runs, from the parts and manifests in a store.

    Data that may have changed are read if finished runs were made from them.

    Raises:
        UsageError: a part is damaged, or a row is not of the run that its id names.
    """
    from relu_exp.engine.made_from import (  # loads torch
        DATA,
        Content,
        changes_of,
        not_measured,
        read_again,
    )

    check_identities(store)
    found, ends = RunStatuses(), store.ends()
    ended = [(run, ends[run.run_id]) for run in runs if run.run_id in ends]
    found.new.update(run.run_id for run in runs if run.run_id not in ends)
    changed = cache(lambda session: changes(store.read_manifest(session)))
    then = cache(parsed)
    contents = read_again(run.dataset for run, end in ended if DATA in then(end.made_from))
    for run, end in ended:
        content = contents.get(run.dataset, Content())
        made_from = then(end.made_from)
        reasons = changed(end.session) + changes_of(run, made_from, content.digest)
        if end.status in FINISHED:
            # a failed run would fail with them, too
            reasons += not_measured(run, made_from)
        _add(run, end, reasons, found)
        if content.problem and end.status in FINISHED:
            found.not_compared[content.problem] += 1
    return found


def _add(run: RunConfig, end: End, reasons: Sequence[str], found: RunStatuses) -> None:
    if end.status in FINISHED:
        (found.stale if reasons else found.finished).add(run.run_id)
        for reason in reasons:
            found.stale_because.setdefault(reason, []).append(run.run_id)
    elif end.status == "failed" and not reasons:
        found.failed.add(run.run_id)
        found.failures[end.reason] += 1
    else:
        # a run that failed with other code may succeed now
        found.interrupted.add(run.run_id)
