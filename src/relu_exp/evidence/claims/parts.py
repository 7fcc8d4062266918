"""Parts of a grid judged all at once: for claims about how many of them, or about any of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from relu_exp.evidence.claims.verdicts import ALPHA, Cell, Verdict, VerdictName

__all__ = ["best_rates", "cells_of", "noted", "parts_of", "scope_of", "seeds_until"]


def parts_of(effects: pd.DataFrame, grid: Sequence[str]) -> pd.DataFrame:
    """Return mean, interval and seeds of each part: the grid's columns, `mean`, `std`, `n`.

    A seed counts once, with the mean of its rows. `low` and `high` are Student's t at 95% / number
    of parts (Bonferroni): all intervals hold at once, so that they may be counted. With one seed an
    interval is the whole line.
    """
    clean = effects.dropna(subset=["effect"])
    of_seeds = clean.groupby([*grid, "seed"], observed=True)["effect"].mean().reset_index()
    groups = of_seeds.groupby(list(grid), observed=True, sort=True)
    found = groups["effect"].agg(["mean", "std", "count"]).reset_index()
    return _with_intervals(found.rename(columns={"count": "n"}))


def cells_of(
    parts: pd.DataFrame, grid: Sequence[str], sides: Sequence[VerdictName]
) -> tuple[Cell, ...]:
    """Return the parts as cells of a verdict, each with its side and its own 95% interval."""
    half = _half_width(parts["std"], parts["n"], num_parts=1)
    return tuple(
        Cell(
            {key: str(part[key]) for key in grid},
            part["mean"],
            part["mean"] - own,
            part["mean"] + own,
            int(part["n"]),
            side,
        )
        for part, own, side in zip(parts.to_dict("records"), half, sides, strict=True)
    )


def seeds_until(parts: pd.DataFrame, name_of: Callable[[pd.DataFrame], VerdictName]) -> int | None:
    """Return the seeds at which a rule decides, if means and spreads are as measured.

    Args:
        parts: what `parts_of` returned.
        name_of: the rule, given such parts.

    Returns:
        None if that takes more than 10,000.
    """
    for seeds in np.unique(np.geomspace(parts["n"].max() + 1, 10_000, 400).round()):
        if name_of(_with_intervals(parts.assign(n=int(seeds)))) != "inconclusive":
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


def _with_intervals(parts: pd.DataFrame) -> pd.DataFrame:
    half = _half_width(parts["std"], parts["n"], len(parts))
    return parts.assign(low=parts["mean"] - half, high=parts["mean"] + half)


def _half_width(std: pd.Series, n: pd.Series, num_parts: int) -> pd.Series:
    half = stats.t.ppf(1 - ALPHA / 2 / num_parts, np.maximum(n - 1, 1)) * std / np.sqrt(n)
    # accuracies come in steps, so a few seeds agree exactly by chance: a sign test must allow it
    by_chance = (std < 1e-6) & (2.0 ** (1 - n) > ALPHA / num_parts)
    return pd.Series(half, std.index).where((n > 1) & ~by_chance, np.inf)
