"""How a verdict looks everywhere: mark, color, words, and its place on the scale of distances."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, get_args

from relu_exp.evidence.claims.verdicts import Rule, Verdict, VerdictName
from relu_exp.evidence.data.texts import Text, entry, read_texts, texts_of

__all__ = ["FARTHEST", "LOOKS", "conditions", "counts_in_words", "on_scale", "standardized"]

FARTHEST = 30.0
"""Half-widths from the threshold at which the scale of distances ends."""


@dataclass(frozen=True)
class VerdictLook:
    """The mark of a verdict, its color and marker in figures, style on a terminal, and words."""

    mark: str
    color: str
    marker: str
    style: str
    word: Text
    meaning: Text


LOOKS: Mapping[VerdictName, VerdictLook] = {
    name: entry(VerdictLook, read_texts(__package__, "looks.yaml")[name], f"looks.yaml: {name}")
    for name in get_args(VerdictName)
}
_CONDITIONS = texts_of(__package__, "conditions.yaml")


def counts_in_words(counts: Mapping[VerdictName, int]) -> Text:
    """Return how many verdicts there are of each name, without those of which there are none."""
    found = [(number, LOOKS[name].word) for name, number in counts.items() if number]
    return Text(
        ", ".join(f"{number} {word.en}" for number, word in found),
        ", ".join(f"{word.ko} {number}" for number, word in found),
    )


def conditions(rule: Rule) -> list[Text]:
    """Return what a rule asks besides its sentence."""
    found = [_CONDITIONS[rule.need]] if rule.grid and rule.need else []
    return [*found, _CONDITIONS["censored"]] if rule.censored else found


class Distances(NamedTuple):
    """An interval and its effect as distances from the threshold, positive on the claimed side."""

    low: float
    effect: float
    high: float


def standardized(verdict: Verdict, rule: Rule) -> Distances | None:
    """Return the distance of an effect from the threshold, in half-widths of its 95% interval.

    Beyond ±1 the interval lies wholly on one side of the threshold. Ratios are measured in
    logarithms. A bound has half an interval, which reaches to the end of the scale. None where
    there is no interval.
    """
    ends = (verdict.low, verdict.high)
    if verdict.bound == "lower":
        ends = (verdict.low, _beyond(verdict.low, verdict.effect, rule))
    elif verdict.bound == "upper":
        ends = (_beyond(verdict.high, verdict.effect, rule), verdict.high)
    numbers = (verdict.effect, *ends, rule.threshold)
    if any(number is None or not math.isfinite(number) for number in numbers):
        return None
    if rule.ratio and min(number for number in numbers if number is not None) <= 0:
        return None
    effect, low, high, threshold = (
        math.log(number) if rule.ratio else float(number)
        for number in numbers
        if number is not None
    )
    if high <= low:
        return None
    unit = (high - low) / 2 * (1 if rule.claimed_side == "above" else -1)
    first, last = sorted(((low - threshold) / unit, (high - threshold) / unit))
    return Distances(first, (effect - threshold) / unit, last)


def _beyond(end: float, effect: float, rule: Rule) -> float:
    """Return the end that a bound's interval would have, were it an estimate's."""
    if not rule.ratio:
        return 2 * effect - end
    return effect**2 / end if end else math.nan


def on_scale(distance: float) -> float:
    """Return the place of a distance in half-widths between −1 and 1, far ones drawn nearer."""
    reach = math.asinh(min(abs(distance), FARTHEST)) / math.asinh(FARTHEST)
    return math.copysign(reach, distance)
