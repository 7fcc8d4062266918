"""The one style of all figures: colors and markers by activation, and sheets of panels.

Meaning is never by color alone: every activation has its own marker, and its variants their own
line. Colors are Okabe and Ito's, which people with color blindness tell apart, and two darker
ones. https://jfly.uni-koeln.de/color/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from relu_exp.evidence.figures.fonts import families

__all__ = [
    "EMPTY_LIMITS",
    "GRAY",
    "INK",
    "PNG_DPI",
    "RC",
    "Look",
    "levels",
    "log_axis",
    "looks",
    "plain",
    "rate_axis",
    "steps_axis",
]

INK = "#222222"
GRAY = "#6b6b6b"
PNG_DPI = 110
EMPTY_LIMITS = (0.1, 1.0)
"""The ends of a logarithmic axis on which there is nothing to draw."""

RC: Any = {
    "font.size": 9.0,
    "font.family": families(),
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "axes.edgecolor": "#8a8a8a",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "text.color": INK,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.0,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "white",
    "svg.hashsalt": "relu-exp",
    "svg.fonttype": "path",
}
"""Settings of matplotlib while a figure is drawn and saved."""

_COLORS: Mapping[str, tuple[str, str]] = {
    # activation: color, marker
    "sigmoid": ("#D55E00", "s"),
    "tanh": ("#009E73", "^"),
    "relu": ("#0072B2", "o"),
    "leaky_relu": ("#56B4E9", "v"),
    "elu": ("#CC79A7", "D"),
    "prelu": ("#E69F00", "P"),
    "rrelu": ("#7A5195", "X"),
    "selu": ("#8C2D5A", "d"),
    "gelu": ("#4B6A1E", "<"),
    "silu": ("#A6761D", ">"),
    "mish": ("#17807E", "p"),
    "softplus": ("#B03A2E", "h"),
    "identity": ("#000000", "x"),
    "step": ("#7F7F7F", "+"),
}
_INITIALIZERS = ("normal", "uniform", "xavier_normal", "xavier_uniform", "he_normal", "he_uniform")
"""In the order in which figures have them."""
_SPARE = [("#1B3A6B", "*"), ("#5E8C31", "8"), ("#94346E", "H"), ("#6F4070", "1")]
_LINES = ["-", (0, (4, 1.4)), (0, (1.2, 1.2)), (0, (5, 1.2, 1.2, 1.2))]
_SERIES = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#7A5195"]
_MANY = colormaps["viridis"]
_MARKERS = ["o", "s", "^", "D", "v", "P", "X", "d"]


@dataclass(frozen=True)
class Look:
    """How one series is drawn everywhere: color, marker and line."""

    color: str
    marker: str = "o"
    line: Any = "-"

    def handle(self, label: str, **changes: Any) -> Line2D:
        """Return this look's entry of a legend."""
        return Line2D([], [], label=label, **{**self.kwargs, **changes})

    @property
    def kwargs(self) -> dict[str, Any]:
        """The look as keywords of `Axes.plot`."""
        return {"color": self.color, "marker": self.marker, "linestyle": self.line}


