"""Rules fixed in advance, and the verdicts that follow from effects per seed."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

__all__ = [
    "ALPHA",
    "Cell",
    "Rule",
    "Verdict",
    "VerdictName",
    "corrected",
    "judge",
    "judge_exact",
    "seeds_to_decide",
]

VerdictName = Literal["supported", "refuted", "conditional", "inconclusive", "not decided"]
ALPHA = 0.05


@dataclass(frozen=True)
class Rule:
    """What is compared with what, fixed before the runs.

    A statistical rule needs one effect per seed and declared part of the grid: the claim is
    supported where the mean effect's 95% interval lies wholly on the claimed side of `threshold`,
    refuted where it lies wholly on the other. `threshold` contains the minimum effect. With `ratio`
    effects are positive ratios: their geometric mean is taken. Seeds that agree to within less
    than `resolution` (of the logarithm, for ratios; 5% of the threshold unless said) are credited
    with that spread, so that a few equal values are no certainty: where the threshold is 0 and
    effects come in steps, it must be said. An exact rule has no threshold.
    """

    measure: str
    says: str
    threshold: float | None = None
    claimed_side: Literal["above", "below"] = "above"
    ratio: bool = False
    resolution: float | None = None
    unit: str = ""
    grid: tuple[str, ...] = ()
    over: Literal["seed", "repeat"] = "seed"
    """What stands for a seed: of timings it is a repeat."""
    part_measure: str = ""
    """What a part of the grid is measured by, where the claim is about how many parts there are."""
    part_threshold: float | None = None
    """From where such a part counts."""

    @property
    def is_exact(self) -> bool:
        """Whether the claim is checked by computation, with no statistics."""
        return self.threshold is None


@dataclass(frozen=True)
class Cell:
    """One declared part of the grid: where it is, its effect, interval, verdict and p-value."""

    where: dict[str, str]
    effect: float
    low: float
    high: float
    num_seeds: int
    verdict: VerdictName
    p_value: float = math.nan


@dataclass(frozen=True)
class Verdict:
    """What the evidence says of a claim, with what a reader needs to trust or doubt it.

    `effect`, `low` and `high` are in the rule's unit (95% interval over seeds); `p_value` tests the
    effect against the threshold; `seeds_needed` says, of an inconclusive claim, how many seeds
    would decide it if effect and variance are as measured. `run_ids` are the runs it rests on.
    """

    name: VerdictName
    says: str
    effect: float = math.nan
    low: float = math.nan
    high: float = math.nan
    num_seeds: int = 0
    p_value: float = math.nan
    seeds_needed: int | None = None
    scope: str = ""
    cells: tuple[Cell, ...] = ()
    notes: tuple[str, ...] = ()
    run_ids: tuple[str, ...] = field(default=(), repr=False)


def judge_exact(holds: bool, says: str, **more: object) -> Verdict:
    """Return the verdict of a claim that is checked by computation."""
    return Verdict("supported" if holds else "refuted", says, **more)  # type: ignore[arg-type]


def judge(effects: pd.DataFrame, rule: Rule, *, scope: str, run_ids: Sequence[str] = ()) -> Verdict:
    """Return the verdict of effects per seed.

    Args:
        effects: columns `seed`, `effect` and those of `rule.grid`. The seed is the unit: in a cell
            and in the whole grid it counts once, with the mean of its rows.
        rule: the rule.
        scope: the setting in which the verdict holds.
        run_ids: the runs that the effects were computed from.

    The claim is conditional when, at a level corrected for the number of cells (Bonferroni), it
    holds in one and fails in another; otherwise the mean over the grid decides.
    """
    assert rule.threshold is not None
    grid = list(rule.grid)
    clean = effects.dropna(subset=["effect"])
    if clean.empty:
        return Verdict("not decided", "No run of the experiment measured it.", scope=scope)
    values = np.log(clean["effect"]) if rule.ratio else clean["effect"].astype(float)
    clean = clean.assign(_value=values)
    threshold = math.log(rule.threshold) if rule.ratio else rule.threshold
    least = max(0.05 * abs(threshold), 1e-9) if rule.resolution is None else rule.resolution
    cells = _cells(clean, grid, threshold, least, rule) if grid else ()
    whole = clean.groupby("seed")["_value"].mean().to_numpy()
    mean, low, high = _interval(whole, 1 - ALPHA, least)
    name = _side(low, high, threshold, rule)
    verdicts = {cell.verdict for cell in cells}
    if {"supported", "refuted"} <= verdicts:
        name = "conditional"
    p_value = _p_value(whole, threshold, least)
    back = math.exp if rule.ratio else float
    verdict = Verdict(
        name=name,
        says="",
        effect=back(mean),
        low=back(low),
        high=back(high),
        num_seeds=len(whole),
        p_value=p_value,
        seeds_needed=seeds_to_decide(p_value, len(whole)) if name == "inconclusive" else None,
        scope=scope,
        cells=cells,
        run_ids=tuple(run_ids),
    )
    return replace(verdict, says=_in_words(verdict, rule))


def corrected(
    verdicts: dict[str, Verdict], looks: Mapping[str, int] | None = None
) -> dict[str, Verdict]:
    """Return the verdicts of a family of claims after Holm's correction for their number.

    A decided claim whose corrected p-value exceeds 5% becomes inconclusive and says so. A
    conditional one is decided cell by cell, at levels already corrected, and counts no more for
    the number of claims. `looks` says how often a claim was judged while seeds were added: each
    look is one more chance to err, so p-values, of cells too, count that often (Bonferroni).
    """
    looks = looks or {}
    tested = {
        claim: min(1.0, verdict.p_value * looks.get(claim, 1))
        for claim, verdict in verdicts.items()
        if verdict.name in ("supported", "refuted") and not math.isnan(verdict.p_value)
    }
    order = sorted(tested, key=lambda claim: tested[claim])
    family = sum(not math.isnan(verdict.p_value) for verdict in verdicts.values())
    changed = {
        claim: _looked_at(verdict, looks.get(claim, 1)) for claim, verdict in verdicts.items()
    }
    largest = 0.0
    for rank, claim in enumerate(order):
        largest = max(largest, min(1.0, tested[claim] * (family - rank)))
        if largest > ALPHA:
            note = (
                f"{verdicts[claim].name} on its own (p = {tested[claim]:.2g}), but not after "
                f"correcting for {family} claims (Holm: p = {largest:.2g})"
            )
            changed[claim] = replace(
                verdicts[claim],
                name="inconclusive",
                notes=(*verdicts[claim].notes, note),
                seeds_needed=seeds_to_decide(
                    verdicts[claim].p_value,
                    verdicts[claim].num_seeds,
                    ALPHA / (family - rank) / looks.get(claim, 1),
                ),
            )
    return changed


def _looked_at(verdict: Verdict, looks: int) -> Verdict:
    """Return a verdict that rests on cells as it is after so many looks."""
    is_tested = not math.isnan(verdict.p_value)
    if looks == 1 or (is_tested and verdict.name != "conditional"):
        return verdict
    if not is_tested:
        if verdict.name in ("inconclusive", "not decided") or not verdict.cells:
            return verdict
        note = f"Judged {looks} times while seeds were added, which its intervals do not pay for."
        return replace(verdict, notes=(*verdict.notes, note))
    level = ALPHA / looks / len(verdict.cells)
    sides = {cell.verdict for cell in verdict.cells if cell.p_value <= level}
    if {"supported", "refuted"} <= sides:
        return verdict
    note = f"conditional on its own, but not after correcting for {looks} looks"
    return replace(verdict, name="inconclusive", notes=(*verdict.notes, note))


def _cells(
    clean: pd.DataFrame, grid: list[str], threshold: float, least: float, rule: Rule
) -> tuple[Cell, ...]:
    groups = list(clean.groupby(grid, observed=True, sort=True))
    back = math.exp if rule.ratio else float
    found = []
    for key, group in groups:
        values = group.groupby("seed")["_value"].mean().to_numpy()
        mean, low, high = _interval(values, 1 - ALPHA, least)
        strict = _interval(values, 1 - ALPHA / len(groups), least)
        where = dict(zip(grid, map(str, key), strict=True))
        side = _side(strict[1], strict[2], threshold, rule)
        p_value = _p_value(values, threshold, least)
        found.append(Cell(where, back(mean), back(low), back(high), len(values), side, p_value))
    return tuple(found)


def _interval(values: np.ndarray, confidence: float, least: float) -> tuple[float, float, float]:
    """Return mean and Student's t interval; with one value the interval is the whole line."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, -math.inf, math.inf
    half = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * _error(values, least)
    return mean, mean - float(half), mean + float(half)


