"""Lines with intervals over seeds, and the grid of panels that most figures share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from relu_exp.evidence.figures.limits import left_out_words, most_across, most_down, spread
from relu_exp.evidence.figures.slices import axis_words
from relu_exp.evidence.figures.style import Look, levels
from relu_exp.evidence.figures.words import shown_label, text

__all__ = [
    "Grid",
    "crossed",
    "dodge",
    "handles",
    "interval_line",
    "interval_words",
    "lost_most",
    "only",
    "shift",
]

DODGE = 1.05
"""Largest factor along x between neighboring series, so that they do not hide each other."""
MOST_DODGE = 1.25
"""Largest factor by which a series is moved along x, however many there are."""


@dataclass(frozen=True)
class Grid:
    """The panels of a figure: one axis of the sweep down, another across."""

    row_axis: str
    column_axis: str
    rows: list[Any]
    columns: list[Any]
    left_out: str = ""

    @classmethod
    def of(cls, runs: pd.DataFrame, row_axis: str, column_axis: str, at_most: int = 6) -> Grid:
        """Return the panels for the values that occur, at most so many each way.

        A single column of panels becomes a row: figures are wider than high.
        """
        if runs[column_axis].nunique(dropna=False) == 1:
            row_axis, column_axis = column_axis, row_axis
        rows, columns = levels(runs, row_axis), levels(runs, column_axis)
        kept = spread(rows, most_down(at_most)), spread(columns, most_across(at_most))
        num_kept = len(kept[0]) * len(kept[1])
        note = left_out_words(num_kept, len(rows) * len(columns), text("all_panels"))
        return cls(row_axis, column_axis, *kept, note)

    @property
    def column_titles(self) -> list[str]:
        """The title of each column; a single panel needs none."""
        if len(self.rows) == len(self.columns) == 1:
            return []
        return [axis_words(self.column_axis, value) for value in self.columns]

    @property
    def row_titles(self) -> list[str]:
        """The title of each row, unless there is only one."""
        if len(self.rows) == 1:
            return []
        return [axis_words(self.row_axis, value) for value in self.rows]

    def fill(
        self,
        axes: list[list[Axes]],
        frame: pd.DataFrame,
        paint: Callable[[Axes, pd.DataFrame], None],
        empty: str = "",
    ) -> None:
        """Call `paint` with each panel and the rows of `frame` that belong into it.

        A panel without rows shows the text `empty`, or that there are no runs.
        """
        empty = empty or text("no_runs")
        for r, row in enumerate(self.rows):
            for c, column in enumerate(self.columns):
                panel = only(only(frame, self.row_axis, row), self.column_axis, column)
                if panel.empty:
                    axes[r][c].text(
                        0.5, 0.5, empty, transform=axes[r][c].transAxes, ha="center", size=8
                    )
                paint(axes[r][c], panel)


def only(frame: pd.DataFrame, column: str, value: Any) -> pd.DataFrame:
    """Return the rows in which a column has a value, which may be null."""
    return frame[frame[column].isna()] if pd.isna(value) else frame[frame[column] == value]


def interval_line(
    axes: Axes,
    summary: pd.DataFrame,
    x: str,
    look: Look,
    *,
    band: bool = True,
    share: bool = False,
    **changes: Any,
) -> None:
    """Draw the means of `statistics.summarize` over `x`, with their intervals as a band or bars.

    The interval of a `share` ends at 0 and 1, as the share does.
    """
    line = summary.dropna(subset=["mean"]).sort_values(x)
    if line.empty:
        return
    axes.plot(line[x], line["mean"], **{**look.kwargs, **changes})
    # two runs are too few for an interval: their range is drawn instead
    pair = line["n"] == 2
    low, high = line["low"].mask(pair, line["least"]), line["high"].mask(pair, line["most"])
    line = line.assign(low=low, high=high)
    if share:
        line = line.assign(low=line["low"].clip(0, 1), high=line["high"].clip(0, 1))
    if line["low"].notna().any():
        if band:
            axes.fill_between(
                line[x].astype(float), line["low"], line["high"], color=look.color, alpha=0.15, lw=0
            )
        else:
            axes.vlines(line[x], line["low"], line["high"], color=look.color, lw=0.9, alpha=0.8)


def lost_most(runs: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Return `keys` of the points at which half or more of the runs diverged: no line leads there.

    What such a run was last seen with is no end of a training.
    """
    is_lost = runs.assign(lost=runs["status"].eq("diverged"))
    shares = is_lost.groupby(list(keys), observed=True, dropna=False)["lost"].mean().reset_index()
    return shares.loc[shares["lost"] >= 0.5, list(keys)]


def crossed(summary: pd.DataFrame, lost: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Return a summary whose points in `lost` have no mean to be joined, but a `height`.

    `is_lost` says which they are.
    """
    found = summary.merge(lost.assign(is_lost=True), on=list(keys), how="left")
    is_lost = found["is_lost"].notna()
    mean = found["mean"]
    return found.assign(is_lost=is_lost, height=mean.where(is_lost), mean=mean.mask(is_lost))


def shift(index: int, count: int) -> float:
    """Return the factor along x by which one of `count` series is moved."""
    middle = (count - 1) / 2
    step = min(DODGE, MOST_DODGE ** (1 / middle)) if middle else 1.0
    return float(step ** (index - middle))


def dodge(line: pd.DataFrame, x: str, index: int, count: int) -> pd.DataFrame:
    """Move a line's points a little along a logarithmic axis, so that bars do not hide bars."""
    return line.assign(**{x: line[x] * shift(index, count)})


def interval_words(
    summary: pd.DataFrame, *, log: bool = False, band: bool = True, over: str = ""
) -> str:
    """Return the caption's sentences about means and intervals, if there are any.

    With `log`, the seeds that a geometric mean must leave out are counted. `over` names what the
    means are over, `seeds` or `repeats`, and tells their number where points differ in it.
    """
    if not summary["n"].any():
        return ""
    mean = text("geometric_mean" if log else "mean")
    largest = int((summary["n"] + summary["num_zero"] if log else summary["n"]).max())
    if largest == 1:
        return text("no_interval")
    shape = text("bands" if band else "bars")
    least = int(summary.loc[summary["n"] > 0, "n"].min())
    number = f"{least}–{largest}" if over and least < largest else f"{largest}"
    if over == "repeats":
        means = text("interval_repeats", mean=mean, shape=shape, n=number)
    else:
        key = "range_of_two" if largest == 2 else "interval"
        means = text(key, mean=mean, shape=shape, n=number)
    return f"{means} {_zeros_left_out(summary) if log else ''}".rstrip()


def _zeros_left_out(summary: pd.DataFrame) -> str:
    """Return the sentence about seeds that are 0 and left out of a geometric mean."""
    some = summary[(summary["num_zero"] > 0) & (summary["n"] > 0)]
    if some.empty:
        return ""
    zeros, others = max(zip(some["num_zero"], some["n"], strict=True))
    return text("zeros_left_out", zeros=zeros, n=zeros + others)


def handles(
    shown: Mapping[Any, Look], words: Callable[[Any], str] = shown_label, **changes: Any
) -> list[Any]:
    """Return the legend's entries for looks by value."""
    return [look.handle(words(value), **changes) for value, look in shown.items()]
