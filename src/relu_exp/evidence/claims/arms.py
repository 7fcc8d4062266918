"""Arms of an experiment: each at its best validated learning rate, compared seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from relu_exp.evidence.claims.registry import MissingRunsError
from relu_exp.evidence.claims.verdicts import Effects
from relu_exp.evidence.data.derived import steps_to_threshold
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.statistics import (
    best_learning_rates,
    bounded_in_words,
    how_many,
    mean_interval,
    over_seeds,
    score,
)

__all__ = [
    "at_best_rate",
    "at_fastest_rate",
    "at_matched_rate",
    "best_rates",
    "choose",
    "described",
    "differences",
    "in_words",
    "means_in_words",
    "measured",
    "own_values",
    "pairs",
    "rates_in_words",
    "ratios",
    "scope_of",
    "scored",
    "timed",
    "value_in_words",
    "with_gap",
]


BOUNDS = ("lower", "upper")
"""What a ratio of times is where the slow arm never arrives, and where the fast one does not."""


def choose(runs: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    """Return the finished runs that have the wanted value, or one of a list, in each column.

    Diverged runs are finished: divergence is a result. Settings are written with a double
    underscore, `network__output="tanh"` for the column `network.output`.

    Raises:
        MissingRunsError: a wanted value has no finished run among those chosen so far.
    """
    kept = runs[runs["status"].isin(["done", "diverged"])]
    for key, value in wanted.items():
        column = key.replace("__", ".")
        values = list(value) if isinstance(value, list | tuple) else [value]
        for one in values:
            if column not in kept or not (kept[column] == one).any():
                raise MissingRunsError(
                    f"no finished run with {column}={one}",
                    f"끝난 실행 가운데 {column}={one}인 것이 없다",
                )
        kept = kept[kept[column].isin(values)]
    return kept


def measured(
    rows: pd.DataFrame,
    runs: pd.DataFrame,
    *,
    notes: Sequence[str] = (),
    scope: str | None = None,
    values: pd.DataFrame | None = None,
) -> Effects:
    """Return effects that were measured on `runs`, whose setting is their scope unless stated.

    `values` are what was measured per run, for the claim's picture.
    """
    scope = described(runs) if scope is None else scope
    run_ids = runs["run_id"].tolist()
    return Effects(rows, scope=scope, run_ids=run_ids, notes=notes, values=values)


def own_values(runs: pd.DataFrame, value: str, *axes: str) -> pd.DataFrame:
    """Return a column of the runs as what a claim measured itself, with axes it is drawn by."""
    return runs[["run_id", value, *axes]].rename(columns={value: "own"})


def scored(runs: pd.DataFrame, split: str = "test") -> pd.DataFrame:
    """Return the runs with `accuracy` and `loss` on a split at the end; diverged: 0, infinity."""
    return runs.assign(
        accuracy=score(runs, f"final_{split}_accuracy"), loss=score(runs, f"final_{split}_loss")
    )


def with_gap(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with `gap`, accuracy on training data minus that on test data, at the end.

    And `loss_gap`, test loss minus training loss. A run that diverged has neither: it fits nothing.
    """
    runs = scored(runs).assign(
        gap=runs["final_train_accuracy"] - runs["final_test_accuracy"],
        loss_gap=runs["final_test_loss"] - runs["final_train_loss"],
    )
    ended = runs["status"] == "done"
    return runs.assign(gap=runs["gap"].where(ended), loss_gap=runs["loss_gap"].where(ended))


