"""Statistics: intervals and tests over seeds, times that may never come, the fair learning rate.

The seed is the unit: layers, steps and units of one run are not independent and never counted.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

__all__ = [
    "Interval",
    "agree_by_chance",
    "best_learning_rates",
    "half_width",
    "interval_in_words",
    "mean_interval",
    "median_steps",
    "over_seeds",
    "p_value",
    "score",
    "seeds_to_decide",
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
    if n == 1:
        return Interval(mean, np.nan, np.nan, 1)
    half = float(half_width(kept.std(ddof=1), n, confidence))
    return Interval(mean, mean - half, mean + half, n)


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
    half = half_width(found["std"].to_numpy(), found["n"].to_numpy())
    half = np.where(found["n"] > 1, half, np.nan)  # a figure draws no interval of a single value
    found["low"], found["high"] = found["mean"] - half, found["mean"] + half
    if log:
        shown = ["mean", "low", "high", "least", "most"]
        found[shown] = np.exp(found[shown])
        found["num_zero"] = groups["_zero"].sum()
    return found.drop(columns="std").reset_index()


def half_width(std: Any, n: Any, confidence: float = CONFIDENCE, least: float = 0.0) -> Any:
    """Return the half-width of Student's t interval of a mean, t · s / √n, element by element.

    Values that spread by less than `least`, to which they are known, are credited with that spread.
    Of a single value the interval is the whole line: infinity.
    """
    t = stats.t.ppf((1 + confidence) / 2, np.maximum(np.asarray(n) - 1, 1))
    half = t * np.maximum(std, least) / np.sqrt(np.maximum(n, 1))
    return np.where(np.asarray(n) > 1, half, np.inf)


def agree_by_chance(std: Any, n: Any, level: float) -> Any:
    """Return where values agree exactly and may do so by chance, as a sign test at `level` allows.

    Accuracies come in steps: a few seeds that agree have no spread, and prove little.
    """
    return (np.asarray(std) < 1e-6) & (2.0 ** (1 - np.asarray(n)) > level)


def p_value(distance: float, std: float, n: int, least: float = 0.0) -> float:
    """Return the two-sided p-value of Student's t test that a mean is so far from its threshold.

    `least` as in `half_width`; NaN of a single value.
    """
    if n < 2:
        return math.nan
    return float(2 * stats.t.sf(abs(distance) / (max(std, least) / math.sqrt(n)), n - 1))


def seeds_to_decide(p: float, num_seeds: int, level: float = 1 - CONFIDENCE) -> int | None:
    """Return the seeds at which a t test would reach a level, if mean and spread stay as they are.

    None where that takes more than 10,000, or where there is no test (one seed).
    """
    if math.isnan(p) or num_seeds < 2 or p >= 1:
        return None
    distance = float(stats.t.isf(p / 2, num_seeds - 1)) / math.sqrt(num_seeds)

    def is_decided(count: int) -> bool:
        return bool(2 * stats.t.sf(distance * math.sqrt(count), count - 1) <= level)

    found = bisect.bisect_left(range(10_001), True, lo=2, key=is_decided)
    return found if found <= 10_000 else None


def interval_in_words(mean: float, low: float, high: float, unit: str = "") -> str:
    """Return a mean with its interval as people read it; without where there is none."""
    text = f"{mean:.3g}{unit}"
    return f"{text} [{low:.3g}, {high:.3g}]" if math.isfinite(low) and math.isfinite(high) else text


def over_seeds(
    mean: float, low: float, high: float, n: int, unit: str = "", over: str = "seed"
) -> str:
    """Return a mean with its interval and the number of seeds it rests on, in words."""
    seeds = f"{n} {over}" + ("s" if n != 1 else "")
    if n < 2:
        return f"{mean:.3g}{unit} ({seeds}: no interval)"
    return f"{interval_in_words(mean, low, high, unit)} over {seeds}"


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
