"""What probes saw, layer by layer, beside the runs: the common ground of claims about signals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from relu_exp.core.schema import histogram_edges
from relu_exp.evidence.claims.registry import MissingRunsError
from relu_exp.evidence.data.frames import Frames, Steps

__all__ = [
    "HE",
    "SHARES",
    "SMALL",
    "UNIT",
    "XAVIER",
    "layer_factor",
    "output_shares",
    "probed",
    "started",
    "with_start",
]

END = 0.975
"""Beyond ±this an output of tanh is in the histogram's bar of ±1; its derivative is below 5%."""
NEAR_ZERO = 0.125
"""Within ±this a value is in one of the histogram's five bars around 0."""
SHARES = ("near_zero", "between", "at_ends")

SMALL, UNIT, XAVIER, HE = "N(0, 0.01²)", "N(0, 1)", "Xavier", "He"
NAMED = {
    SMALL: ("normal", 0.01),
    UNIT: ("normal", 1.0),
    XAVIER: ("xavier_normal", None),
    HE: ("he_normal", None),
}
"""What a start is called, its initializer and standard deviation."""


def with_start(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with `start`, the name of their initialization in `NAMED`, if it has one."""
    std = runs["initializer.std"] if "initializer.std" in runs else pd.Series(np.nan, runs.index)
    start = pd.Series(pd.NA, runs.index, dtype="object")
    for name, (initializer, wanted) in NAMED.items():
        is_it = runs["initializer"] == initializer
        start[is_it if wanted is None else is_it & (std == wanted)] = name
    return runs.assign(start=start)


def started(
    frames: Frames, activations: Sequence[str], starts: Sequence[str], depths: Sequence[int] = ()
) -> pd.DataFrame:
    """Return the finished runs of some activations and starts, `depth` and `start` among columns.

    Raises:
        MissingRunsError: an activation has no run of one of the starts, or none of a depth.
    """
    runs = with_start(frames.runs)
    runs = runs[runs["status"].isin(["done", "diverged"])]
    runs = runs[runs["activation"].isin(activations) & runs["start"].isin(starts)]
    if depths:
        runs = runs[runs["depth"].isin(depths)]
    for activation in activations:
        of_it = runs[runs["activation"] == activation]
        for start in starts:
            found = set(of_it.loc[of_it["start"] == start, "depth"])
            absent = sorted(set(depths) - found) if found else ["any"]
            if absent:
                raise MissingRunsError(
                    f"{frames.root.name} has no finished run of {activation} started with {start} "
                    f"at depth {', '.join(map(str, absent))}"
                )
    return runs


def probed(
    frames: Frames, runs: pd.DataFrame, *quantities: str, steps: Steps = "first"
) -> pd.DataFrame:
    """Return one row per run, step and layer: a column for each quantity, and those of `runs`.

    Raises:
        MissingRunsError: the runs were not probed for one of the quantities.
    """
    long = frames.read(
        "layers", run_ids=runs["run_id"].tolist(), steps=steps, quantity=list(quantities)
    )
    long = long.astype({"run_id": "str", "quantity": "str"})
    for quantity in quantities:
        if not (long["quantity"] == quantity).any():
            raise MissingRunsError(f"{frames.root.name} has no probe of {quantity}")
    wide = long.pivot(index=["run_id", "step", "layer"], columns="quantity", values="value")
    return wide.reset_index().rename_axis(columns=None).merge(runs, on="run_id", validate="m:1")


def output_shares(frames: Frames, runs: pd.DataFrame) -> pd.DataFrame:
    """Return per run and layer, before training, where a tanh layer's outputs lie: three shares.

    `near_zero` within ±0.125, `at_ends` beyond ±0.975 and `between`, from the histograms' bars;
    with the columns of `runs`.

    Raises:
        MissingRunsError: the runs have no histograms.
    """
    found = frames.read(
        "histograms", run_ids=runs["run_id"].tolist(), steps="first", kind=["activation"]
    )
    if found.empty:
        raise MissingRunsError(f"{frames.root.name} has no histograms of activations")
    counts = np.stack(found["counts"].to_list())
    edges = np.array(histogram_edges("activation"))
    middles = np.abs((edges[1:] + edges[:-1]) / 2)
    middles = np.concatenate([[np.inf], middles, [np.inf]])
    where = {
        "near_zero": middles < NEAR_ZERO,
        "between": (middles > NEAR_ZERO) & (middles < END),
        "at_ends": middles > END,
    }
    total = counts.sum(1)
    shares = {name: counts[:, inside].sum(1) / total for name, inside in where.items()}
    rows = found[["run_id", "layer"]].astype({"run_id": "str"}).assign(**shares)
    return rows.merge(runs, on="run_id", validate="m:1")


def layer_factor(
    layers: pd.DataFrame, quantity: str, *, backward: bool = False, whole: bool = False
) -> pd.DataFrame:
    """Return per run the factor by which a quantity changes from layer to layer: `effect`.

    The geometric mean over the steps from the first hidden layer to the last, or the other way for
    what flows back; with `whole` the factor over all of them. Runs' columns are kept.
    """
    ordered = layers.sort_values(["run_id", "step", "layer"])
    ends = ordered.groupby(["run_id", "step"], sort=False)
    first, last = ends.head(1).reset_index(drop=True), ends.tail(1).reset_index(drop=True)
    start, end = (last, first) if backward else (first, last)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = end[quantity].to_numpy() / start[quantity].to_numpy()
    steps = 1 if whole else np.maximum(last["layer"].to_numpy() - first["layer"].to_numpy(), 1)
    # what underflowed to zero has shrunk more than can be said
    smallest = np.finfo(np.float32).tiny
    effect = np.clip(factor, smallest, 1 / smallest) ** (1 / steps)
    return last.assign(effect=effect)
