"""The panels of a judged picture: what stands in each, how they are arranged, and the legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from relu_exp.evidence.claims.shown import Shown
from relu_exp.evidence.figures.fonts import heading_weight, width_of, wrapped
from relu_exp.evidence.figures.judged_words import level_words, value_words
from relu_exp.evidence.figures.limits import spread
from relu_exp.evidence.figures.pictures import LETTERS, WIDTH, panels_of
from relu_exp.evidence.figures.style import INK, Look, levels
from relu_exp.evidence.figures.words import claim_text as text

__all__ = [
    "LETTER",
    "MOST_ROWS",
    "Panel",
    "has_marks",
    "legend_entries",
    "levels_shown",
    "only",
    "panels_shown",
    "sheet_of",
]

MOST_COLUMNS, MOST_ROWS = 3, 5
LETTER = 0.56 * LETTERS
"""Points that a Latin letter is wide."""


@dataclass(frozen=True)
class Panel:
    """One panel: its title, the line above its row if it is the first there, its rows."""

    title: str
    row: str
    rows: pd.DataFrame


def panels_shown(values: pd.DataFrame, shown: Shown) -> tuple[list[Panel], int, bool]:
    """Return the panels row by row, how many stand side by side, and whether some are left out."""
    rows, some_rows = levels_shown(values, shown.rows, MOST_ROWS)
    columns, some_columns = levels_shown(values, shown.columns, 2 * MOST_COLUMNS)
    titles = [level_words(shown.columns, column, shown) for column in columns]
    is_grid = len(rows) > 1 and all(
        not only(only(values, shown.rows, row), shown.columns, column).empty
        for row in rows
        for column in columns
    )
    panels = []
    for row in rows:
        words = level_words(shown.rows, row, shown)
        for number, (column, title) in enumerate(zip(columns, titles, strict=True)):
            here = only(only(values, shown.rows, row), shown.columns, column)
            if is_grid or len(rows) == 1:
                heading = words if not number and len(rows) > 1 else ""
                panels.append(Panel(title, heading, here))
            elif not here.empty:
                # settings that do not make a grid are named whole
                panels.append(Panel(", ".join(filter(None, (title, words))), "", here))
    longest = max(width_of(panel.title) for panel in panels)
    fits = int((WIDTH - 40) // (longest * LETTER + 12)) if longest else MOST_COLUMNS
    across = max(1, min(MOST_COLUMNS, fits, len(columns) if is_grid else len(panels)))
    if is_grid and across < len(columns):
        across = 1 if len(columns) % across else across
    if across == 1:
        width = int((WIDTH - 40) // LETTER)
        panels = [replace(each, title="\n".join(wrapped(each.title, width))) for each in panels]
    return panels, across, some_rows or some_columns


def levels_shown(values: pd.DataFrame, axis: str, at_most: int) -> tuple[list[Any], bool]:
    """Return at most so many values of an axis, in order, and whether some are left out."""
    if not axis:
        return [None], False
    is_ordered = isinstance(values[axis].dtype, pd.CategoricalDtype) or axis != "threshold"
    is_text = values[axis].dtype == object and isinstance(values[axis].iloc[0], str)
    every = levels(values, axis) if is_ordered and not is_text else [*dict.fromkeys(values[axis])]
    kept = spread(every, at_most)
    return kept, len(kept) < len(every)


def only(values: pd.DataFrame, axis: str, value: Any) -> pd.DataFrame:
    """Return the rows with a value of an axis; all of them where there is no axis."""
    if not axis:
        return values
    return values[values[axis].isna()] if pd.isna(value) else values[values[axis] == value]


def sheet_of(
    panels: Sequence[Panel], across: int, entries: Sequence[Line2D], shown: Shown, *, wide: float
) -> tuple[Figure, list[Axes]]:
    """Return a figure with what stands above its panels, and the panels row by row."""
    rows = -(-len(panels) // across)
    lines = max(len(panel.title.splitlines()) for panel in panels)
    has_rows = any(panel.row for panel in panels)
    high = 150.0 if rows == 1 else 104.0
    between = 6.0 + 20.0 * lines + (20.0 if has_rows else 0.0)
    between += 16.0 if shown.x == "layer" and rows > 1 else 0.0
    above = wrapped(value_words(shown), int((WIDTH - 8) / LETTER))
    legend = 18.5 * -(-len(entries) // _entries_across(entries))
    heading = 18.0 * len(above)
    over = 6.0 + heading + legend
    figure, grid = panels_of(rows, across, high, between, left=wide, below=44.0, over=over)
    axes = [one for row in grid for one in row]
    for spare in axes[len(panels) :]:
        spare.set_visible(False)
    tall = 72 * figure.get_size_inches()[1]
    figure.text(4 / WIDTH, 1 - 4 / tall, "\n".join(above), size=LETTERS, va="top", parse_math=False)
    figure.legend(handles=entries, loc="upper left", bbox_to_anchor=(0, 1 - (4 + heading) / tall),
                  ncols=_entries_across(entries), fontsize=LETTERS, handlelength=1.5,
                  columnspacing=0.9, labelspacing=0.25, borderaxespad=0.0, borderpad=0.2,
                  handletextpad=0.4)  # fmt: skip
    for panel, one in zip(panels, axes, strict=False):
        if panel.row:
            rise = 4.0 + 18.0 * lines
            one.annotate(panel.row, (0, 1), (4 - wide, rise), "axes fraction",
                         textcoords="offset points", size=LETTERS, weight=heading_weight(panel.row),
                         va="bottom", parse_math=False)  # fmt: skip
    return figure, axes


def legend_entries(arms: Mapping[str, Look], summary: pd.DataFrame) -> list[Line2D]:
    """Return the entries of the legend: the arms, and the marks that occur."""
    entries = [look.handle(arm, ms=6, lw=1.8) for arm, look in arms.items()]
    for key, mark, is_diverged in (("most_diverged", "x", True), ("most_late", "^", False)):
        if has_marks(summary, is_diverged=is_diverged):
            entries.append(Line2D([], [], ls="", marker=mark, color=INK, mfc="none", ms=7, mew=1.8,
                                  label=text(key)))  # fmt: skip
    return entries


def _entries_across(entries: Sequence[Line2D]) -> int:
    """Return how many entries of the legend stand side by side."""
    widest = max(width_of(str(entry.get_label())) for entry in entries) * LETTER + 30
    return max(1, min(len(entries), int((WIDTH - 8) // widest)))


def has_marks(summary: pd.DataFrame, *, is_diverged: bool) -> bool:
    """Return whether points are marked: as diverged, or as never arrived."""
    gone = summary[summary["lost"] >= 0.5]
    return bool(((gone["diverged"] >= gone["lost"] / 2) == is_diverged).any())
