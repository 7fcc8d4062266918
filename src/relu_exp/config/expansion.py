"""Expansion: turns axes into independent dimensions, whose product is the sweep."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from relu_exp.config.grammar import Range, Values
from relu_exp.config.groups import Option, registries
from relu_exp.core.naming import nearest, shown
from relu_exp.core.schema import PARTS, UsageError

__all__ = ["Dimension", "dimensions", "group_of", "resolve", "widths_in_words"]

Axes = Mapping[str, Values]
"""Key → its values."""

Options = Mapping[tuple[str, str], Option]
"""(group, name) → option."""

_MOST_COMBINATIONS = 100_000


@dataclass(frozen=True)
class Dimension:
    """Keys that vary together: one column of values per key, all of the same length."""

    keys: tuple[str, ...]
    columns: tuple[Values, ...]

    @property
    def size(self) -> int:
        """Number of points."""
        return _size(self.columns[0])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for row in zip(*self.columns, strict=True):
            yield dict(zip(self.keys, row, strict=True))


def _size(values: Values) -> int:
    return values.size if isinstance(values, Range) else len(values)


def group_of(key: str) -> str | None:
    """Return the group to which a setting belongs, None for any other key."""
    group, dot, _ = key.partition(".")
    return group if dot and group in PARTS else None


# Which keys vary together -------------------------------------------------------------------


def dimensions(layers: Sequence[Axes], zips: Sequence[tuple[str, ...]]) -> list[Dimension]:
    """Return the dimensions of an experiment after each layer has overridden earlier ones.

    If a later layer gives some keys of a zip values that they already have, the rows with those
    values are kept. With other values the keys are zipped again; a single value is repeated.

    Args:
        layers: axes; the first layer has every key, later ones override some.
        zips: keys that vary together.

    Raises:
        UsageError: axes that vary together have different lengths.
    """
    axes = {key: values for layer in layers for key, values in layer.items()}
    zipped = {key for keys in zips for key in keys}
    found = [_zip(keys, layers) for keys in zips]
    found += [Dimension((key,), (axes[key],)) for key in axes if key not in zipped]
    order = list(axes)
    return sorted(found, key=lambda dimension: order.index(dimension.keys[0]))


def _zip(keys: tuple[str, ...], layers: Sequence[Axes]) -> Dimension:
    columns = {key: layers[0][key] for key in keys}
    for layer in layers[1:]:
        replaced = {key: layer[key] for key in keys if key in layer}
        if 0 < len(replaced) < len(keys) and _are_known(replaced, columns):
            columns = _narrow(columns, replaced)
        else:
            columns |= replaced
    return _together(columns)


def _are_known(replaced: Axes, columns: Axes) -> bool:
    known = _together(columns)
    column_of = dict(zip(known.keys, known.columns, strict=True))
    return all(
        _size(values) <= known.size and all(map(_searchable(column_of[key]).__contains__, values))
        for key, values in replaced.items()
    )


def _narrow(columns: Axes, replaced: Axes) -> dict[str, Values]:
    kept = {key: _searchable(values) for key, values in replaced.items()}
    rows = [row for row in _together(columns) if all(row[key] in kept[key] for key in kept)]
    return {key: [row[key] for row in rows] for key in columns}


def _searchable(values: Values) -> Collection[object]:
    """Return values as a set where they can be hashed: there may be a hundred thousand."""
    try:
        return set(values)
    except TypeError:
        return values


def _together(columns: Axes) -> Dimension:
    size = max(_size(values) for values in columns.values())
    if size > _MOST_COMBINATIONS or {_size(values) for values in columns.values()} - {1, size}:
        counts = " and ".join(f"{key} ({_size(values)})" for key, values in columns.items())
        raise UsageError(f"{counts} vary together: give each the same number of values, or one")
    repeated = [list(values) * (size // len(values)) for values in columns.values()]
    return Dimension(tuple(columns), tuple(repeated))


# What the values mean -----------------------------------------------------------------------


def resolve(
    found: Sequence[Dimension], options: Options, given: Axes, file_keys: frozenset[str]
) -> list[Dimension]:
    """Return dimensions with each group's option names and settings resolved to choices.

    A setting applies to those choices of its group that have it; duplicates are then dropped. A
    network with a fixed architecture has its own depth and no width; one whose layers' widths are
    listed, width=[128,64,32], has them as a setting, and as many layers.

    Args:
        found: dimensions of keys as configured.
        options: the options behind their names.
        given: the axes of the command line, which must apply.
        file_keys: the keys of the experiment file, which must apply unless the command line
            overrides their group.

    Raises:
        UsageError: a setting belongs to no choice of its group or has an invalid value; a depth or
            width is given for a network that has its own.
    """
    chosen = {
        group: [options[group, str(name)] for name in _values_of(group, found)] for group in PARTS
    }
    fixed = [registries()["network"][option.name].fixed_depth for option in chosen["network"]]
    if None not in fixed:
        _check_fixed(chosen["network"], fixed, given)
    for dimension in found:
        for key in dimension.keys:
            group = group_of(key)
            if group and (key in given or (key in file_keys and group not in given)):
                _check_applies(key, group, chosen[group])
    keys = {key for dimension in found for key in dimension.keys}
    widths = [] if "width" not in keys else _values_of("width", found)
    lists = [value for value in widths if isinstance(value, tuple)]
    if lists:
        _check_lists(chosen["network"], widths, given)
    has_own = bool(lists) or "network.widths" in keys
    has_own = has_own or any(depth is not None for depth in fixed)
    return [_combine(parts, options) for parts in _tied(found, has_own)]


def _check_lists(chosen: Sequence[Option], widths: Values, given: Axes) -> None:
    """Raise a UsageError if listed widths fit no network, or a given depth fits no list."""
    names = [option.name for option in chosen]
    taking = [name for name, e in registries()["network"].items() if "widths" in e.settings]
    if unfit := [name for name in names if name not in taking]:
        raise UsageError(
            f"a list of widths does not fit network={unfit[0]}, whose layers are equally wide; "
            f"it fits {', '.join(taking)}"
        )
    depths = [len(each) for each in widths if isinstance(each, tuple)]
    if "depth" in given and len(depths) == len(widths) and not {*given["depth"]} <= {*depths}:
        raise UsageError(
            f"depth={_listed(given['depth'])} does not fit a list of widths, which has a layer for "
            f"each item: {_listed(list(dict.fromkeys(depths)))}"
        )


def widths_in_words(widths: Sequence[object]) -> str:
    """Return listed widths as the setting `network.widths` holds them."""
    return json.dumps([str(width) for width in widths])


def _tied(found: Sequence[Dimension], has_own: bool) -> list[list[Dimension]]:
    """Return the dimensions in groups that must be resolved together."""
    tied: list[tuple[set[str], list[Dimension]]] = []
    for dimension in found:
        needs = {_resolved_with(key, has_own) for key in dimension.keys}
        parts = [dimension]
        for other in [other for other in tied if other[0] & needs]:
            tied.remove(other)
            needs, parts = needs | other[0], other[1] + parts
        tied.append((needs, parts))
    return [parts for _, parts in tied]


def _values_of(key: str, found: Sequence[Dimension]) -> list[object]:
    columns = (
        column
        for dimension in found
        for name, column in zip(dimension.keys, dimension.columns, strict=True)
        if name == key
    )
    return list(dict.fromkeys(next(columns)))


def _resolved_with(key: str, has_own: bool) -> str:
    """Return the group with which a key must be resolved."""
    if key in ("depth", "width") and has_own:
        return "network"
    return group_of(key) or key


def _check_applies(key: str, group: str, chosen: Sequence[Option]) -> None:
    setting = key.partition(".")[2]
    entries = {option.name: registries()[group][option.name] for option in chosen}
    if any(setting in entry.settings for entry in entries.values()):
        return
    known = {name: ", ".join(entry.settings) or "none" for name, entry in entries.items()}
    valid = dict.fromkeys(word for entry in entries.values() for word in entry.settings)
    if not valid:
        words = f"which {'has' if len(known) == 1 else 'have'} no settings"
    elif len(known) == 1:
        words = f"valid: {', '.join(valid)}"
    else:
        words = "valid: " + "; ".join(f"{name}: {words}" for name, words in known.items())
    raise UsageError(
        f"{shown(key)} is not a setting of {', '.join(known)}{nearest(setting, valid)}"
        f"{'; ' if valid else ', '}{words}"
    )


def _check_fixed(chosen: Sequence[Option], fixed: Sequence[int | None], given: Axes) -> None:
    names = ", ".join(option.name for option in chosen)
    if "depth" in given and not {*given["depth"]} <= {*fixed}:
        raise UsageError(
            f"depth={_listed(given['depth'])} does not fit network={names}, whose architecture is "
            f"fixed: its depth is {_listed(list(dict.fromkeys(fixed)))}"
        )
    if "width" in given:
        raise UsageError(
            f"width={_listed(given['width'])} does not fit network={names}, whose architecture is "
            "fixed: leave width out"
        )


def _listed(values: Values) -> str:
    return ",".join(shown(value) for value in itertools.islice(values, 10))


def _combine(parts: Sequence[Dimension], options: Options) -> Dimension:
    if len(parts) == 1 and not {*parts[0].keys} & {*PARTS}:
        return parts[0]
    size = math.prod(part.size for part in parts)
    keys = [key for part in parts for key in part.keys]
    if size > _MOST_COMBINATIONS:
        raise UsageError(
            f"{' and '.join(keys)} have {size:,} combinations that depend on each other, more "
            f"than the limit of {_MOST_COMBINATIONS:,}"
        )
    points: dict[Hashable, dict[str, Any]] = {}
    for combination in itertools.product(*parts):
        point = _point({key: value for item in combination for key, value in item.items()}, options)
        points.setdefault(tuple(point.values()), point)
    columns = zip(*(point.values() for point in points.values()), strict=True)
    return Dimension(tuple(next(iter(points.values()))), tuple(columns))


def _point(values: Mapping[str, Any], options: Options) -> dict[str, Any]:
    """Return values by key, with option names and their settings replaced by choices."""
    point = {key: value for key, value in values.items() if group_of(key) is None}
    for group in PARTS:
        if group not in point:
            continue
        option, registry = options[group, point[group]], registries()[group]
        stated = {
            setting: values[f"{group}.{setting}"]
            for setting in registry[option.name].settings
            if f"{group}.{setting}" in values
        }
        if group == "network" and isinstance(point.get("width"), tuple):
            stated["widths"] = list(point["width"])
        point[group] = registry.resolve(option.name, {**option.settings, **stated})
        if group == "network" and (listed := point[group].as_dict().get("widths")):
            point |= {"depth": _num_listed(str(listed)), "width": None}
        if group == "network" and registry[option.name].fixed_depth is not None:
            point |= {"depth": registry[option.name].fixed_depth, "width": None}
    return point


def _num_listed(widths: str) -> int:
    """Return the number of listed widths; that they are numbers is for the network to check."""
    try:
        return len(json.loads(widths))
    except (ValueError, TypeError):
        return 0
