"""Run status: which runs of a sweep are new, finished, stale, failed or interrupted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from relu_exp.core.schema import FINISHED, RunConfig
from relu_exp.results.provenance import changes
from relu_exp.results.rows import check_identities
from relu_exp.results.store import Store

__all__ = ["RunStatuses", "run_statuses"]


@dataclass(frozen=True)
class RunStatuses:
    """The ids of a sweep's runs by status; each run is in exactly one set.

    `new`: not saved yet. `finished`: done or diverged, trained by the current code. `stale`:
    finished, but code, torch or schema have changed since. `failed`: raised an error of its own.
    `interrupted`: stopped from outside, for example killed, or out of memory or disk space.
    """

    new: set[str] = field(default_factory=set)
    finished: set[str] = field(default_factory=set)
    stale: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    interrupted: set[str] = field(default_factory=set)
    stale_reasons: Counter[str] = field(default_factory=Counter)
    """What has changed → number of finished runs concerned."""
    failures: Counter[str] = field(default_factory=Counter)
    """Last line of an error → number of runs that failed with it."""

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

    Raises:
        UsageError: a part is damaged, or a row is not of the run that its id names.
    """
    check_identities(store)
    found, ends = RunStatuses(), store.ends()
    changed: dict[str, tuple[str, ...]] = {}
    for run in runs:
        end = ends.get(run.run_id)
        if end is None:
            found.new.add(run.run_id)
            continue
        if end.session not in changed:
            changed[end.session] = changes(store.read_manifest(end.session))
        reasons = changed[end.session]
        if end.status in FINISHED:
            (found.stale if reasons else found.finished).add(run.run_id)
            found.stale_reasons.update(reasons)
        elif end.status == "failed" and not reasons:
            found.failed.add(run.run_id)
            found.failures[end.reason] += 1
        else:
            # a run that failed with other code may succeed now
            found.interrupted.add(run.run_id)
    return found
