"""Calibration: how often the machinery that judges claims is wrong where the truth is known.

Nulls, planted true and planted false claims go through `judge` and `corrected` like any other. Of
each error the nominal rate is known: it must lie inside the interval of the rate counted, or, where
it is a promise, not below it. Not all effects are normal: some are skewed, have heavy tails,
collapse in a few seeds, or belong to times that never came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from relu_exp.evidence.data.statistics import typical_interval
from relu_exp.evidence.data.texts import read_texts

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
    at_most: bool = False
    """Whether the nominal rate is a promise, which a cautious method may undercut."""

    @property
    def says_ko(self) -> str:
        """What happened, in Korean; in English where that is not known."""
        known: Mapping[str, str] = read_texts(__package__, "calibration.yaml")
        return known.get(self.says, self.says)

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
        """Whether the nominal rate lies inside the interval, or a promise not below it."""
        low, high = self.interval
        return low <= self.nominal and (self.at_most or self.nominal <= high)


def calibrate(root: Path | None = None, opened: Open = Frames.open) -> tuple[Check, ...]:
    """Return the checks on planted effects and, with results, on real arms against themselves."""
    real = against_itself(root, opened) if root is not None else None
    return (*planted(), *([real] if real else []))


@cache
def planted() -> tuple[Check, ...]:
    """Return the checks on effects drawn from distributions whose typical value is known."""
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
            at_most=True,
        ),
        Check(
            f"of {FAMILY} such claims, corrected together (Holm), any was called so",
            sum(any(map(_is_decided, family.values())) for family in families),
            len(families),
            ALPHA,
            at_most=True,
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
            ALPHA / 2,
            at_most=True,
        ),
        Check(
            "the 95% interval of a true claim missed the true effect",
            sum(not verdict.low <= EFFECT <= verdict.high for verdict in true),
            NUM_TRIALS,
            ALPHA,
            at_most=True,
        ),
        _grid(generator),
        *(_shaped(generator, shape) for shape in _SHAPES),
        _apart(generator),
        _censored(generator),
        _sequential(generator),
        _at_threshold(generator),
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
        at_most=True,
    )


def _trial(generator: np.random.Generator, mean: float, rule: Rule) -> Verdict:
    effects = mean + generator.standard_normal(NUM_SEEDS)
    return _judged(effects, rule)


def _grid(generator: np.random.Generator) -> Check:
    """Return how often a grid without any effect was called conditional."""
    rule = Rule(measure="planted effect", says="above 0", threshold=0.0, grid=("setting",))
    index = pd.MultiIndex.from_product([range(NUM_SEEDS), SETTINGS], names=["seed", "setting"])
    number, trials = 0, NUM_TRIALS // 2
    for _ in range(trials):
        effects = pd.DataFrame({"effect": generator.standard_normal(len(index))}, index)
        number += judge(Effects(effects.reset_index()), rule).name == "conditional"
    return Check(
        f"a grid of {len(SETTINGS)} settings without any effect was called conditional",
        number,
        trials,
        ALPHA,
        at_most=True,
    )


@dataclass(frozen=True)
class _Shape:
    """A distribution of effects over seeds, in words, and its median."""

    says: str
    draw: Callable[[np.random.Generator, int], np.ndarray]
    median: float


def _collapsing(share: float) -> _Shape:
    """Return effects of which a share is far below the others: their arm collapses."""

    def draw(generator: np.random.Generator, n: int) -> np.ndarray:
        values: np.ndarray = 0.1 * generator.standard_normal(n)
        values[generator.random(n) < share] -= 5.0
        return values

    median = 0.1 * float(stats.norm.ppf((0.5 - share) / (1 - share)))
    return _Shape(f"collapses in {share:.0%} of seeds", draw, median)


_SHAPES = (
    _Shape("is skewed (lognormal)", lambda generator, n: generator.lognormal(size=n), 1.0),
    _Shape("has heavy tails (t, 2 degrees)", lambda generator, n: generator.standard_t(2, n), 0.0),
    _collapsing(0.05),
    _collapsing(0.15),
)


def _shaped(generator: np.random.Generator, shape: _Shape) -> Check:
    rule = Rule(measure="planted effect", says="above the median", threshold=shape.median)
    number, trials = 0, NUM_TRIALS // 2
    for _ in range(trials):
        number += _is_decided(_judged(shape.draw(generator, NUM_SEEDS), rule))
    says = f"an effect that {shape.says}, at the threshold, was called supported or refuted"
    return Check(says, number, trials, ALPHA, at_most=True)


def _apart(generator: np.random.Generator) -> Check:
    """Return how often the interval misses what an arm does when it does not fail."""
    rule = Rule(measure="planted effect", says="above 0", threshold=0.5, failures="apart")
    number, trials, effect = 0, NUM_TRIALS // 2, 1.0
    for _ in range(trials):
        failed = generator.random(NUM_SEEDS) < 0.15
        failed[:2] = False
        values = effect + 0.1 * generator.standard_normal(NUM_SEEDS) - 5 * failed
        verdict = _judged(values, rule, first_failed=failed)
        number += not verdict.low <= effect <= verdict.high
    says = "with failures counted apart, the 95% interval missed the effect of the other seeds"
    return Check(says, number, trials, ALPHA, at_most=True)


def _censored(generator: np.random.Generator) -> Check:
    """Return how often a ratio of times, half of which never came, was called less than it is."""
    rule = Rule("planted ratio", "above 2", threshold=2.0, ratio=True, censored="bound")
    number, trials = 0, NUM_TRIALS // 2
    for _ in range(trials):
        slow, fast = np.exp(0.2 * generator.standard_normal((2, NUM_SEEDS))) * [[200], [100]]
        late = slow > 200
        bound = np.where(late, "lower", "none")
        verdict = _judged(np.minimum(slow, 200) / fast, rule, bound=bound)
        number += _is_decided(verdict)
    says = "a ratio at the threshold, whose slow arm often never arrives, was called so"
    return Check(says, number, trials, ALPHA, at_most=True)


def _sequential(generator: np.random.Generator) -> Check:
    """Return how often a null was decided at one of three looks, while seeds are added."""
    rule = Rule(measure="planted effect", says="above 0", threshold=0.0)
    number, trials, looks = 0, NUM_TRIALS // 4, (8, 16, 32)
    for _ in range(trials):
        values = generator.standard_normal(looks[-1])
        number += any(
            _is_decided(corrected({"": _judged(values[:n], rule)}, {"": len(looks)})[""])
            for n in looks
        )
    says = f"an effect at the threshold was called so at one of {len(looks)} looks"
    return Check(says, number, trials, ALPHA, at_most=True)


def _at_threshold(generator: np.random.Generator) -> Check:
    """Return how often a map was conditional that holds in one setting, the others undecidable."""
    rule = Rule("planted effect", "above 0", threshold=0.0, grid=("setting",), need="every")
    number, trials = 0, NUM_TRIALS // 4
    names = np.repeat(SETTINGS, NUM_SEEDS)
    for _ in range(trials):
        values = generator.standard_normal(len(names)) + 10.0 * (names == SETTINGS[0])
        rows = {"seed": np.tile(range(NUM_SEEDS), len(SETTINGS)), "setting": names}
        verdict = judge(Effects(pd.DataFrame({**rows, "effect": values})), rule)
        number += corrected({"": verdict})[""].name == "conditional"
    says = "a grid that holds in one setting, at the threshold elsewhere, was called conditional"
    return Check(says, number, trials, ALPHA, at_most=True)


def _judged(values: np.ndarray, rule: Rule, **columns: np.ndarray) -> Verdict:
    """Return the verdict on one value per seed."""
    return judge(
        Effects(pd.DataFrame({"seed": range(len(values)), "effect": values, **columns})), rule
    )


def _power(effect: float, num_seeds: int) -> float:
    """Return the chance that the interval of normal values lies wholly above a threshold below.

    Drawn, since it is the wider of two intervals: 4,000 times.
    """
    draws = np.random.default_rng(0).standard_normal((4000, num_seeds)) + effect
    return float(np.mean([typical_interval(values, 1 - ALPHA)[0] > 0 for values in draws]))


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
