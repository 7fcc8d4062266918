"""Grouped rows: a table's columns as arrays, sorted once so that each setting is a slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from relu_exp.evidence.explorer.compression import Array

__all__ = ["Positions", "Rows", "mean"]


@dataclass(frozen=True)
class Positions:
    """Each run's setting, and its number among the runs of that setting."""

    setting: Mapping[str, int]
    seed: Mapping[str, int]

    @classmethod
    def of(cls, groups: Sequence[pd.DataFrame]) -> Positions:
        """Return the positions of runs, which come as one frame per setting."""
        ids = [[str(run_id) for run_id in group["run_id"]] for group in groups]
        return cls(
            {run_id: setting for setting, found in enumerate(ids) for run_id in found},
            {run_id: seed for found in ids for seed, run_id in enumerate(found)},
        )


@dataclass(frozen=True)
class Rows:
    """The columns of a table, sorted by setting; `seed` is a run's number within its setting."""

    columns: Mapping[str, Array]
    begins: Array

    @classmethod
    def of(cls, table: pd.DataFrame, positions: Positions, columns: Sequence[str]) -> Rows:
        """Sort a table's columns; each of its runs must have a position."""
        run_ids = table["run_id"].astype("category")
        known = list(map(str, run_ids.cat.categories))
        codes = run_ids.cat.codes.to_numpy()
        settings = np.array([positions.setting.get(run_id, -1) for run_id in known], dtype=int)[
            codes
        ]
        seeds = np.array([positions.seed.get(run_id, -1) for run_id in known], dtype=int)[codes]
        order = np.argsort(settings, kind="stable")
        sorted_columns = {name: table[name].to_numpy()[order] for name in columns}
        num_settings = 1 + max(positions.setting.values(), default=-1)
        begins = np.searchsorted(settings[order], np.arange(num_settings + 1))
        return cls({**sorted_columns, "seed": seeds[order]}, begins)

    def at(self, setting: int) -> dict[str, Array]:
        """Return the columns of one setting."""
        here = slice(self.begins[setting], self.begins[setting + 1])
        return {name: values[here] for name, values in self.columns.items()}


def mean(values: Array) -> Array:
    """Return the mean over seeds, the first axis, of what was measured; NaN where nothing was."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        found: Array = np.where(known, values, 0).sum(axis=0) / known.sum(axis=0)
    return found
