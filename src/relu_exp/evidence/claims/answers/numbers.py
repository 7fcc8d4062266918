"""Numbers as a sentence says them: at most three digits, with a unit that a student knows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from relu_exp.evidence.claims.verdicts import Bound
from relu_exp.evidence.data.language import Words, current_language

__all__ = [
    "RATIOS",
    "Measured",
    "Unit",
    "amount",
    "digits",
    "join",
    "limit",
    "range_of",
    "said",
    "signed",
]

Unit = Literal["times", "many", "long", "large", "percent", "points", "size", "plain"]
"""How a number is read: a ratio (as such, of counts, of times or of sizes), a share, a difference
of shares (higher or lower), a difference of gaps (larger or smaller), or a bare number."""
RATIOS: tuple[Unit, ...] = ("times", "many", "long", "large")
_WORDS = Words(__package__, "words.yaml")
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Measured:
    """A number that was measured, and whether the true one lies beyond it."""

    value: float
    bound: Bound = "none"


def digits(value: float, most: int = 3) -> str:
    """Return a number with at most three significant digits, as people write it."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "∞" if value > 0 else "−∞"
    rounded = float(f"{value:.{most}g}")
    exponent = math.floor(math.log10(abs(rounded)))
    if -4 <= exponent < 6:
        text = f"{rounded:,.{max(0, most - 1 - exponent)}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        front = f"{value / 10.0**exponent:.2g}"
        text = f"{front} × 10{str(exponent).translate(_SUPERSCRIPTS)}"
    return text.replace("-", "−")


def said(found: Measured, unit: Unit, *, goes_on: bool = False) -> str:
    """Return a number with its unit; of a bound that the true one is at least or at most it.

    Differences say which way they go. `goes_on`: another number follows in the sentence.
    """
    if found.bound == "both":
        return _WORDS("unknown")
    if found.bound != "none":
        return _WORDS(f"{found.bound}_bound", n=amount(found.value, unit))
    if unit not in ("points", "size"):
        return amount(found.value, unit)
    if _percent(found.value) == "0":
        return _WORDS("same_on" if goes_on else "same")
    way = f"{unit}_{'more' if found.value > 0 else 'less'}{'_on' if goes_on else ''}"
    return _WORDS(way, n=amount(abs(found.value), unit))


def range_of(numbers: Sequence[Measured], unit: Unit, *, goes_on: bool = False) -> str:
    """Return the range of numbers; where they do not differ in print, the one number."""
    known = [each for each in numbers if each.bound != "both"]
    if not known:
        return _WORDS("unknown")
    first = min(known, key=lambda each: each.value)
    last = max(known, key=lambda each: each.value)
    bounds = {each.bound for each in known}
    if {"lower", "upper"} <= bounds:
        return range_of([each for each in known if each.bound == "none"], unit, goes_on=goes_on)
    if "upper" in bounds:
        return said(Measured(last.value, "upper"), unit)
    if first.bound == "lower" or amount(first.value, unit) == amount(last.value, unit):
        return said(first, unit, goes_on=goes_on)
    if "lower" in bounds:
        return _WORDS("open_range", low=_bare(first.value, unit), n=amount(last.value, unit))
    if unit in ("points", "size"):
        low, high = first.value, last.value
        if low < 0 < high and "0" not in (_percent(low), _percent(high)):
            return _WORDS(f"{unit}_mixed", low=_bare(-low, unit), n=amount(high, unit))
        near, far = sorted((abs(low), abs(high)))
        way = f"{unit}_{'more' if high > 0 and _percent(high) != '0' else 'less'}"
        far_text = _WORDS("range", low=_bare(near, unit), n=amount(far, unit))
        return _WORDS(f"{way}{'_on' if goes_on else ''}", n=far_text)
    return _WORDS("range", low=_bare(first.value, unit), n=amount(last.value, unit))


def signed(low: Measured, high: Measured, unit: Unit) -> str:
    """Return the range between two numbers for parentheses: differences carry their sign."""
    if unit not in ("points", "size"):
        return range_of([low, high], _shortly(unit))
    ends = [_sign(end.value) + _percent(abs(end.value)) for end in (low, high)]
    return _WORDS("range", low=ends[0], n=_WORDS("points_only", n=ends[1]))


def limit(threshold: float, side: str, unit: Unit) -> str:
    """Return what a rule asks of a number, as in "more than 1.1 times"."""
    unit = _shortly(unit)
    if unit in ("points", "size"):
        if threshold == 0:
            return _WORDS(f"{unit}_limit_zero_{side}")
        sign = "positive" if threshold > 0 else "negative"
        return _WORDS(f"{unit}_limit_{side}_{sign}", n=amount(abs(threshold), unit))
    return _WORDS(f"limit_{side}", n=amount(threshold, unit))


def amount(value: float, unit: Unit) -> str:
    """Return a number with its unit; a difference without its sign and without its way."""
    if unit in ("points", "size"):
        number = _percent(abs(value))
        return _WORDS("points_one" if number == "1" else "points_only", n=number)
    return _WORDS(f"{unit}_only", n=_bare(value, unit))


def _bare(value: float, unit: Unit) -> str:
    """Return a number as its unit counts it, without the unit."""
    if unit in ("points", "size"):
        return _percent(abs(value))
    return _percent(value) if unit == "percent" else digits(value, 2 if unit == "plain" else 3)


def _percent(share: float) -> str:
    """Return a share in percent with one decimal at most; one below a whole does not become it."""
    percent = 100 * share
    shown = f"{percent:,.1f}" if abs(percent) < 99.95 else f"{percent:,.0f}"
    shown = shown.removesuffix(".0").removeprefix("-" if float(shown.replace(",", "")) == 0 else "")
    if shown == "0" and abs(percent) >= 1e-4:
        shown = digits(percent, 1)
    if shown == "100" and share < 1 - 1e-9:
        shown = "99.9"
    return shown.replace("-", "−")


def _shortly(unit: Unit) -> Unit:
    """Return the unit as it is said where the sentence has named what is compared."""
    return "times" if unit in RATIOS else unit


def _sign(value: float) -> str:
    return "" if _percent(value) == "0" else "+" if value > 0 else "−"


def join(phrases: Sequence[str], korean: str = ", ") -> str:
    """Return phrases as a list in a sentence; between two of them Korean has `korean`."""
    if current_language() == "ko" or len(phrases) < 2:
        return korean.join(phrases)
    return f"{', '.join(phrases[:-1])} and {phrases[-1]}"
