"""Soundness: what rows must be before anything is computed from them or drawn."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from relu_exp.core.naming import printable
from relu_exp.core.run_keys import RUN_KEYS, RunKey
from relu_exp.core.schema import HISTOGRAM_BINS, PARTS, SPLITS, TABLES
from relu_exp.results.rows import NUMBER, damaged, identity_problem, in_parts, wrong_id

__all__ = ["check_parts", "check_rows"]

_LEAST, _MOST = 1e-300, 1e300
"""Between them lie the numbers whose logarithms and squares can be drawn."""


def _range(key: RunKey) -> tuple[float, float]:
    low = _LEAST if key.at_least is None else key.at_least
    return low, _MOST if key.at_most is None else key.at_most


_METRICS = {"loss": (-1e100, 1e100), "accuracy": (0.0, 1.0), "r2": (-1e100, 1.0)}

_MEASURED: Mapping[str, tuple[float, float]] = {
    **{
        f"{prefix}{metric}": limits
        for prefix in ("", *(f"final_{split}_" for split in SPLITS[1:]))
        for metric, limits in _METRICS.items()
    },
    "seconds": (0.0, 1e12),
    "value": (-1e100, 1e100),
}
"""What training measures: where it is finite, float32 holds it."""

_STATUSES = ("done", "diverged", "failed", "interrupted")
_RANGES: Mapping[str, tuple[float, float]] = {
    **{name: _range(key) for name, key in RUN_KEYS.items() if key.is_number},
    "step": (0, 2**31),
    "layer": (1, 10_000),
    "num_units": (1, 100_000_000),
}
_WORDS = {
    "status": _STATUSES,
    "split": SPLITS,
    "kind": tuple(HISTOGRAM_BINS),
    **{name: key.choices for name, key in RUN_KEYS.items() if key.choices},
}
_NAMES = (*PARTS, "quantity", "check", "case")
_STEPS = tuple(name for name, key in RUN_KEYS.items() if key.is_schedule)
_MADE_FROM = "made_from"
_OPTIONAL = (*(name for name, key in RUN_KEYS.items() if key.is_optional), _MADE_FROM)


def check_rows(table: str, rows: pa.Table, where: object) -> pa.Table:
    """Return the rows, as far as their columns were read, if they are what the engine writes.

    Where whole rows of `runs` were read, each id must be the hash of its configuration.

    Raises:
        UsageError: they are not; `where` says what to delete.
    """
    for column in rows.column_names:
        if problem := _problem(table, column, rows):
            raise damaged(where, f"{column} of {table}: {problem}")
    is_whole = table == "runs" and {*TABLES["runs"]} <= {*rows.column_names}
    if is_whole and (problem := identity_problem(rows)):
        raise damaged(where, problem)
    return rows


def check_parts(table: str, parts: Sequence[pa.Table], places: Sequence[object]) -> pa.Table:
    """Return the rows of parts without repeated rows as one, if `check_rows` finds them sound.

    With `NUMBER`, that of each row's part. A thousand small parts are checked at once.

    Raises:
        UsageError: as of `check_rows`, which says it of the part at its place.
    """
    rows = in_parts(parts)
    own = rows.drop_columns(NUMBER)
    is_whole = table == "runs" and {*TABLES["runs"]} <= {*own.column_names}
    if any(_problem(table, column, own) for column in own.column_names) or (
        is_whole and wrong_id(own)
    ):
        for part, place in zip(parts, places, strict=True):
            check_rows(table, part, place)
    return rows


def _problem(table: str, column: str, rows: pa.Table) -> str:
    values = rows[column]
    is_checked = column in (*_RANGES, *_WORDS, *_NAMES, "run_id", "counts", "mask")
    if table in ("runs", "curves", "layers") and column in _MEASURED:
        # a loss or a signal may overflow
        finite = values.filter(pc.fill_null(pc.is_finite(values), False))
        return _out_of_range(finite, *_MEASURED[column])
    is_text = column.endswith("_settings") or column in (*_STEPS, _MADE_FROM)
    if not (is_checked or is_text) or table == "timings":
        return ""
    if values.null_count and column not in _OPTIONAL:
        return "it is missing in some rows"
    if column in _RANGES:
        return _out_of_range(values, *_RANGES[column])
    if column in ("counts", "mask"):
        return _wrong_sizes(column, rows)
    words = pc.unique(values).to_pylist()
    if column in _WORDS:
        return "" if {*words} <= {*_WORDS[column]} else f"unknown {column}"
    if is_text:
        is_sound = _is_steps if column in _STEPS else _is_settings
        is_right = all(word is None or is_sound(word) for word in words)
        return "" if is_right else "no JSON of settings or steps"
    return (
        "" if all(0 < len(word) <= 200 and printable(word) == word for word in words) else "no name"
    )


def _out_of_range(values: Any, low: float, high: float) -> str:
    found = pc.min_max(values).as_py()
    least, most = found["min"], found["max"]
    if least is None:
        return ""
    is_within = math.isfinite(least) and math.isfinite(most) and low <= least and most <= high
    return "" if is_within and not pc.any(pc.is_nan(values)).as_py() else "out of range"


def _wrong_sizes(column: str, rows: pa.Table) -> str:
    if column == "counts":
        sizes = {bins + 2 for _, _, bins in HISTOGRAM_BINS.values()}
        found = {*pc.unique(pc.list_value_length(rows["counts"])).to_pylist()}
        least = pc.min(pc.list_flatten(rows["counts"])).as_py()
        return "" if found <= sizes and (least or 0) >= 0 else "no histogram"
    if "num_units" not in rows.column_names:
        return ""
    needed = pc.divide(pc.add(rows["num_units"], 7), 8)
    is_equal = pc.all(pc.equal(pc.binary_length(rows["mask"]), needed)).as_py()
    return "" if is_equal in (True, None) else "no mask of the layer's units"


def _parsed(text: str, is_sound: Callable[[Any], bool]) -> bool:
    try:
        return is_sound(json.loads(text))
    except (ValueError, RecursionError):
        return False


def _is_settings(text: str) -> bool:
    def is_sound(found: Any) -> bool:
        return isinstance(found, dict) and all(
            value is None
            or isinstance(value, bool | int)
            or (isinstance(value, float) and math.isfinite(value))
            or (isinstance(value, str) and printable(value) == value)
            for value in found.values()
        )

    return len(text) < 100_000 and _parsed(text, is_sound)


def _is_steps(text: str) -> bool:
    return _parsed(
        text, lambda found: isinstance(found, list) and all(type(step) is int for step in found)
    )
