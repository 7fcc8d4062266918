"""What is computed from the tables when it is asked for: times to a threshold, revivals, names."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from relu_exp.evidence.data.frames import Frames, unpack

__all__ = ["learned_quantities", "revivals", "steps_to_threshold"]


def steps_to_threshold(
    curves: pd.DataFrame, runs: pd.DataFrame, split: str, metric: str, threshold: float
) -> pd.DataFrame:
    """Return per run the updates until a curve first reaches `threshold`: `steps`, `censored`.

    A loss reaches it from above, an accuracy from below; the step is interpolated linearly between
    the two evaluations around the crossing. A run that never gets there is censored, and so is
    one that diverges first: both at the end of the training they were given (`num_steps`), because
    a divergence is no chance exit of somebody who would have arrived, before the first evaluation
    or after. `reason` says which: `reached`, `not reached` or `diverged`. An interrupted run is
    censored at its last evaluation; a failed one has no row, nor has any where none was evaluated,
    nor one without the metric, as a regression is without accuracy.
    """
    curve = curves.loc[curves["split"] == split, ["run_id", "step", metric]]
    curve = (
        curve.dropna(subset=metric)
        .astype({"run_id": "str"})
        .sort_values(["run_id", "step"], ignore_index=True)
    )
    value, step = curve[metric], curve["step"].astype(float)
    there = value <= threshold if metric == "loss" else value >= threshold
    same = curve["run_id"].eq(curve["run_id"].shift())
    before, begin = value.shift().where(same), step.shift().where(same)
    crossing = begin + (threshold - before) / (value - before) * (step - begin)
    curve["crossing"] = crossing.where(np.isfinite(crossing), step)
    reached = curve[there].drop_duplicates("run_id").set_index("run_id")["crossing"]
    last = curve.groupby("run_id")["step"].max()

    kept = runs.loc[runs["status"] != "failed", ["run_id", "status", "num_steps"]]
    was_lost = (kept["status"] == "diverged") & (not last.empty)
    kept = kept[kept["run_id"].isin(last.index) | was_lost]
    steps = kept["run_id"].map(reached)
    censored = steps.isna()
    given = kept["num_steps"].where(kept["status"] != "interrupted", kept["run_id"].map(last))
    words = kept["status"].map({"diverged": "diverged"}).fillna("not reached")
    return pd.DataFrame(
        {
            "run_id": kept["run_id"],
            "steps": steps.where(~censored, given).astype(float),
            "censored": censored,
            "reason": words.where(censored, "reached"),
        }
    ).reset_index(drop=True)


def revivals(dead_units: pd.DataFrame, probed: pd.DataFrame) -> pd.DataFrame:
    """Count, per run, layer and step, units that were dead at an earlier probe and are alive.

    `probed` holds the run, step and layer of every probe (rows of `layers` of one quantity),
    because a layer without dead units has no row in `dead_units`. Layers that never had one are
    left out. Columns: `num_units`; `newly_dead` (dead for the first time), `still_dead` (dead now
    and at some earlier probe), `revived` (dead at some earlier probe, alive now), `newly_revived`
    (those of them that are seen alive again for the first time).
    `newly_dead + still_dead` is the number of dead units, `still_dead + revived` that of the units
    that had been dead before.
    """
    keys = ["run_id", "layer"]
    steps_of = {
        key: np.sort(group.to_numpy())
        for key, group in probed.groupby(keys, observed=True, sort=False)["step"]
    }
    rows: list[tuple[Any, ...]] = []
    for key, group in dead_units.groupby(keys, observed=True, sort=False):
        num_units = int(group["num_units"].iloc[0])
        masks = dict(zip(group["step"], group["mask"], strict=True))
        ever, returned = np.zeros(num_units, dtype=bool), np.zeros(num_units, dtype=bool)
        for step in steps_of.get(key, np.sort(group["step"].to_numpy())):
            dead = unpack(masks[step], num_units) if step in masks else np.zeros_like(ever)
            alive = ever & ~dead
            counts = (dead & ~ever, dead & ever, alive, alive & ~returned)
            rows.append((*key, int(step), num_units, *(int(count.sum()) for count in counts)))
            ever, returned = ever | dead, returned | alive
    columns = [*keys, "step", "num_units", "newly_dead", "still_dead", "revived", "newly_revived"]
    return pd.DataFrame(rows, columns=columns)


def learned_quantities(frames: Frames, run_ids: Collection[str]) -> list[str]:
    """Return the quantities by layer that hold what the activations of runs learned."""
    first = frames.read("layers", run_ids=run_ids, steps="first", columns=["quantity"])
    names = [str(name) for name in first["quantity"].unique() if name.startswith("learned_")]
    return [name for name in names if not name.endswith(("_minimum", "_maximum"))]
