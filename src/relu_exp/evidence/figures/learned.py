"""What activations learn: the parameter of each layer during training."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from relu_exp.evidence.data.derived import learned_quantities
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.statistics import best_learning_rates, summarize
from relu_exp.evidence.figures.catalog import DoesNotApply, Drawing, figure, finished
from relu_exp.evidence.figures.limits import left_out_words, spread
from relu_exp.evidence.figures.lines import Grid, handles, interval_line, interval_words
from relu_exp.evidence.figures.sheet import Sheet
from relu_exp.evidence.figures.slices import AXES, Slice, slices, trained
from relu_exp.evidence.figures.style import Look, looks, plain, steps_axis
from relu_exp.evidence.figures.words import shown_label, text

__all__ = ["learned_parameters"]

ARMS = [axis for axis in AXES if axis != "learning_rate"]
PANELS = ["initializer_label", "depth"]
MOST_LAYERS = 8


@figure("layers")
def learned_parameters(frames: Frames) -> Iterator[Drawing]:
    """The parameter that an activation learns, by layer during training."""
    runs = trained(frames.runs)
    best = best_learning_rates(runs, ARMS)[[*ARMS, "learning_rate"]]
    runs = runs.merge(best, on=[*ARMS, "learning_rate"])
    names = learned_quantities(frames, runs["run_id"])
    if not names:
        raise DoesNotApply(text("nothing_learned"))
    for name in names:
        measured = frames.read("layers", run_ids=runs["run_id"], quantity=[name])
        learning = runs[runs["run_id"].isin(measured["run_id"])]
        parts, left_out = slices(learning, [*PANELS, "learning_rate"])
        for part in parts:
            yield _drawing(frames, part, name, measured, left_out)


def _drawing(
    frames: Frames, part: Slice, name: str, measured: pd.DataFrame, left_out: str
) -> Drawing:
    """Draw one learned parameter of one slice: a panel per initializer and depth."""
    joined = measured.merge(part.runs[["run_id", *PANELS]], on="run_id")
    every = sorted(joined["layer"].unique())
    kept = spread(every, MOST_LAYERS)
    values = summarize(joined[joined["layer"].isin(kept)], [*PANELS, "layer", "step"], "value")
    shown = looks(values, "layer")
    grid = Grid.of(part.runs, "depth", "initializer_label")
    sheet = Sheet(len(grid.rows), len(grid.columns))
    last = int(part.runs["num_steps"].max())
    grid.fill(sheet.axes, values, partial(_paint, shown=shown, last=last))
    activation = shown_label(part.runs["activation_label"].iloc[0])
    names = [] if activation in part.words else [activation]
    which = ", ".join(filter(None, [*names, part.words]))
    word = name.removeprefix("learned_").replace("_", " ")
    rates = sorted(part.runs["learning_rate"].unique())
    return finished(
        frames,
        sheet,
        part.runs,
        name=f"{name}{part.stem}",
        title=text("learned_title", name=word, words=which),
        caption=[
            text("learned_means", name=word),
            text("learned_rates", rates=", ".join(map(plain, rates))),
            interval_words(values),
            left_out_words(len(kept), len(every), text("all_layers")),
            grid.left_out,
            left_out,
        ],
        x=text("updates"),
        y=word,
        column_titles=grid.column_titles,
        row_titles=grid.row_titles,
        handles=handles(shown, lambda layer: text("layer", n=layer)),
        tick_width=0.46,
    )


def _paint(axes: Axes, panel: pd.DataFrame, shown: dict[int, Look], last: int) -> None:
    for layer, look in shown.items():
        interval_line(axes, panel[panel["layer"] == layer], "step", look)
    steps_axis(axes, last)
