"""Verdicts that changed from one result set to another, and effects that moved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["effects_apart", "verdict_changes"]

_ABSENT = "no verdict"
_SIDES = ("supported", "refuted")


def verdict_changes(
    then: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the claims whose verdict changed, reversals first."""
    found = []
    for claim in {**then, **now}:
        was, is_ = (rows.get(claim, {}) for rows in (then, now))
        if was.get("verdict") != is_.get("verdict"):
            found.append(_change(claim, was, is_))
    return sorted(found, key=lambda change: (_rank(change), -_shift(change), change["claim"]))


def _change(claim: str, was: Mapping[str, Any], is_: Mapping[str, Any]) -> dict[str, Any]:
    either = is_ or was
    return {
        "claim": claim,
        "statement": either["statement"],
        "unit": either["rule"]["unit"],
        "threshold": either["rule"]["threshold"],
        "was": _side(was),
        "is": _side(is_),
    }


def _side(row: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {key: _finite(row.get(key)) for key in ("effect", "low", "high")}
    return {"verdict": row.get("verdict", _ABSENT), **numbers, "seeds": row.get("num_seeds", 0)}


def _finite(value: Any) -> float | None:
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def _rank(change: Mapping[str, Any]) -> int:
    """Return how much a change of verdict matters: 0 for a reversal, 4 for a new claim."""
    pair = {change["was"]["verdict"], change["is"]["verdict"]}
    if pair == {*_SIDES}:
        return 0
    if "conditional" in pair and pair & {*_SIDES}:
        return 1
    return 4 if _ABSENT in pair else 3 if "not decided" in pair else 2


def _shift(change: Mapping[str, Any]) -> float:
    """Return how far the effect moved, in half-widths of the wider interval."""
    was, is_ = change["was"], change["is"]
    if None in (*_interval(was), *_interval(is_)):
        return 0.0
    half = max(was["high"] - was["low"], is_["high"] - is_["low"]) / 2
    return abs(was["effect"] - is_["effect"]) / half if half > 0 else 0.0


def _interval(side: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return side["effect"], side["low"], side["high"]


def effects_apart(
    then: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the claims whose effects' intervals do not overlap, the furthest apart first."""
    both = [_change(claim, then[claim], now[claim]) for claim in then if claim in now]
    apart = [
        change
        for change in both
        if None not in (*_interval(change["was"]), *_interval(change["is"]))
        and (
            change["was"]["high"] < change["is"]["low"]
            or change["is"]["high"] < change["was"]["low"]
        )
    ]
    return sorted(apart, key=lambda change: (-_shift(change), change["claim"]))
