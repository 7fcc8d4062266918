"""Starts: what one way to draw the first weights does to the outputs of a network's layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from relu_exp.core.schema import UsageError
from relu_exp.evidence.claims.answers.numbers import digits
from relu_exp.evidence.claims.probes import SHARES, layer_factor, output_shares, probed, started
from relu_exp.evidence.claims.registry import Evidence, MissingRunsError
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.explorer.compression import Array
from relu_exp.evidence.figures.histograms import pooled

__all__ = ["DEPTH", "EXPERIMENT", "MEASURES", "OPTIONS", "SAME", "Measured", "Start", "find_start"]

EXPERIMENT = "activation-histograms"
"""Whose runs are shown."""
DEPTH = 5
"""The depth that is shown, as in the documents; where it was not run, the nearest."""
SAME = 1.1
"""The factor from layer to layer within which outputs stay as large as they are."""
ALIKE = ("depth", "width", "dataset_label", "initializer_label", "learning_rate")
"""What the runs of a start have in common."""
OPTIONS: Mapping[str, Sequence[str]] = {
    "place": ("near_zero", "between", "at_ends"),
    "spread": ("shrinks", "stays", "grows"),
}
"""By measure: what may become of the outputs, as words of the page name it."""


@dataclass(frozen=True)
class Measured:
    """What became of the outputs: an option, a number of each layer, and numbers for a sentence."""

    outcome: str
    by_layer: Sequence[str]
    words: Mapping[str, str]


@dataclass(frozen=True)
class Start:
    """Runs that differ in their seeds alone, and what they measured before training.

    `shares` has each layer's histogram: the shares of the outputs of all seeds.
    """

    runs: pd.DataFrame
    measured: Measured
    shares: Sequence[Array]


def find_start(evidence: Evidence, activation: str, start: str, measure: str) -> Start | None:
    """Return what a start does before training; None where its runs or histograms are missing.

    `start` is a name of `claims.probes.NAMED`, `measure` one of `MEASURES`.
    """
    try:
        frames = evidence[EXPERIMENT]
        runs = started(frames, [activation], [start])
        counted = frames.read(
            "histograms", run_ids=runs["run_id"].tolist(), steps="first", kind=["activation"]
        )
        runs = runs[runs["network"].eq("mlp") & runs["run_id"].isin(counted["run_id"])]
        if runs.empty:
            return None
        first = runs.iloc[int((runs["depth"] - DEPTH).abs().argmin())]
        for key in ALIKE:
            runs = runs[runs[key] == first[key]]
        runs = runs.drop_duplicates("seed")
        own = counted[counted["run_id"].isin(runs["run_id"])]
        shares = [pooled(counts) for _, counts in own.groupby("layer")["counts"]]
        return Start(runs, MEASURES[measure](frames, runs), shares)
    except (MissingRunsError, UsageError):
        return None


def _place(frames: Frames, runs: pd.DataFrame) -> Measured:
    """Measure where most outputs of the last layer lie: the mean share over seeds."""
    shares = output_shares(frames, runs).groupby("layer")[[*SHARES]].mean()
    outcome = str(shares.iloc[-1].idxmax())
    percent = [digits(100 * share) for share in shares[outcome]]
    return Measured(outcome, [f"{each}%" for each in percent], {"n": percent[-1]})


def _spread(frames: Frames, runs: pd.DataFrame) -> Measured:
    """Measure by which factor the outputs' standard deviation changes from layer to layer.

    A factor's mean is the geometric one, over layers and seeds.
    """
    layers = probed(frames, runs, "activation_std")
    effects = layer_factor(layers, "activation_std")["effect"]
    factor = float(np.exp(np.log(effects).mean()))
    outcome = "shrinks" if factor < 1 / SAME else "grows" if factor > SAME else "stays"
    spread = [digits(value) for value in layers.groupby("layer")["activation_std"].mean()]
    return Measured(outcome, spread, {"n": digits(factor), "first": spread[0], "last": spread[-1]})


MEASURES: Mapping[str, Callable[[Frames, pd.DataFrame], Measured]] = {
    "place": _place,
    "spread": _spread,
}
"""What is measured of a start: where the outputs of tanh lie, or how far those of ReLU spread."""