def _error(values: np.ndarray, least: float) -> float:
    """Return the standard error of the mean, of values that spread by at least `least`."""
    return max(float(np.std(values, ddof=1)), least) / math.sqrt(len(values))


def _side(low: float, high: float, threshold: float, rule: Rule) -> VerdictName:
    above, below = low > threshold, high < threshold
    if not above and not below:
        return "inconclusive"
    return "supported" if above == (rule.claimed_side == "above") else "refuted"


def _p_value(values: np.ndarray, threshold: float, least: float) -> float:
    """Return the two-sided p-value of Student's t test that the mean is the threshold."""
    if len(values) < 2:
        return math.nan
    distance = abs(float(np.mean(values)) - threshold) / _error(values, least)
    return float(2 * stats.t.sf(distance, len(values) - 1))


def seeds_to_decide(p_value: float, num_seeds: int, level: float = ALPHA) -> int | None:
    """Return the seeds at which a t test would reach a level, if mean and spread stay as they are.

    None where that takes more than 10,000, or where there is no test (one seed).
    """
    if math.isnan(p_value) or num_seeds < 2 or p_value >= 1:
        return None
    distance = float(stats.t.isf(p_value / 2, num_seeds - 1)) / math.sqrt(num_seeds)

    def is_decided(count: int) -> bool:
        return bool(2 * stats.t.sf(distance * math.sqrt(count), count - 1) <= level)

    found = bisect.bisect_left(range(10_001), True, lo=2, key=is_decided)
    return found if found <= 10_000 else None


def _in_words(verdict: Verdict, rule: Rule) -> str:
    """Return the evidence in one line: measure, effect, interval, seeds, threshold."""

    def number(value: float) -> str:
        return f"{value:.3g}"

    seeds = f"{verdict.num_seeds} {rule.over}" + ("s" if verdict.num_seeds != 1 else "")
    if verdict.num_seeds < 2:
        shown = f"{number(verdict.effect)}{rule.unit} ({seeds}: no interval)"
    else:
        low, high = number(verdict.low), number(verdict.high)
        shown = f"{number(verdict.effect)}{rule.unit} [{low}, {high}] over {seeds}"
    assert rule.threshold is not None
    text = f"{rule.measure}: {shown}; claimed {rule.claimed_side} {number(rule.threshold)}."
    if verdict.name == "conditional":
        holds = [_place(cell) for cell in verdict.cells if cell.verdict == "supported"]
        fails = [_place(cell) for cell in verdict.cells if cell.verdict == "refuted"]
        text += f" Holds at {'; '.join(holds)}. Fails at {'; '.join(fails)}."
    return text


def _place(cell: Cell) -> str:
    return ", ".join(f"{key} {value}" for key, value in cell.where.items())
