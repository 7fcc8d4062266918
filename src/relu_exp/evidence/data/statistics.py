"""Statistics: intervals over seeds, times that may never come, and the fair learning rate.

The seed is the unit: layers, steps and units of one run are not independent and never counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

__all__ = [
    "Interval",
    "best_learning_rates",
    "mean_interval",
    "median_steps",
    "score",
    "summarize",
]

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A mean with the interval around it and the number of values it rests on."""

    mean: float
    low: float
    high: float
    n: int


def mean_interval(values: ArrayLike, confidence: float = CONFIDENCE) -> Interval:
    """Return mean, interval and n of independent values, one per seed; NaN are left out.

    Student's t: mean ± t · s / √n. With the three to eight seeds that a sweep has, it covers the
    mean of a normal in 95 of 100 samples, where a percentile or BCa bootstrap covers it in 75
    (n = 3) to 88 (n = 8). A single value has no interval (NaN).
    """
    kept = np.asarray(values, dtype=float)
    kept = kept[~np.isnan(kept)]
    n = len(kept)
    if n == 0:
        return Interval(np.nan, np.nan, np.nan, 0)
    mean = float(kept.mean())
    half = _half_width(np.array([kept.std(ddof=1) if n > 1 else np.nan]), np.array([n]), confidence)
    return Interval(mean, mean - float(half[0]), mean + float(half[0]), n)


def summarize(
    frame: pd.DataFrame, by: Sequence[str], value: str, *, log: bool = False
) -> pd.DataFrame:
    """Return `mean_interval` of column `value` for each group of `by`: mean, low, high, n.

    Every row of a group must come from another seed. With `log` the mean is the geometric mean
    and the interval that of the logarithms, which suits what spans orders of magnitude; values
    that are not positive have no logarithm, are left out and counted in `num_zero`. `least` and
    `most` are the extremes.
    """
    values = frame[value].astype(float)
    values = values.where(np.isfinite(values))
    kept = frame[list(by)].assign(
        _value=np.log(values.where(values > 0)) if log else values, _zero=values <= 0
    )
    groups = kept.groupby(list(by), observed=True, dropna=False, sort=True)
    found = groups["_value"].agg(["mean", "std", "count", "min", "max"])
    found = found.rename(columns={"count": "n", "min": "least", "max": "most"})
    half = _half_width(found["std"].to_numpy(), found["n"].to_numpy(), CONFIDENCE)
    found["low"], found["high"] = found["mean"] - half, found["mean"] + half
    if log:
        shown = ["mean", "low", "high", "least", "most"]
        found[shown] = np.exp(found[shown])
        found["num_zero"] = groups["_zero"].sum()
    return found.drop(columns="std").reset_index()


def _half_width(std: Any, n: Any, confidence: float) -> Any:
    degrees = np.where(n > 1, n - 1, np.nan)
    return stats.t.ppf((1 + confidence) / 2, degrees) * std / np.sqrt(np.maximum(n, 1))


def median_steps(steps: ArrayLike, censored: ArrayLike) -> float:
    """Return the first step at which half of the runs have arrived; infinity if they never do.

    `censored` marks runs that had not arrived at `steps`. Kaplan and Meier 1958.
    """
    times, late = np.asarray(steps, dtype=float), np.asarray(censored, dtype=bool)
    survival = stats.ecdf(stats.CensoredData(uncensored=times[~late], right=times[late])).sf
    arrived = survival.quantiles[survival.probabilities <= 0.5 + 1e-12]
    return float(arrived[0]) if len(arrived) else np.inf


def score(runs: pd.DataFrame, column: str) -> pd.Series[float]:
    """Return a final metric per run, in which divergence is a result and a failure is none.

    A run that diverged has accuracy 0 and infinite loss; one that failed or was interrupted NaN.
    """
    worst = 0.0 if column.endswith("accuracy") else np.inf
    value = runs[column].astype(float)
    value = value.mask(runs["status"] == "diverged", worst)
    return value.mask(runs["status"].isin(["failed", "interrupted"]), np.nan)


def best_learning_rates(runs: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return each arm's best learning rate: `by`, `learning_rate`, `validation`, `at_edge`.

    Best is the highest mean validation accuracy over seeds, a diverged run counting as 0; then the
    lowest validation loss; then the smaller rate. `at_edge` marks a best rate that is the smallest
    or largest of several tried: the true optimum may lie beyond. Test data has no say.
    """
    by = list(by)
    scored = runs.assign(
        validation=score(runs, "final_validation_accuracy"),
        _loss=score(runs, "final_validation_loss"),
    ).dropna(subset=["validation"])
    rates = scored.groupby([*by, "learning_rate"], observed=True, dropna=False)
    means = rates[["validation", "_loss"]].mean().reset_index()
    means = means.sort_values(
        ["validation", "_loss", "learning_rate"], ascending=[False, True, True], kind="stable"
    )
    if not by:
        best = means.head(1)
        low, high = means["learning_rate"].min(), means["learning_rate"].max()
    else:
        arms = means.groupby(by, observed=True, dropna=False)["learning_rate"]
        means["_low"], means["_high"] = arms.transform("min"), arms.transform("max")
        best = means.drop_duplicates(by).sort_values(by, kind="stable")
        low, high = best["_low"], best["_high"]
    edge = ((best["learning_rate"] == low) | (best["learning_rate"] == high)) & (low != high)
    return best.assign(at_edge=edge)[[*by, "learning_rate", "validation", "at_edge"]].reset_index(
        drop=True
    )
