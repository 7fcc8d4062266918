"""Rows of runs that did not finish, and that a later command has trained again."""

from __future__ import annotations

from relu_exp.core.schema import FINISHED
from relu_exp.results.store import Store

__all__ = ["drop_replaced"]


def drop_replaced(store: Store) -> int:
    """Delete rows of runs that did not finish where a row of a later command counts instead.

    A fleet that is cut differently when a sweep continues lies in a part of another name, so the
    part of the fleet that was lost stays. Rows of finished runs are never deleted.

    Returns:
        The number of rows that were deleted.

    Raises:
        UsageError: a part is damaged, or the disk is full or cannot be written.
    """
    ends, num_dropped = store.ends(), 0
    for part_id in store.part_ids():
        rows = store.read_part(part_id, "runs", ["run_id", "status", "session"]).to_pylist()
        replaced = {
            row["run_id"]
            for row in rows
            if row["status"] not in FINISHED
            and (row["session"] or "") < ends[row["run_id"]].session
        }
        if replaced:
            store.drop_runs(part_id, replaced)
            num_dropped += len(replaced)
    return num_dropped
