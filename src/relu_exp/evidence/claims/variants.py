"""The variants of ReLU: what claims about their leaks have in common."""

from __future__ import annotations

import math

import pandas as pd

from relu_exp.evidence.claims.arms import in_words, with_gap

__all__ = ["MARGIN", "XU", "described", "points_in_words"]

XU = "Xu, Wang, Chen, Li 2015, arXiv:1505.00853"
MARGIN = 0.005
"""The least difference in test accuracy that counts as better: half a percentage point."""


def described(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with `leak` (0 for ReLU), `data` and the accuracies that claims compare."""
    sizes = runs.get("dataset.num_train", math.nan)
    runs = with_gap(runs).assign(images=sizes, initializer=runs["initializer_label"].astype(str))
    sizes_in_words = runs["images"].map(
        lambda size: "all samples" if pd.isna(size) else f"{size:g} samples"
    )
    runs["data"] = runs["dataset"] + ", " + sizes_in_words
    slope = runs.get("activation.negative_slope", math.nan)
    runs["leak"] = pd.Series(slope, runs.index, dtype=float).mask(runs["activation"] == "relu", 0.0)
    return runs


def points_in_words(effects: pd.DataFrame) -> str:
    """Return the mean of effects in percentage points, with its interval."""
    return in_words(effects.assign(effect=effects["effect"] * 100), unit=" points")
