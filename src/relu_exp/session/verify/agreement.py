"""Agreement: whether two trainings of one run measured the same, bit for bit or nearly.

Training may be chaotic: a rounding error grows until nothing can be compared. How far it is not is
found by experiment. A run is trained a third time with its learning rate nudged, and what the nudge
moves is not held against anybody.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

__all__ = [
    "LIMITS",
    "NOT_COMPARED",
    "Numbers",
    "Tables",
    "first_difference",
    "horizon",
    "numbers",
    "same",
]

Tables = Mapping[str, pa.Table]
"""The rows of one run, by table."""

Key = tuple[Any, ...]
"""Where a number stands: step, table, and what tells it from the others there."""

Numbers = Mapping[Key, Any]
"""What a run measured: each a number, a histogram's counts or which units are dead."""

LIMITS = {"number": 0.02, "share": 0.05}
"""How far apart two measurements may lie that agree: numbers relatively, shares absolutely."""

NOT_COMPARED = ("seconds", "device", "fleet_id", "session", "dataset_settings")
"""Columns that differ from training to training; where data lie is no part of what a run is."""
_COUNTED = ("histograms", "dead_units")


def same(there: Tables, here: Tables) -> tuple[bool, str, int]:
    """Return whether all rows are equal in every bit, a digest of `there`, and its rows.

    The order of rows, and the columns that differ from training to training, do not matter.
    """
    one, other = (_digest(tables) for tables in (there, here))
    return one == other, one, sum(table.num_rows for table in there.values())


def _digest(tables: Tables) -> str:
    digest = hashlib.sha256()
    for name, table in sorted(tables.items()):
        kept = [column for column in table.column_names if column not in NOT_COMPARED]
        # repr() tells apart every two floats, and 0.0 from -0.0
        rows = sorted(repr(row) for row in table.select(kept).to_pylist())
        digest.update("\n".join([name, *rows]).encode())
    return digest.hexdigest()


def numbers(tables: Tables) -> Numbers:
    """Return what a run measured while it trained, by step; how it ended comes from `runs`."""
    return dict(_numbers(tables))


def _numbers(tables: Tables) -> Iterator[tuple[Key, Any]]:
    for row in tables["predictions"].to_pylist():
        yield (0, "predictions", row["quantity"], row["layer"]), row["value"]
    for row in tables["functions"].to_pylist():
        for column in ("value", "derivative"):
            yield (0, "functions", column, round(row["x"], 9)), row[column]
    for row in tables["curves"].to_pylist():
        for column in ("loss", "accuracy"):
            yield (row["step"], "curves", column, row["split"]), row[column]
    for row in tables["layers"].to_pylist():
        yield (row["step"], "layers", row["quantity"], row["layer"]), row["value"]
    for row in tables["histograms"].to_pylist():
        yield (row["step"], "histograms", row["kind"], row["layer"]), np.array(row["counts"])
    for row in tables["dead_units"].to_pylist():
        bits = np.unpackbits(np.frombuffer(row["mask"], np.uint8), count=row["num_units"])
        yield (row["step"], "dead_units", "", row["layer"]), bits


def horizon(plain: Numbers, nudged: Numbers) -> float:
    """Return the last step at which a nudge has not yet moved anything beyond a third of `LIMITS`.

    Infinite where it never does; -1 where it does before the first update, and so by no nudge.
    """
    scales = _scales(plain)
    moved = [key[0] for key in {*plain, *nudged} if _differs(key, plain, nudged, scales, 1 / 3)]
    steps = {key[0] for key in {*plain, *nudged}}
    return max((step for step in steps if step < min(moved)), default=-1) if moved else math.inf


def first_difference(there: Numbers, here: Numbers, until: float, *, exact: bool = False) -> str:
    """Return where two trainings first differ and by what, up to a step; nothing where they agree.

    Args:
        there: what is in the results.
        here: what came out now.
        until: the last step that is compared.
        exact: whether the smallest difference counts, or only one beyond `LIMITS`.
    """
    scales, allowed = _scales(there), 0.0 if exact else 1.0
    for key in sorted(
        {*there, *here}, key=lambda key: tuple(map(str, (f"{key[0]:010}", *key[1:])))
    ):
        if key[0] > until:
            break
        if _differs(key, there, here, scales, allowed):
            step, table, name, place = key
            where = f"{place} {name}" if table == "curves" else f"{name} at {place}"
            words = [table, where.strip(), f"step {step}"]
            return f"{', '.join(words)}: {_shown(there, key)} stored, {_shown(here, key)} now"
    return ""


def extent(there: Numbers, here: Numbers) -> str:
    """Return in words how many numbers of two trainings differ, and by how much at most."""
    scales, keys = _scales(there), {*there, *here}
    apart = [key for key in keys if _differs(key, there, here, scales, 0.0)]
    sizes = [_relative(there.get(key), here.get(key)) for key in apart]
    most = f", by at most {max(sizes):.1g} of their size" if sizes else ""
    return f"{len(apart):,} of {len(keys):,} numbers differ{most}"


def _relative(one: Any, other: Any) -> float:
    """Return the largest difference of two measurements, relative to the larger."""
    if one is None or other is None or np.shape(one) != np.shape(other):
        return math.inf
    a, b = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    size = np.maximum(np.abs(a), np.abs(b))
    with np.errstate(invalid="ignore"):
        apart = np.where(size > 0, np.abs(a - b) / np.where(size > 0, size, 1), 0)
    return float(np.nan_to_num(apart, nan=math.inf).max(initial=0))


def _shown(found: Numbers, key: Key) -> str:
    value = found.get(key)
    if value is None:
        return "nothing"
    return f"{int(value.sum())} counted" if key[1] in _COUNTED else repr(value)


def _scales(found: Numbers) -> dict[Hashable, float]:
    """Return the largest size, by step, of what may be all cancellation and then has no digits."""
    scales: dict[Hashable, float] = {}
    for key, value in found.items():
        cancels = key[1] == "functions" or str(key[2]).endswith("_mean")
        if cancels and value is not None and math.isfinite(value):
            scales[key[:3]] = max(scales.get(key[:3], 0.0), abs(value))
    return scales


def _differs(
    key: Key,
    there: Numbers,
    here: Numbers,
    scales: Mapping[Hashable, float],
    allowed: float,
) -> bool:
    """Return whether two measurements are further apart than so many times `LIMITS`."""
    one, other = there.get(key), here.get(key)
    if key[1] in _COUNTED:
        return _share_apart(key[1], one, other) > allowed * LIMITS["share"]
    if one is None or other is None:
        return one is not other
    if one == other or (math.isnan(one) and math.isnan(other)):
        return False
    if not (allowed and math.isfinite(one) and math.isfinite(other)):
        return True
    if key[2] == "accuracy" or str(key[2]).endswith("_fraction"):
        return bool(abs(one - other) > allowed * LIMITS["share"])
    largest = max(abs(one), abs(other), scales.get(key[:3], 0.0))
    return bool(abs(one - other) > allowed * LIMITS["number"] * largest)


def _share_apart(table: str, one: Any, other: Any) -> float:
    """Return the share of samples in other bins, or of units that are dead in one only."""
    if one is None and other is None:
        return 0.0
    if table == "histograms" and (one is None or other is None):
        return math.inf
    # a layer without dead units has no row
    one = np.zeros_like(other) if one is None else one
    other = np.zeros_like(one) if other is None else other
    if one.shape != other.shape:
        return math.inf
    apart = np.abs(one.astype(np.int64) - other.astype(np.int64)).sum()
    whole = 2 * one.sum() if table == "histograms" else one.size
    return float(apart / max(whole, 1))
