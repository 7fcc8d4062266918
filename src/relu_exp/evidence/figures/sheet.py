"""The sheet of a figure: rows and columns of panels, laid out in inches so that no text meets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from relu_exp.evidence.figures.fonts import width_of, wrapped
from relu_exp.evidence.figures.style import GRAY
from relu_exp.evidence.figures.words import text as figure_text

__all__ = ["Sheet"]


_MOST_HANDLES = 80
"""Entries of a legend."""
_ENTRY = 0.19
"""Inches that an entry of a legend is high."""
_TALLEST = 1.6
"""A legend that is taller than the panels by this factor goes below them, in columns."""
_PANELS_OF_MANY = {1: (6.2, 3.9), 2: (3.4, 2.7), 3: (2.6, 2.1)}
"""Columns of panels → the least size of a panel, in inches, in which that many series are drawn."""


@dataclass
class Sheet:
    """A figure of rows × columns of panels, laid out in inches so that no text meets another.

    Draw into `axes[row][column]`, then `finish`. Panels share their axes by default;
    only the outer ones carry tick labels.
    """

    rows: int
    columns: int
    panel: tuple[float, float] | None = None
    share_x: bool = True
    share_y: bool = True
    gap: tuple[float, float] = (0.18, 0.3)
    figure: Figure = field(init=False)
    axes: list[list[Axes]] = field(init=False)
    _may_grow: bool = field(init=False)

    def __post_init__(self) -> None:
        # few panels may be large
        self._may_grow = self.panel is None
        self.panel = self.panel or {1: (3.6, 2.5), 2: (2.9, 2.1), 3: (2.5, 1.9)}.get(
            self.columns, (2.1, 1.7)
        )
        self.figure = Figure()
        grid = self.figure.subplots(
            self.rows,
            self.columns,
            sharex=self.share_x,
            sharey=self.share_y,
            squeeze=False,
        )
        self.axes = [list(row) for row in grid]

    @property
    def panels(self) -> list[Axes]:
        """All panels, row by row."""
        return [axes for row in self.axes for axes in row]

    def finish(
        self,
        *,
        title: str,
        small_print: str,
        x: str,
        y: str,
        column_titles: Sequence[str] = (),
        row_titles: Sequence[str] = (),
        handles: Sequence[Any] = (),
        legend_title: str | None = None,
        tick_width: float = 0.42,
        under: float = 0.0,
        over: float = 0.0,
    ) -> Figure:
        """Place everything and return the figure.

        `tick_width`, `under` and `over` are inches: for tick labels on the left, for more than
        numbers below, for text directly above the panels.
        """
        assert self.panel is not None
        width, height = self.panel
        gap_x, gap_y = self.gap
        gap_x += 0 if self.share_y else tick_width
        gap_y += 0 if self.share_x else 0.1
        if len(handles) > _MOST_HANDLES:
            more = figure_text("and_more", n=len(handles) - _MOST_HANDLES)
            handles = [*handles[:_MOST_HANDLES], Line2D([], [], ls="", label=more)]
        names = [str(handle.get_label()) for handle in handles]
        entry = 0.62 + 0.069 * max(map(width_of, [*names, legend_title or ""])) if handles else 0.0
        num_rows = len(handles) + (legend_title is not None)
        # beside the panels a long legend would leave a mostly white page
        is_below = _ENTRY * num_rows > _TALLEST * (self.rows * height + (self.rows - 1) * gap_y)
        if is_below and self._may_grow:
            least = _PANELS_OF_MANY.get(self.columns, (width, height))
            width, height = max(width, least[0]), max(height, least[1])
        row_label = 0.3 if row_titles else 0.0
        left, right = 0.34 + tick_width, 0.12 + row_label + (0.0 if is_below else entry)
        inner = self.columns * width + (self.columns - 1) * gap_x
        total = max(left + inner + right, 5.0, 0.24 + entry)
        heading = wrapped(title, int(total * 11.2))
        notes = [
            row for line in small_print.splitlines() for row in wrapped(line, int(total * 21.5))
        ]
        top = 0.16 + 0.21 * len(heading) + (0.28 if column_titles else 0.08) + over
        num_columns = max(1, int((total - 0.24) / entry)) if is_below else 1
        num_rows = -(-len(handles) // num_columns) + (legend_title is not None)
        legend_high = _ENTRY * num_rows + 0.1
        labels_high = (0.52 if x else 0.3) + under
        bottom = labels_high + (legend_high if is_below else 0.0) + 0.135 * len(notes) + 0.06
        panels_high = self.rows * height + (self.rows - 1) * gap_y
        # a legend beside the panels may be a little taller than they are
        tall = max(top + panels_high + bottom, 0.0 if is_below else top + legend_high + 0.1)
        figure = self.figure
        figure.set_size_inches(total, tall)
        for r, row in enumerate(self.axes):
            for c, axes in enumerate(row):
                x0 = left + c * (width + gap_x)
                y0 = tall - top - height - r * (height + gap_y)
                axes.set_position((x0 / total, y0 / tall, width / total, height / tall))

        def place(x_inch: float, y_inch: float, text: str, **style: Any) -> None:
            # a dollar sign in a folder's name begins no formula
            figure.text(x_inch / total, y_inch / tall, text, parse_math=False, **style)

        place(
            0.12,
            tall - 0.1,
            "\n".join(heading),
            va="top",
            size=11,
            weight="bold",
            linespacing=1.15,
        )
        for c, text in enumerate(column_titles):
            x0 = left + c * (width + gap_x) + width / 2
            place(x0, tall - top + over + 0.07, text, ha="center", va="bottom", size=9)
        middle = tall - top - panels_high / 2
        for r, text in enumerate(row_titles):
            y0 = tall - top - height / 2 - r * (height + gap_y)
            place(left + inner + 0.16, y0, text, rotation=270, va="center", ha="center", size=9)
        place(0.13, middle, y, rotation=90, va="center", ha="left", size=9)
        under = tall - top - panels_high
        place(left + inner / 2, under - 0.45, x, ha="center", va="bottom", size=9)
        place(
            0.12, 0.08, "\n".join(notes), va="bottom", ha="left", size=6.8, color=GRAY,
            linespacing=1.25,
        )  # fmt: skip
        beside = (left + inner + 0.14 + row_label, tall - top)
        corner = (0.12, tall - top - panels_high - labels_high) if is_below else beside
        if handles:
            figure.legend(
                handles=list(handles),
                title=legend_title,
                alignment="left",
                loc="upper left",
                borderaxespad=0.0,
                handlelength=2.2,
                title_fontsize=8.5,
                ncols=num_columns,
                columnspacing=1.0,
                bbox_to_anchor=(corner[0] / total, corner[1] / tall),
            )
        return figure
