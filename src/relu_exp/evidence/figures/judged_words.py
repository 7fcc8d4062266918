"""The words of a judged picture: of its axes, their values, and of what it draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from relu_exp.core.run_keys import RUN_KEYS
from relu_exp.core.schema import PARTS
from relu_exp.evidence.claims.answers.places import label_words
from relu_exp.evidence.claims.answers.places import plain as plain_value
from relu_exp.evidence.claims.shown import Shown
from relu_exp.evidence.claims.verdicts import Effects
from relu_exp.evidence.data.labels import axis_name
from relu_exp.evidence.figures.slices import axis_words
from relu_exp.evidence.figures.style import plain
from relu_exp.evidence.figures.words import claim_text as text

__all__ = [
    "axis_title",
    "drawn_words",
    "level_words",
    "limit_words",
    "number_words",
    "place_words",
    "value_words",
]


def level_words(axis: str, value: Any, shown: Shown) -> str:
    """Return what a value of an axis is called: `depth 5`, `ReLU`, `≤ 0.5`, `before training`."""
    if not axis:
        return ""
    if axis == "threshold":
        is_loss = shown.metric == "loss"
        words = plain(value) if is_loss else f"{value:.0%}"
        return text(f"of_threshold_{shown.metric}", value=words)
    if isinstance(value, str) and f"value_{value}" in text:
        return text(f"value_{value}")
    if f"of_{axis}" in text:
        return text(f"of_{axis}", value=number_words(value))
    if axis.endswith("_label"):
        return label_words(str(value))
    if isinstance(value, str):
        return plain_value(value)
    return (
        axis_words(axis, value) if axis in RUN_KEYS else f"{axis_title(axis)} {number_words(value)}"
    )


def number_words(value: Any) -> str:
    """Return a number as it is printed, a count in full; what is no number as it is."""
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    return plain(float(value)) if isinstance(value, float | np.number) else str(value)


def axis_title(axis: str) -> str:
    """Return what an axis is called."""
    if f"axis_{axis}" in text:
        return text(f"axis_{axis}")
    is_named = axis in RUN_KEYS or axis.removesuffix("_label") in PARTS
    return axis_name(axis) if is_named else axis.replace("_", " ")


def place_words(axis: str, value: Any, shown: Shown) -> str:
    """Return the words of a tick: a number needs no name of its axis."""
    return level_words(axis, value, shown) if isinstance(value, str) else number_words(value)


def value_words(shown: Shown) -> str:
    """Return what is drawn, in words."""
    key = shown.words or shown.value
    # a claim of one's own may measure what has no words here
    words = text(key) if key in text else key.replace("_", " ")
    return words[:1].upper() + words[1:]


def limit_words(shown: Shown) -> str:
    """Return the limit of the rule that a line marks, as it is printed."""
    assert shown.line is not None
    return f"{shown.line:.0%}" if shown.share else plain(shown.line)


def drawn_words(runs: pd.DataFrame, effects: Effects, shown: Shown, *, some: bool) -> str:
    """Return the sentence that says which of the judged runs are drawn."""
    total, number = len(set(effects.run_ids)), runs["run_id"].nunique()
    if not total:
        return text("drawn_effects")
    if number == total:
        return text("drawn_all", n=number)
    which = [
        level_words(axis, value, shown)
        for axis, wanted in shown.only.items()
        for value in (wanted if isinstance(wanted, list | tuple) else [wanted])
    ]
    which += [text("panels_spread")] if some else []
    of_value = f"part_{shown.words}"
    which = which or [text(of_value if of_value in text else "with_a_value")]
    return text("drawn_part", n=number, total=total, which=", ".join(which))
