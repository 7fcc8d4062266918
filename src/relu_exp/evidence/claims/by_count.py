"""Rules that count: settings on one side of a limit, exceptions, and computed cases."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
from scipy import stats

from relu_exp.evidence.claims.verdicts import (
    ALPHA,
    Effects,
    Rule,
    SettingVerdict,
    Verdict,
    VerdictName,
)
from relu_exp.evidence.data.statistics import (
    POWER,
    agree_by_chance,
    half_width,
    how_many,
    typical_interval,
)

__all__ = ["judge_cases", "judge_counts", "judge_either", "judge_share", "parts_of", "seeds_until"]


def judge_cases(effects: Effects, rule: Rule) -> Verdict:
    """Return the exact verdict of computed cases: one that does not hold refutes the claim."""
    holds = effects.rows["holds"].astype(bool)
    return Verdict(
        "supported" if holds.all() else "refuted",
        effects.text,
        scope=effects.scope,
        num_cases=len(holds),
        num_wrong=int((~holds).sum()),
        run_ids=tuple(effects.run_ids),
    )


def judge_counts(effects: Effects, rule: Rule) -> Verdict:
    """Return the exact verdict of counted exceptions: one refutes the claim in its setting.

    The effect is the share of exceptions. A claim that holds in one setting and fails in another is
    conditional.
    """
    rows = effects.rows
    settings = []
    for key, part in rows.groupby(list(rule.grid), sort=True):
        share = float(part["found"].sum() / part["of"].sum())
        side: VerdictName = "refuted" if (part["found"] > 0).any() else "supported"
        where = dict(zip(rule.grid, map("{}".format, key), strict=True))
        settings.append(SettingVerdict(where, share, share, share, part["seed"].nunique(), side))
    sides = {setting.verdict for setting in settings}
    return Verdict(
        "conditional" if len(sides) > 1 else next(iter(sides)),
        effects.text,
        effect=float(rows["found"].sum() / rows["of"].sum()),
        num_seeds=rows["seed"].nunique(),
        scope=effects.scope,
        settings=tuple(settings),
        run_ids=tuple(effects.run_ids),
    )


def judge_share(effects: Effects, rule: Rule) -> Verdict:
    """Return the verdict on the share of settings whose effect is above `part_threshold`.

    All intervals hold at once, so that they may be counted; a setting whose interval covers the
    limit may count for either side.
    """
    assert rule.threshold is not None
    assert rule.part_threshold is not None
    least, limit = rule.threshold, rule.part_threshold
    decide = partial(_share_of, least, limit)
    parts = parts_of(effects.rows, rule.grid)
    p = _p_value(parts, decide)
    above, not_above = parts["low"] > limit, parts["high"] < limit
    low, high = float(above.mean()), float(1 - not_above.mean())
    name = decide(parts)
    undecided = len(parts) - int(above.sum()) - int(not_above.sum())
    return Verdict(
        name,
        f"{_capital(rule.part_measure)}, above {limit:g}{rule.unit}: surely in "
        f"{how_many(above.sum())} of {len(parts)} settings, surely not in "
        f"{how_many(not_above.sum())}, undecided in {how_many(undecided)}. So the "
        f"share lies between {low:.0%} and {high:.0%}; claimed at least {least:.0%}.",
        effect=float((parts["mean"] > limit).mean()),
        low=low,
        high=high,
        num_seeds=int(parts["n"].max()),
        p_value=p,
        seeds_needed=seeds_until(parts, decide) if name == "inconclusive" else None,
        needs=partial(seeds_until, parts, decide),
        scope=effects.scope,
        settings=_settings(parts, rule.grid, above, not_above),
        run_ids=tuple(effects.run_ids),
    )


def _share_of(least: float, limit: float, parts: pd.DataFrame) -> VerdictName:
    if (parts["low"] > limit).mean() >= least:
        return "supported"
    return "refuted" if (parts["high"] >= limit).mean() < least else "inconclusive"


def judge_either(effects: Effects, rule: Rule) -> Verdict:
    """Return the verdict on effects that are little in every setting, and no one side's.

    Conditional where a size is surely above the threshold and another surely below. That all are
    little must be shown of each, at its own level: no correction for their number is needed, as
    one that is not would have to be missed (an intersection-union test, Berger 1982).
    """
    assert rule.threshold is not None
    assert rule.part_threshold is not None
    assert rule.part_share is not None
    most = rule.threshold
    decide = partial(_either_of, most, rule.part_threshold, rule.part_share)
    parts = parts_of(effects.rows, rule.grid)
    p = _p_value(parts, decide)
    above, below = parts["low"] > 0, parts["high"] < 0
    large, little = _sizes(most, parts)
    name = decide(parts)
    ends = parts[["low", "high"]].abs()
    least = ends.min(axis=1).where(above | below, 0.0)
    return Verdict(
        name,
        f"Of {len(parts)} settings the effect is surely above 0 in {how_many(above.sum())} and "
        f"surely below in {how_many(below.sum())}; its size is surely below {most:g}{rule.unit} in "
        f"{how_many(int(little.sum()))} and surely above in {how_many(int(large.sum()))}. The "
        f"largest is {parts['mean'].abs().max():.2g}{rule.unit}.",
        effect=float(parts["mean"].abs().max()),
        low=float(least.max()),
        high=float(ends.max(axis=1).max()),
        num_seeds=int(parts["n"].max()),
        p_value=p,
        seeds_needed=seeds_until(parts, decide) if name == "inconclusive" else None,
        needs=partial(seeds_until, parts, decide),
        scope=effects.scope,
        settings=_settings(parts, rule.grid, little, large),
        run_ids=tuple(effects.run_ids),
    )


def _sizes(most: float, parts: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return which parts are surely larger than the most that is little, and which smaller."""
    large = (parts["low"] > most) | (parts["high"] < -most)
    return large, (parts["low"] > -most) & (parts["high"] < most)


