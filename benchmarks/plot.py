"""The ratios as a picture: how many times faster fleets are than each way, with their spread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmarks.rounds import Cell
from benchmarks.table import FLEET, rows
from benchmarks.work import WORKS
from relu_exp.evidence.figures.files import save_png
from relu_exp.evidence.figures.style import GRAY, INK, RC

__all__ = ["draw"]

TICKS = [0.5, 1, 2, 3, 5, 10, 20, 50, 100, 200, 500]
NEAR_TICKS = [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.5, 2, 3]
"""Where no way is more than three times slower."""


def draw(cells: Sequence[Cell], file: Path) -> None:
    """Write a PNG with a panel for each work; nothing where there is no ratio."""
    shown = [row for row in rows(cells) if row.ratios and row.way != FLEET]
    works = list(dict.fromkeys(row.work for row in shown))
    if not shown:
        return
    counts = [sum(row.work == work for row in shown) for work in works]
    ticks = NEAR_TICKS if max(max(row.ratios) for row in shown) <= NEAR_TICKS[-1] else TICKS
    with mpl.rc_context(RC):
        height = 0.9 + sum(0.26 * count + 0.45 for count in counts)
        figure = Figure(figsize=(6.4, height), layout="constrained")
        panels = figure.subplots(
            len(works), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": counts}
        )
        for panel, work in zip(panels[:, 0], works, strict=True):
            own = [row for row in shown if row.work == work][::-1]
            for place, row in enumerate(own):
                low, middle, high = min(row.ratios), median(row.ratios), max(row.ratios)
                panel.plot([low, high], [place, place], color=INK, linewidth=3, alpha=0.35)
                panel.plot(middle, place, "o", color=INK, markersize=5)
                panel.annotate(
                    f"{middle:.3g}",
                    (high, place),
                    (7, 0),
                    textcoords="offset points",
                    va="center",
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
                )
            panel.axvline(1, color=GRAY, linewidth=1, zorder=0)
            panel.set(xscale="log", ylim=(-0.6, len(own) - 0.4))
            panel.set_yticks(range(len(own)), [row.title.replace("`", "") for row in own])
            shape = WORKS[work]
            panel.set_title(f"{work}: {shape.depth} layers of {shape.width}", loc="left")
            panel.xaxis.set_major_locator(FixedLocator(ticks))
            panel.xaxis.set_minor_locator(NullLocator())
            panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            panel.grid(axis="y", visible=False)
        panels[-1, 0].set_xlabel("relu-exp is faster by this factor (median, lowest to highest)")
        panels[-1, 0].margins(x=0.12)
        save_png(figure, file)
