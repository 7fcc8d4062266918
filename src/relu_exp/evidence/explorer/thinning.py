"""Thinning: what of an experiment the explorer shows where all of it would be too large.

Histograms of pre-activations go first, then steps between the first and the last, then settings:
every other value of the longest axis. Seeds are never thinned: a mean is over all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from relu_exp.core.schema import HISTOGRAM_BINS

__all__ = ["Choice", "choices", "evenly", "expected_bytes"]

MOST_STEPS = (8, 4, 2)
"""How many probed steps are kept, one after the other, until the data fit."""
BYTES = 60
"""What a histogram takes when it is compressed, with the other quantities of its layer."""
FEWEST_SETTINGS = 4
"""So few settings are not thinned further."""
FIRST = {"learning_rate": 4.0, "depth": 3.0, "variant": 2.0, "initializer_label": 1.5}
"""Axes whose values go before those of others: the larger, the sooner."""


@dataclass(frozen=True)
class Choice:
    """What is kept: kinds of histograms, steps (None: all), and settings by their number."""

    kinds: tuple[str, ...]
    steps: tuple[int, ...] | None
    settings: frozenset[int]


def choices(
    runs: pd.DataFrame, axes: Sequence[str], probes: pd.DataFrame, *, every_setting: bool
) -> Iterator[Choice]:
    """Yield what may be kept, from everything to little.

    Args:
        runs: with a column for each axis and `setting`, the number of what the axes say.
        axes: what makes a setting.
        probes: a row (`run_id`, `step`) for each probe of a run.
        every_setting: keep all settings, and at last no histogram, instead of fewer settings.
    """
    settings = runs[[*axes, "setting"]].drop_duplicates("setting")
    whole = Choice(tuple(HISTOGRAM_BINS), None, frozenset(settings["setting"].tolist()))
    yield whole
    choice = replace(whole, kinds=("activation",))
    yield choice
    usual = _usual_steps(probes)
    for most in MOST_STEPS:
        if most < len(usual):
            choice = replace(choice, steps=tuple(evenly(usual, most)))
            yield choice
    if every_setting:
        yield replace(whole, kinds=())
        return
    while len(settings) > FEWEST_SETTINGS:
        counts = {axis: settings[axis].nunique(dropna=False) for axis in axes}
        longest = max(axes, key=lambda axis: (counts[axis] > 1) * counts[axis] * FIRST.get(axis, 1))
        values = list(dict.fromkeys(settings[longest].sort_values().tolist()))
        if len(values) == 1:
            return
        settings = settings[settings[longest].isin(evenly(values, (len(values) + 1) // 2))]
        choice = replace(choice, settings=frozenset(settings["setting"].tolist()))
        yield choice


def expected_bytes(choice: Choice, runs: pd.DataFrame, histograms: pd.DataFrame) -> int:
    """Return about how many bytes a choice takes, before its tables are read; see `choices`.

    `histograms` has a row (`run_id`, `step`) for each histogram of activations.
    """
    is_kept = histograms["step"].isin(choice.steps) if choice.steps is not None else slice(None)
    counts = histograms.loc[is_kept, "run_id"].astype(str).value_counts()
    kept = runs[runs["setting"].isin(choice.settings)]
    if kept.empty:
        return 0
    largest = kept["run_id"].map(counts).fillna(0).groupby(kept["setting"]).max().sum()
    return int(BYTES * len(choice.kinds) * largest)


def evenly(values: Sequence[Any], at_most: int) -> list[Any]:
    """Return at most so many values, evenly spaced, the first and the last among them."""
    if len(values) <= at_most:
        return list(values)
    if at_most == 1:
        return [values[-1]]
    return [values[round(n * (len(values) - 1) / (at_most - 1))] for n in range(at_most)]


def _usual_steps(probes: pd.DataFrame) -> list[int]:
    """Return the steps at which at least half of the probed runs were probed, in order."""
    counts = probes.groupby("step")["run_id"].nunique().sort_index()
    usual = counts[counts * 2 >= probes["run_id"].nunique()]
    return [int(step) for step in usual.index]
