"""Where each run of a sweep stands, and so why it is trained or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from relu_exp.core.schema import FINISHED, RunConfig
from relu_exp.results.provenance import changes
from relu_exp.results.store import Store

__all__ = ["RunStatuses", "run_statuses"]


@dataclass(frozen=True)
class RunStatuses:
    """The runs of a sweep by what became of them before; each is in exactly one set.

    `new` was never begun or not saved; `finished` is done or diverged, by the code of today;
    `stale` is finished too, by code, a torch or a schema since changed; `failed` raised an error
    that is its own; `interrupted` was stopped by what was not its fault: a kill, memory, the disk.
    """

    new: set[str] = field(default_factory=set)
    finished: set[str] = field(default_factory=set)
    stale: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    interrupted: set[str] = field(default_factory=set)
    stale_reasons: Counter[str] = field(default_factory=Counter)
    """What has changed → finished runs that it concerns."""
    failures: Counter[str] = field(default_factory=Counter)
    """The last line of an error → runs that failed with it."""

    def skipped(self, retry_failed: bool, rerun_stale: bool) -> set[str]:
        """Return the runs that are not trained.

        A failed run would fail again: it waits to be asked for. An interrupted one never does.
        """
        kept = set(self.finished)
        if not rerun_stale:
            kept |= self.stale
        if not retry_failed:
            kept |= self.failed
        return kept


def run_statuses(runs: Sequence[RunConfig], store: Store) -> RunStatuses:
    """Return where runs stand by the parts in a store and the manifests that made them.

    Raises:
        UsageError: a part is damaged.
    """
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
            # the code that made a run fail has changed since: it may train now
            found.interrupted.add(run.run_id)
    return found
