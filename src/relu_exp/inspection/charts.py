"""Figures of an inspection as small SVGs: by layer, and a histogram of each layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from relu_exp.evidence.data.language import in_language
from relu_exp.evidence.data.texts import Text
from relu_exp.inspection.histograms import Spread

__all__ = ["SMALLEST", "Chart", "Series", "histogram_svg"]

_WIDTH, _HEIGHT = 380, 200
_LEFT, _RIGHT, _BOTTOM = 50, 10, 34
_ROW = 16
"""Height of an entry of the legend."""
_COLORS = ("var(--supported,#0b5f9e)", "var(--refuted,#a94200)", "var(--conditional,#6941a5)")
_INK, _SOFT, _LINE = "var(--ink,#1f2328)", "var(--soft,#57606a)", "var(--line,#d8dee4)"
SMALLEST = 1e-30
"""Smaller values are not drawn on a logarithmic axis."""


@dataclass(frozen=True)
class Series:
    """One line: a value per layer, nan where there is none; theory is dashed."""

    name: Text
    values: Sequence[float]
    is_theory: bool = False

    def points(self, *, is_log: bool) -> list[tuple[int, float]]:
        """Return the layers (from 1) and values that can be drawn."""
        return [
            (layer, value)
            for layer, value in enumerate(self.values, start=1)
            if math.isfinite(value) and (value >= SMALLEST or not is_log)
        ]


@dataclass(frozen=True)
class Chart:
    """Lines by layer. In a notebook it is a picture in the language that is written then.

    Attributes:
        title: what is drawn.
        unit: of the vertical axis.
        series: the lines.
        is_log: whether the axis is logarithmic; else it goes from 0 to 1 and is in percent.
    """

    title: Text
    unit: Text
    layer: Text
    series: tuple[Series, ...]
    is_log: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether nothing can be drawn, or every value is 0."""
        return not any(
            value for each in self.series for _, value in each.points(is_log=self.is_log)
        )

    @property
    def left_out(self) -> bool:
        """Whether a value is zero, or too small for a logarithmic axis."""
        return self.is_log and any(
            value < SMALLEST for each in self.series for value in each.values
        )

    def svg(self, labelled_by: str = "") -> str:
        """Return the picture.

        Within a page, `labelled_by` is the id of its heading, and words are in both languages.
        """
        has_both = bool(labelled_by)
        drawn = [each for each in self.series if each.points(is_log=self.is_log)]
        top = 12 + _ROW * len(drawn)
        tall = top + _HEIGHT
        num_layers = max(len(each.values) for each in self.series)
        ticks = self._ticks(drawn)
        low, high = ticks[0], ticks[-1]

        def x(layer: float) -> float:
            room = _WIDTH - _LEFT - _RIGHT - 16
            return _LEFT + 8 + room * ((layer - 1) / (num_layers - 1) if num_layers > 1 else 0.5)

        def y(value: float) -> float:
            at = (_scaled(value, self.is_log) - low) / (high - low)
            return tall - _BOTTOM - at * (_HEIGHT - _BOTTOM)

        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {tall}" '
            f'role="img" font-family="system-ui,sans-serif" font-size="12"'
            + (f' aria-labelledby="{labelled_by}">' if has_both else ">"),
            "" if has_both else f"<title>{escape(in_language(self.title))}</title>",
        ]
        for tick in ticks:
            at = round(y(10**tick if self.is_log else tick), 1)
            parts.append(
                f'<path d="M{_LEFT} {at}H{_WIDTH - _RIGHT}" style="stroke:{_LINE}"/>'
                f'<text x="{_LEFT - 5}" y="{at + 4}" text-anchor="end" style="fill:{_SOFT}">'
                f"{_tick_words(tick, self.is_log)}</text>"
            )
        for layer in _whole_ticks(num_layers):
            parts.append(
                f'<text x="{x(layer):.1f}" y="{tall - _BOTTOM + 15}" text-anchor="middle" '
                f'style="fill:{_SOFT}">{layer}</text>'
            )
        parts.append(_words(self.layer, has_both, (_WIDTH - _RIGHT, tall - 4), anchor="end"))
        for number, series in enumerate(drawn):
            points = [(x(layer), y(v)) for layer, v in series.points(is_log=self.is_log)]
            color = _INK if series.is_theory else _COLORS[number % len(_COLORS)]
            parts.append(_line(points, color, number, is_theory=series.is_theory))
            at = 12 + _ROW * number
            sample = [(_LEFT + 2.0, at - 4.0), (_LEFT + 24.0, at - 4.0)]
            parts.append(_line(sample, color, number, is_theory=series.is_theory))
            parts.append(_words(series.name, has_both, (_LEFT + 32, at)))
        return "".join([*parts, "</svg>"])

    def _repr_svg_(self) -> str:
        return self.svg()

    def _ticks(self, drawn: Sequence[Series]) -> list[float]:
        """Return where the axis has ticks, from its lower to its upper end; exponents if log."""
        if not self.is_log:
            return [0.0, 0.25, 0.5, 0.75, 1.0]
        values = [value for each in drawn for _, value in each.points(is_log=True)]
        if not values:
            return [-1.0, 0.0]
        low = math.floor(math.log10(min(values)) - 0.05)
        high = max(math.ceil(math.log10(max(values)) + 0.05), low + 1)
        step = -(-(high - low) // 6)
        count = -(-(high - low) // step)
        return [float(low + step * index) for index in range(count + 1)]


def _scaled(value: float, is_log: bool) -> float:
    return math.log10(value) if is_log else value


def _tick_words(tick: float, is_log: bool) -> str:
    if not is_log:
        return f"{tick:.0%}"
    if -3 <= tick <= 3:
        return f"{10**tick:g}"
    return f'10<tspan dy="-4" font-size="9">{tick:.0f}</tspan>'


def _whole_ticks(count: int) -> list[int]:
    step = max(1, -(-count // 8))
    return list(range(1, count + 1, step))


def _line(
    points: Sequence[tuple[float, float]], color: str, number: int, *, is_theory: bool
) -> str:
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    dash = ";stroke-dasharray:5 3" if is_theory else ""
    line = f'<path d="{path}" style="fill:none;stroke:{color};stroke-width:1.6{dash}"/>'
    if is_theory:
        return line
    marks = "".join(_mark(x, y, number) for x, y in points)
    return f'{line}<g style="fill:{color}">{marks}</g>'


def _mark(x: float, y: float, number: int) -> str:
    if number % 3 == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
    if number % 3 == 1:
        return f'<rect x="{x - 2.7:.1f}" y="{y - 2.7:.1f}" width="5.4" height="5.4"/>'
    return f'<path d="M{x:.1f} {y - 3.6:.1f}l3.4 6h-6.8z"/>'


def _words(text: Text, has_both: bool, at: tuple[float, float], anchor: str = "start") -> str:
    place = f'x="{at[0]}" y="{at[1]}" text-anchor="{anchor}" style="fill:{_INK}"'
    if not has_both:
        return f"<text {place}>{escape(in_language(text))}</text>"
    return "".join(
        f'<text class="t" lang="{language}" {place}>{escape(words)}</text>'
        for language, words in zip(("en", "ko"), text, strict=True)
    )


def histogram_svg(spread: Spread) -> str:
    """Return a layer's histogram; a bar far higher than the others is cut and has its share."""
    width, tall, top = 150.0, 66.0, 12.0
    shares = spread.shares
    usual = [share for share in shares if share <= 5 / len(shares)]
    height = max(1.15 * max(usual, default=0.0), 1e-12 if any(usual) else 1.0)
    if not any(usual):
        height = max(shares)
    step = width / len(shares)
    bars, marks = [], []
    for index, share in enumerate(shares):
        if not share:
            continue
        high = min(share / height, 1.0) * (tall - top)
        bars.append(f"M{index * step:.1f} {tall}v{-high:.1f}h{step:.1f}v{high:.1f}z")
        if share > height:
            middle = (index + 0.5) * step
            anchor = "start" if middle < 30 else "end" if middle > width - 30 else "middle"
            marks.append(
                f'<text x="{middle:.1f}" y="{top - 2}" text-anchor="{anchor}" '
                f'style="fill:{_INK}">{share:.0%}</text>'
            )
    zero = ""
    if spread.low < 0 < spread.high:
        at = -spread.low / (spread.high - spread.low) * width
        zero = f'<path d="M{at:.1f} {top}V{tall}" style="stroke:{_SOFT};stroke-dasharray:2 2"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {tall:.0f}" '
        'aria-hidden="true" font-family="system-ui,sans-serif" font-size="11">'
        f'<path d="{"".join(bars)}" style="fill:{_COLORS[0]}"/>{zero}{"".join(marks)}'
        f'<path d="M0 {tall}H{width:.0f}" style="stroke:{_SOFT}"/></svg>'
    )
