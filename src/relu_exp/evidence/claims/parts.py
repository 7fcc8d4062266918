"""Parts of a grid judged all at once: for claims about how many of them, or about any of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from relu_exp.evidence.claims.verdicts import ALPHA, Cell, Verdict, VerdictName

__all__ = ["best_rates", "cells_of", "noted", "parts_of", "scope_of", "seeds_until"]


def parts_of(effects: pd.DataFrame, grid: Sequence[str]) -> pd.DataFrame:
    """Return mean, interval and seeds of each part: the grid's columns, `mean`, `std`, `n`.

    `low` and `high` are Student's t at 95% / number of parts (Bonferroni): all intervals hold at
    once, so that they may be counted. With one seed an interval is the whole line.
    """
    groups = effects.dropna(subset=["effect"]).groupby(list(grid), observed=True, sort=True)
    found = groups["effect"].agg(["mean", "std", "count"]).reset_index()
    found = found.rename(columns={"count": "n"})
    half = _half_width(found["std"], found["n"], len(found))
    return found.assign(low=found["mean"] - half, high=found["mean"] + half)


def cells_of(
    parts: pd.DataFrame, grid: Sequence[str], sides: Sequence[VerdictName]
) -> tuple[Cell, ...]:
    """Return the parts as cells of a verdict, each with its side."""
    return tuple(
        Cell(
            {key: str(part[key]) for key in grid},
            part["mean"],
            part["low"],
            part["high"],
            int(part["n"]),
            side,
        )
        for part, side in zip(parts.to_dict("records"), sides, strict=True)
    )


def seeds_until(parts: pd.DataFrame, num_undecided: int, *thresholds: float) -> int | None:
    """Return the seeds at which at most `num_undecided` parts still cover one of the thresholds.

    If means and spreads are as measured; None if that takes more than 10,000.
    """
    gaps = np.min([np.abs(parts["mean"] - threshold) for threshold in thresholds], axis=0)
    for seeds in np.unique(np.geomspace(parts["n"].max() + 1, 10_000, 400).round()):
        covered = _half_width(parts["std"], pd.Series(seeds, parts.index), len(parts)) >= gaps
        if covered.sum() <= num_undecided:
            return int(seeds)
    return None


def noted(verdict: Verdict, *notes: str) -> Verdict:
    """Return the verdict with more notes."""
    return replace(verdict, notes=(*verdict.notes, *notes))


def best_rates(tuned: pd.DataFrame, by: Sequence[str]) -> str:
    """Return how many arms got which learning rate, for more arms than one would read about."""
    arms = tuned.drop_duplicates(list(by))
    counts = arms.groupby("learning_rate").size()
    told = ", ".join(f"{rate:g} ({count})" for rate, count in counts.items())
    edge = int(arms["at_edge"].sum())
    return f"Best validated learning rates (arms): {told}; {edge} of them the last one tried."


def scope_of(runs: pd.DataFrame) -> str:
    """Return the setting of runs in words: data, network, initialization, optimizer, updates."""

    def values(column: str, blank: str = "all") -> str:
        found: list[Any] = list(runs[column].dropna().unique()) if column in runs else []
        told = [f"{value:g}" if isinstance(value, float) else str(value) for value in sorted(found)]
        missing = column not in runs or runs[column].isna().any()
        return ", ".join([*told, *([blank] if missing else [])])

    return (
        f"{values('dataset')} with {values('dataset.num_train')} training images; "
        f"{values('network')} of {values('depth')} hidden layers, "
        f"width {values('width', 'fixed')}; {values('initializer_label')}; "
        f"{values('optimizer_label')}, batches of {values('batch_size')}, "
        f"{values('num_steps')} updates."
    )


def _half_width(std: pd.Series, n: pd.Series, num_parts: int) -> pd.Series:
    half = stats.t.ppf(1 - ALPHA / 2 / num_parts, np.maximum(n - 1, 1)) * std / np.sqrt(n)
    # accuracies come in steps, so a few seeds agree exactly by chance: a sign test must allow it
    by_chance = (std < 1e-6) & (2.0 ** (1 - n) > ALPHA / num_parts)
    return pd.Series(half, std.index).where((n > 1) & ~by_chance, np.inf)
