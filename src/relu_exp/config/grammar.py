"""Parses values in Hydra's grammar, on the command line and in strings of experiment files."""

from __future__ import annotations

import math
import re
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

from relu_exp.config.quoting import quoted
from relu_exp.core.naming import shown
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
"""The values of an axis; a single value is an axis of length one."""

LIST_KEYS = (
    *(key.written for key in RUN_KEYS.values() if key.is_schedule),
    "thresholds.train_loss",
    "thresholds.train_accuracy",
    "figures",
    "dataset.label",
    "dataset.features",
    "dataset.ignore",
)
"""Keys whose value may be a list, of numbers or of names."""

LAYER_KEYS = ("width", "network.widths")
"""Keys that take a list with an item for each layer as one value; a list of values is an axis."""


@dataclass(frozen=True)
class Range(Sequence[int | float]):
    """The numbers of a `range(start, stop, step)`, computed on demand.

    `size` is their number; `len` is capped at `sys.maxsize`.
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
    """A `glob(*)`: stands for all names that match."""

    among: Callable[[list[str]], list[str]]


def parse_override(override: str) -> tuple[str, Values]:
    """Return the key of one `KEY=VALUE` and the values of its axis.

    Raises:
        UsageError: it does not follow the grammar, has no value, or uses a feature that is not
            supported: adding and deleting keys, packages, intervals, interpolations.
    """
    if not override.isprintable():
        raise UsageError(f"{shown(override)} contains an unprintable character")
    key, equals, text = override.partition("=")
    if equals and key.startswith("-"):
        name = key.lstrip("-").replace("-", "_")
        raise UsageError(f"{shown(override)}: keys have no dashes; write {name}={text or 'VALUE'}")
    if key.startswith(("+", "~")):
        raise UsageError(f"{shown(override)}: keys cannot be added or deleted; write KEY=VALUE")
    if not equals or not key.strip():
        raise UsageError(f"{shown(override)!r} is not KEY=VALUE")
    if not text.strip():
        raise UsageError(f"{shown(override)} has no value")
    # a key of another script is unknown, which is for `check_key` to say
    parsed = _parse(override, f"{key if key.isascii() else 'key'}={quoted(text)}")
    if parsed.package is not None or parsed.type is not OverrideType.CHANGE:
        raise UsageError(f"{shown(override)}: packages are not supported; write KEY=VALUE")
    key = parsed.key_or_group if key.isascii() else key
    return key, _some(key, _values(override, key, parsed))


def parse_value(key: str, value: object) -> Values:
    """Return the values of a key in an experiment file: text in the grammar, a list, or a scalar.

    A list means several values; for keys in `LIST_KEYS` a list of numbers is a single value.

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


def _parse(override: str, readable: str) -> Override:
    """Return an override as Hydra reads it; `readable` is the same with quotes where needed."""
    try:
        parsed: Override = OverridesParser.create().parse_rule(readable, "override")
    # the parser may raise anything for invalid text
    except Exception as error:
        cause = error.__cause__
        reason = str(cause if cause is not None and cause.args and cause.args[0] else error)
        reason = (reason.splitlines() or [""])[0].partition(" expecting ")[0]
        if unknown := re.fullmatch(r"Unknown function '(\w+)'", reason):
            raise UsageError(
                f"{shown(override)}: unknown function {unknown[1]}(); list the values, "
                "KEY=VALUE,VALUE, or write 'range(start,stop,step)'"
            ) from error
        reason = "it ends too early" if "<EOF>" in reason else shown(reason)
        raise UsageError(
            f"{shown(override)} does not follow Hydra's grammar ({reason}); "
            "quote special characters: KEY='\"VALUE\"'"
        ) from error
    return parsed


def _values(override: str, key: str, parsed: Override) -> Values:
    value = parsed._value
    if isinstance(value, IntervalSweep):
        raise UsageError(
            f"{shown(override)}: an interval() is not a list of values; list them, or use range()"
        )
    if isinstance(value, Glob):
        return [Pattern(value.filter)]
    # ignore tags and shuffle(): the order of runs does not affect them
    if isinstance(value, RangeSweep):
        return _range(override, value)
    items = value.list if isinstance(value, ChoiceSweep) else [value]
    return [_plain(key, item) for item in items]


def _range(override: str, sweep: RangeSweep) -> Range:
    numbers = (sweep.start, sweep.stop, sweep.step)
    if not all(isinstance(number, int) or math.isfinite(number or 0) for number in numbers):
        raise UsageError(f"{shown(override)}: the limits of a range must be finite")
    # floats as written: 0.1 is exactly one tenth
    start, stop, step = (Fraction(str(number)) for number in numbers)
    if step == 0:
        raise UsageError(f"{shown(override)}: the step of a range must not be 0")
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
        raise UsageError(f"{key}={shown(value)}: interpolations are not supported; write the value")
    if isinstance(value, list) and key in (*LIST_KEYS, *LAYER_KEYS):
        return [_plain(f"an item of {key}", item) for item in value]
    if isinstance(value, (Sweep, dict)) or not (
        value is None or isinstance(value, (str, int, float))
    ):
        text = "choice()" if isinstance(value, Sweep) else shown(value)
        raise UsageError(f"{key}: {text} is not a single value; write several as {key}=VALUE,VALUE")
    return value


def _some(key: str, values: Values) -> Values:
    if not values:
        raise UsageError(f"{key} has no values: an axis needs at least one")
    return values


def check_distinct(key: str, values: Values) -> None:
    """Raise a UsageError if a value appears twice."""
    if isinstance(values, Range):
        return
    seen = set()
    for value in values:
        # in Python 1, 1.0 and True are equal; True is a different value here
        same = (isinstance(value, bool), tuple(value) if isinstance(value, list) else value)
        if same in seen:
            hint = "" if key == "seed" else ": to repeat a run, give more seeds, as in seed=0,1,2"
            raise UsageError(f"{key} has the value {shown(value)} twice{hint}")
        seen.add(same)
