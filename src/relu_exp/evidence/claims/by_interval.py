"""Rules about effects, decided by intervals over seeds: of the mean, or of the settings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from relu_exp.evidence.claims.verdicts import (
    ALPHA,
    Effects,
    Rule,
    SettingVerdict,
    Verdict,
    VerdictName,
)
from relu_exp.evidence.data.statistics import half_width, over_seeds, p_value, seeds_to_decide

__all__ = ["judge_effects"]


def judge_effects(effects: Effects, rule: Rule) -> Verdict:
    """Return the verdict of effects per seed, as the rule's `need` asks.

    Settings are decided at a level corrected for their number (Bonferroni). Where the mean over the
    grid must hold, it decides, unless the claim holds in one setting and fails in another: then it
    is conditional. Where every setting must hold, or some, the settings decide, and so does their
    p-value.
    """
    assert rule.threshold is not None
    clean = effects.rows.dropna(subset=["effect"])
    if clean.empty:
        return Verdict("not decided", "No run of the experiment measured it.", scope=effects.scope)
    values = np.log(clean["effect"]) if rule.ratio else clean["effect"].astype(float)
    clean = clean.assign(_value=values)
    threshold = math.log(rule.threshold) if rule.ratio else rule.threshold
    least = max(0.05 * abs(threshold), 1e-9) if rule.resolution is None else rule.resolution
    settings = _settings(clean, list(rule.grid), threshold, least, rule) if rule.grid else ()
    whole = clean.groupby("seed")["_value"].mean().to_numpy()
    mean, low, high = _interval(whole, 1 - ALPHA, least)
    back = math.exp if rule.ratio else float
    verdict = Verdict(
        name=_side(low, high, threshold, rule),
        text="",
        effect=back(mean),
        low=back(low),
        high=back(high),
        num_seeds=len(whole),
        p_value=_p_value(whole, threshold, least),
        scope=effects.scope,
        settings=settings,
        run_ids=tuple(effects.run_ids),
    )
    if settings and rule.need != "mean":
        return _by_settings(verdict, rule)
    if {"supported", "refuted"} <= {setting.verdict for setting in settings}:
        verdict = replace(verdict, name="conditional", p_value=_p_of_both(settings))
    elif verdict.name == "inconclusive":
        seeds = seeds_to_decide(verdict.p_value, verdict.num_seeds)
        verdict = replace(verdict, seeds_needed=seeds)
    return replace(verdict, text=_in_words(verdict, rule))


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
    if name == "conditional":
        p = _p_of_both(settings)
    elif name == ("supported" if need_some else "refuted"):
        # one setting decides, and it might have been any
        decisive = held if need_some else broken
        p = min(1.0, len(settings) * min(setting.p_value for setting in decisive))
    else:
        p = max(1.0 if math.isnan(setting.p_value) else setting.p_value for setting in settings)
    text = (
        f"{rule.measure}, claimed {rule.claimed_side} {rule.threshold:g}{rule.unit} in {rule.need} "
        f"setting: holds in {len(held)} of {len(settings)} settings{_listed(held, rule)}, "
        f"fails in {len(broken)}{_listed(broken, rule)}."
    )
    seeds = _seeds_needed(settings, rule) if name == "inconclusive" else None
    return replace(verdict, name=name, p_value=p, text=text, seeds_needed=seeds)


def _p_of_both(settings: Sequence[SettingVerdict]) -> float:
    """Return the p-value of "it holds in one setting and fails in another".

    Both must be shown, so the worse of the best that holds and the best that fails counts; either
    might have been any of the settings, so it counts as often as there are settings.
    """
    best = (
        min(setting.p_value for setting in settings if setting.verdict == side)
        for side in ("supported", "refuted")
    )
    return min(1.0, len(settings) * max(best))


def _seeds_needed(settings: Sequence[SettingVerdict], rule: Rule) -> int | None:
    """Return the seeds that decide the claim if every open setting goes the way it leans.

    One setting that holds (`some`) or breaks the rule (`every`) is enough; if none leans that way,
    all must be decided.
    """
    assert rule.threshold is not None
    level = ALPHA / len(settings)
    enough: list[float] = []
    others: list[float] = []
    for setting in settings:
        if setting.verdict == "inconclusive":
            holds = (setting.effect > rule.threshold) == (rule.claimed_side == "above")
            seeds = seeds_to_decide(setting.p_value, setting.num_seeds, level) or math.inf
            (enough if holds == (rule.need == "some") else others).append(seeds)
    seeds = min(enough) if enough else max(others)
    return None if seeds == math.inf else int(seeds)


def _listed(settings: Sequence[SettingVerdict], rule: Rule) -> str:
    """Return settings with their effects, in parentheses."""
    shown = [
        f"{', '.join(setting.where.values())}: {setting.effect:.3g}{rule.unit}"
        for setting in settings[:6]
    ]
    more = [f"{len(settings) - 6} more"] if len(settings) > 6 else []
    return f" ({'; '.join([*shown, *more])})" if shown else ""


def _settings(
    clean: pd.DataFrame, grid: list[str], threshold: float, least: float, rule: Rule
) -> tuple[SettingVerdict, ...]:
    groups = list(clean.groupby(grid, observed=True, sort=True))
    back = math.exp if rule.ratio else float
    found = []
    for key, group in groups:
        values = group.groupby("seed")["_value"].mean().to_numpy()
        mean, low, high = _interval(values, 1 - ALPHA, least)
        strict = _interval(values, 1 - ALPHA / len(groups), least)
        where = dict(zip(grid, map(str, key), strict=True))
        side = _side(strict[1], strict[2], threshold, rule)
        p = _p_value(values, threshold, least)
        found.append(SettingVerdict(where, back(mean), back(low), back(high), len(values), side, p))
    return tuple(found)


def _interval(values: np.ndarray, confidence: float, least: float) -> tuple[float, float, float]:
    mean, std = _mean_and_std(values)
    half = float(half_width(std, len(values), confidence, least))
    return mean, mean - half, mean + half


def _mean_and_std(values: np.ndarray) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def _side(low: float, high: float, threshold: float, rule: Rule) -> VerdictName:
    above, below = low > threshold, high < threshold
    if not above and not below:
        return "inconclusive"
    return "supported" if above == (rule.claimed_side == "above") else "refuted"


def _p_value(values: np.ndarray, threshold: float, least: float) -> float:
    mean, std = _mean_and_std(values)
    return p_value(mean - threshold, std, len(values), least)


def _in_words(verdict: Verdict, rule: Rule) -> str:
    """Return the evidence in one line: measure, effect, interval, seeds, threshold."""
    numbers = (verdict.effect, verdict.low, verdict.high, verdict.num_seeds)
    shown = over_seeds(*numbers, rule.unit, rule.over)
    assert rule.threshold is not None
    text = f"{rule.measure}: {shown}; claimed {rule.claimed_side} {rule.threshold:.3g}."
    if verdict.name == "conditional":
        holds = [_place(setting) for setting in verdict.settings if setting.verdict == "supported"]
        fails = [_place(setting) for setting in verdict.settings if setting.verdict == "refuted"]
        text += f" Holds at {'; '.join(holds)}. Fails at {'; '.join(fails)}."
    return text


def _place(setting: SettingVerdict) -> str:
    return ", ".join(f"{key} {value}" for key, value in setting.where.items())
