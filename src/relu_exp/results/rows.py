"""Rows: each belongs to the run that its id names, and none is there twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from relu_exp.core.naming import shown
from relu_exp.core.run_keys import RUN_KEYS
from relu_exp.core.schema import PARTS, RunConfig, UsageError
from relu_exp.results.store import Store

__all__ = [
    "NUMBER",
    "ROW_KEYS",
    "check_identities",
    "check_unique",
    "damaged",
    "identity_problem",
    "in_parts",
    "repeated",
    "wrong_id",
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

NUMBER = "part_number"
"""The column of `in_parts` with the number of each row's part among them."""

_CONFIGURED = (
    "run_id",
    *(column for part in PARTS for column in (part, f"{part}_settings")),
    *RUN_KEYS,
)


def identity_problem(runs: pa.Table) -> str:
    """Return what is wrong with the ids of a part's rows of `runs`, or an empty text.

    Each must be the hash of the configuration beside it, and none may be there twice.
    """
    return repeated("runs", runs) or wrong_id(runs)


def wrong_id(runs: pa.Table) -> str:
    """Return which row of `runs` has an id that is not its configuration's hash, or nothing."""
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


def check_unique(store: Store, part_ids: Sequence[str], table: str) -> None:
    """Check that no row of a table is twice in one part; a file is read for this only once.

    Raises:
        UsageError: one is, or a part is damaged.
    """
    if table not in ROW_KEYS:
        return
    stamps = {part_id: (store, part_id, table, *_stamp(store, part_id, table))
              for part_id in part_ids}  # fmt: skip
    new = [part_id for part_id, stamp in stamps.items() if stamp not in _UNIQUE]
    keys = [store.read_part(part_id, table, ROW_KEYS[table]) for part_id in new]
    # of a thousand small parts all at once takes a hundredth of the time
    if new and repeated(table, in_parts(keys), within=NUMBER):
        for part_id, rows in zip(new, keys, strict=True):
            if problem := repeated(table, rows):
                raise damaged(store.parts / part_id, problem)
    _UNIQUE.update(stamps[part_id] for part_id in new)


_UNIQUE: set[tuple[Any, ...]] = set()
"""Files that were found to have no row twice, with their times and sizes."""


def _stamp(store: Store, part_id: str, table: str) -> tuple[int, int]:
    try:
        status = (store.parts / part_id / f"{table}.parquet").stat()
    except OSError:
        return (0, 0)
    return status.st_mtime_ns, status.st_size


def in_parts(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of several parts as one table, with `NUMBER`."""
    sizes = [table.num_rows for table in tables]
    numbers = pa.array(np.repeat(np.arange(len(tables), dtype=np.int32), sizes))
    return pa.concat_tables(tables).combine_chunks().append_column(NUMBER, numbers)


def repeated(table: str, rows: pa.Table, within: str | None = None) -> str:
    """Return how many rows of a part's table are there twice, in words; empty if none is.

    Rows that differ in the column `within` are not the same.
    """
    keys = list(ROW_KEYS.get(table, ()))
    if not keys:
        return ""
    keys += [within] if within else []
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
