"""Calibration: how often the machinery that judges claims is wrong where the truth is known.

Nulls, planted true and planted false claims go through `judge` and `corrected` like any other. Of
each error the nominal rate is known exactly: it must lie inside the interval of the rate counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from relu_exp.core.schema import DEFAULT_PRECISION, UsageError
from relu_exp.evidence.claims.correction import corrected
from relu_exp.evidence.claims.judging import judge
from relu_exp.evidence.claims.verdicts import ALPHA, Effects, Rule, Verdict
from relu_exp.evidence.data.frames import Frames, Open, find_results
from relu_exp.evidence.data.statistics import half_width

__all__ = ["Check", "against_itself", "calibrate", "planted"]

NUM_TRIALS = 400
NUM_SEEDS = 8
MOST_ARMS = 400
"""Real arms that are compared with themselves, spread evenly over all there are."""
FAMILY = 10
"""Claims of one planted family; as many families as the trials give are corrected together."""
EFFECT = 1.3
"""Of planted claims: the mean's distance from the threshold, in standard deviations over seeds."""
SETTINGS = ("a", "b", "c", "d")


@dataclass(frozen=True)
class Check:
    """How often something happened that the truth forbids, beside how often it should by chance."""

    says: str
    num_wrong: int
    num_trials: int
    nominal: float

    @property
    def rate(self) -> float:
        """The share of trials in which it happened."""
        return self.num_wrong / self.num_trials

    @property
    def interval(self) -> tuple[float, float]:
        """The rate's 95% interval (Clopper and Pearson 1934)."""
        found = stats.binomtest(self.num_wrong, self.num_trials).proportion_ci(0.95, "exact")
        return float(found.low), float(found.high)

    @property
    def holds(self) -> bool:
        """Whether the nominal rate lies inside the interval."""
        low, high = self.interval
        return low <= self.nominal <= high


def calibrate(root: Path | None = None, opened: Open = Frames.open) -> tuple[Check, ...]:
    """Return the checks on planted effects and, with results, on real arms against themselves."""
    real = against_itself(root, opened) if root is not None else None
    return (*planted(), *([real] if real else []))


@cache
def planted() -> tuple[Check, ...]:
    """Return the checks on effects drawn from normal distributions whose mean is known."""
    generator = np.random.default_rng(20_150_515)
    rule = Rule(measure="planted effect", says="above 0", threshold=0.0)
    nulls = [_trial(generator, 0.0, rule) for _ in range(NUM_TRIALS)]
    true = [_trial(generator, EFFECT, rule) for _ in range(NUM_TRIALS)]
    false = [_trial(generator, -EFFECT, rule) for _ in range(NUM_TRIALS)]
    power = _power(EFFECT, NUM_SEEDS)
    families = [
        corrected({str(place): verdict for place, verdict in enumerate(nulls[start:][:FAMILY])})
        for start in range(0, NUM_TRIALS, FAMILY)
    ]
    return (
        Check(
            "an effect exactly at the threshold was called supported or refuted",
            sum(_is_decided(verdict) for verdict in nulls),
            NUM_TRIALS,
            ALPHA,
        ),
        Check(
            f"of {FAMILY} such claims, corrected together (Holm), any was called so",
            sum(any(map(_is_decided, family.values())) for family in families),
            len(families),
            1 - (1 - ALPHA / FAMILY) ** FAMILY,
        ),
        Check(
            f"a true claim, {EFFECT:g} standard deviations past the threshold, was not supported",
            sum(verdict.name != "supported" for verdict in true),
            NUM_TRIALS,
            1 - power,
        ),
        Check(
            f"a false claim, {EFFECT:g} standard deviations short of it, was not refuted",
            sum(verdict.name != "refuted" for verdict in false),
            NUM_TRIALS,
            1 - power,
        ),
        Check(
            "a true claim was called refuted, or a false one supported",
            sum(verdict.name == "refuted" for verdict in true)
            + sum(verdict.name == "supported" for verdict in false),
            2 * NUM_TRIALS,
            _power(-EFFECT, NUM_SEEDS),
        ),
        Check(
            "the 95% interval of a true claim missed the true effect",
            sum(not verdict.low <= EFFECT <= verdict.high for verdict in true),
            NUM_TRIALS,
            ALPHA,
        ),
        _grid(generator),
    )


