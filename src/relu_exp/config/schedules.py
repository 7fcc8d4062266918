"""Schedules: the steps at which a run is probed or evaluated, as a word or a list."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import count, takewhile

from relu_exp.core.naming import nearest, shown
from relu_exp.core.schema import UsageError

__all__ = ["Schedule", "check_schedule", "resolve_schedule"]

Schedule = str | tuple[int, ...]
"""A word, or a tuple of steps."""

WORDS = ("powers_of_two", "geometric", "none", "first", "last", "every:N")
_MOST_STEPS = 100_000


def check_schedule(key: str, value: object) -> Schedule:
    """Check a schedule and return it; a list of steps is sorted and without duplicates.

    Raises:
        UsageError: an unknown word, or a step that is not a non-negative integer.
    """
    if isinstance(value, str):
        if value in WORDS[:-1] or re.fullmatch("every:[1-9][0-9]{0,8}", value):
            return value
        raise UsageError(
            f"{key}={shown(value)} is not a schedule{nearest(value, WORDS)}; "
            f"valid: {', '.join(WORDS)}, or a list of steps such as [0,10,100]"
        )
    steps = value if isinstance(value, (list, tuple)) else [value]
    for step in steps:
        if isinstance(step, bool) or not isinstance(step, int) or not 0 <= step < 2**31:
            raise UsageError(
                f"{key}={shown(value)} is not a schedule: steps are whole numbers, 0 or more; "
                f"valid words: {', '.join(WORDS)}"
            )
    return tuple(sorted(set(steps)))


@lru_cache(maxsize=1024)
def resolve_schedule(key: str, schedule: Schedule, num_steps: int) -> tuple[int, ...]:
    """Return the steps of a checked schedule from 0 to `num_steps`, in ascending order.

    `powers_of_two` is 0, 1, 2, 4, … and `geometric` is 0 and the rounded powers of √2; both, and
    `every:N`, include the last step. Listed steps after the last one are dropped.

    Raises:
        UsageError: all listed steps are after the last one, or there are too many steps.
    """
    if isinstance(schedule, tuple):
        within = tuple(step for step in schedule if step <= num_steps)
        if schedule and not within:
            raise UsageError(
                f"{key}={shown(list(schedule))} is entirely after the last step, {num_steps}"
            )
        return within
    if schedule in ("none", "first", "last"):
        return {"none": (), "first": (0,), "last": (num_steps,)}[schedule]
    if schedule.startswith("every:"):
        stride = int(schedule.removeprefix("every:"))
        if num_steps // stride > _MOST_STEPS:
            raise UsageError(
                f"{key}={schedule} is {num_steps // stride:,} of {num_steps:,} steps, more than "
                f"the limit of {_MOST_STEPS:,}"
            )
        steps = set(range(0, num_steps, stride))
    else:
        base = 2.0 if schedule == "powers_of_two" else 2.0**0.5
        powers = (round(base**exponent) for exponent in count())
        steps = {0, *takewhile(lambda step: step < num_steps, powers)}
    return tuple(sorted(steps | {num_steps}))