def _either_of(most: float, limit: float, share: float, parts: pd.DataFrame) -> VerdictName:
    large, little = _sizes(most, parts)
    one_side = max((parts["low"] > limit).mean(), (parts["high"] < -limit).mean())
    if large.all() or one_side >= share:
        return "refuted"
    if large.any() and little.any():
        return "conditional"
    each = (parts["own_low"] > -most) & (parts["own_high"] < most)
    return "supported" if each.all() else "inconclusive"


def parts_of(effects: pd.DataFrame, grid: Sequence[str]) -> pd.DataFrame:
    """Return mean, interval and seeds of each part: the grid's columns, `mean`, `std`, `n`.

    A seed counts once, with the mean of its rows. `low` and `high` are the ends of
    `typical_interval` at 95% / number of parts (Bonferroni): all intervals hold at once, so that
    they may be counted; `own_low` and `own_high` those of each alone. With one seed an interval is
    the whole line.
    """
    clean = effects.dropna(subset=["effect"])
    of_seeds = clean.groupby([*grid, "seed"], observed=True)["effect"].mean().reset_index()
    groups = of_seeds.groupby(list(grid), observed=True, sort=True)["effect"]
    found = groups.agg(["mean", "std", "count"])
    listed = [values.to_numpy() for _, values in groups]
    found = found.assign(values=pd.Series(listed, found.index, dtype=object))
    return _with_intervals(found.reset_index().rename(columns={"count": "n"}))


def seeds_until(
    parts: pd.DataFrame, name_of: Callable[[pd.DataFrame], VerdictName], level: float = ALPHA
) -> int | None:
    """Return the seeds at which a rule decides in most experiments.

    If means, medians and spreads are as measured: in 80 of 100, with a mean in every part as
    unfavorable as chance makes it so often in any. None do where a limit lies between the mean of a
    part and its median.

    Args:
        parts: what `parts_of` returned.
        name_of: the rule, given such parts.
        level: what all intervals together may err.

    Returns:
        None if that takes more than 10,000.
    """
    luck = stats.norm.ppf(POWER ** (1 / len(parts)))
    std = parts["std"].to_numpy()
    centers = np.array([parts["mean"], parts["values"].map(np.median)], dtype=float)
    lowest, highest = centers.min(axis=0), centers.max(axis=0)
    for seeds in np.unique(np.geomspace(parts["n"].max() + 1, 10_000, 400).round()):
        ends: dict[str, np.ndarray] = {}
        for (low, high), at in ((_ENDS, level / len(parts)), (_OWN_ENDS, level)):
            half = np.where(agree_by_chance(std, seeds, at), np.inf, half_width(std, seeds, 1 - at))
            # the interval of the median of normal values is the wider one by this factor
            half = half * math.sqrt(math.pi / 2) + luck * std / math.sqrt(seeds)
            ends |= {low: lowest - half, high: highest + half}
        if name_of(parts.assign(n=int(seeds), **ends)) != "inconclusive":
            return int(seeds)
    return None


def _p_value(parts: pd.DataFrame, name_of: Callable[[pd.DataFrame], VerdictName]) -> float:
    """Return the smallest level at which the rule's simultaneous intervals decide as they do.

    Of an undecided rule it is the level at which they would begin to decide; found by bisection.
    """
    name = name_of(parts)

    def is_decided(level: float) -> bool:
        found = name_of(_with_intervals(parts, level))
        return found != "inconclusive" if name == "inconclusive" else found == name

    low, high = (ALPHA, 0.999) if name == "inconclusive" else (1e-12, ALPHA)
    if not is_decided(high):
        return 1.0
    for _ in range(30):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if is_decided(middle) else (middle, high)
    return high


def _settings(
    parts: pd.DataFrame, grid: Sequence[str], supported: pd.Series, refuted: pd.Series
) -> tuple[SettingVerdict, ...]:
    """Return the settings as settings of a verdict, each with its side and its own 95% interval."""
    own = _with_intervals(parts, ALPHA * len(parts))
    sides: list[VerdictName] = [
        "supported" if yes else "refuted" if no else "inconclusive"
        for yes, no in zip(supported, refuted, strict=True)
    ]
    return tuple(
        SettingVerdict(
            {key: str(part[key]) for key in grid},
            part["mean"],
            part["low"],
            part["high"],
            int(part["n"]),
            side,
        )
        for part, side in zip(own.to_dict("records"), sides, strict=True)
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


_ENDS, _OWN_ENDS = ("low", "high"), ("own_low", "own_high")


def _with_intervals(parts: pd.DataFrame, level: float = ALPHA) -> pd.DataFrame:
    """Return the parts with intervals that all hold at once at a level, and each alone."""
    for names, at in ((_ENDS, level / len(parts)), (_OWN_ENDS, min(level, 0.999))):
        ends = [typical_interval(values, 1 - at) for values in parts["values"]]
        low, high = (pd.Series(side, parts.index) for side in zip(*ends, strict=True))
        by_chance = agree_by_chance(parts["std"], parts["n"], at)
        sides = (low.mask(by_chance, -np.inf), high.mask(by_chance, np.inf))
        parts = parts.assign(**dict(zip(names, sides, strict=True)))
    return parts
