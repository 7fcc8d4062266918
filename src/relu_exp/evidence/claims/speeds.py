"""Speeds: updates to a loss with each arm at the learning rate that gets it there soonest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from relu_exp.evidence.claims.arms import BOUNDS, pairs, timed, value_in_words
from relu_exp.evidence.data.frames import Frames

__all__ = ["fastest", "gains_in_words", "speed_ratios"]


def fastest(
    frames: Frames,
    runs: pd.DataFrame,
    by: Sequence[str],
    threshold: float,
    *,
    metric: str = "loss",
) -> pd.DataFrame:
    """Return the runs of each arm at the rate of fewest updates to a threshold in training.

    Fewest is the geometric mean over seeds, a run that never arrives counting with the updates it
    was given. Beside `steps` and `censored` there are `gain`, the logarithm of how much sooner the
    arm would arrive at the rate between those tried at which a parabola through the best three is
    lowest, and `at_edge`: the best rate is the smallest or largest tried, and none is known.
    """
    times = timed(frames, runs, threshold, metric=metric).assign(
        _log=lambda frame: np.log(frame["steps"].clip(lower=1.0))
    )
    by = list(by)
    means = times.groupby([*by, "learning_rate"], observed=True, dropna=False)["_log"].mean()
    found = []
    for key, arm in means.groupby(by, observed=True, dropna=False):
        rates, logs = arm.index.get_level_values("learning_rate").to_numpy(), arm.to_numpy()
        best = int(np.argmin(logs))
        is_flat = float(logs.max() - logs.min()) < 1e-9  # no rate is better, where none arrives
        row = dict(zip(by, key if isinstance(key, tuple) else (key,), strict=True))
        row |= {
            "learning_rate": rates[best],
            "gain": _gain(np.log(rates), logs, best),
            "at_edge": len(rates) > 1 and not is_flat and best in (0, len(rates) - 1),
        }
        found.append(row)
    return times.drop(columns="_log").merge(pd.DataFrame(found), on=[*by, "learning_rate"])


def _gain(rates: np.ndarray, logs: np.ndarray, best: int) -> float:
    """Return how far the parabola through the lowest of `logs` and its neighbours lies below it."""
    if not 0 < best < len(logs) - 1:
        return 0.0
    near = slice(best - 1, best + 2)
    square, slope, _ = np.polyfit(rates[near] - rates[best], logs[near] - logs[best], 2)
    return float(slope**2 / (4 * square)) if square > 1e-9 else 0.0


def speed_ratios(
    frames: Frames,
    runs: pd.DataFrame,
    column: str,
    slow: object,
    fast: object,
    thresholds: Sequence[float],
    *,
    decisive: float,
    grid: Sequence[str] = (),
    metric: str = "loss",
) -> pd.DataFrame:
    """Return per seed, threshold and setting the updates of `slow` over those of `fast`.

    Each arm is at its fastest rate, less the `gain` of the rate between those tried. The ratio is a
    `bound`, lower where `slow` never arrives or where a rate beyond those tried may suit `fast`,
    upper the other way round. It is not known (NaN) where it would be both, and where the gains
    turn its mean from one side of the `decisive` ratio to the other: the rates are too far apart.
    """
    every = []
    for threshold in thresholds:
        chosen = fastest(frames, runs, [column, *grid], threshold, metric=metric)
        sides = {
            value: pairs(chosen, column, slow, fast, value, grid)
            for value in ("steps", "censored", "gain", "at_edge")
        }
        steps = sides["steps"]
        first, second = (steps[side].clip(lower=1.0) for side in ("first", "second"))
        raw = np.log(first / second)
        gain = sides["gain"]["second"] - sides["gain"]["first"]
        late, edge = sides["censored"], sides["at_edge"]
        is_more = (late["first"] | edge["second"]).to_numpy(dtype=bool)
        is_less = (late["second"] | edge["first"]).to_numpy(dtype=bool)
        bound = np.select([is_more & ~is_less, is_less & ~is_more], BOUNDS, "none")
        effect = np.exp(raw + gain).mask(is_more & is_less)
        rows = steps.assign(threshold=threshold, effect=effect, bound=bound, _raw=raw)
        parts = [part for _, part in rows.groupby(list(grid), observed=True)] if grid else [rows]
        every += [_where_rates_decide(part, np.log(decisive)) for part in parts]
    columns = ["seed", *grid, "threshold", "effect", "bound", "first_failed", "second_failed"]
    return pd.concat(every, ignore_index=True)[columns]


def _where_rates_decide(rows: pd.DataFrame, decisive: float) -> pd.DataFrame:
    """Return the rows of a setting, not known where the gains turn the side of their mean."""
    raw, corrected = rows["_raw"].mean(), np.log(rows["effect"]).mean()
    is_turned = (rows["bound"] == "none").all() and (raw > decisive) != (corrected > decisive)
    return rows.assign(effect=np.nan) if is_turned else rows


def gains_in_words(chosen: pd.DataFrame, by: Sequence[str]) -> str:
    """Return the fastest rate of each arm, and how much sooner one between those tried arrives."""
    phrases: list[str] = []
    columns = [*by, "learning_rate", "gain", "at_edge"]
    for row in chosen[columns].drop_duplicates().to_dict("records"):
        arm = ", ".join(value_in_words(str(key), row[key]) for key in by)
        sooner = -float(np.expm1(-row["gain"]))
        more = "the last tried" if row["at_edge"] else f"{sooner:.0%}"
        phrases.append(f"{arm}: {row['learning_rate']:g} ({more})")
    listed = "; ".join(phrases)
    return f"Fastest rates, and how much sooner the best rate between those tried: {listed}."
