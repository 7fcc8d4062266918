"""Frames: one result folder as tidy DataFrames, read from Parquet part by part."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from relu_exp.core.schema import BUDGETS, PARTS, TABLES, UsageError
from relu_exp.evidence.data.commands import run_again
from relu_exp.evidence.data.labels import label_choices, stated, with_labels
from relu_exp.evidence.data.soundness import check_parts
from relu_exp.results.rows import NUMBER, check_unique
from relu_exp.results.store import Store, arrow_schema

__all__ = ["Frames", "Open", "Steps", "find_results", "unpack"]

Steps = Literal["first", "last"] | int | Collection[int] | None
"""Which steps to read: a run's first or last in the table, one, several, or all."""

_RANK = {"done": 0, "diverged": 0, "interrupted": 1, "failed": 2}
"""Of several rows of one run the lowest counts: a finished one over one that is not."""
BATCH_BYTES = 4_000_000
"""Files of one table that are read at a time; in memory they take some ten times as much."""


@dataclass(frozen=True)
class Frames:
    """The runs that the newest manifest of a result folder asks for, and what they measured.

    Tables are properties, each read once and kept; `read` reads a selection and keeps nothing,
    which is what large results need. Columns are those of `schema.TABLES`. `runs` also has one
    column per setting (`activation.negative_slope`) and per label (`activation_label`).
    """

    store: Store
    manifest: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, root: Path | str) -> Frames:
        """Return the frames of the folder of one experiment's results.

        Raises:
            UsageError: there is no such folder, no results in it or none of this schema version.
        """
        root = Path(root)
        if not root.is_dir():
            raise UsageError(f"{root} does not exist: `relu-exp run` writes results to results/")
        store = Store(root)
        store.check_version()
        if not store.part_ids():
            raise UsageError(f"{root} holds no results: run an experiment first, `relu-exp run`")
        frames = cls(store, store.latest_manifest() or {})
        if frames.runs.empty and not frames.studies:
            raise UsageError(
                f"{root} holds no run that its newest manifest asks for: "
                f"run `{run_again(root, frames.manifest)}` again"
            )
        return frames

    @property
    def root(self) -> Path:
        """The folder of the results."""
        return self.store.root

    @cached_property
    def runs(self) -> pd.DataFrame:
        """One row per run, in the order of the sweep; of repeated runs the finished one."""
        asked = list(self.manifest.get("run_ids") or [])
        found = []
        for part_ids, rows in self._checked("runs", self.store.part_ids()):
            rows = _named(rows, part_ids)
            if asked:
                rows = rows.filter(pc.is_in(rows["run_id"], value_set=pa.array(asked)))
            if rows.num_rows:
                found.append(rows)
        if not found:
            return pd.DataFrame(columns=[*TABLES["runs"], "part"])
        runs = pa.concat_tables(found).to_pandas(integer_object_nulls=False)
        runs["_rank"] = runs["status"].map(_RANK)
        runs = runs.sort_values(["_rank", "session"], ascending=[True, False], kind="stable")
        runs = runs.drop_duplicates("run_id").drop(columns="_rank")
        order = {run_id: place for place, run_id in enumerate(asked)}
        place = runs["run_id"].map(order) if asked else pd.Series(runs.index, runs.index)
        runs = runs.loc[place.sort_values(kind="stable").index].reset_index(drop=True)
        return with_labels(runs, self.manifest.get("labels") or {})

    def only(self, precision: str) -> Frames:
        """Return these frames as if no runs of another precision had been asked for."""
        runs = self.runs
        others = {*runs.loc[runs["precision"] != precision, "run_id"]}
        if not others:
            return self
        asked = self.manifest.get("run_ids") or runs["run_id"]
        kept = [run_id for run_id in asked if run_id not in others]
        if not kept:
            return self.showing(runs.iloc[:0])
        return Frames(self.store, {**self.manifest, "run_ids": kept})

    def showing(self, runs: pd.DataFrame) -> Frames:
        """Return these frames with other labels or fewer runs in `runs`."""
        shown = Frames(self.store, self.manifest)
        vars(shown)["runs"] = runs
        return shown

    def _checked(
        self, table: str, part_ids: Sequence[str], columns: Sequence[str] | None = None
    ) -> Iterator[tuple[Sequence[str], pa.Table]]:
        """Yield a table of parts, some parts at a time, with the `NUMBER` of each row's."""
        for ids in _batches(self.store, table, part_ids):
            check_unique(self.store, ids, table)
            parts = [self.store.read_part(part_id, table, columns) for part_id in ids]
            yield ids, check_parts(table, parts, [self.store.parts / part_id for part_id in ids])

    @property
    def korean(self) -> dict[str, str]:
        """Labels of `runs` whose Korean name differs, with that name."""
        own, found = self.manifest.get("labels") or {}, {}
        for group in PARTS:
            names = stated(own, group, "ko")
            columns = self.runs[[group, f"{group}_settings", f"{group}_label"]].drop_duplicates()
            rows = list(columns.itertuples(index=False, name=None))
            labels = label_choices([row[:2] for row in rows], stated(own, group, "en") | names)
            found.update({row[2]: labels[row[:2]] for row in rows if row[0] in names})
        return found

    @property
    def num_missing(self) -> int:
        """How many runs the manifest asks for that have no row at all."""
        return max(0, len(self.manifest.get("run_ids") or []) - len(self.runs))

    @property
    def stale(self) -> dict[str, list[str]]:
        """What has changed → the runs that the newest command found stale, and did not train."""
        kept = self.runs.loc[self.runs["session"] != self.manifest.get("session"), "run_id"]
        here = {*kept}
        found = {
            reason: [run_id for run_id in run_ids if run_id in here]
            for reason, run_ids in (self.manifest.get("stale") or {}).items()
        }
        return {reason: run_ids for reason, run_ids in found.items() if run_ids}

    @cached_property
    def curves(self) -> pd.DataFrame:
        """One row per run, step and split."""
        return self.read("curves")

    @cached_property
    def layers(self) -> pd.DataFrame:
        """One row per run, step, layer and quantity."""
        return self.read("layers")

    @cached_property
    def histograms(self) -> pd.DataFrame:
        """One row per run, step, layer and kind; `counts` is an array per row."""
        return self.read("histograms")

    @cached_property
    def dead_units(self) -> pd.DataFrame:
        """One row per run, step and layer with dead units; `mask` holds them as packed bits."""
        return self.read("dead_units")

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row per run, layer and quantity: mean-field theory at step 0."""
        return self.read("predictions")

    @cached_property
    def functions(self) -> pd.DataFrame:
        """One row per activation with its settings and x; with its `activation_label`."""
        keys = ["activation", "activation_settings"]
        read = (rows for _, rows in self._checked("functions", self.store.part_ids()))
        parts = [rows.drop_columns(NUMBER).to_pandas() for rows in read if rows.num_rows]
        if not parts:
            return pd.DataFrame(columns=[*TABLES["functions"], "activation_label"])
        every = pd.concat(parts, ignore_index=True).drop_duplicates([*keys, "x"])
        known = self.runs[[*keys, "activation_label"]].drop_duplicates()
        return known.merge(every, on=keys).sort_values([*keys, "x"], ignore_index=True)

    @property
    def studies(self) -> list[str]:
        """The parts of the studies that the manifest asks for and that were made."""
        made = set(self.store.part_ids())
        asked: Mapping[str, str] = self.manifest.get("studies") or {}
        return [part_id for part_id in asked.values() if part_id in made]

    @cached_property
    def checks(self) -> pd.DataFrame:
        """One row per exact check and case, from the study of formulas."""
        return self.studied("checks")

    def studied(self, table: str) -> pd.DataFrame:
        """Return the rows of a table that studies made."""
        read = [rows.drop_columns(NUMBER) for _, rows in self._checked(table, self.studies)]
        found = [rows for rows in read if rows.num_rows] or [arrow_schema(table).empty_table()]
        rows: pd.DataFrame = pa.concat_tables(found).to_pandas()
        return rows

    def has(self, table: str) -> bool:
        """Return whether any of the runs' parts has a row in `table`."""
        if table == "functions":
            return not self.functions.empty
        first = list(TABLES[table])[:1]
        return any(
            self.store.read_part(part_id, table, first).num_rows
            for part_id in self.runs["part"].unique()
        )

    def read(
        self,
        table: str,
        *,
        run_ids: Collection[str] | None = None,
        steps: Steps = None,
        columns: Sequence[str] | None = None,
        **equal: str | Collection[str],
    ) -> pd.DataFrame:
        """Return the rows of a table that belong to `run_ids` (all by default) and `steps`.

        `equal` names further columns and what to keep: a value, or several as a list.
        Repeated text comes as categories, so that a row costs some twenty bytes.

        Raises:
            UsageError: a part is damaged.
        """
        found = list(self._selected(table, run_ids, steps, columns, equal))
        if not found:
            kept = [column for column in columns or TABLES[table] if column != "run_id"]
            found = [arrow_schema(table).empty_table().select(["run_id", *kept])]
        # every part brings its own dictionary of words: one for all of them
        table_read: pd.DataFrame = pa.concat_tables(found).unify_dictionaries().to_pandas()
        return table_read

    def parts(self, table: str) -> Iterator[pd.DataFrame]:
        """Yield the runs' rows of a table, some parts of the results at a time.

        Raises:
            UsageError: a part is damaged.
        """
        for part in self._selected(table, None, None, None, {}):
            yield part.to_pandas()

    def _selected(
        self,
        table: str,
        run_ids: Collection[str] | None,
        steps: Steps,
        columns: Sequence[str] | None,
        equal: Mapping[str, str | Collection[str]],
    ) -> Iterator[pa.Table]:
        everyone = pa.array(self.runs["run_id"].tolist(), pa.string())
        owners = self.runs["part"]
        if run_ids is not None:
            owners = owners.where(self.runs["run_id"].isin(run_ids))
        wanted = sorted({str(part_id) for part_id in owners.dropna()})
        read = list(columns or TABLES[table])
        needed = dict.fromkeys(["run_id", *read, *equal, *(["step"] if steps is not None else [])])
        for part_ids, rows in self._checked(table, wanted, list(needed)):
            numbers = owners.map({part_id: number for number, part_id in enumerate(part_ids)})
            owner = pa.array(numbers.astype("Int32"), pa.int32(), from_pandas=True)
            codes = pc.index_in(rows["run_id"], value_set=everyone)
            # a run that was trained again has rows in two parts, of which one counts
            is_kept = pc.equal(pc.take(owner, codes), rows[NUMBER])
            rows = rows.append_column("code", codes).filter(is_kept)
            for column, values in equal.items():
                kept = [values] if isinstance(values, str | int) else list(values)
                rows = rows.filter(pc.is_in(rows[column], value_set=pa.array(kept)))
            rows = _at_steps(rows, steps)
            if not rows.num_rows:
                continue
            codes = rows["code"].combine_chunks()
            rows = rows.select(read) if "run_id" in read else rows.select(["run_id", *read])
            coded = pa.DictionaryArray.from_arrays(codes, everyone)
            rows = rows.set_column(rows.schema.get_field_index("run_id"), "run_id", coded)
            for place, column in enumerate(rows.schema):
                if pa.types.is_string(column.type):
                    rows = rows.set_column(place, column.name, rows[place].dictionary_encode())
            yield rows


