"""Sets of seeds: the mean of several is one value where no single seed is typical."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pandas as pd

from relu_exp.evidence.claims.verdicts import Rule, Verdict

__all__ = ["in_sets", "seeds_of_sets"]


def in_sets(rows: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    """Return effects with the mean of every `rule.set_of` seeds as one, in the order of seeds.

    Seeds that do not fill a set, and sets that lack an effect, are left out.
    """
    seeds = sorted(rows["seed"].unique())
    full = seeds[: len(seeds) // rule.set_of * rule.set_of]
    place = {seed: number // rule.set_of for number, seed in enumerate(full)}
    kept = rows[rows["seed"].isin(place)]
    groups = kept.assign(seed=kept["seed"].map(place)).groupby(["seed", *rule.grid])["effect"]
    means = groups.mean().where(groups.count() == rule.set_of)
    return means.dropna().reset_index()


def seeds_of_sets(verdict: Verdict, rule: Rule) -> Verdict:
    """Return a verdict on sets of seeds that promises what is needed in seeds."""
    needs, number = verdict.needs, rule.set_of
    return replace(
        verdict,
        seeds_needed=None if verdict.seeds_needed is None else verdict.seeds_needed * number,
        needs=None if needs is None else partial(_seeds_of_sets, needs, number),
    )


def _seeds_of_sets(needs: Callable[[float], int | None], number: int, level: float) -> int | None:
    """Return the seeds that decide a rule at a level, from how many sets do."""
    return (needs(level) or 0) * number or None
