"""Figures by layer before training: signal and gradient, measured and predicted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.statistics import summarize
from relu_exp.evidence.figures.catalog import DoesNotApply, Drawing, figure, finished
from relu_exp.evidence.figures.lines import Grid, handles, interval_line, interval_words
from relu_exp.evidence.figures.sheet import Sheet
from relu_exp.evidence.figures.slices import TRAINING_AXES, Slice, before_training, slices
from relu_exp.evidence.figures.style import EMPTY_LIMITS, INK, log_axis, looks
from relu_exp.evidence.figures.words import text

__all__ = ["gradient_by_layer", "signal_by_layer", "unit_signal_by_layer"]

SMALLEST = 1e-30
"""Smaller values are not drawn; the caption names them."""
KEYS = ["activation_label", "initializer_label", "depth"]
DASHED: dict[str, Any] = {"color": INK, "linestyle": (0, (2, 2)), "lw": 1.0}


class Shown(NamedTuple):
    """One quantity as a figure: the stem of its file, and the keys of how to read it."""

    stem: str
    reading: str
    theory: str = "theory_means"


QUANTITIES: Mapping[str, Shown] = {
    "weight_grad_norm": Shown("weight_gradient_by_layer", "read_gradient"),
    "activation_grad_norm": Shown(
        "activation_gradient_by_layer", "read_gradient", "theory_means_from_last"
    ),
    "activation_std": Shown("activation_std_by_layer", "read_signal"),
    "activation_sample_std": Shown("activation_sample_std_by_layer", "read_signal"),
    "activation_unit_mean_rms": Shown("activation_unit_mean_by_layer", "read_unit_means"),
}
"""The quantities that are drawn; their own names are the keys of their words."""


@figure("layers")
def gradient_by_layer(frames: Frames) -> Iterator[Drawing]:
    """Norm of the gradient by layer before training, with theory."""
    yield from _by_layer(frames, "weight_grad_norm")
    yield from _by_layer(frames, "activation_grad_norm")


@figure("layers")
def signal_by_layer(frames: Frames) -> Iterator[Drawing]:
    """Standard deviation of the activations by layer before training, with theory."""
    yield from _by_layer(frames, "activation_std")


@figure("layers")
def unit_signal_by_layer(frames: Frames) -> Iterator[Drawing]:
    """Spread over samples and mean of single units by layer before training."""
    yield from _by_layer(frames, "activation_sample_std")
    yield from _by_layer(frames, "activation_unit_mean_rms")


def _by_layer(frames: Frames, quantity: str) -> Iterator[Drawing]:
    runs = before_training(frames.runs)
    measured = frames.read("layers", run_ids=runs["run_id"], steps=(0,), quantity=[quantity])
    if measured.empty:
        raise DoesNotApply(text("not_probed_first", quantity=quantity))
    predicted = _predicted(frames, runs, quantity, measured)
    runs = runs[runs["run_id"].isin(measured["run_id"])]
    parts, left_out = slices(runs, [*KEYS, *TRAINING_AXES])
    for part in parts:
        yield _drawing(frames, part, quantity, measured, predicted, left_out)


def _predicted(
    frames: Frames, runs: pd.DataFrame, quantity: str, measured: pd.DataFrame
) -> pd.DataFrame:
    """Return theory's value per run and layer.

    Theory predicts by which factor a gradient changes from layer to layer, not its size: the line
    begins at the gradient measured in the last hidden layer.
    """
    keys = ["run_id", "layer"]
    if quantity != "activation_grad_norm":
        return frames.read("predictions", run_ids=runs["run_id"], quantity=[quantity])
    factors = frames.read("predictions", run_ids=runs["run_id"], quantity=["gradient_factor"])
    factors = factors.sort_values(keys, ascending=[True, False])
    ends = measured.sort_values(keys).drop_duplicates("run_id", keep="last")
    product = factors.groupby("run_id", observed=True)["value"].cumprod()
    last = factors["run_id"].astype(str).map(ends.set_index(ends["run_id"].astype(str))["value"])
    return factors.assign(value=product * last)


def _drawing(
    frames: Frames,
    part: Slice,
    quantity: str,
    measured: pd.DataFrame,
    predicted: pd.DataFrame,
    left_out: str,
) -> Drawing:
    described = part.runs[["run_id", *KEYS]]
    joined = measured.merge(described, on="run_id")
    overflowed = joined.loc[np.isinf(joined["value"]), "activation_label"]
    values = summarize(joined, [*KEYS, "layer"], "value", log=True)
    theory = predicted.merge(described, on="run_id")
    theory = theory.groupby([*KEYS, "layer"], observed=True)["value"].mean().reset_index()
    theory = theory[theory["value"] >= SMALLEST]
    means = pd.concat([values["mean"], theory["value"]])
    means = means[means >= SMALLEST]
    low, high = (means.min() / 3, means.max() * 3) if len(means) else EMPTY_LIMITS
    shown, words = looks(part.runs), QUANTITIES[quantity]
    grid = Grid.of(part.runs, "depth", "initializer_label")
    sheet = Sheet(len(grid.rows), len(grid.columns), share_x=False)

    def paint(axes: Axes, panel: pd.DataFrame) -> None:
        for label, look in shown.items():
            line = panel[(panel["activation_label"] == label) & (panel["mean"] >= SMALLEST)]
            interval_line(axes, line, "layer", look)
        if not panel.empty:
            here = (theory[KEYS[1:]] == panel.iloc[0][KEYS[1:]]).all(axis=1)
            for _, line in theory[here].groupby("activation_label", observed=True):
                axes.plot(line["layer"], line["value"], zorder=3, **DASHED)
            axes.set_xlim(0.7, int(panel["layer"].max()) + 0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
        log_axis(axes.yaxis, np.log10(high / low))
        axes.set_ylim(low, high)

    grid.fill(sheet.axes, values, paint)
    entries = handles(shown)
    if len(theory):
        entries.append(Line2D([], [], label=text("theory"), **DASHED))
    return finished(
        frames,
        sheet,
        part.runs,
        name=words.stem + part.stem,
        title=text(quantity) + (f" ({part.words})" if part.words else ""),
        caption=[
            text(f"{quantity}_means"),
            text(words.reading),
            interval_words(values, log=True),
            text(words.theory) if len(theory) else "",
            _not_drawn(values, overflowed),
            grid.left_out,
            left_out,
        ],
        leave=TRAINING_AXES,
        x=text("hidden_layer"),
        y=text(f"{quantity}_unit"),
        column_titles=grid.column_titles,
        row_titles=grid.row_titles,
        handles=entries,
        tick_width=0.5,
    )


def _not_drawn(values: pd.DataFrame, overflowed: pd.Series[Any]) -> str:
    """Return the sentences that name activations with values beyond the logarithmic axis.

    `overflowed` holds the labels of runs of which a value was infinite.
    """
    zero = values.loc[(values["num_zero"] > 0) & (values["n"] == 0), "activation_label"]
    tiny = values.loc[values["mean"] < SMALLEST, "activation_label"]
    found = (("too_zero", zero), ("too_small", tiny), ("too_large", overflowed))
    return " ".join(
        text(key, names=", ".join(dict.fromkeys(map(str, labels))), limit=f"{SMALLEST:g}")
        for key, labels in found
        if len(labels)
    )
