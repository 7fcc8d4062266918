"""The sheet of a figure: rows and columns of panels, laid out in inches so that no text meets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from relu_exp.core.naming import printable
from relu_exp.evidence.figures.fonts import heading_weight, width_of, wrapped
from relu_exp.evidence.figures.printing import current_size
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


@dataclass(frozen=True)
class _Panels:
    """The sizes of panels and of the gaps between them, in inches."""

    rows: int
    columns: int
    width: float
    height: float
    gap_x: float
    gap_y: float

    @property
    def all_wide(self) -> float:
        return self.columns * self.width + (self.columns - 1) * self.gap_x

    @property
    def all_high(self) -> float:
        return self.rows * self.height + (self.rows - 1) * self.gap_y

    def left_of(self, column: int, corner: tuple[float, float]) -> float:
        """Return where a column begins, if the upper left corner of all panels is there."""
        return corner[0] + column * (self.width + self.gap_x)

    def bottom_of(self, row: int, corner: tuple[float, float]) -> float:
        """Return where a row ends, if the upper left corner of all panels is there."""
        return corner[1] - self.height - row * (self.height + self.gap_y)


def _as_wide(panels: _Panels, width: float) -> _Panels:
    """Return panels that are so wide in all; their shape stays between a square and 3 : 2."""
    wide = (width - (panels.columns - 1) * panels.gap_x) / panels.columns
    shape = min(1.0, max(2 / 3, panels.height / panels.width))
    return replace(panels, width=wide, height=max(0.8, wide * shape))


def _at_most_as_high(panels: _Panels, height: float) -> _Panels:
    high = (height - (panels.rows - 1) * panels.gap_y) / panels.rows
    return replace(panels, height=min(panels.height, max(high, 0.5)))


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
        if len(handles) > _MOST_HANDLES:
            more = figure_text("and_more", n=len(handles) - _MOST_HANDLES)
            handles = [*handles[:_MOST_HANDLES], Line2D([], [], ls="", label=more)]
        size = current_size()
        small_print = "" if size else small_print
        names = [str(handle.get_label()) for handle in handles]
        entry = 0.62 + 0.069 * max(map(width_of, [*names, legend_title or ""])) if handles else 0.0
        panels, is_below = self._measured(len(handles) + (legend_title is not None), tick_width)
        row_label = 0.3 if row_titles else 0.0
        left, right = 0.34 + tick_width, 0.12 + row_label + (0.0 if is_below else entry)
        if size:
            panels = _as_wide(panels, size.sheet[0] - left - right)
        total = size.sheet[0] if size else max(left + panels.all_wide + right, 5.0, 0.24 + entry)
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
        if size:
            panels = _at_most_as_high(panels, size.sheet[1] - top - bottom)
        # a legend beside the panels may be a little taller than they are
        beside_high = 0.0 if is_below else top + legend_high + 0.1
        tall = max(top + panels.all_high + bottom, beside_high)

        self.figure.set_size_inches(total, tall)
        corner = left, tall - top
        self._place_panels(panels, corner)
        self._write(
            0.12,
            tall - 0.1,
            heading,
            va="top",
            size=11,
            weight=heading_weight(title),
            linespacing=1.15,
        )
        self._write_labels(panels, corner, x, y, column_titles, row_titles, over)
        self._write(0.12, 0.08, notes, va="bottom", size=6.8, color=GRAY, linespacing=1.25)
        beside = (left + panels.all_wide + 0.14 + row_label, tall - top)
        below = (0.12, tall - top - panels.all_high - labels_high)
        if handles:
            self._place_legend(below if is_below else beside, handles, legend_title, num_columns)
        return self.figure

    def _measured(self, num_entries: int, tick_width: float) -> tuple[_Panels, bool]:
        """Return the sizes of the panels, and whether a legend of so many rows goes below them."""
        assert self.panel is not None
        width, height = self.panel
        gap_x, gap_y = self.gap
        gap_x += 0 if self.share_y else tick_width
        gap_y += 0 if self.share_x else 0.1
        panels = _Panels(self.rows, self.columns, width, height, gap_x, gap_y)
        # beside the panels a long legend would leave a mostly white page
        is_long = _ENTRY * num_entries > _TALLEST * panels.all_high
        is_below = is_long or (num_entries > 0 and current_size() is not None)
        if is_below and self._may_grow and current_size() is None:
            least = _PANELS_OF_MANY.get(self.columns, (width, height))
            panels = replace(panels, width=max(width, least[0]), height=max(height, least[1]))
        return panels, is_below

    def _place_panels(self, panels: _Panels, corner: tuple[float, float]) -> None:
        """Place the panels; `corner` is the upper left one of all of them."""
        total, tall = self.figure.get_size_inches()
        for r, row in enumerate(self.axes):
            for c, axes in enumerate(row):
                x0 = panels.left_of(c, corner)
                y0 = panels.bottom_of(r, corner)
                axes.set_position(
                    (x0 / total, y0 / tall, panels.width / total, panels.height / tall)
                )

    def _write(self, x: float, y: float, lines: Sequence[str], **style: Any) -> None:
        """Write lines of text at a place of the sheet, in inches from its lower left corner."""
        total, tall = self.figure.get_size_inches()
        # in a folder's name no dollar sign begins a formula, and no character is unfit for SVG
        written = printable("\n".join(lines))
        self.figure.text(x / total, y / tall, written, parse_math=False, **style)

    def _write_labels(
        self,
        panels: _Panels,
        corner: tuple[float, float],
        x: str,
        y: str,
        column_titles: Sequence[str],
        row_titles: Sequence[str],
        over: float,
    ) -> None:
        """Write the titles of columns and rows, and the labels of the axes."""
        left, upper = corner
        for c, text in enumerate(column_titles):
            x0 = panels.left_of(c, corner) + panels.width / 2
            self._write(x0, upper + over + 0.07, [text], ha="center", va="bottom", size=9)
        beside = {"va": "center", "size": 9}
        for r, text in enumerate(row_titles):
            y0 = panels.bottom_of(r, corner) + panels.height / 2
            x0 = left + panels.all_wide + 0.16
            self._write(x0, y0, [text], rotation=270, ha="center", **beside)
        self._write(0.13, upper - panels.all_high / 2, [y], rotation=90, ha="left", **beside)
        lower = upper - panels.all_high - 0.45
        self._write(left + panels.all_wide / 2, lower, [x], ha="center", va="bottom", size=9)

    def _place_legend(
        self,
        corner: tuple[float, float],
        handles: Sequence[Any],
        title: str | None,
        num_columns: int,
    ) -> None:
        """Place the legend; `corner` is its upper left one."""
        total, tall = self.figure.get_size_inches()
        self.figure.legend(
            handles=list(handles),
            title=title,
            alignment="left",
            loc="upper left",
            borderaxespad=0.0,
            handlelength=2.2,
            title_fontsize=8.5,
            ncols=num_columns,
            columnspacing=1.0,
            bbox_to_anchor=(corner[0] / total, corner[1] / tall),
        )