def at_best_rate(runs: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return the runs of each arm (distinct values of `by`) at its best learning rate.

    Best on validation data over all seeds, `statistics.best_learning_rates`: test data and the
    measured effect have no say.

    Raises:
        MissingRunsError: no arm has a run that ended.
    """
    best = best_learning_rates(runs, by)
    if best.empty:
        raise MissingRunsError(
            "no run ended with a validation accuracy to choose a rate by",
            "검증 정확도를 남기고 끝난 실행이 없어 학습률을 고를 수 없다",
        )
    tuned = best[[*by, "learning_rate", "at_edge", "num_rates"]]
    return runs.merge(tuned, on=[*by, "learning_rate"])


def at_fastest_rate(
    frames: Frames,
    runs: pd.DataFrame,
    by: Sequence[str],
    threshold: float,
    *,
    metric: str = "loss",
) -> pd.DataFrame:
    """Return the runs of each arm at the rate that first brings validation data to `threshold`.

    The other way to tune, for claims about speed: least restricted mean of updates over seeds.
    """
    times = timed(frames, runs, threshold, split="validation", metric=metric)
    means = (
        times.groupby([*by, "learning_rate"], observed=True, dropna=False)["steps"]
        .mean()
        .reset_index()
    )
    best = means.sort_values(["steps", "learning_rate"]).drop_duplicates(list(by))
    return runs.merge(best[[*by, "learning_rate"]], on=[*by, "learning_rate"])


def at_matched_rate(runs: pd.DataFrame, column: str, grid: Sequence[str] = ()) -> pd.DataFrame:
    """Return the runs of all arms (values of `column`) at one shared rate per setting.

    It is the rate at which their mean validation accuracy is highest, each arm weighing the same:
    as good to all of them as a shared rate can be.
    """
    runs = runs.assign(_validation=score(runs, "final_validation_accuracy"))
    arms = runs.groupby([*grid, "learning_rate", column], observed=True, dropna=False)[
        "_validation"
    ].mean()
    # a rate at which an arm was not tried is not shared
    shared = arms.unstack(column).mean(axis=1, skipna=False).dropna().reset_index(name="_mean")
    if shared.empty:
        return runs.head(0).drop(columns="_validation")
    shared = shared.sort_values(["_mean", "learning_rate"], ascending=[False, True])
    keys = [*grid, "learning_rate"]
    best = shared.drop_duplicates(list(grid)) if grid else shared.head(1)
    return runs.drop(columns="_validation").merge(best[keys], on=keys)


def timed(
    frames: Frames,
    runs: pd.DataFrame,
    threshold: float,
    *,
    split: str = "train",
    metric: str = "loss",
) -> pd.DataFrame:
    """Return the runs with the updates each took to a threshold: `steps`, `censored`.

    A run that never arrives, or diverges first, counts with the updates it was given.
    """
    times = steps_to_threshold(frames.curves, runs, split, metric, threshold)
    kept = times[["run_id", "steps", "censored"]].astype({"run_id": "str"})
    return runs.merge(kept, on="run_id").assign(threshold=threshold)


def pairs(
    runs: pd.DataFrame,
    column: str,
    first: object,
    second: object,
    value: str,
    grid: Sequence[str] = (),
) -> pd.DataFrame:
    """Return `value` of two arms side by side: `seed`, the grid's columns, `first`, `second`.

    One row per seed and setting in which both arms have a run. `first_failed` and `second_failed`
    mark runs that diverged.

    Raises:
        MissingRunsError: there are runs, and no such pair.
    """
    keys = [*grid, "seed"]
    status = runs["status"] if "status" in runs else pd.Series("done", runs.index)
    marked = runs.assign(_failed=status == "diverged")
    sides = [
        marked.loc[marked[column] == arm, [*keys, value, "_failed"]].rename(
            columns={value: name, "_failed": f"{name}_failed"}
        )
        for arm, name in ((first, "first"), (second, "second"))
    ]
    found = sides[0].merge(sides[1], on=keys, validate="one_to_one")
    if found.empty and not runs.empty:
        raise MissingRunsError(
            f"no seed has runs of both {column}={first} and {column}={second}",
            f"둘 다 실행한 시드가 없다: {column}={first}, {column}={second}",
        )
    return found


def differences(
    runs: pd.DataFrame,
    column: str,
    first: object,
    second: object,
    value: str,
    grid: Sequence[str] = (),
) -> pd.DataFrame:
    """Return first − second per seed and setting, as `judge` takes it."""
    found = pairs(runs, column, first, second, value, grid)
    columns = ["seed", *grid, "effect", "first_failed", "second_failed"]
    return found.assign(effect=found["first"] - found["second"])[columns]


def ratios(
    frames: Frames,
    runs: pd.DataFrame,
    column: str,
    slow: object,
    fast: object,
    thresholds: Sequence[float],
    *,
    grid: Sequence[str] = (),
    split: str = "train",
    metric: str = "loss",
) -> pd.DataFrame:
    """Return per seed, threshold and setting the updates of `slow` over those of `fast`.

    `runs` hold one run per seed and arm. A time that never came counts with the updates given,
    which makes the ratio a `bound`: lower where it is the slow arm's, upper where it is the fast
    one's. Where neither arrives nothing is known and the effect is NaN.
    """
    every = []
    for threshold in thresholds:
        times = timed(frames, runs, threshold, split=split, metric=metric)
        steps = pairs(times, column, slow, fast, "steps", grid)
        late = pairs(times, column, slow, fast, "censored", grid)
        # a threshold that holds at the start takes no updates: one, so that a ratio exists
        effect = steps["first"].clip(lower=1.0) / steps["second"].clip(lower=1.0)
        slow_late, fast_late = late["first"].to_numpy(), late["second"].to_numpy()
        effect = effect.mask(slow_late & fast_late)
        bound = np.select([slow_late & ~fast_late, fast_late & ~slow_late], BOUNDS, "none")
        every.append(steps.assign(threshold=threshold, effect=effect, bound=bound))
    return pd.concat(every, ignore_index=True)[["seed", *grid, "threshold", "effect", "bound"]]


def in_words(effects: pd.DataFrame, *, ratio: bool = False, unit: str = "") -> str:
    """Return mean, interval and seeds of effects in words, for notes; the seed is the unit.

    Of bounds, what the mean lies beyond.
    """
    clean = effects.dropna(subset=["effect"])
    values = np.log(clean["effect"]) if ratio else clean["effect"].astype(float)
    per_seed = clean.assign(_value=values).groupby("seed")["_value"].mean()
    found = mean_interval(per_seed)
    if found.n == 0:
        return "not measured"
    mean, low, high = (float(np.exp(number)) if ratio else number for number in found[:3])
    bounds = set(clean["bound"]) & set(BOUNDS) if "bound" in clean else set()
    if bounds:
        bound = "both" if len(bounds) > 1 else bounds.pop()
        return bounded_in_words(bound, mean, low, high, unit)
    return over_seeds(mean, low, high, found.n, unit)


def rates_in_words(tuned: pd.DataFrame, by: Sequence[str]) -> str:
    """Return the learning rate each arm got, and whether it is the last one tried."""
    phrases: list[str] = []
    columns = [*by, "learning_rate", *(each for each in ("at_edge", "num_rates") if each in tuned)]
    for row in tuned[columns].drop_duplicates().to_dict("records"):
        record: Mapping[Any, Any] = row
        edge = " (the last tried)" if record.get("at_edge") else ""
        if edge and record.get("num_rates") == 2:
            edge = " (the better of two tried)"
        edge = " (the only one tried)" if record.get("num_rates") == 1 else edge
        arm = ", ".join(value_in_words(key, record[key]) for key in by)
        phrases.append(f"{arm}: {record['learning_rate']:g}{edge}")
    return "Learning rates: " + "; ".join(phrases) + "."


def value_in_words(key: str, value: Any) -> str:
    """Return a value in words; a number says of what it is."""
    is_number = isinstance(value, int | float | np.number)
    return f"{key.rpartition('.')[2].replace('_', ' ')} {value:g}" if is_number else str(value)


def described(runs: pd.DataFrame) -> str:
    """Return the setting that runs share, in words: the scope of a verdict."""

    def values(column: str) -> str:
        found = runs[column].dropna().unique().tolist()
        shown = sorted(found) if all(isinstance(one, int | float) for one in found) else found
        return ", ".join(f"{one:g}" if isinstance(one, float) else str(one) for one in shown)

    width = f" of width {values('width')}" if runs["width"].notna().any() else ""
    return (
        f"{values('dataset')}; {values('network')}{width}, depth {values('depth')}; "
        f"{values('initializer')}; {values('optimizer')}, batches of {values('batch_size')}; "
        f"{values('num_steps')} updates"
    )


def means_in_words(runs: pd.DataFrame, by: Sequence[str], value: str = "accuracy") -> str:
    """Return the mean of `value` of each arm in percent, in words, for notes."""
    means = runs.groupby(list(by), observed=True)[value].mean()
    phrases: list[str] = []
    for key, mean in means.items():
        arm = map(value_in_words, by, key if isinstance(key, tuple) else (key,))
        phrases.append(f"{', '.join(arm)}: {mean:.1%}")
    return ("; " if len(by) > 1 else ", ").join(phrases)


def best_rates(tuned: pd.DataFrame, by: Sequence[str]) -> str:
    """Return how many arms got which learning rate, for more arms than one would read about."""
    arms = tuned.drop_duplicates(list(by))
    counts = arms.groupby("learning_rate").size()
    phrases = ", ".join(f"{rate:g} ({count})" for rate, count in counts.items())
    edge = int(arms["at_edge"].sum())
    only = int((arms["num_rates"] == 1).sum()) if "num_rates" in arms else 0
    alone = f", {only} the only one tried" if only else ""
    last = f"{how_many(edge)} of them the last one tried{alone}"
    return f"Best validated learning rates (arms): {phrases}; {last}."


def scope_of(runs: pd.DataFrame) -> str:
    """Return the setting of runs in words: data, network, initialization, optimizer, updates."""

    def values(column: str, blank: str = "all") -> str:
        found: list[Any] = list(runs[column].dropna().unique()) if column in runs else []
        phrases = [
            f"{value:g}" if isinstance(value, float) else str(value) for value in sorted(found)
        ]
        missing = column not in runs or runs[column].isna().any()
        return ", ".join([*phrases, *([blank] if missing else [])])

    schedules = sorted({*runs["schedule"].dropna()} - {"constant"}) if "schedule" in runs else []
    falling = f", learning rate by schedule ({', '.join(schedules)})" if schedules else ""
    return (
        f"{values('dataset')} with {values('dataset.num_train')} training images; "
        f"{values('network')} of {values('depth')} hidden layers, "
        f"width {values('width', 'fixed')}; {values('initializer_label')}; "
        f"{values('optimizer_label')}, batches of {values('batch_size')}; "
        f"{values('num_steps')} updates{falling}."
    )
