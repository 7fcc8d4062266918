"""The activation functions themselves, beside their derivatives."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MultipleLocator

from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.figures.catalog import Drawing, figure, finished
from relu_exp.evidence.figures.fonts import heading_weight
from relu_exp.evidence.figures.sheet import Sheet
from relu_exp.evidence.figures.style import INK, levels, looks
from relu_exp.evidence.figures.words import shown_label, text

__all__ = ["function_curves"]

COLUMNS = 5
LIMITS = (-1.9, 3.2)


@figure("functions")
def function_curves(frames: Frames) -> Iterator[Drawing]:
    """Activation functions and their derivatives."""
    shown = looks(frames.runs)
    labels = levels(frames.runs, "activation_label")
    table = frames.functions[frames.functions["x"].abs() <= 5]
    # full rows: 14 functions as 5 + 5 + 4, six as 3 + 3
    columns = -(-len(labels) // -(-len(labels) // COLUMNS))
    rows = -(-len(labels) // columns)
    title_rows = max(len(wrap(shown_label(label), 24)) for label in labels)
    sheet = Sheet(rows, columns, panel=(1.75, 1.65), gap=(0.14, 0.18 + 0.16 * title_rows))

    def paint(axes: Axes, label: str, curve: pd.DataFrame) -> None:
        axes.axhline(0, color="#bbbbbb", lw=0.7, zorder=0)
        axes.axvline(0, color="#bbbbbb", lw=0.7, zorder=0)
        axes.plot(curve["x"], curve["value"], color=shown[label].color, lw=2.0)
        axes.plot(curve["x"], curve["derivative"], color=INK, lw=1.1, linestyle=(0, (3, 1.5)))
        axes.set_title(
            "\n".join(wrap(shown_label(label), 24)),
            pad=3,
            weight=heading_weight(shown_label(label)),
            linespacing=1.1,
        )
        axes.set_ylim(*LIMITS)
        axes.set_xlim(-4.8, 4.8)
        axes.xaxis.set_major_locator(MultipleLocator(2.0))
        axes.yaxis.set_major_locator(MultipleLocator(1.0))

    for axes, label in zip(sheet.panels, labels, strict=False):
        paint(axes, str(label), table[table["activation_label"] == label])
    for axes in sheet.panels[len(labels) :]:
        axes.set_visible(False)
    yield finished(
        frames,
        sheet,
        frames.runs,
        name="function_curves",
        title=text("functions"),
        caption=[
            text("functions_mean", low=f"{LIMITS[0]:g}", high=f"{LIMITS[1]:g}"),
        ],
        note=text("functions_exact"),
        x=text("function_axis"),
        y=text("value"),
        over=0.04 + 0.16 * title_rows,
        handles=[
            Line2D([], [], color="#555555", lw=2.0, label=text("function")),
            Line2D([], [], color=INK, lw=1.1, linestyle=(0, (3, 1.5)), label=text("derivative")),
        ],
    )
