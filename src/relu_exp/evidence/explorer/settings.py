"""What the explorer calls a setting: its axes, its variant, its seeds, and what all runs share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from relu_exp.core.run_keys import RUN_KEYS, keys_about
from relu_exp.evidence.claims.answers.places import label_words
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.labels import axis_name
from relu_exp.evidence.data.language import language
from relu_exp.evidence.figures.style import levels, plain

__all__ = [
    "MAIN",
    "facts",
    "facts_ko",
    "labels_ko",
    "plain_text",
    "seed_ranges",
    "values_of",
    "variant_words",
    "variants_ko",
    "varying_columns",
]

MAIN = ("activation_label", "initializer_label", "depth", "learning_rate")
SPOKEN = {
    "network_label": "",
    "dataset_label": "",
    "optimizer_label": "",
    **{
        name: RUN_KEYS[name].phrase
        for name in keys_about("network", "training", "measuring", "computing")
        if name not in MAIN and not RUN_KEYS[name].is_schedule
    },
}
"""What may tell settings apart that agree in all main axes, and how it is said."""


def varying_columns(runs: pd.DataFrame) -> list[str]:
    """Return what tells settings apart that agree in all main axes."""
    groups = runs.groupby(list(MAIN), observed=True, dropna=False)
    return [column for column in SPOKEN if groups[column].nunique(dropna=False).max() > 1]


def variant_words(row: Mapping[Any, Any], columns: Sequence[str]) -> str:
    """Return what tells a row's setting from those that agree in all main axes."""
    return " · ".join(f"{SPOKEN[column]}{plain_text(row[column])}" for column in columns)


def variants_ko(runs: pd.DataFrame, columns: Sequence[str]) -> dict[str, str]:
    """Return the Korean words of each variant."""
    if not columns:
        return {}
    rows = runs.drop_duplicates("variant").to_dict("records")
    with language("ko"):
        return {
            str(row["variant"]): _in_korean({name: plain_text(row[name]) for name in columns})
            for row in rows
        }


def labels_ko(frames: Frames, runs: pd.DataFrame) -> dict[str, str]:
    """Return the Korean of every label of activations and initializers that it differs for."""
    own = frames.korean
    with language("ko"):
        labels = (str(label) for axis in MAIN[:2] for label in levels(runs, axis))
        words = {label: label_words(own.get(label, label)) for label in labels}
    return own | {label: korean for label, korean in words.items() if korean != label}


def facts(runs: pd.DataFrame, varying: Sequence[str]) -> str:
    """Return what all runs share: data, network, width and so on."""
    same = _shared(runs, varying)
    return " · ".join(f"{SPOKEN[column]}{value}" for column, value in same.items())


def facts_ko(runs: pd.DataFrame, varying: Sequence[str]) -> str:
    """Return the same in Korean."""
    with language("ko"):
        return _in_korean(_shared(runs, varying))


def _in_korean(values: Mapping[str, str]) -> str:
    return " · ".join(
        f"{axis_name(column)} {value}" if SPOKEN[column] else label_words(value)
        for column, value in values.items()
    )


def _shared(runs: pd.DataFrame, varying: Sequence[str]) -> dict[str, str]:
    """Return what is the same in all runs and worth saying: column → value in words."""
    shown = [column for column in SPOKEN if column not in varying]
    same = [column for column in shown if runs[column].nunique() == 1]
    return {
        column: plain_text(runs[column].dropna().iloc[0])
        for column in same
        if column not in RUN_KEYS or not RUN_KEYS[column].is_hidden({*runs[column]})
    }


def values_of(runs: pd.DataFrame, axis: str) -> list[str]:
    """Return the values of an axis as the explorer writes them, in their order."""
    if axis == "variant":
        return list(dict.fromkeys(runs["variant"]))
    return [plain_text(value) for value in levels(runs, axis)]


def plain_text(value: Any) -> str:
    """Return a value as the explorer writes it."""
    if pd.isna(value):
        return "—"
    return plain(float(value)) if isinstance(value, int | float | np.number) else str(value)


def seed_ranges(seeds: pd.Series[int]) -> str:
    """Return seeds in words: 0–7, or 0–2, 5."""
    found: list[list[int]] = []
    for seed in sorted({int(seed) for seed in seeds}):
        if found and found[-1][-1] == seed - 1:
            found[-1] = [found[-1][0], seed]
        else:
            found.append([seed])
    return ", ".join("–".join(map(str, each)) for each in found)
