"""Failures: how often an arm fails, apart from how good it is when it does not."""

from __future__ import annotations

import pandas as pd

from relu_exp.evidence.data.statistics import proportion

__all__ = ["failed_seeds", "failures", "without_failures"]

_SIDES = {"first_failed": "first", "second_failed": "second"}
"""Columns of effects, and which of the two arms that they compare failed."""


def failures(rows: pd.DataFrame) -> list[str]:
    """Return in a sentence how often the arms failed, with intervals; none where none did.

    A seed counts once: it failed where any of its runs did.
    """
    found = failed_seeds(rows)
    if not any(number for number, _ in found.values()):
        return []
    phrases = []
    for side, (number, of) in found.items():
        low, high = proportion(number, of)
        phrases.append(f"the {side} in {number} of {of} [{low:.0%}, {high:.0%}]")
    return [f"Arms that diverged, by seeds with their 95% intervals: {', '.join(phrases)}."]


def failed_seeds(rows: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """Return for each side, `first` and `second`, in how many seeds it failed, of how many."""
    found = {}
    for column, side in _SIDES.items():
        if column in rows and len(rows):
            failed = rows[column].eq(True).groupby(rows["seed"]).any()
            found[side] = (int(failed.sum()), len(failed))
    return found


def without_failures(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the effects of seeds and settings in which neither arm failed."""
    columns = [column for column in _SIDES if column in rows]
    return rows[~rows[columns].eq(True).any(axis=1)]
