"""Overfitting at matched training loss: a gap that is not the mere effect of fitting more."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from relu_exp.evidence.data.frames import Frames

__all__ = ["FITTED", "with_matched_gap"]

FITTED = 0.05
"""The training loss at which gaps are compared: the right class has a probability of 95%."""


def with_matched_gap(frames: Frames, runs: pd.DataFrame, loss: float = FITTED) -> pd.DataFrame:
    """Return the runs with `gap`, test loss less training loss when the latter first is `loss`.

    Between two evaluations the gap is interpolated linearly along the logarithm of the training
    loss. A run that never fits so well has none (NaN).
    """
    curves = frames.read(
        "curves",
        run_ids=runs["run_id"].tolist(),
        split=["train", "test"],
        columns=["run_id", "step", "split", "loss"],
    ).astype({"run_id": "str", "split": "str"})
    table = curves.pivot_table(index=["run_id", "step"], columns="split", values="loss")
    gaps = {run_id: _gap(part, loss) for run_id, part in table.groupby(level="run_id")}
    return runs.assign(gap=runs["run_id"].map(gaps).astype(float))


def without_gap(runs: pd.DataFrame) -> tuple[str, ...]:
    """Return a note on the runs that have no `gap`; none where all have one."""
    never = int(runs["gap"].isna().sum())
    note = f"{never} of {len(runs)} runs never fit so well, and have no gap."
    return (note,) if never else ()


def _gap(curve: pd.DataFrame, loss: float) -> float:
    train, test = curve["train"].to_numpy(), curve["test"].to_numpy()
    there = np.flatnonzero(train <= loss)
    if not len(there) or there[0] == 0:
        return math.nan
    after = there[0]
    # a run that fits exactly has no logarithm: it counts as the smallest number
    ends = np.log(np.maximum(train[after - 1 : after + 1], np.finfo(float).tiny))
    share = (math.log(loss) - ends[0]) / (ends[1] - ends[0])
    gaps = (test - train)[after - 1 : after + 1]
    return float(gaps[0] + share * (gaps[1] - gaps[0]))
