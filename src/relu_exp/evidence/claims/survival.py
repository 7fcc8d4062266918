"""Survival: at which learning rates a network still learns, and how far below the limit others are.

A finite loss is no survival: a network at chance accuracy has not learned.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from relu_exp.evidence.claims.registry import MissingRunsError
from relu_exp.evidence.data.statistics import score

__all__ = ["LEARNS", "MOST", "SAID_TO_DIE", "below_limit", "limits", "with_learning"]

LEARNS = 0.5
"""The least validation accuracy of a run that learns: of ten classes, five times chance."""
MOST = 0.5
"""The share of a network's runs that must learn at a rate that it still learns at."""
SAID_TO_DIE = 0.4
"""The share of units that texts say a large learning rate kills."""


def with_learning(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with `learns`: whether half of the validation data are right at the end."""
    return runs.assign(learns=score(runs, "final_validation_accuracy") >= LEARNS)


def limits(runs: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return the largest rate at which each network still learns, in most of its runs.

    Columns: `by`, `limit`. Networks that learn at no rate are left out.

    Raises:
        MissingRunsError: there is one rate only, or no network learns at any.
    """
    if runs["learning_rate"].nunique() < 2:
        raise MissingRunsError("only one learning rate was run: which is large cannot be said")
    rates = runs.groupby([*by, "learning_rate"])["learns"].mean().reset_index()
    found = rates[rates["learns"] >= MOST].groupby(list(by))["learning_rate"].max()
    if found.empty:
        raise MissingRunsError("most runs failed to learn at every learning rate")
    return found.rename("limit").reset_index()


def below_limit(runs: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return the runs at or below their network's limit, with `limit` and `below`.

    `below` is how many of the rates that were run lie between, 0 at the limit: where rates are
    equally far apart, equal numbers are equal fractions of the limit.
    """
    place = {rate: number for number, rate in enumerate(sorted(runs["learning_rate"].unique()))}
    found = runs.merge(limits(runs, by), on=list(by))
    below = found["limit"].map(place) - found["learning_rate"].map(place)
    return found.assign(below=below)[below >= 0]
