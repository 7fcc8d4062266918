"""Cells to a Markdown table: medians, and ratios within a round."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from benchmarks.rounds import Cell
from benchmarks.work import WORKS, gigaflop

__all__ = ["Row", "markdown", "rows"]

FLEET = "fleet"


class Row:
    """One way on one work, over the rounds."""

    def __init__(self, cells: Sequence[Cell], fleets: Sequence[Cell]) -> None:
        """Take the way's own cells and those of the fleet on the same work."""
        self.work, self.way, self.title = cells[0].work, cells[0].way, cells[0].title
        self.error = next((cell.error for cell in cells if cell.error), None)
        good = [cell for cell in cells if cell.counts]
        self.rates = [cell.rate for cell in good]
        fleet = {cell.round: cell.rate for cell in fleets if cell.counts}
        self.ratios = [fleet[cell.round] / cell.rate for cell in good if cell.round in fleet]
        self.shares = [
            cell.rate * cell.updates * gigaflop(WORKS[cell.work]) / cell.ceiling for cell in good
        ]
        # a later round finds compilations of the first
        self.once = good[0].once if good else None
        self.sample = cells[0].sample

    def columns(self) -> list[str]:
        """Return the row of the table."""
        if not self.rates:
            return [self.title, "", "", "", "", "", self.error or ""]
        whole = (self.once or 0) + 320 / median(self.rates)
        return [
            self.title,
            _spread(self.rates, 2),
            "" if self.way == FLEET else f"{_spread(self.ratios, 2)}",
            f"{median(self.shares):.0%}",
            "" if self.once is None else f"{self.once:.1f}",
            f"{whole:.0f}",
            self.sample if self.error is None else f"{self.sample}; {self.error}",
        ]


HEAD = [
    "way",
    "runs/s",
    "relu-exp is faster by",
    "of the ceiling",
    "paid once, s",
    "320 runs, s",
    "sample",
]


def rows(cells: Iterable[Cell]) -> list[Row]:
    """Return a row for each work and way, in the order in which they were measured."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.work, cell.way), []).append(cell)
    return [Row(group, groups.get((work, FLEET), [])) for (work, _), group in groups.items()]


def markdown(cells: Sequence[Cell]) -> str:
    """Return one table for each work."""
    parts = []
    for work in dict.fromkeys(cell.work for cell in cells):
        ceilings = [cell.ceiling for cell in cells if cell.work == work]
        shape = WORKS[work]
        parts += [
            f"**{work}**: {shape.depth} hidden layers of {shape.width}, "
            f"{gigaflop(shape):.1f} GFLOP a run; ceiling {_spread(ceilings, 0)} GFLOP/s",
            "",
            _line(HEAD),
            _line(["---"] * len(HEAD)),
            *(_line(row.columns()) for row in rows(cells) if row.work == work),
            "",
        ]
    return "\n".join(parts)


def _line(columns: Sequence[str]) -> str:
    return f"| {' | '.join(columns)} |"


def _spread(values: Sequence[float], digits: int) -> str:
    """Return the median, and the range where there is more than one value."""
    if not values:
        return ""
    middle = f"{median(values):.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):.{digits}f} … {max(values):.{digits}f})"
