"""Keys: the settings that do not belong to a group, and their valid values."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeGuard

from relu_exp.config.grammar import Pattern, Range, Values
from relu_exp.config.groups import GROUPS, option_names, registries
from relu_exp.config.schedules import check_schedule
from relu_exp.core.launchers import LAUNCHERS
from relu_exp.core.naming import nearest, shown
from relu_exp.core.run_keys import RUN_KEYS
from relu_exp.core.schema import UsageError
from relu_exp.core.settings import Setting

__all__ = [
    "PLAIN_KEYS",
    "SCHEDULE_KEYS",
    "THRESHOLD_KEYS",
    "check_key",
    "check_listable",
    "checked",
]

_MOST_VALUES = 10_000

PLAIN_KEYS: Mapping[str, Setting] = {
    key.written: Setting(
        key.default,
        key.help,
        above=key.above,
        at_least=key.at_least,
        at_most=key.at_most,
        choices=key.choices,
    )
    for key in RUN_KEYS.values()
    if not key.is_schedule
}
SCHEDULE_KEYS = tuple(key.written for key in RUN_KEYS.values() if key.is_schedule)
THRESHOLD_KEYS: Mapping[str, Setting] = {
    "thresholds.train_loss": Setting(1.0, "training losses to reach", above=0),
    "thresholds.train_accuracy": Setting(1.0, "training accuracies to reach", above=0, at_most=1),
}

_ALSO_CALLED = {
    "init": "initializer",
    "model": "network",
    "wd": "optimizer.weight_decay",
    **{word: key.written for key in RUN_KEYS.values() for word in key.also_called},
}


def check_key(key: str) -> None:
    """Raise a UsageError if there is no such key; settings of groups are checked later."""
    valid = [*GROUPS, *PLAIN_KEYS, *SCHEDULE_KEYS, *THRESHOLD_KEYS]
    group, dot, setting = key.partition(".")
    if key in valid or (group in GROUPS and dot and setting and setting != "name"):
        return
    if group in GROUPS and setting == "name":
        raise UsageError(f"{shown(key)} is not a key: write {group}=NAME")
    if group == "hydra" or key.startswith("hydra/"):
        raise UsageError(f"{shown(key)} configures Hydra, of which only the grammar is used")
    if key == "figures":
        raise UsageError("figures is a list of its own in an experiment file, beside title")
    raise UsageError(
        f"unknown key {shown(key)!r}{_guess(key, valid)}; valid: {', '.join(valid)}, "
        "and a group's settings such as activation.negative_slope"
    )


def _guess(key: str, valid: Iterable[str]) -> str:
    """Return which key was probably meant: one of other names, a group's setting, or the nearest.

    A setting that groups share, such as a scale, is named with the first of them.
    """
    if key in _ALSO_CALLED:
        return f" (did you mean {_ALSO_CALLED[key]}?)"
    for group in GROUPS:
        entries = LAUNCHERS if group == "launcher" else registries()[group]
        if any(key in entry.settings for entry in entries.values()):
            return f" (did you mean {group}.{key}?)"
    return nearest(key, valid)


def check_listable(key: str, values: Values) -> None:
    """Raise a UsageError if a range is too long to be listed."""
    if isinstance(values, Range) and values.size > _MOST_VALUES:
        raise UsageError(
            f"{key} has {values.size:,} values, more than the limit of {_MOST_VALUES:,}"
        )


def checked(key: str, values: Values) -> Values:
    """Return the values of a key, converted to its type; for a group, the names of its options.

    Of a range only the first, second and last number are checked. Settings of a group are returned
    unchanged, because their types depend on its options.

    Raises:
        UsageError: there is no such key, or a value is not valid.
    """
    check_key(key)
    if key not in PLAIN_KEYS:
        check_listable(key, values)
    if not isinstance(values, Range) and any(isinstance(value, Pattern) for value in values):
        values = _matching(key, values)
    if key in GROUPS:
        return [_option(key, value) for value in values]
    if key in SCHEDULE_KEYS:
        return [check_schedule(key, value) for value in values]
    if key in THRESHOLD_KEYS:
        items = [item for value in values for item in (value if _is_list(value) else [value])]
        return [THRESHOLD_KEYS[key].check(key, item) for item in items]
    if key not in PLAIN_KEYS:
        return values
    check = PLAIN_KEYS[key].check
    if isinstance(values, Range):
        ends = [values[place] for place in (0, min(1, values.size - 1), values.size - 1)]
        return replace(values, is_whole={type(check(key, end)) for end in ends} == {int})
    if key == "width":
        return [
            _checked_widths(value) if _is_list(value) else check(key, value) for value in values
        ]
    return [check(key, value) for value in values]


def _checked_widths(values: list[object]) -> tuple[object, ...]:
    """Return the units of each hidden layer, one value of the axis `width`."""
    if not values:
        raise UsageError("width=[] is not valid: a network without hidden layers is depth=0")
    return tuple(PLAIN_KEYS["width"].check("an item of width", value) for value in values)


def _matching(key: str, values: Values) -> list[object]:
    if key not in GROUPS:
        raise UsageError(f"{key}: glob() only matches names of options; list the values of {key}")
    expanded: list[object] = []
    for value in values:
        expanded += value.among(option_names(key)) if isinstance(value, Pattern) else [value]
    if not expanded:
        raise UsageError(f"{key}: glob() matches none of {', '.join(option_names(key))}")
    return list(dict.fromkeys(expanded))


def _option(group: str, value: object) -> str:
    # Python reads identifiers in this form, so that names of entries have it
    name = unicodedata.normalize("NFKC", "null" if value is None else str(value))
    valid = option_names(group)
    if name not in valid:
        raise UsageError(
            f"unknown {group} {shown(name)!r}{nearest(name, valid)}; valid: {', '.join(valid)}"
        )
    return name


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)
