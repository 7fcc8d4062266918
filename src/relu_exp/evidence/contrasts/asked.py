"""The contrast that results ask for, and the runs of its arms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from relu_exp.core.contrasts import Contrast, Metric, arm_keys, contrast_of
from relu_exp.core.naming import shown
from relu_exp.core.run_keys import keys_about
from relu_exp.core.schema import FINISHED, PARTS, Scalar, UsageError
from relu_exp.evidence.contrasts.words import text
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.language import nearest_in_words
from relu_exp.evidence.data.regressions import is_regression

__all__ = [
    "FEWEST_SEEDS",
    "asked",
    "by_default",
    "column_of",
    "compared",
    "default_metric",
    "having",
    "settings_of",
    "varying",
    "with_arms",
]

FEWEST_SEEDS = 3
"""Seeds from which on a report compares arms by itself."""
_BY = ("dataset", "network", *keys_about("network", "computing"), "num_steps")
"""What is compared for itself where nothing is said: it is the task, not how it is trained."""

ABSENT = "none"


def column_of(key: str) -> str:
    """Return the column of `runs` whose values are those of a key; of a part its label."""
    return f"{key}_label" if key in PARTS else key


def compared(frames: Frames) -> pd.DataFrame:
    """Return the runs that arms are compared by: they are finished, and made an update."""
    runs = frames.runs
    return runs[runs["status"].isin(FINISHED) & (runs["num_steps"] > 0)]


def having(frames: Frames, metric: Metric) -> Frames:
    """Return frames with the runs that have a metric: numbers have no accuracy, classes no R².

    Raises:
        UsageError: none of the compared runs has it.
    """
    if not (metric.is_accuracy or metric.kind == "r2"):
        return frames
    runs = frames.runs
    found = runs[is_regression(runs) == (metric.kind == "r2")]
    if len(found) == len(runs):
        return frames
    kept = frames.showing(found)
    if compared(kept).empty and len(compared(frames)):
        raise UsageError(text("error_classes" if metric.kind == "r2" else "error_numbers"))
    return kept


def default_metric(frames: Frames) -> str:
    """Return what arms are compared by where nothing is said: accuracy, of numbers the loss."""
    runs = compared(frames)
    return "loss" if len(runs) and is_regression(runs).all() else "accuracy"


def varying(runs: pd.DataFrame) -> list[str]:
    """Return the keys in which runs differ, besides the seed and the learning rate."""
    return [key for key in arm_keys() if runs[column_of(key)].nunique(dropna=False) > 1]


def asked(frames: Frames) -> Contrast | None:
    """Return the contrast that an experiment file stated before the runs; None if it did not.

    Raises:
        UsageError: the results state one that is not valid.
    """
    stated = frames.manifest.get("contrast")
    return None if stated is None else contrast_of(stated, settings_of(frames.runs))


def by_default(frames: Frames) -> Contrast | None:
    """Return the contrast of a sweep that states none; None where there are no two arms.

    Arms are the activations and initializers, or else what varies first. They are compared with
    ReLU, or else with the first of the sweep.
    """
    runs = compared(frames)
    differing = varying(runs) if len(runs) else []
    arm = [key for key in differing if key in ("activation", "initializer")]
    arm = arm or [key for key in differing if key != "dataset"][:1]
    if not arm:
        return None
    keys = [key for key in arm if key in PARTS]
    known = runs[runs["activation"] == "relu"] if "activation" in keys else runs
    he = known[known["initializer"] == "he_normal"] if "initializer" in keys else known
    first = next(part for part in (he, known, runs) if len(part)).iloc[0]
    against = [_plain(first[column_of(key)]) for key in arm]
    by = [key for key in _BY if key in differing and key not in arm]
    metric = default_metric(frames)
    return contrast_of({"arm": arm, "against": against, "by": by, "metric": metric})


def with_arms(frames: Frames, contrast: Contrast) -> tuple[pd.DataFrame, str]:
    """Return the compared runs with their `arm` in words, and the one to compare with.

    Raises:
        UsageError: there are no two arms, or no single one to compare with.
    """
    runs = compared(frames)
    if missing := [key for key in (*contrast.arm, *contrast.by) if column_of(key) not in runs]:
        valid = [*arm_keys(), *settings_of(runs)]
        guess = nearest_in_words(missing[0], valid)
        raise UsageError(text("error_setting", name=shown(missing[0]), guess=guess))
    if runs.empty:
        raise UsageError(text("error_no_runs", place=frames.root))
    columns = [column_of(key) for key in contrast.arm]
    # what all arms share says nothing, unless it is all there is
    telling = [column for column in columns if runs[column].nunique(dropna=False) > 1] or columns
    words = runs[telling].apply(lambda column: column.map(_shown))
    names = words.agg(" · ".join, axis=1)
    order = list(dict.fromkeys(names))
    runs = runs.assign(arm=pd.Categorical(names, categories=order))
    chosen = runs
    for key, value in zip(contrast.arm, contrast.against, strict=True):
        chosen = chosen[_meant(chosen, key, value)]
    found = list(dict.fromkeys(chosen["arm"]))
    if len(found) > 1:
        arms = "; ".join(map(str, found[:6]))
        raise UsageError(text("error_several", against=_said(contrast.against), arms=arms))
    if not found:
        arms = "; ".join(order[:12])
        raise UsageError(text("error_no_arm", against=_said(contrast.against), arms=arms))
    if len(order) < 2:
        raise UsageError(text("error_one_arm", arm=order[0]))
    return runs, str(found[0])


def _meant(runs: pd.DataFrame, key: str, value: Scalar) -> pd.Series[bool]:
    """Return which runs have a value, as it is named or as it is labelled.

    Raises:
        UsageError: none has.
    """
    columns = [key, column_of(key)] if key in PARTS else [key]
    for column in columns:
        words = runs[column].map(_word)
        if (found := words == _word(value)).any():
            return found
    names = list(dict.fromkeys(runs[key].map(_word)))
    guess = nearest_in_words(str(value), names)
    values = ", ".join(names[:12])
    raise UsageError(text("error_value", key=key, value=shown(value), guess=guess, values=values))


def _shown(value: Any) -> str:
    """Return a value in an arm's name; a setting that a run does not have is `none`."""
    return ABSENT if pd.isna(value) else str(value)


def _word(value: Any) -> str:
    """Return a value as it is compared: 5, 5.0 and `5` are one, and so are an absent one and none.

    A setting that came later, at its default, is not in the row of a run.
    """
    if pd.isna(value):
        return ABSENT
    try:
        return f"{float(str(value)):.12g}"
    except ValueError:
        return str(value)


def _said(against: Sequence[Scalar]) -> str:
    return ", ".join(shown(value) for value in against)


def _plain(value: object) -> object:
    return value.item() if hasattr(value, "item") else value


def settings_of(runs: pd.DataFrame) -> list[str]:
    """Return the settings of parts that runs have a column for."""
    return [name for name in map(str, runs) if name.partition(".")[0] in PARTS and "." in name]
