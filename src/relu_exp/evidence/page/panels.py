"""Panels: the histograms of a network's layers as shapes that a template draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from relu_exp.core.schema import histogram_edges
from relu_exp.evidence.explorer.compression import Array
from relu_exp.evidence.figures.histograms import bars_shown, height, peaks

__all__ = ["Panel", "Scale"]

BEYOND = 0.005
"""The share of values right of all bars from which on a panel says so."""


@dataclass(frozen=True)
class Panel:
    """One layer's histogram in a box of 100 × 100: the outline of its bars.

    `labels` are shares of bars that are cut off: text, and where it stands from left to right.
    """

    outline: str
    labels: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Scale:
    """The bars that are drawn (`last` is exclusive), and the share at which bars are cut off."""

    first: int
    last: int
    top: float

    @classmethod
    def of(cls, shares: Sequence[Array]) -> Scale:
        """Return the scale that fits all of these histograms of activations.

        Each has the share of values in each bin, with those below and above all bins at its ends.
        """
        first, last = bars_shown([*shares])
        return cls(first, last, height([share[1 + first : 1 + last] for share in shares]))

    @property
    def edges(self) -> Array:
        """The edges of the bars."""
        return np.array(histogram_edges("activation")[self.first : self.last + 1])

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """The numbers of the axis: place in percent from the left, and text."""
        low, high = self.edges[0], self.edges[-1]
        is_tanh = low < -1 and high < 1.2
        shown = [-1, 0, 1] if is_tanh else range(int(np.ceil(low)), int(high) + 1)
        return [
            (round(100 * float((value - low) / (high - low)), 2), f"{value}".replace("-", "−"))
            for value in shown
        ]

    def panel(self, share: Array) -> Panel:
        """Return the panel of one histogram."""
        inside = share[1 + self.first : 1 + self.last]
        wide = 100 / len(inside)
        outline = "M0 100" + "".join(
            f"V{100 - 100 * min(float(part) / self.top, 1):.4g}H{(bar + 1) * wide:.4g}"
            for bar, part in enumerate(inside)
        )
        labels = [
            (f"{inside[bar]:.0%}", _side(bar / len(inside))) for bar in peaks(inside, self.top)
        ]
        if (beyond := float(share[1 + self.last :].sum())) >= BEYOND:
            labels.append((f"{beyond:.0%} →", "right"))
        return Panel(f"{outline}V100Z", labels)


def _side(place: float) -> str:
    return "left" if place < 1 / 3 else "right" if place > 2 / 3 else "middle"
