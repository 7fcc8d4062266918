"""Numbers as a sentence says them: at most three digits, with a unit that a student knows.

Only a number that would be printed as the limit that it misses gets the digits that tell it apart.
"""

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
    "shortly",
    "signed",
]

Unit = Literal["times", "many", "long", "large", "percent", "points", "size", "plain"]
"""How a number is read: a ratio (as such, of counts, of times or of sizes), a share, a difference
of shares (higher or lower), a difference of gaps (larger or smaller), or a bare number."""
RATIOS: tuple[Unit, ...] = ("times", "many", "long", "large")
_WORDS = Words(__package__, "words.yaml")
MOST_DIGITS = 7
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Measured:
    """A number that was measured, and whether the true one lies beyond it."""

    value: float
    bound: Bound = "none"
    limit: float | None = None
    """What it is judged by, which it is not printed as unless it is equal."""


def digits(value: float, most: int = 3, limit: float | None = None) -> str:
    """Return a number with at most three significant digits, as people write it.

    One that is not `limit` is not printed as it is: it gets as many more digits as that takes.
    """
    while limit is not None and most < MOST_DIGITS and not math.isclose(value, limit):
        if digits(value, most) != digits(limit, most):
            break
        most += 1
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
        return _WORDS(f"{found.bound}_bound", n=_amount(found, unit))
    if unit in RATIOS and _bare(found, unit) == "1":
        return _WORDS("same_ratio")
    if unit not in ("points", "size"):
        return _amount(found, unit)
    if _percent(found.value) == "0":
        return _WORDS("same_on" if goes_on else "same")
    way = f"{unit}_{'more' if found.value > 0 else 'less'}{'_on' if goes_on else ''}"
    return _WORDS(way, n=_amount(found, unit))


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
        return said(Measured(last.value, "upper", last.limit), unit)
    if first.bound == "lower" or _amount(first, unit) == _amount(last, unit):
        return said(first, unit, goes_on=goes_on)
    if "lower" in bounds:
        return _WORDS("open_range", low=_bare(first, unit), n=_amount(last, unit))
    if unit in ("points", "size"):
        low, high = first.value, last.value
        if low < 0 < high and "0" not in (_percent(low), _percent(high)):
            return _WORDS(f"{unit}_mixed", low=_bare(first, unit), n=_amount(last, unit))
        near, far = sorted((first, last), key=lambda end: abs(end.value))
        way = f"{unit}_{'more' if high > 0 and _percent(high) != '0' else 'less'}"
        far_text = _WORDS("range", low=_bare(near, unit), n=_amount(far, unit))
        return _WORDS(f"{way}{'_on' if goes_on else ''}", n=far_text)
    return _WORDS("range", low=_bare(first, unit), n=_amount(last, unit))


def shortly(found: Measured, unit: Unit) -> str:
    """Return a number for parentheses: a difference carries its sign, a ratio no noun."""
    if unit not in ("points", "size") or found.bound != "none":
        return said(found, _shortly(unit))
    return f"{_sign(found.value)}{_amount(found, unit)}"


def signed(low: Measured, high: Measured, unit: Unit) -> str:
    """Return the range between two numbers for parentheses: differences carry their sign."""
    if unit not in ("points", "size"):
        return range_of([low, high], _shortly(unit))
    ends = [_sign(end.value) + _bare(end, unit) for end in (low, high)]
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


def amount(value: float, unit: Unit, limit: float | None = None) -> str:
    """Return a number with its unit; a difference without its sign and without its way.

    A number that is not `limit` is not printed as it is.
    """
    return _amount(Measured(value, limit=limit), unit)


def _amount(found: Measured, unit: Unit) -> str:
    number = _bare(found, unit)
    if unit in ("points", "size"):
        return _WORDS("points_one" if number == "1" else "points_only", n=number)
    return _WORDS(f"{unit}_only", n=number)


def _bare(found: Measured, unit: Unit) -> str:
    """Return a number as its unit counts it, without the unit."""
    value, limit = found.value, found.limit
    if unit in ("points", "size"):
        on_one_side = limit is not None and value * limit > 0
        return _percent(abs(value), abs(limit) if limit is not None and on_one_side else None)
    if unit == "percent":
        return _percent(value, limit)
    return digits(value, 2 if unit == "plain" else 3, limit)


def _percent(share: float, limit: float | None = None) -> str:
    """Return a share in percent with one decimal at most; one below a whole does not become it.

    One that is not `limit` does not become that, either.
    """
    percent = 100 * share
    if limit is not None and not math.isclose(share, limit) and _percent(share) == _percent(limit):
        return digits(percent, 2, 100 * limit)
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