def _batches(store: Store, table: str, part_ids: Sequence[str]) -> Iterator[list[str]]:
    """Yield parts in their order, as many at a time as take little memory, and at least one."""
    batch: list[str] = []
    total = 0
    for part_id in part_ids:
        size = 0
        with suppress(OSError):  # whoever reads it says what is wrong
            size = (store.parts / part_id / f"{table}.parquet").stat().st_size
        if batch and total + size > BATCH_BYTES:
            yield batch
            batch, total = [], 0
        batch.append(part_id)
        total += size
    if batch:
        yield batch


def _named(rows: pa.Table, part_ids: Sequence[str]) -> pa.Table:
    """Return rows with the ids of their parts in place of the numbers."""
    names = pc.take(pa.array(part_ids, pa.string()), rows[NUMBER])
    return rows.drop_columns(NUMBER).append_column("part", names)


Open = Callable[[Path], Frames]
"""Opens a folder; may return an instance that was opened before."""


def _at_steps(part: pa.Table, steps: Steps) -> pa.Table:
    if steps is None or not part.num_rows:
        return part
    if not isinstance(steps, str):
        wanted = [steps] if isinstance(steps, int) else list(steps)
        return part.filter(pc.is_in(part["step"], value_set=pa.array(wanted, pa.int32())))
    found = part.select(["run_id", "step"]).to_pandas()
    extreme = found.groupby("run_id")["step"].transform("min" if steps == "first" else "max")
    return part.filter(pa.array(found["step"] == extreme))


def unpack(mask: bytes, num_units: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return the units of a packed mask, first unit first, as booleans."""
    bits = np.unpackbits(np.frombuffer(mask, dtype=np.uint8), count=num_units)
    return bits.astype(bool)


def find_results(path: Path) -> list[Path]:
    """Return the folders of experiments in `path`: itself, or those directly beneath it.

    Raises:
        UsageError: there is no such folder, or no results in it.
    """
    if not path.is_dir():
        raise UsageError(f"{path} does not exist: `relu-exp run` writes results to results/")
    for folders in ([path], sorted(folder for folder in path.iterdir() if folder.is_dir())):
        found = [folder for folder in folders if Store(folder).part_ids()]
        if links := [folder for folder in found if folder != path and folder.is_symlink()]:
            raise UsageError(
                f"{links[0]} is a link, and results are only written inside {path}: "
                "name the folder itself"
            )
        if found:
            return found
    # where reproductions at a smaller budget than that of the committed claims went
    for budget in BUDGETS:
        if any(Store(folder).part_ids() for folder in (path / budget).glob("*/")):
            raise UsageError(f"{path} holds no results, but {path / budget} does: name that folder")
    raise UsageError(f"{path} holds no results: run an experiment first, `relu-exp run`")
