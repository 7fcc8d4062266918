"""Rows: each belongs to the run that its id names, and none is there twice."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import pyarrow as pa

from relu_exp.core.naming import shown
from relu_exp.core.run_keys import RUN_KEYS
from relu_exp.core.schema import PARTS, RunConfig, UsageError
from relu_exp.results.store import Store

__all__ = [
    "ROW_KEYS",
    "check_identities",
    "check_unique",
    "damaged",
    "identity_problem",
    "repeated",
]

ROW_KEYS: Mapping[str, tuple[str, ...]] = {
    "runs": ("run_id",),
    "curves": ("run_id", "step", "split"),
    "layers": ("run_id", "step", "layer", "quantity"),
    "histograms": ("run_id", "step", "layer", "kind"),
    "dead_units": ("run_id", "step", "layer"),
    "predictions": ("run_id", "layer", "quantity"),
    "checks": ("check", "case"),
}
"""Columns that identify a row of a part. A fleet may tabulate one function more than once."""

_CONFIGURED = (
    "run_id",
    *(column for part in PARTS for column in (part, f"{part}_settings")),
    *RUN_KEYS,
)


def identity_problem(runs: pa.Table) -> str:
    """Return what is wrong with the ids of rows of `runs`, or an empty text.

    Each must be the hash of the configuration beside it, and none may be there twice.
    """
    if problem := repeated("runs", runs):
        return problem
    for row in runs.select(_CONFIGURED).to_pylist():
        try:
            RunConfig.from_row(row)
        except UsageError as error:
            return shown(str(error)) if len(str(error)) > 300 else str(error)
    return ""


def check_identities(store: Store) -> None:
    """Check the ids of all rows of `runs`: a changed row is not the run that its id names.

    Raises:
        UsageError: a part is damaged.
    """
    for part_id in store.part_ids():
        if problem := identity_problem(store.read_part(part_id, "runs", _CONFIGURED)):
            raise damaged(store.parts / part_id, problem)


def check_unique(store: Store, part_id: str, table: str) -> None:
    """Check that no row of a part's table is there twice; a file is read for this only once.

    Raises:
        UsageError: one is, or the part is damaged.
    """
    if table not in ROW_KEYS:
        return
    path = store.parts / part_id / f"{table}.parquet"
    try:
        status = path.stat()
    except OSError:
        stamp = (0, 0)
    else:
        stamp = (status.st_mtime_ns, status.st_size)
    if problem := _repeated_in(store, part_id, table, stamp):
        raise damaged(store.parts / part_id, problem)


@lru_cache(maxsize=100_000)
def _repeated_in(store: Store, part_id: str, table: str, stamp: tuple[int, int]) -> str:
    return repeated(table, store.read_part(part_id, table, ROW_KEYS[table]))


def repeated(table: str, rows: pa.Table) -> str:
    """Return how many rows of a part's table are there twice, in words; empty if none is."""
    keys = list(ROW_KEYS.get(table, ()))
    if not keys:
        return ""
    distinct = rows.select(keys).group_by(keys).aggregate([]).num_rows
    if distinct == rows.num_rows:
        return ""
    return f"{rows.num_rows - distinct:,} rows of {table} are there twice"


def damaged(part: object, problem: str) -> UsageError:
    """Return the error for a part, named by its path, whose rows are not what was written."""
    return UsageError(
        f"{part} is damaged ({problem}): delete it and run the same command again; "
        "only its runs are trained again"
    )
