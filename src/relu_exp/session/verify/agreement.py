"""Agreement: whether two trainings of one run gave the same results, exactly or nearly.

Training may be chaotic: a rounding error grows until results can no longer be compared. An
experiment finds up to which step it is stable: the run is trained a third time with a slightly
larger learning rate, and steps at which this changes the results are not compared.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from relu_exp.core.schema import METRICS

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
"""What identifies a number: step, table, and the name and place within the table."""

Numbers = Mapping[Key, Any]
"""What a run measured: numbers, counts of histograms, and masks of dead units."""

LIMITS = {"number": 0.02, "share": 0.05}
"""Largest difference of two measurements that agree: relative for numbers, absolute for shares."""

NOT_COMPARED = ("seconds", "device", "fleet_id", "session", "dataset_settings", "made_from")
"""Columns that differ between trainings, and the path of the data, which does not affect a run."""
_COUNTED = ("histograms", "dead_units")


def same(there: Tables, here: Tables) -> tuple[bool, str, int]:
    """Return whether all rows are equal in every bit, a digest of `there`, and its number of rows.

    The order of rows and the columns in `NOT_COMPARED` do not matter.
    """
    one, other = (_digest(tables) for tables in (there, here))
    return one == other, one, sum(table.num_rows for table in there.values())


def _digest(tables: Tables) -> str:
    digest = hashlib.sha256()
    for name, table in sorted(tables.items()):
        kept = [column for column in table.column_names if column not in NOT_COMPARED]
        # repr() differs for any two floats, including 0.0 and -0.0
        rows = sorted(repr(row) for row in table.select(kept).to_pylist())
        digest.update("\n".join([name, *rows]).encode())
    return digest.hexdigest()


def numbers(tables: Tables) -> Numbers:
    """Return what a run measured during training; its final status is in `runs`."""
    return dict(_numbers(tables))


def _numbers(tables: Tables) -> Iterator[tuple[Key, Any]]:
    for row in tables["predictions"].to_pylist():
        yield (0, "predictions", row["quantity"], row["layer"]), row["value"]
    for row in tables["functions"].to_pylist():
        for column in ("value", "derivative"):
            yield (0, "functions", column, round(row["x"], 9)), row[column]
    for row in tables["curves"].to_pylist():
        for column in METRICS:
            yield (row["step"], "curves", column, row["split"]), row[column]
    for row in tables["layers"].to_pylist():
        yield (row["step"], "layers", row["quantity"], row["layer"]), row["value"]
    for row in tables["histograms"].to_pylist():
        yield (row["step"], "histograms", row["kind"], row["layer"]), np.array(row["counts"])
    for row in tables["dead_units"].to_pylist():
        bits = np.unpackbits(np.frombuffer(row["mask"], np.uint8), count=row["num_units"])
        yield (row["step"], "dead_units", "", row["layer"]), bits


def horizon(plain: Numbers, nudged: Numbers) -> float:
    """Return the last step before the nudge changes any number by more than a third of `LIMITS`.

    Infinite if it never does; -1 if numbers differ before the first update already.
    """
    scales = _scales(plain)
    moved = [key[0] for key in {*plain, *nudged} if _differs(key, plain, nudged, scales, 1 / 3)]
    steps = {key[0] for key in {*plain, *nudged}}
    return max((step for step in steps if step < min(moved)), default=-1) if moved else math.inf


def first_difference(there: Numbers, here: Numbers, until: float, *, exact: bool = False) -> str:
    """Return where two trainings first differ up to a step, and both values; empty if they agree.

    Args:
        there: the stored results.
        here: the results of training again.
        until: the last step to compare.
        exact: whether any difference counts, or only one beyond `LIMITS`.
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
    """Return a sentence that says how many numbers differ, and by how much at most."""
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
    """Return the largest magnitude, by step, of quantities that may be zero up to rounding."""
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
    """Return whether two measurements differ by more than `allowed` times `LIMITS`."""
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
    """Return the share of samples in different bins, or of units dead in only one training."""
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
