"""Interval axes: intervals as positions between 0 and 100 on an axis, for a page to draw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.ticker import LogLocator, MaxNLocator

from relu_exp.evidence.claims.verdicts import Rule, SettingVerdict, Verdict, VerdictName
from relu_exp.evidence.figures.style import plain
from relu_exp.evidence.report.looks import FARTHEST, on_scale, standardized

__all__ = ["Bar", "IntervalAxis", "distance_bar", "interval_axis"]

NUM_TICKS = 4


@dataclass(frozen=True)
class Bar:
    """One interval: its setting (empty: all of them), verdict and positions in percent.

    `is_cut` holds for the lower and the upper end whether the interval goes on beyond the axis.
    """

    where: dict[str, str]
    verdict: VerdictName
    effect: SettingVerdict | Verdict | float
    middle: float
    low: float
    high: float
    is_cut: tuple[bool, bool]


@dataclass(frozen=True)
class IntervalAxis:
    """Intervals on one axis: the measure, the threshold, its position and the claimed side."""

    measure: str
    limit: float
    bars: list[Bar]
    threshold: float
    shade: tuple[float, float]
    ticks: list[tuple[float, str]]


def interval_axis(verdict: Verdict, rule: Rule, factor: float = 1.0) -> IntervalAxis | None:
    """Return the intervals of a verdict and its settings on one axis; None where it has none.

    Where a rule counts settings, only they are drawn: the count is another quantity. Ticks say what
    an effect is times `factor`.
    """
    if rule.threshold is None:
        return None
    measure, limit = rule.measure, rule.threshold
    found: list[SettingVerdict | Verdict] = [*verdict.settings, verdict]
    if rule.kind == "share" and rule.part_threshold is not None:
        measure, limit, found = rule.part_measure, rule.part_threshold, [*verdict.settings]
    found = [each for each in found if math.isfinite(each.effect)]
    in_logs = rule.ratio and limit > 0 and all(each.effect > 0 for each in found)
    if not found:
        return None
    scale = _Scale.of(found, limit, in_logs)
    threshold = scale.position(limit)
    bars = [
        Bar(
            where=each.where if isinstance(each, SettingVerdict) else {},
            verdict=each.verdict if isinstance(each, SettingVerdict) else each.name,
            effect=each,
            middle=scale.position(each.effect),
            low=scale.position(each.low),
            high=scale.position(each.high),
            is_cut=(scale.is_below(each.low), scale.is_above(each.high)),
        )
        for each in found
    ]
    shade = (threshold, 100.0) if rule.claimed_side == "above" else (0.0, threshold)
    return IntervalAxis(measure, limit, bars, threshold, shade, scale.ticks(factor))


def distance_bar(verdict: Verdict, rule: Rule) -> Bar | None:
    """Return how far an effect lies from its threshold, between −30 and 30 half-widths."""
    found = standardized(verdict, rule)
    if found is None:
        return None

    def position(value: float) -> float:
        return round(50 + 50 * on_scale(value), 2)

    low, middle, high = map(position, found)
    is_cut = (found.low < -FARTHEST, found.high > FARTHEST)
    return Bar({}, verdict.name, found.effect, middle, low, high, is_cut)


@dataclass(frozen=True)
class _Scale:
    """Maps values to percent of an axis's width."""

    low: float
    high: float
    in_logs: bool

    @classmethod
    def of(
        cls, found: Sequence[SettingVerdict | Verdict], threshold: float, in_logs: bool
    ) -> _Scale:
        """Return a scale that holds every effect and the threshold, and of the intervals what fits.

        One huge interval must not squeeze all others.
        """

        def known(values: Sequence[float]) -> list[float]:
            kept = [v for v in values if math.isfinite(v) and (v > 0 or not in_logs)]
            return [math.log(v) for v in kept] if in_logs else kept

        middles = known([*(each.effect for each in found), threshold])
        low, high = min(middles), max(middles)
        ends = known([end for each in found for end in (each.low, each.high)])
        span = (high - low) or max((abs(end - low) for end in ends), default=0.0) or 1.0
        low = max(low - span, min([low, *ends]))
        high = min(high + span, max([high, *ends]))
        margin = 0.05 * (high - low or span)
        return cls(low - margin, high + margin, in_logs)

    def position(self, value: float) -> float:
        """Return a value's position in percent, at the edge where it lies beyond."""
        if self.in_logs:
            value = math.log(value) if value > 0 else -math.inf
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 2)

    def is_below(self, value: float) -> bool:
        return self.position(value) <= 0

    def is_above(self, value: float) -> bool:
        return self.position(value) >= 100

    def ticks(self, factor: float) -> list[tuple[float, str]]:
        """Return positions and labels of a few round values."""
        values: list[float] = []
        if self.in_logs and self.high - self.low > math.log(20):
            low, high = math.exp(self.low), math.exp(self.high)
            values = list(LogLocator(numticks=NUM_TICKS + 2).tick_values(low, high))
            if sum(low <= value <= high for value in values) < 3:
                values = list(LogLocator(subs=(1, 2, 5), numticks=99).tick_values(low, high))
        else:
            low, high = (
                (math.exp(self.low), math.exp(self.high)) if self.in_logs else (self.low, self.high)
            )
            values = list(MaxNLocator(NUM_TICKS).tick_values(low, high))
        return [
            (self.position(value), plain(round(factor * value, 10)).replace("-", "−"))
            for value in values
            if low <= value <= high
        ]
