"""The runs of each arm at the settings that validation data chose."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from relu_exp.core.contrasts import Metric
from relu_exp.evidence.claims.arms import at_best_rate, at_fastest_rate, timed
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.statistics import goodness

__all__ = ["tuned"]


def tuned(
    frames: Frames, runs: pd.DataFrame, keys: Sequence[str], others: Sequence[str], metric: Metric
) -> pd.DataFrame:
    """Return the runs of each arm and setting, `keys`, at their best rate and `others`, `at_edge`.

    Best is the highest mean validation accuracy over all seeds, of a regression the lowest loss; of
    updates, the fewest to the threshold on validation data. The rate is that of the claims;
    `others` are chosen as it is.

    Raises:
        MissingRunsError: no arm has a run with validation data to choose by.
    """
    arms = [*keys, *others]
    if metric.kind == "updates":
        rates = runs.groupby(arms, observed=True, dropna=False)["learning_rate"]
        low, high = rates.transform("min"), rates.transform("max")
        edges = (low != high) & ((runs["learning_rate"] == low) | (runs["learning_rate"] == high))
        chosen = at_fastest_rate(
            frames, runs.assign(at_edge=edges), arms, metric.threshold, metric=metric.curve
        )
        times = timed(frames, chosen, metric.threshold, split="validation", metric=metric.curve)
        chosen = times.assign(_goodness=-times["steps"]).drop(
            columns=["steps", "censored", "threshold"]
        )
    else:
        chosen = at_best_rate(runs, arms)
        chosen = chosen.assign(_goodness=goodness(chosen))
    if others:
        means = chosen.groupby(arms, observed=True, dropna=False)["_goodness"].mean().reset_index()
        best = means.sort_values("_goodness", ascending=False, kind="stable")
        chosen = chosen.merge(best.drop_duplicates(list(keys))[arms], on=arms)
    return chosen.drop(columns="_goodness")
