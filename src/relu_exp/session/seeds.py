"""Chooses which experiments get more seeds: those with claims that are still open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["MAX_LOOKS", "more_seeds"]

MAX_LOOKS = 3
"""Most times a claim is judged: each is another chance of error, and all count from the first."""


def more_seeds(
    verdicts: Mapping[str, Mapping[str, Any]], num_seeds: Mapping[str, int], most: int
) -> dict[str, int]:
    """Return the experiments that need more seeds, each with how many in all.

    An experiment gets the number that its open claims need, at least twice what it has and never
    more than `most`. An experiment is left out if it has that many already, or if its claims
    need more than `most`.

    Args:
        verdicts: of every claim, `verdict`, `seeds_needed` and `experiments`, as in verdicts.json.
        num_seeds: seeds of every experiment that was trained.
        most: the largest number of seeds to train.
    """
    wanted: dict[str, int] = {}
    for verdict in verdicts.values():
        needed = verdict["seeds_needed"]
        if verdict["verdict"] != "inconclusive" or not needed or needed > most:
            continue
        for experiment in verdict["experiments"]:
            had = num_seeds.get(experiment, 0)
            # a claim of several experiments waits for the one that has the fewest
            if 0 < had < needed:
                grown = min(most, max(needed, 2 * had))
                wanted[experiment] = max(wanted.get(experiment, 0), grown)
    return wanted
