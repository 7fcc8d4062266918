"""Values of judged runs, one row per point of a picture: what a claim's picture draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from relu_exp.evidence.claims.shown import EFFECT, OWN, Shown
from relu_exp.evidence.claims.verdicts import Effects
from relu_exp.evidence.data.derived import steps_to_threshold
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.statistics import score

__all__ = ["DIVERGED", "NOT_REACHED", "values_of"]

DIVERGED, NOT_REACHED = "diverged", "not reached"
"""What a point is marked with instead of counting as a measured value."""
_RATIOS: Mapping[str, tuple[str, str]] = {
    "unit_mean_in_spreads": ("activation_unit_mean_rms", "activation_sample_std"),
}
"""Quantities that are one over another, layer by layer."""


def values_of(frames: Frames, runs: pd.DataFrame, shown: Shown, effects: Effects) -> pd.DataFrame:
    """Return the rows of runs with `value` and `mark`, one for each point of each run.

    `mark` is `DIVERGED`, `NOT_REACHED` or empty. Axes that are not columns of the runs are added:
    `layer`, `step`, `threshold`, `moment`, and those of `effects.values`.
    """
    read = _reader(shown)
    found = read(frames, runs, shown, effects)
    if "mark" not in found:
        is_lost = (found["status"] == "diverged") & (found["step"] > 0 if "step" in found else True)
        found = found.assign(mark=is_lost.map({True: DIVERGED, False: ""}))
    return found


Read = Callable[[Frames, pd.DataFrame, Shown, Effects], pd.DataFrame]


def _reader(shown: Shown) -> Read:
    if shown.value == OWN:
        return _own
    if shown.value == EFFECT:
        return _effects
    if shown.value == "updates":
        return _updates
    if shown.x == "layer":
        return _by_layer
    if shown.x == "step":
        return _curves
    if shown.value.endswith(("_accuracy", "_loss")):
        return _final
    return _whole_network


def _own(frames: Frames, runs: pd.DataFrame, shown: Shown, effects: Effects) -> pd.DataFrame:
    """Return what the claim measured per run; a run may have several rows, or none."""
    assert effects.values is not None
    new = [name for name in effects.values if name == "run_id" or name not in runs]
    own = effects.values[new].drop_duplicates().rename(columns={OWN: "value"})
    return runs.merge(own, on="run_id")


def _effects(frames: Frames, runs: pd.DataFrame, shown: Shown, effects: Effects) -> pd.DataFrame:
    return effects.rows.assign(value=effects.rows["effect"], mark="")


def _updates(frames: Frames, runs: pd.DataFrame, shown: Shown, effects: Effects) -> pd.DataFrame:
    curves = frames.read("curves", run_ids=runs["run_id"], split=["train"])
    found = []
    for threshold in shown.thresholds:
        times = steps_to_threshold(curves, runs, "train", shown.metric, threshold)
        mark = times["reason"].where(times["censored"], "").replace("reached", "")
        times = times.assign(threshold=threshold, mark=mark, value=times["steps"].clip(lower=1.0))
        found.append(times[["run_id", "threshold", "mark", "value"]])
    return runs.merge(pd.concat(found, ignore_index=True), on="run_id")


def _by_layer(frames: Frames, runs: pd.DataFrame, shown: Shown, effects: Effects) -> pd.DataFrame:
    """Return a quantity of each layer before training, and where asked after it."""
    is_asked = "moment" in (shown.columns, shown.rows)
    moments = {"start": "first"} | ({"trained": "last"} if is_asked else {})
    found = [
        _layers(frames, runs, shown.value, step).assign(moment=moment)
        for moment, step in moments.items()
    ]
    return runs.merge(pd.concat(found, ignore_index=True), on="run_id")


def _whole_network(
    frames: Frames, runs: pd.DataFrame, shown: Shown, effects: Effects
) -> pd.DataFrame:
    """Return a quantity at the last probe, the mean over layers."""
    layers = _layers(frames, runs, shown.value, "last")
    means = layers.groupby("run_id")["value"].mean().reset_index()
    return runs.merge(means, on="run_id")


def _layers(frames: Frames, runs: pd.DataFrame, quantity: str, step: str) -> pd.DataFrame:
    names = _RATIOS.get(quantity, (quantity,))
    rows = frames.read(
        "layers",
        run_ids=runs["run_id"],
        steps="first" if step == "first" else "last",
        quantity=list(names),
        columns=["run_id", "step", "layer", "quantity", "value"],
    ).astype({"run_id": "str", "quantity": "str"})
    table = rows.pivot(index=["run_id", "step", "layer"], columns="quantity", values="value")
    value = table[names[0]]
    if len(names) > 1:
        value = value / table[names[1]].where(table[names[1]] > 0)
    return value.rename("value").reset_index()


def _curves(frames: Frames, runs: pd.DataFrame, shown: Shown, effects: Effects) -> pd.DataFrame:
    split, _, metric = shown.value.rpartition("_")
    curves = frames.read("curves", run_ids=runs["run_id"], split=[split])
    curves = curves.astype({"run_id": "str"})[["run_id", "step", metric]]
    return runs.merge(curves.rename(columns={metric: "value"}), on="run_id").assign(mark="")


def _final(frames: Frames, runs: pd.DataFrame, shown: Shown, effects: Effects) -> pd.DataFrame:
    return runs.assign(value=score(runs, f"final_{shown.value}"))
