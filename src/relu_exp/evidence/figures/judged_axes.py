"""The axes of a judged picture: the same for all panels, with numbers at the outer ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullLocator, PercentFormatter

from relu_exp.evidence.claims.shown import Shown
from relu_exp.evidence.figures.fonts import width_of
from relu_exp.evidence.figures.judged_panels import LETTER, Panel
from relu_exp.evidence.figures.judged_words import axis_title, place_words
from relu_exp.evidence.figures.limits import spread
from relu_exp.evidence.figures.pictures import LETTERS, WIDTH
from relu_exp.evidence.figures.style import log_axis

__all__ = ["finish", "room_for_numbers"]

NARROW = 0.25
"""Large shares that differ by less than this are drawn on an axis that does not begin at 0."""


def finish(
    figure: Figure,
    axes: Sequence[Axes],
    across: int,
    panels: Sequence[Panel],
    values: pd.DataFrame,
    shown: Shown,
    places: list[Any] | None,
) -> None:
    """Give all panels the same axes, and numbers only to the outer ones.

    Layers are numbered in each panel: networks differ in depth.
    """
    limits = _limits(values["value"].astype(float), shown)
    for number, (one, panel) in enumerate(zip(axes, panels, strict=True)):
        one.tick_params(labelsize=LETTERS, pad=2)
        _x_axis(one, panel.rows if shown.x == "layer" else values, shown, places, across)
        if shown.log:
            log_axis(one.yaxis, np.log10(limits[1] / limits[0]))
            if limits[1] / limits[0] > 100:
                one.yaxis.set_major_locator(LogLocator(numticks=4))
        else:
            one.yaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 2, 2.5, 5, 10]))
        if shown.share:
            one.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        one.set_ylim(*limits)
        below = number + across >= len(axes) or shown.x == "layer"
        one.tick_params(labelbottom=below, labelleft=number % across == 0)
    tall = 72 * figure.get_size_inches()[1]
    figure.supxlabel(axis_title(shown.x), size=LETTERS, y=4 / tall, va="bottom")


def _limits(values: pd.Series[float], shown: Shown) -> tuple[float, float]:
    is_narrow = values.min() > 0.5 and values.max() - values.min() < NARROW
    if shown.share and shown.line is None and is_narrow:
        pad = 0.1 * float(values.max() - values.min()) or 0.01
        return float(values.min()) - pad, float(values.max()) + pad
    if shown.share:
        low = float(min(values.min(), shown.line if shown.line is not None else np.inf))
        top = max(float(values.max()), shown.line or 0.0)
        top = next((top_ for top_ in (0.05, 0.1, 0.25, 0.5) if top < 0.9 * top_), 1.0)
        return -0.04 * top if low >= 0 else low - 0.05, 1.05 * top
    inside = [float(values.min()), float(values.max())]
    if shown.line is not None:
        inside.append(shown.line)
    low, high = min(inside), max(inside)
    if shown.log:
        return low / 1.5, high * 1.5
    pad = 0.08 * (high - low) or 0.1
    return low - pad, high + pad


def _x_axis(
    axes: Axes, rows: pd.DataFrame, shown: Shown, places: list[Any] | None, across: int
) -> None:
    room = (WIDTH - 50) / across
    if places is not None:
        names = [place_words(shown.x, place, shown) for place in places]
        longest = max(map(width_of, names)) * LETTER + 6
        kept = spread(list(range(len(places))), max(2, int(room // longest)))
        axes.set_xticks(kept, [names[place] for place in kept])
        axes.set_xlim(-0.5, len(places) - 0.5)
        return
    numbers = rows[shown.x].astype(float)
    if shown.x == "learning_rate":
        log_axis(axes.xaxis)
        tried = sorted(set(numbers))
        kept = spread(tried, 2 if across > 1 else 4)
        axes.xaxis.set_major_locator(FixedLocator(kept))
        apart = max((tried[-1] / tried[0]) ** 0.08, 1.15)
        axes.set_xlim(tried[0] / apart, tried[-1] * apart)
        if across > 1 and len(kept) > 1:
            # within the panel, so that no number meets that of the next
            first, last = axes.get_xticklabels()
            first.set_horizontalalignment("left")
            last.set_horizontalalignment("right")
    elif shown.x == "layer":
        most = 3 if across > 1 else 6
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=most, min_n_ticks=1))
        axes.set_xlim(0.6, numbers.max() + 0.4)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
        axes.set_xlim(0, numbers.max() * 1.02)
    axes.xaxis.set_minor_locator(NullLocator())


def room_for_numbers(values: pd.DataFrame, shown: Shown) -> float:
    """Return how wide the numbers beside the panels are, in points."""
    if shown.share:
        return 42.0
    low, high = _limits(values["value"].astype(float), shown)
    if shown.log:
        return 44.0 if high < 1e4 and low > 1e-3 else 50.0
    return 20.0 + 7 * len(f"{max(abs(low), abs(high)):.2g}")
