"""Statistics: intervals and tests over seeds, times that may never come, the fair learning rate.

The seed is the unit: layers, steps and units of one run are not independent and never counted.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special, stats

from relu_exp.evidence.data.regressions import is_regression

__all__ = [
    "POWER",
    "Interval",
    "agree_by_chance",
    "best_learning_rates",
    "bounded_in_words",
    "goodness",
    "half_width",
    "how_many",
    "interval_in_words",
    "mean_interval",
    "median_steps",
    "over_seeds",
    "p_value",
    "proportion",
    "score",
    "seeds_to_decide",
    "summarize",
    "typical_interval",
    "typical_p",
]

CONFIDENCE = 0.95
POWER = 0.8
"""How often the seeds that are promised to decide a claim do."""
_BOTH = 0.02
"""What each of two tests must give more, so that both together reach the promised power."""


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
    # Student's quantile; `stats.t.ppf` gives the same and takes ten times as long
    t = special.stdtrit(np.maximum(np.asarray(n) - 1, 1), (1 + confidence) / 2)
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
    return float(2 * special.stdtr(n - 1, -abs(distance) / (max(std, least) / math.sqrt(n))))


def typical_interval(
    values: np.ndarray, confidence: float = CONFIDENCE, least: float = 0.0
) -> tuple[float, float]:
    """Return the ends of an interval of what is typical over seeds, honest for skew and collapse.

    The wider on each side of Student's t and the exact interval of the median between order
    statistics (Hettmansperger and Sheather 1986). It covers the median whatever the distribution,
    where there are enough values for the confidence, and the mean of a normal. With fewer values
    the order statistics are the extremes: a threshold is passed by all values or not at all. No
    interval from a few seeds covers a mean that rare failures pull away: they are counted apart.
    """
    mean, std = _mean_and_std(values)
    half = float(half_width(std, len(values), confidence, least))
    if not math.isfinite(half):
        return mean - half, mean + half
    ordered, n, level = np.sort(values), len(values), 1 - confidence
    levels = _sign_levels(n)
    k = max(1, int(np.searchsorted(levels, level, side="right")))
    low, high = float(ordered[k - 1]), float(ordered[n - k])
    if levels[0] < level and k < len(levels):
        share = (level - levels[k - 1]) / (levels[k] - levels[k - 1])
        weight = (n - k) * share / (k + (n - 2 * k) * share)
        low = (1 - weight) * low + weight * float(ordered[k])
        high = (1 - weight) * high + weight * float(ordered[n - k - 1])
    return min(mean - half, low), max(mean + half, high)


def typical_p(values: np.ndarray, threshold: float, least: float = 0.0) -> float:
    """Return the smallest level at which `typical_interval` leaves the threshold out.

    NaN of a single value. The worse of Student's t and, where values lie on both sides, the sign
    test.
    """
    mean, std = _mean_and_std(values)
    p = p_value(mean - threshold, std, len(values), least)
    ordered, n = np.sort(values), len(values)
    below, above = int((ordered <= threshold).sum()), int((ordered >= threshold).sum())
    if math.isnan(p) or min(below, above) == 0:
        return p
    if below > above:
        ordered, threshold, below = -ordered[::-1], -threshold, above
    levels = _sign_levels(n)
    if below >= len(levels):
        return 1.0
    # between two order statistics the level is interpolated as the interval is
    near, far = float(ordered[below - 1]), float(ordered[below])
    weight = (threshold - near) / (far - near) if far > near else 1.0
    share = weight * below / ((n - below) - weight * (n - 2 * below))
    sign = levels[below - 1] + share * (levels[below] - levels[below - 1])
    return max(p, float(min(sign, 1.0)))


def _mean_and_std(values: np.ndarray) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


@cache
def _sign_levels(n: int) -> np.ndarray:
    """Return how often the median lies outside the k-th lowest and highest value, k = 1, 2, …."""
    levels: np.ndarray = 2 * stats.binom.cdf(np.arange(max(n // 2, 1)), n, 0.5)
    return levels


def seeds_to_decide(
    distance: float, level: float = 1 - CONFIDENCE, across: float = 0.0
) -> int | None:
    """Return the seeds at which `typical_p` reaches a level in 80 of 100 experiments.

    By Student's noncentral t and the sign test's binomial, of normal values or of worse.

    Args:
        distance: the mean's from the threshold, in standard deviations over seeds: the true one, if
            the promise is to hold.
        level: what `typical_p` shall reach.
        across: the share of seeds on the other side of the threshold, where more were seen than
            there are of normal values. No number of seeds decides where it is a half.

    Returns:
        None where it takes more than 10,000, or nothing is known of the distance (NaN).
    """
    if math.isnan(distance) or distance == 0:
        return None
    size = abs(distance)

    def by_t(count: int) -> float:
        critical = -special.stdtrit(count - 1, level / 2)
        return 1 - float(special.nctdtr(count - 1, size * math.sqrt(count), critical))

    def by_sign(count: int) -> float:
        # how many values may lie on the other side; none where even that proves less
        most = max(0, math.floor(float(np.nan_to_num(special.bdtrik(level / 2, count, 0.5)))))
        return float(special.bdtr(most, count, max(float(special.ndtr(-size)), across)))

    def is_enough(count: int) -> bool:
        return by_t(count) >= POWER + _BOTH and by_sign(count) >= POWER + _BOTH

    return _first(is_enough, 10_000)


def _first(is_enough: Callable[[int], bool], most: int) -> int | None:
    """Return the first count from 2 to `most` that is enough, if what is enough stays so."""
    found = bisect.bisect_left(range(most + 1), True, lo=2, key=is_enough)
    return found if found <= most else None


def proportion(number: int, of: int) -> tuple[float, float]:
    """Return the 95% interval of a share of seeds (Clopper and Pearson 1934)."""
    found = stats.binomtest(number, of).proportion_ci(CONFIDENCE, "exact")
    return float(found.low), float(found.high)


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


def how_many(number: int) -> str:
    """Return a count as a sentence has it, in which 0 is none."""
    return str(number) if number else "none"


def bounded_in_words(bound: str, mean: float, low: float, high: float, unit: str = "") -> str:
    """Return in words what is known where times that never came make effects bounds."""
    if bound == "lower":
        return f"more than {low if math.isfinite(low) else mean:.3g}{unit}"
    if bound == "upper":
        return f"less than {high if math.isfinite(high) else mean:.3g}{unit}"
    return "not known: either arm failed to arrive"


def median_steps(steps: ArrayLike, censored: ArrayLike) -> float:
    """Return the first step at which half of the runs have arrived; infinity if they never do.

    `censored` marks runs that had not arrived at `steps`. Kaplan and Meier 1958.
    """
    times, late = np.asarray(steps, dtype=float), np.asarray(censored, dtype=bool)
    survival = stats.ecdf(stats.CensoredData(uncensored=times[~late], right=times[late])).sf
    arrived = survival.quantiles[survival.probabilities <= 0.5 + 1e-12]
    return float(arrived[0]) if len(arrived) else np.inf


_WORST = {"accuracy": 0.0, "loss": np.inf, "r2": -np.inf}
"""What a divergence counts as, by metric."""


def score(runs: pd.DataFrame, column: str) -> pd.Series[float]:
    """Return a final metric per run, in which divergence is a result and a failure is none.

    A run that diverged has accuracy 0, infinite loss and an R² of minus infinity; one that failed
    or was interrupted NaN.
    """
    worst = _WORST[column.rpartition("_")[2]]
    value = runs[column].astype(float)
    value = value.mask(runs["status"] == "diverged", worst)
    return value.mask(runs["status"].isin(["failed", "interrupted"]), np.nan)


def goodness(runs: pd.DataFrame) -> pd.Series[float]:
    """Return by what runs are tuned, the more the better: validation accuracy.

    Of a regression it is the validation loss, negated.
    """
    accuracy = score(runs, "final_validation_accuracy")
    return accuracy.mask(is_regression(runs), -score(runs, "final_validation_loss"))


def best_learning_rates(runs: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return each arm's best rate: `by`, `learning_rate`, `validation`, `at_edge`, `num_rates`.

    Best is the highest mean validation accuracy over seeds, a diverged run counting as 0; then the
    lowest validation loss, which alone counts for a regression; then the smaller rate. `at_edge`
    marks a best rate that is the smallest or largest of several tried: the true optimum may lie
    beyond. Test data has no say.
    """
    by = list(by)
    scored = runs.assign(
        validation=goodness(runs),
        _loss=score(runs, "final_validation_loss"),
    ).dropna(subset=["validation"])
    rates = scored.groupby([*by, "learning_rate"], observed=True, dropna=False)
    means = rates[["validation", "_loss"]].mean().reset_index()
    means = means.sort_values(
        ["validation", "_loss", "learning_rate"], ascending=[False, True, True], kind="stable"
    )
    if not by:
        best = means.head(1).assign(num_rates=len(means))
        low, high = means["learning_rate"].min(), means["learning_rate"].max()
    else:
        arms = means.groupby(by, observed=True, dropna=False)["learning_rate"]
        means["_low"], means["_high"] = arms.transform("min"), arms.transform("max")
        means["num_rates"] = arms.transform("size")
        best = means.drop_duplicates(by).sort_values(by, kind="stable")
        low, high = best["_low"], best["_high"]
    edge = ((best["learning_rate"] == low) | (best["learning_rate"] == high)) & (low != high)
    columns = [*by, "learning_rate", "validation", "at_edge", "num_rates"]
    return best.assign(at_edge=edge)[columns].reset_index(drop=True)
