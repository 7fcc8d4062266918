"""Audit of a result folder: every row of every part is checked, and nothing is trained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from relu_exp.core.naming import printable
from relu_exp.core.schema import FINISHED, TABLES, UsageError
from relu_exp.evidence.data.frames import find_results
from relu_exp.evidence.data.soundness import check_rows
from relu_exp.results.reading import read_manifest
from relu_exp.results.rows import damaged, repeated
from relu_exp.results.store import Store

__all__ = ["check_results"]


def check_results(results: Path) -> int:
    """Check all rows of a result folder, print what is wrong, and return the exit code.

    Of every part it checks the checksums, if it has any; that all values are possible; that ids
    are the hashes of their configurations; that no row is there twice; and that each belongs to a
    run of its part. Of every experiment it checks the manifests, and that no session finished a run
    twice.

    Args:
        results: folder of one experiment, or of several.

    Raises:
        UsageError: there are no results.
    """
    stores = [Store(root) for root in find_results(results)]
    num_bad = num_rows = num_unsummed = 0
    for store in stores:
        found = _Checked(store)
        for problem in found.problems():
            num_bad += 1
            print(printable(f"damaged   {' '.join(problem.split())}"), flush=True)
        num_rows += found.num_rows
        num_unsummed += found.num_unsummed
        if found.num_missing:
            print(f"note      {store.root}: {found.num_missing:,} runs asked for are not finished")
    num_parts = sum(len(store.part_ids()) for store in stores)
    if num_unsummed:
        print(f"note      {num_unsummed:,} parts of older code have no checksums")
    verdict = f"{num_bad:,} problems" if num_bad else "all sound"
    print(f"{num_rows:,} rows in {num_parts:,} parts of {len(stores):,} experiments: {verdict}")
    return 1 if num_bad else 0


class _Checked:
    """The check of one experiment, and what it counts."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.num_rows = self.num_unsummed = self.num_missing = 0
        self.finished: dict[tuple[str, str], str] = {}
        """Run and session → the part in which it finished."""

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the experiment, in a line each."""
        for part_id in self.store.part_ids():
            try:
                self._check_part(part_id)
            except UsageError as error:
                yield str(error)
        manifests = sorted(self.store.manifests.glob("[!.]*.json"))
        for path in manifests:
            try:
                read_manifest(path)
            except UsageError as error:
                yield str(error)
                return
        asked = (self.store.latest_manifest() or {}).get("run_ids") or []
        self.num_missing = len({*asked} - {run_id for run_id, _ in self.finished})

    def _check_part(self, part_id: str) -> None:
        part = self.store.parts / part_id
        summed = self.store.checksum_problem(part_id)
        if summed:
            raise damaged(part, summed)
        self.num_unsummed += summed is None
        runs = check_rows("runs", self.store.read_part(part_id, "runs"), part)
        for table in TABLES:
            rows = check_rows(table, self.store.read_part(part_id, table), part)
            self.num_rows += rows.num_rows
            if problem := repeated(table, rows) or _orphans(table, rows, runs):
                raise damaged(part, problem)
        for row in runs.select(["run_id", "session", "status"]).to_pylist():
            if row["status"] in FINISHED:
                key = row["run_id"], str(row["session"])
                if (other := self.finished.setdefault(key, part_id)) != part_id:
                    raise damaged(part, f"the same session finished run {key[0]} in {other} too")


def _orphans(table: str, rows: pa.Table, runs: pa.Table) -> str:
    """Return how many rows belong to no run of their part, in words; empty if all do."""
    if "run_id" not in rows.column_names:
        return ""
    known = pc.is_in(rows["run_id"], value_set=runs["run_id"].combine_chunks())
    number = rows.num_rows - (pc.sum(known).as_py() or 0)
    return f"{number:,} rows of {table} belong to no run of the part" if number else ""
