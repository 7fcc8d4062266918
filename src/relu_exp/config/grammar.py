"""The grammar of values: Hydra's, on the command line and in the strings of an experiment file."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, overload

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    Glob,
    IntervalSweep,
    Override,
    OverrideType,
    QuotedString,
    RangeSweep,
    Sweep,
)

from relu_exp.core.registry import shown
from relu_exp.core.run_keys import RUN_KEYS
from relu_exp.core.schema import UsageError

__all__ = [
    "LIST_KEYS",
    "Pattern",
    "Range",
    "Values",
    "check_distinct",
    "parse_override",
    "parse_value",
]

Values = Sequence[object]
"""What an axis takes, one after the other; a single value is an axis of one."""

LIST_KEYS = (
    *(key.written for key in RUN_KEYS.values() if key.is_schedule),
    "thresholds.train_loss",
    "thresholds.train_accuracy",
)
"""Keys of which one value may be a list of numbers."""


@dataclass(frozen=True)
class Range(Sequence[int | float]):
    """The numbers of a `range(start, stop, step)`, never held in memory all at once.

    `size` counts them; `len` cannot where they are more than `sys.maxsize`.
    """

    start: Fraction
    step: Fraction
    size: int
    is_whole: bool

    def __len__(self) -> int:
        return min(self.size, sys.maxsize)

    @overload
    def __getitem__(self, index: int) -> int | float: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int | float]: ...
    def __getitem__(self, index: int | slice) -> int | float | Sequence[int | float]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -self.size <= index < self.size:
            raise IndexError(index)
        value = self.start + (index % self.size) * self.step
        return int(value) if self.is_whole else float(value)


@dataclass(frozen=True)
class Pattern:
    """A `glob(*)`: stands for all names that it matches."""

    among: Callable[[list[str]], list[str]]


def parse_override(override: str) -> tuple[str, Values]:
    """Return the key of one `KEY=VALUE` and the values its axis takes.

    Raises:
        UsageError: it does not follow the grammar, has no value, or asks for what has no meaning
            here: adding and deleting keys, packages, intervals, interpolations.
    """
    if not override.isprintable():
        raise UsageError(f"{shown(override)} holds a character that cannot be printed")
    key, equals, text = override.partition("=")
    if equals and key.startswith("-"):
        name = key.lstrip("-").replace("-", "_")
        raise UsageError(f"{shown(override)}: keys take no dashes; write {name}={text or 'VALUE'}")
    if key.startswith(("+", "~")):
        raise UsageError(
            f"{shown(override)}: keys can be neither added nor deleted; write KEY=VALUE"
        )
    if not equals or not key.strip():
        raise UsageError(f"{shown(override)!r} is not KEY=VALUE")
    if not text.strip():
        raise UsageError(f"{shown(override)} has no value")
    parsed = _parse(override)
    if parsed.package is not None or parsed.type is not OverrideType.CHANGE:
        raise UsageError(f"{shown(override)}: packages have no meaning here; write KEY=VALUE")
    return parsed.key_or_group, _some(parsed.key_or_group, _values(override, parsed))


def parse_value(key: str, value: object) -> Values:
    """Return the values of a key in an experiment file: text in the grammar, a list, or a scalar.

    A list is several values; where one value may itself be a list, a list of numbers is one.

    Raises:
        UsageError: see `parse_override`.
    """
    if isinstance(value, str):
        return parse_override(f"{key}={value}")[1]
    if not isinstance(value, list):
        return [_plain(key, value)]
    if key in LIST_KEYS and value and not any(isinstance(item, (str, list)) for item in value):
        return [_plain(key, value)]
    values: list[object] = []
    for item in value:
        if isinstance(item, str):
            values += parse_override(f"{key}={item}")[1]
        else:
            values.append(_plain(key, item))
    return _some(key, values)


def _parse(override: str) -> Override:
    try:
        parsed: Override = OverridesParser.create().parse_rule(override, "override")
    # whatever text makes the parser do, the text is at fault
    except Exception as error:
        cause = error.__cause__
        reason = str(cause if cause is not None and cause.args and cause.args[0] else error)
        reason = (reason.splitlines() or [""])[0].partition(" expecting ")[0]
        reason = "it ends too early" if "<EOF>" in reason else shown(reason)
        raise UsageError(
            f"{shown(override)} does not follow Hydra's grammar ({reason}); "
            "quote special characters: KEY='\"VALUE\"'"
        ) from error
    return parsed


def _values(override: str, parsed: Override) -> Values:
    key, value = parsed.key_or_group, parsed._value
    if isinstance(value, IntervalSweep):
        raise UsageError(
            f"{shown(override)}: an interval() has no end of values; name them, or use range()"
        )
    if isinstance(value, Glob):
        return [Pattern(value.filter)]
    # tags have no meaning here, and the order of runs makes no difference to them: no shuffling
    if isinstance(value, RangeSweep):
        return _range(override, value)
    items = value.list if isinstance(value, ChoiceSweep) else [value]
    return [_plain(key, item) for item in items]


def _range(override: str, sweep: RangeSweep) -> Range:
    numbers = (sweep.start, sweep.stop, sweep.step)
    if not all(isinstance(number, int) or math.isfinite(number or 0) for number in numbers):
        raise UsageError(f"{shown(override)}: a range is between finite numbers")
    # a float as it was written: 0.1 is a tenth
    start, stop, step = (Fraction(str(number)) for number in numbers)
    if step == 0:
        raise UsageError(f"{shown(override)}: the step of a range is not 0")
    return Range(
        start,
        step,
        size=max(0, math.ceil((stop - start) / step)),
        is_whole=all(isinstance(number, int) for number in numbers),
    )


def _plain(key: str, value: Any) -> object:
    """Return one value as a scalar or a list of scalars.

    Raises:
        UsageError: it is anything else, or holds an interpolation.
    """
    if isinstance(value, QuotedString):
        value = value.text
    if isinstance(value, str) and "${" in value:
        raise UsageError(f"{key}={shown(value)}: interpolations are not filled in; write the value")
    if isinstance(value, list) and key in LIST_KEYS:
        return [_plain(f"an item of {key}", item) for item in value]
    if isinstance(value, (Sweep, dict)) or not (
        value is None or isinstance(value, (str, int, float))
    ):
        text = "choice()" if isinstance(value, Sweep) else shown(value)
        raise UsageError(f"{key}: {text} is not one value; several are written {key}=VALUE,VALUE")
    return value


def _some(key: str, values: Values) -> Values:
    if not values:
        raise UsageError(f"{key} has no values: an axis takes at least one")
    return values


def check_distinct(key: str, values: Values) -> None:
    """Raise a UsageError when a value is there twice."""
    if isinstance(values, Range):
        return
    seen = set()
    for value in values:
        # 1, 1.0 and true are equal in Python; the last is another value here
        same = (isinstance(value, bool), tuple(value) if isinstance(value, list) else value)
        if same in seen:
            raise UsageError(f"{key} has the value {shown(value)} twice")
        seen.add(same)