def looks(runs: pd.DataFrame, by: str = "activation_label") -> dict[Any, Look]:
    """Return a look for each value of a column, in the order of the sweep.

    An activation has the same color in every figure, its own if the results state one
    (`activation_color`); its variants (other settings) are shades of
    it, and differ in line and marker too. Values of any other column are numbered through.
    """
    if by != "activation_label":
        values = levels(runs, by)
        return {
            value: Look(
                _SERIES[n % len(_SERIES)],
                _MARKERS[n % len(_MARKERS)],
                _LINES[n // len(_SERIES) % len(_LINES)],
            )
            for n, value in enumerate(values)
        }
    pairs = runs[["activation", by]].drop_duplicates()
    names = dict(zip(pairs[by], pairs["activation"], strict=True))
    spare = {name: n for n, name in enumerate(sorted(set(names.values()) - set(_COLORS)))}
    own: dict[str, str] = {}
    if "activation_color" in runs:
        own = dict(zip(runs["activation"], runs["activation_color"], strict=True))
    found: dict[Any, Look] = {}
    variants = Counter(names.values())
    # shades of one color tell a few variants apart
    is_few = len(variants) > 1 or len(names) <= 2 * len(_SERIES)
    drawn: Counter[str] = Counter()
    for label in levels(runs, by):
        name = names[label]
        n, drawn[name] = drawn[name], drawn[name] + 1
        color, marker = _COLORS.get(name) or _SPARE[spare[name] % len(_SPARE)]
        color = own.get(name) or color
        if variants[name] > 1:
            lightness = n / (variants[name] - 1)
            color = _shade(color, lightness) if is_few else to_hex(_MANY(0.92 * lightness))
        if n:
            marker = _MARKERS[(_MARKERS.index(marker) + n if marker in _MARKERS else n) % 8]
        found[label] = Look(color, marker, _LINES[n % len(_LINES)])
    return found


def _shade(color: str, lightness: float) -> str:
    """Return a color from dark (0) to light (1), still visible on white."""
    dark, light = 0.5, 0.6
    red, green, blue = (
        dark * part + lightness * (1 - light * (1 - part) - dark * part) for part in to_rgb(color)
    )
    return to_hex((red, green, blue))


def levels(runs: pd.DataFrame, by: str) -> list[Any]:
    """Return the values of a column that occur: labels in sweep order, numbers sorted."""
    column = runs[by]
    if isinstance(column.dtype, pd.CategoricalDtype):
        present = set(column.unique())
        found = [value for value in column.cat.categories if value in present]
        return (
            _by_scale(runs, found) if by == "initializer_label" and "initializer" in runs else found
        )
    return sorted(column.dropna().unique().tolist()) + ([pd.NA] if column.isna().any() else [])


def _by_scale(runs: pd.DataFrame, labels: list[Any]) -> list[Any]:
    """Return labels of initializers in one order for all figures: normals by scale, Xavier, He."""
    names = dict(zip(runs["initializer_label"], runs["initializer"].astype(str), strict=True))
    std = runs["initializer.std"] if "initializer.std" in runs else pd.Series(0.0, runs.index)
    scales = dict(zip(runs["initializer_label"], std.astype(float), strict=True))

    def rank(label: Any) -> tuple[int, float]:
        name = names[label]
        if name not in _INITIALIZERS:
            return len(_INITIALIZERS), 0.0
        return _INITIALIZERS.index(name), scales[label] if name == "normal" else 0.0

    # others, and those of one name, stay in the order of the sweep
    return sorted(labels, key=rank)


def plain(value: float, _: object = None) -> str:
    """Return a number as people write it: 0.001, 0.1, 10, 2,000, and 10⁻⁷ where that is shorter."""
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        return f"{value:,.6g}"
    return _power(value)


def _power(value: float, _: object = None) -> str:
    mantissa, exponent = f"{value:.1e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    mantissa = mantissa.removesuffix(".0")
    return f"10{raised}" if mantissa == "1" else f"{mantissa}·10{raised}"


def log_axis(axis: Any, decades: float = 3.0) -> None:
    """Make an axis logarithmic, with plain numbers at its ticks, or powers of ten beyond six."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    axis.set_major_formatter(FuncFormatter(plain if decades <= 6 else _power))
    subs = (1.0,) if decades > 2.2 else (1.0, 2.0, 5.0)
    axis.set_major_locator(LogLocator(subs=subs, numticks=7))
    axis.set_minor_locator(NullLocator())


def rate_axis(axes: Axes, rates: Sequence[float]) -> None:
    """Make x the learning rate: logarithmic, a tick at every rate that was tried, up to six."""
    log_axis(axes.xaxis)
    tried = sorted(set(rates))
    every = -(-len(tried) // 6)
    axes.xaxis.set_major_locator(FixedLocator(tried[::every]))
    pad = 1.6
    axes.set_xlim(tried[0] / pad, tried[-1] * pad)


def steps_axis(axes: Axes, last: int, first: int = 1) -> None:
    """Make x the number of updates: 0, then logarithmic from the `first` with a value."""
    axes.set_xscale("symlog", linthresh=float(first), linscale=0.3 if first > 1 else 0.5)
    ticks = [0, *(10**power for power in range(12) if first <= 10**power <= last)]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(_count))
    axes.set_xlim(-0.15, last * 1.15)


def _count(value: float, _: object = None) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
