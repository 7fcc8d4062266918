"""The map of test accuracy: activation by initializer, at the best learning rates."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes

from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.figures.accuracy import at_best_rate, with_accuracy
from relu_exp.evidence.figures.catalog import DoesNotApply, Drawing, figure, finished
from relu_exp.evidence.figures.limits import left_out_words, most_across, spread
from relu_exp.evidence.figures.sheet import Sheet
from relu_exp.evidence.figures.slices import Slice, axis_words, slices
from relu_exp.evidence.figures.style import levels, plain
from relu_exp.evidence.figures.words import shown_label, text

__all__ = ["accuracy_map"]


@figure()
def accuracy_map(frames: Frames) -> Iterator[Drawing]:
    """Map of test accuracy at the best learning rate: activation by initializer and depth."""
    runs = with_accuracy(frames)
    if runs["activation_label"].nunique() < 2 and runs["initializer_label"].nunique() < 2:
        raise DoesNotApply(text("one_pair"))
    drawn = ["activation_label", "initializer_label", "depth", "learning_rate"]
    parts, left_out = slices(runs, drawn)
    for part in parts:
        yield _map(frames, part, left_out)


def _map(frames: Frames, part: Slice, left_out: str) -> Drawing:
    chosen = at_best_rate(part.runs)
    keys = ["activation_label", "initializer_label", "depth"]
    means = chosen.groupby(keys, observed=True).agg(
        value=("value", "mean"),
        rate=("learning_rate", "first"),
        edge=("at_edge", "first"),
        lost=("status", lambda status: (status == "diverged").all()),
    )
    cells = dict(means.iterrows())
    activations = levels(part.runs, "activation_label")
    initializers = levels(part.runs, "initializer_label")
    every = levels(part.runs, "depth")
    depths = spread(every, most_across(4))
    sheet = Sheet(
        1,
        len(depths),
        panel=(0.72 * len(initializers) + 0.02, 0.42 * len(activations)),
        gap=(0.16, 0.3),
    )
    colors = colormaps["cividis"]
    for axes, depth in zip(sheet.axes[0], depths, strict=True):
        values = np.full((len(activations), len(initializers)), np.nan)
        for r, activation in enumerate(activations):
            for c, initializer in enumerate(initializers):
                if (activation, initializer, depth) in cells:
                    cell = cells[activation, initializer, depth]
                    values[r, c] = cell["value"]
                    _cell(axes, r, c, cell, colors)
        axes.imshow(values, cmap=colors, vmin=0, vmax=1, aspect="auto")
        axes.grid(False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.set_xticks(
            range(len(initializers)), map(shown_label, initializers), rotation=30, ha="right"
        )
        axes.set_yticks(range(len(activations)), map(shown_label, activations))
    longest = max(len(shown_label(label)) for label in activations)
    return finished(
        frames,
        sheet,
        chosen,
        name=f"accuracy_map{part.stem}",
        title=text("accuracy_map") + (f" ({part.words})" if part.words else ""),
        caption=[
            text("map_means"),
            text("best_arms"),
            text("diverged_is_0") if (chosen["status"] == "diverged").any() else "",
            text("map_edge") if means["edge"].any() else "",
            left_out_words(len(depths), len(every), text("all_depths")),
            left_out,
        ],
        leave=("initializer_label",),
        x=text("map_edge_short") if means["edge"].any() else "",
        y="",
        column_titles=[axis_words("depth", depth) for depth in depths],
        tick_width=0.066 * longest - 0.1,
        under=0.32,
    )


def _cell(axes: Axes, row: int, column: int, cell: pd.Series[float], colors: object) -> None:
    value = float(cell["value"])
    ink = "white" if value < 0.55 else "black"
    if cell["lost"]:
        axes.text(column, row, text("diverged"), ha="center", va="center", size=7, color=ink)
        return
    star = "*" if cell["edge"] else ""
    axes.text(column, row - 0.02, f"{value:.1%}", ha="center", va="bottom", size=8, color=ink)
    axes.text(
        column, row + 0.08, f"{plain(float(cell['rate']))}{star}", ha="center", va="top", size=6.5,
        color=ink,
    )  # fmt: skip
