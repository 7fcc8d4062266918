"""Rules about effects, decided by intervals over seeds: of the mean, or of the settings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from relu_exp.evidence.claims.verdicts import (
    ALPHA,
    Bound,
    Effects,
    Rule,
    SettingVerdict,
    Verdict,
    VerdictName,
)
from relu_exp.evidence.data.statistics import (
    bounded_in_words,
    how_many,
    over_seeds,
    seeds_to_decide,
    typical_interval,
    typical_p,
)

__all__ = ["judge_effects"]


def judge_effects(effects: Effects, rule: Rule) -> Verdict:
    """Return the verdict of effects per seed, as the rule's `need` asks.

    Settings are decided at a level corrected for their number (Bonferroni). Where the mean over the
    grid must hold, it decides, unless the claim holds in one setting and fails in another: then it
    is conditional. Where every setting must hold, or some, the settings decide, and so does their
    p-value.
    """
    assert rule.threshold is not None
    clean = effects.rows[effects.rows["effect"].notna()]
    if clean.empty:
        return Verdict("not decided", "No run of the experiment measured it.", scope=effects.scope)
    values = np.log(clean["effect"]) if rule.ratio else clean["effect"].astype(float)
    clean = clean.assign(_value=values)
    settings = _settings(clean, rule) if rule.grid else ()
    whole = _decided(_sample(clean, rule.grid), {}, rule, ALPHA)
    verdict = Verdict(
        name=whole.verdict,
        text="",
        effect=whole.effect,
        low=whole.low,
        high=whole.high,
        num_seeds=whole.num_seeds,
        p_value=whole.p_value,
        bound=whole.bound,
        equivalent=_is_equivalent(whole, rule),
        needs=partial(_seeds_of, whole),
        scope=effects.scope,
        settings=settings,
        run_ids=tuple(effects.run_ids),
    )
    if settings and rule.need != "mean":
        return _by_settings(verdict, rule)
    if {"supported", "refuted"} <= {setting.verdict for setting in settings}:
        verdict = _conditional(verdict, rule)
    elif verdict.name == "inconclusive":
        verdict = replace(verdict, seeds_needed=_seeds_of(whole, ALPHA))
    return replace(verdict, text=_in_words(verdict, rule))


@dataclass(frozen=True)
class _Sample:
    """One value per seed, logarithms of ratios, and whether their mean is an estimate."""

    values: np.ndarray
    bound: Bound


def _sample(rows: pd.DataFrame, grid: Sequence[str] = ()) -> _Sample:
    """Return the mean of every seed's rows; a mean over bounds is a bound.

    Over a grid every setting counts alike, also where some lack seeds: each is first moved to the
    mean of all, so that what a seed lacks does not move its mean.
    """
    bounds = set(rows["bound"]) & {"lower", "upper", "both"} if "bound" in rows else set()
    bound: Bound = "none" if not bounds else "both" if len(bounds) > 1 else bounds.pop()
    if rows["seed"].is_unique:
        return _Sample(rows["_value"].to_numpy(), bound)
    if not grid:
        return _Sample(rows.groupby("seed")["_value"].mean().to_numpy(), bound)
    of_setting = rows.groupby(list(grid), observed=True)["_value"]
    apart = (rows["_value"] - of_setting.transform("mean")).groupby(rows["seed"]).mean().to_numpy()
    return _Sample(apart - apart.mean() + float(of_setting.mean().mean()), bound)


def _settings(clean: pd.DataFrame, rule: Rule) -> tuple[SettingVerdict, ...]:
    grid = list(rule.grid)
    groups = list(clean.groupby(grid, observed=True, sort=True))
    return tuple(
        _decided(
            _sample(group), dict(zip(grid, map(str, key), strict=True)), rule, ALPHA / len(groups)
        )
        for key, group in groups
    )


def _decided(sample: _Sample, where: dict[str, str], rule: Rule, level: float) -> SettingVerdict:
    """Return what a sample says of the rule at a level, with its own 95% interval.

    A lower bound above the threshold shows that the true effect is above, too; below it, it shows
    nothing.
    """
    assert rule.threshold is not None
    threshold = math.log(rule.threshold) if rule.ratio else rule.threshold
    least = max(0.05 * abs(threshold), 1e-9) if rule.resolution is None else rule.resolution
    values, bound = sample.values, sample.bound
    mean, std = float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    low, high = typical_interval(values, 1 - ALPHA, least)
    strict = (low, high) if level == ALPHA else typical_interval(values, 1 - level, least)
    side, p = _side(*strict, threshold, rule), typical_p(values, threshold, least)
    if bound != "none" and bound != ("lower" if mean > threshold else "upper"):
        side, p = "inconclusive", 1.0 if len(values) > 1 else p
    distance = (mean - threshold) / max(std, least) if len(values) > 1 else math.nan
    back = math.exp if rule.ratio else float
    if rule.within is not None:
        low, high = (min(max(end, rule.within[0]), rule.within[1]) for end in (low, high))
    return SettingVerdict(
        where,
        back(mean),
        -math.inf if bound in ("upper", "both") else back(low),
        math.inf if bound in ("lower", "both") else back(high),
        len(values),
        side,
        p,
        bound,
        distance if rule.claimed_side == "above" else -distance,
        float(np.mean(values <= threshold if mean > threshold else values >= threshold)),
    )


def _side(low: float, high: float, threshold: float, rule: Rule) -> VerdictName:
    above, below = low > threshold, high < threshold
    if not above and not below:
        return "inconclusive"
    return "supported" if above == (rule.claimed_side == "above") else "refuted"


def _is_equivalent(found: SettingVerdict, rule: Rule) -> bool:
    """Return whether the whole interval lies within the margin on either side of no difference."""
    if rule.margin is None:
        return False
    if rule.ratio:
        return 1 / rule.margin < found.low and found.high < rule.margin
    return -rule.margin < found.low and found.high < rule.margin


def _by_settings(verdict: Verdict, rule: Rule) -> Verdict:
    """Return the verdict of a rule that every setting, or some setting, must satisfy.

    Where every setting must hold, one held by some and broken by others is conditional.
    """
    need_some, settings = rule.need == "some", verdict.settings
    held = [setting for setting in settings if setting.verdict == "supported"]
    broken = [setting for setting in settings if setting.verdict == "refuted"]
    name: VerdictName = "inconclusive"
    if need_some:
        if held:
            name = "supported"
        elif len(broken) == len(settings):
            name = "refuted"
    elif len(held) == len(settings):
        name = "supported"
    elif broken:
        name = "conditional" if held else "refuted"
    verdict = replace(verdict, name=name, needs=partial(_seeds_of_settings, settings, rule))
    if name == "conditional":
        verdict = _conditional(verdict, rule)
    elif name == ("supported" if need_some else "refuted"):
        # one setting decides, and it might have been any
        decisive = min(held if need_some else broken, key=lambda setting: setting.p_value)
        p = min(1.0, len(settings) * decisive.p_value)
        verdict = replace(_at(verdict, decisive, rule), p_value=p)
    else:
        p = max(1.0 if math.isnan(setting.p_value) else setting.p_value for setting in settings)
        # all must be decided: the one that is nearest to the other side decides
        key = max if need_some else min
        decisive = key(settings, key=lambda setting: _lean(setting, rule))
        verdict = replace(_at(verdict, decisive, rule), p_value=p)
    text = (
        f"{rule.measure}, claimed {rule.claimed_side} {rule.threshold:g}{rule.unit} in {rule.need} "
        f"setting: holds in {how_many(len(held))} of {len(settings)} settings"
        f"{_listed(held, rule)}, fails in {how_many(len(broken))}{_listed(broken, rule)}."
    )
    if name != "conditional":
        text += f" The one that decides, {verdict.place}: {_number(verdict, rule)}."
    seeds = _seeds_of_settings(settings, rule, ALPHA) if name == "inconclusive" else None
    return replace(verdict, text=text, seeds_needed=seeds)


def _lean(setting: SettingVerdict, rule: Rule) -> float:
    """Return how far a setting is on the claimed side."""
    if not math.isnan(setting.distance):
        return setting.distance
    return setting.effect if rule.claimed_side == "above" else -setting.effect


def _at(verdict: Verdict, setting: SettingVerdict, rule: Rule) -> Verdict:
    """Return a verdict with the numbers of the setting that decides it."""
    return replace(
        verdict,
        effect=setting.effect,
        low=setting.low,
        high=setting.high,
        num_seeds=setting.num_seeds,
        bound=setting.bound,
        place=_place(setting),
        equivalent=_is_equivalent(setting, rule),
    )


def _conditional(verdict: Verdict, rule: Rule) -> Verdict:
    """Return a verdict that holds in one setting and fails in another, with the range over them.

    Both must be shown, so the worse of the best that holds and the best that fails decides; either
    might have been any of the settings, so p counts as often as there are settings.
    """
    settings = verdict.settings
    best = [
        min(
            (setting for setting in settings if setting.verdict == side),
            key=lambda setting: setting.p_value,
        )
        for side in ("supported", "refuted")
    ]
    worse = max(best, key=lambda setting: setting.p_value)
    found = [setting.effect for setting in settings]
    return replace(
        _at(verdict, worse, rule),
        name="conditional",
        p_value=min(1.0, len(settings) * worse.p_value),
        least=min(found),
        most=max(found),
        equivalent=False,
        needs=partial(_seeds_of_any, worse, len(settings)),
    )


def _seeds_of(found: SettingVerdict, level: float) -> int | None:
    """Return the seeds that decide a sample; none do where it is a bound that shows nothing."""
    return seeds_to_decide(found.distance, level, found.across) if found.bound == "none" else None


def _seeds_of_any(found: SettingVerdict, num_settings: int, level: float) -> int | None:
    """Return the seeds that decide a setting that might have been any of so many."""
    return _seeds_of(found, level / num_settings)


def _seeds_of_settings(settings: Sequence[SettingVerdict], rule: Rule, level: float) -> int | None:
    """Return the seeds that decide the claim if every open setting goes the way it leans.

    One setting that holds (`some`) or breaks the rule (`every`) is enough; if none leans that way,
    all must be decided.
    """
    level /= len(settings)
    enough: list[float] = []
    others: list[float] = []
    for setting in settings:
        one_is_enough = (setting.distance > 0) == (rule.need == "some")
        seeds = _seeds_of(setting, level) or math.inf
        (enough if one_is_enough else others).append(seeds)
    seeds = min(enough) if enough else max(others, default=math.inf)
    return None if seeds == math.inf else int(seeds)


def _listed(settings: Sequence[SettingVerdict], rule: Rule) -> str:
    """Return settings with their effects, in parentheses."""
    shown = [
        f"{', '.join(setting.where.values())}: {_briefly(setting, rule)}"
        for setting in settings[:6]
    ]
    more = [f"{len(settings) - 6} more"] if len(settings) > 6 else []
    return f" ({'; '.join([*shown, *more])})" if shown else ""


def _briefly(setting: SettingVerdict, rule: Rule) -> str:
    if setting.bound == "none":
        return f"{setting.effect:.3g}{rule.unit}"
    return bounded_in_words(setting.bound, setting.effect, setting.low, setting.high, rule.unit)


def _number(verdict: Verdict, rule: Rule) -> str:
    """Return effect, interval and seeds in words; of a bound no interval."""
    if verdict.bound != "none":
        seeds = f"{verdict.num_seeds} {rule.over}{'' if verdict.num_seeds == 1 else 's'}"
        numbers = (verdict.bound, verdict.effect, verdict.low, verdict.high, rule.unit)
        why = "for an arm never arrives in some, or is fastest at the last rate tried"
        return f"{bounded_in_words(*numbers)} over {seeds}, a bound, {why}"
    numbers_ = (verdict.effect, verdict.low, verdict.high, verdict.num_seeds)
    return over_seeds(*numbers_, rule.unit, rule.over)


def _in_words(verdict: Verdict, rule: Rule) -> str:
    """Return the evidence in one line: measure, effect, interval, seeds, threshold."""
    assert rule.threshold is not None
    claimed = f"claimed {rule.claimed_side} {rule.threshold:.3g}."
    if verdict.name != "conditional":
        return f"{rule.measure}: {_number(verdict, rule)}; {claimed}"
    holds = [_place(setting) for setting in verdict.settings if setting.verdict == "supported"]
    fails = [_place(setting) for setting in verdict.settings if setting.verdict == "refuted"]
    return (
        f"{rule.measure}: {verdict.least:.3g} to {verdict.most:.3g}{rule.unit} by setting; "
        f"{claimed} Holds at {'; '.join(holds)}. Fails at {'; '.join(fails)}."
    )


def _place(setting: SettingVerdict) -> str:
    return ", ".join(f"{key} {value}" for key, value in setting.where.items())
