"""The dark version of a figure: the same drawing in colors that can be read on a dark page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

__all__ = ["DARK_PAGE", "dark_colors", "dark_svg", "darkened", "on_dark"]

_HEX = re.compile(r"(?<=: )#[0-9a-f]{6}\b")

DARK_PAGE = "#0d1117"
"""What dark figures are drawn on: the page's own ground."""
_DARK: Mapping[str, str] = {
    "#ffffff": DARK_PAGE,
    "#000000": "#e6edf3",
    "#222222": "#e6edf3",
    "#444444": "#c3ccd6",
    "#6b6b6b": "#a3adb8",
    "#8a8a8a": "#768390",
    "#999999": "#768390",
    "#e6e6e6": "#2a3038",
}
"""Ground, ink, edges and grid; what is not named here is the color of a series."""
_LEAST = 0.2
"""The least relative luminance of a series: 4.5 : 1 against the dark page."""


def on_dark(color: Any) -> tuple[float, float, float, float]:
    """Return a color as it is drawn on a dark page, with its transparency.

    A series keeps its hue and becomes as light as it must be to be read.
    """
    red, green, blue, alpha = to_rgba(color)
    named = _DARK.get(to_hex((red, green, blue)))
    if named is not None:
        return (*to_rgb(named), alpha)
    step = 0.0
    light = (red, green, blue)
    while _luminance(light) < _LEAST and step < 1:
        step += 0.05
        light = (red + (1 - red) * step, green + (1 - green) * step, blue + (1 - blue) * step)
    return (*light, alpha)


def _luminance(color: tuple[float, float, float]) -> float:
    """Return the relative luminance of WCAG 2, 0 to 1."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def darkened(figure: Figure) -> Figure:
    """Recolor a figure for a dark page, in place, and return it."""
    for artist in figure.findobj(Artist):
        if isinstance(artist, Text):
            artist.set_color(on_dark(artist.get_color()))
            if (box := artist.get_bbox_patch()) is not None:
                box.set_facecolor(on_dark(box.get_facecolor()))
        elif isinstance(artist, Line2D):
            artist.set_markeredgecolor(on_dark(artist.get_markeredgecolor()))
            if artist.get_markerfacecolor() != "none":
                artist.set_markerfacecolor(on_dark(artist.get_markerfacecolor()))
            artist.set_color(on_dark(artist.get_color()))
        elif isinstance(artist, Patch) or hasattr(artist, "get_facecolors"):
            _recolor(artist)
    for axes in figure.findobj(Axes):
        for axis in (axes.xaxis, axes.yaxis):
            # ticks that are made later, while the figure is drawn
            axis.set_tick_params(color=on_dark("#444444"), labelcolor=on_dark("#444444"),
                                 grid_color=on_dark("#e6e6e6"))  # fmt: skip
    return figure


def dark_colors(svgs: Iterable[str]) -> dict[str, str]:
    """Return each color of SVGs that matplotlib drew → the same on a dark page."""
    found = {color for svg in svgs for color in _HEX.findall(svg)}
    return {color: to_hex(on_dark(color)) for color in sorted(found)}


def dark_svg(svg: str) -> str:
    """Return an SVG that matplotlib drew for a light page in the colors of a dark one.

    The same colors as `darkened` gives, without drawing it again.
    """
    return _HEX.sub(lambda found: to_hex(on_dark(found[0])), svg)


def _recolor(artist: Any) -> None:
    """Recolor a patch or a collection; what has no color stays without."""
    for side in ("facecolor", "edgecolor"):
        colors = getattr(artist, f"get_{side}")()
        if isinstance(artist, Patch):
            getattr(artist, f"set_{side}")(on_dark(colors))
        elif len(colors):
            getattr(artist, f"set_{side}")([on_dark(color) for color in colors])