def against_itself(root: Path, opened: Open = Frames.open) -> Check | None:
    """Return how often an arm of the results was decided to differ from itself with other seeds.

    Every arm (all of a configuration but the seed) with at least four finished runs is split at
    random into pairs of seeds; the effect is the ratio of their validation losses at the end. None
    where no arm has so many runs.
    """
    rule = Rule(measure="loss over loss", says="differs", threshold=1.0, ratio=True, unit="×")
    generator = np.random.default_rng(20_150_515)
    verdicts = [
        judge(Effects(effects), rule)
        for losses in _spread(_arms(root, opened))
        if (effects := _halves(losses, generator)) is not None
    ]
    if not verdicts:
        return None
    return Check(
        "an arm of these experiments differed from itself with other seeds",
        sum(map(_is_decided, verdicts)),
        len(verdicts),
        ALPHA,
    )


def _trial(generator: np.random.Generator, mean: float, rule: Rule) -> Verdict:
    effects = mean + generator.standard_normal(NUM_SEEDS)
    return judge(Effects(pd.DataFrame({"seed": range(NUM_SEEDS), "effect": effects})), rule)


def _grid(generator: np.random.Generator) -> Check:
    """Return how often a grid without any effect was called conditional."""
    rule = Rule(measure="planted effect", says="above 0", threshold=0.0, grid=("setting",))
    index = pd.MultiIndex.from_product([range(NUM_SEEDS), SETTINGS], names=["seed", "setting"])
    number, trials = 0, NUM_TRIALS // 2
    for _ in range(trials):
        effects = pd.DataFrame({"effect": generator.standard_normal(len(index))}, index)
        number += judge(Effects(effects.reset_index()), rule).name == "conditional"
    k = len(SETTINGS)
    # one setting above and another below, each side at its share of the corrected level
    nominal = 1 - 2 * (1 - ALPHA / (2 * k)) ** k + (1 - ALPHA / k) ** k
    return Check(
        f"a grid of {k} settings without any effect was called conditional", number, trials, nominal
    )


def _power(effect: float, num_seeds: int) -> float:
    """Return the chance that Student's interval lies wholly above a threshold so far below."""
    critical = float(half_width(1.0, num_seeds, 1 - ALPHA)) * np.sqrt(num_seeds)
    return float(stats.nct.sf(critical, num_seeds - 1, effect * np.sqrt(num_seeds)))


def _is_decided(verdict: Verdict) -> bool:
    return verdict.name in ("supported", "refuted", "conditional")


def _arms(root: Path, opened: Open) -> list[Sequence[float]]:
    """Return the final validation losses of every arm below `root`, one per seed."""
    found: list[Sequence[float]] = []
    try:
        folders = find_results(root)
    except UsageError:
        return found
    for folder in folders:
        try:
            runs = opened(folder).only(DEFAULT_PRECISION).runs
        except UsageError:
            continue
        runs = runs[(runs["status"] == "done") & (runs["num_steps"] > 0)]
        runs = runs[runs["final_validation_loss"] > 0]
        by = ["depth", "width", "learning_rate", "batch_size", "num_steps"]
        for part in ("activation", "initializer", "network", "dataset", "optimizer"):
            by += [part, f"{part}_settings"]
        for _, arm in runs.groupby(by, dropna=False, sort=True):
            losses = arm.drop_duplicates("seed").sort_values("seed")["final_validation_loss"]
            found.append(losses.to_list())
    return found


def _spread(arms: list[Sequence[float]]) -> list[Sequence[float]]:
    return arms[:: -(-len(arms) // MOST_ARMS) or 1]


def _halves(losses: Sequence[float], generator: np.random.Generator) -> pd.DataFrame | None:
    """Return the ratios of random disjoint pairs; None where there are none, or no differences."""
    order = generator.permutation(len(losses))
    pairs = order[: len(order) // 2 * 2].reshape(-1, 2)
    values = np.asarray(losses, dtype=float)
    if len(pairs) < 2 or np.ptp(values) == 0:
        return None
    ratios = values[pairs[:, 0]] / values[pairs[:, 1]]
    return pd.DataFrame({"seed": range(len(ratios)), "effect": ratios})
