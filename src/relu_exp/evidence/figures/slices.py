"""Slices: which runs share a drawing, and the words that describe them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from relu_exp.core.run_keys import RUN_KEYS, keys_about
from relu_exp.evidence.data.commands import report_again
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.labels import axis_name, english_label
from relu_exp.evidence.data.language import current_language
from relu_exp.evidence.figures.limits import ALL_FIGURES, is_limited, left_out_words, spread
from relu_exp.evidence.figures.style import levels, plain
from relu_exp.evidence.figures.words import shown_label, text

__all__ = [
    "AXES",
    "TRAINING_AXES",
    "Slice",
    "axis_words",
    "before_training",
    "describe",
    "redraw_command",
    "slices",
    "trained",
    "unusual_words",
]


AXES = (
    "activation_label",
    "initializer_label",
    "network_label",
    *keys_about("network"),
    "dataset_label",
    "optimizer_label",
    *keys_about("training", "computing"),
)
"""Every axis a sweep can have besides the seed; `axis_name` has its name in print."""
TRAINING_AXES = ("optimizer_label", *keys_about("training"))
"""What a network does not depend on before its first update."""


@dataclass(frozen=True)
class Slice:
    """Runs that share one drawing: `stem` names its file, `words` its title, `varying` the axes."""

    runs: pd.DataFrame
    stem: str = ""
    words: str = ""
    varying: tuple[str, ...] = ()


def slices(runs: pd.DataFrame, drawn: Collection[str], at_most: int = 4) -> tuple[list[Slice], str]:
    """Split runs by every axis that varies and is not `drawn` within a figure.

    Returns at most `at_most` slices, spread evenly, and a sentence about the others.
    """
    every = split(runs, drawn)
    kept = spread(every, at_most)
    return kept, left_out(kept, every)


def split(runs: pd.DataFrame, drawn: Collection[str]) -> list[Slice]:
    """Return one slice for each combination of the axes that vary and are not `drawn`."""
    varying: list[str] = []
    for axis in AXES:
        if axis not in drawn and not _follows(runs, axis, varying):
            varying.append(axis)
    if not varying:
        return [Slice(runs)]
    found: list[Slice] = []
    for _, part in runs.groupby(varying, observed=True, dropna=False, sort=True):
        first = part.iloc[0]
        words = ", ".join(axis_words(axis, first[axis]) for axis in varying)
        stem = "".join(_stem(axis, first[axis]) for axis in varying)
        if any(stem == other.stem for other in found):
            stem += f"-{len(found) + 1}"
        found.append(Slice(part, stem, words, tuple(axis_name(axis) for axis in varying)))
    return found


def _follows(runs: pd.DataFrame, axis: str, others: Sequence[str]) -> bool:
    """Return whether an axis has one value only for each value of some other axis, or at all."""
    if runs[axis].nunique(dropna=False) == 1:
        return True
    return any(
        (runs.groupby(other, observed=True, dropna=False)[axis].nunique(dropna=False) == 1).all()
        for other in others
    )


def left_out(kept: Sequence[Slice], every: Sequence[Slice], which: str = "") -> str:
    """Return the sentence about slices that are not drawn, or nothing."""
    names = every[0].varying
    what = text("combinations" if len(names) > 1 else "values_of", names=text("and").join(names))
    return left_out_words(len(kept), len(every), what, which)


def _stem(axis: str, value: Any) -> str:
    """Return an axis's value as part of a file name: `-depth5`, `-leaky_ReLU`, ASCII only."""
    # a figure has one name in all languages
    is_label = axis.endswith("_label")
    shown = english_label(str(value)) if is_label else f"{RUN_KEYS[axis].label}{value}"
    # names in the letters of other scripts would all be one name
    is_latin = all(each.isascii() for each in shown if each.isalpha())
    mark = "" if is_latin else f"_{zlib.crc32(shown.encode()):08x}"
    return "-" + re.sub(r"[^A-Za-z0-9.-]+", "_", shown).strip("_") + mark


def axis_words(axis: str, value: Any) -> str:
    """Return an axis and its value as words: `depth 5`, `ReLU`, `learning rate 0.1`."""
    if axis in ("activation_label", "initializer_label", "network_label"):
        return shown_label(value)
    if pd.isna(value):
        return text("no_axis", axis=axis_name(axis))
    return f"{axis_name(axis)} {_shown(value)}"


def _shown(value: Any) -> str:
    return plain(value) if isinstance(value, (int, float)) else shown_label(value)


def with_pairs(frames: Frames) -> Frames:
    """Return frames in which an activation that has its own initializer carries both names.

    Where every activation comes with one initializer only, the two are one arm: all arms share a
    panel, because a panel per initializer would separate what is to be compared.
    """
    runs = frames.runs
    if runs["initializer_label"].nunique() == 1 or not _follows(
        runs, "initializer_label", ["activation_label"]
    ):
        return frames
    both = [
        f"{a} · {i}"
        for a, i in zip(runs["activation_label"], runs["initializer_label"], strict=True)
    ]
    changed = runs.assign(
        activation_label=pd.Categorical(both, categories=list(dict.fromkeys(both))),
        initializer_label=pd.Categorical([text("own_initializer")] * len(runs)),
    )
    return frames.showing(changed)


def unusual_words(
    every: pd.DataFrame, runs: pd.DataFrame, title: str, leave: Collection[str] = ()
) -> str:
    """Return what a title adds of keys whose default goes without saying, or nothing.

    A key is named where not all runs of the results have its default, unless the title names it or
    it is among those to `leave`.
    """
    phrases = [
        f"{axis_name(name)} {', '.join(map(_shown, levels(runs, name)))}"
        for name, key in RUN_KEYS.items()
        if not (key.shows_default or key.is_hidden({*every[name]}))
        and not (name in leave or axis_name(name) in title)
    ]
    return f" ({', '.join(phrases)})" if phrases else ""


def trained(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs that made at least one update and did not fail."""
    return runs[(runs["num_steps"] > 0) & (runs["status"] != "failed")]


def before_training(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one run per network and seed: before the first update the rest are its copies."""
    keys = [axis for axis in AXES if axis not in TRAINING_AXES]
    # an interrupted run may have measured nothing and must not replace a copy that did
    measured = runs[~runs["status"].isin(["failed", "interrupted"])]
    return measured.drop_duplicates([*keys, "seed"])


def describe(runs: pd.DataFrame, *, leave: Collection[str] = ()) -> str:
    """Return a description of the runs behind a drawing: seeds, data, network and training.

    `leave` names axes that do not matter here, such as the learning rate before training.
    """
    axes = [axis for axis in AXES if axis not in leave]
    per_point = runs.groupby(axes, observed=True, dropna=False)["seed"].nunique()
    low, high = int(per_point.min()), int(per_point.max())
    is_range = low < high
    described = [
        text("described_seed_range", low=low, high=high)
        if is_range
        else text("described_seeds", n=high)
    ]
    for axis in axes:
        if axis in ("activation_label",):
            continue
        values = levels(runs, axis)
        if axis in RUN_KEYS and RUN_KEYS[axis].is_hidden({*values}):
            continue
        if len(values) == 1 and pd.isna(values[0]):
            continue
        shown = [_shown(value) for value in values]
        if len(shown) > 6:
            shown = [text("described_values", first=shown[0], last=shown[-1], n=len(shown))]
        name = "" if axis in ("network_label", "dataset_label") else f"{axis_name(axis)} "
        described.append(name + ", ".join(shown))
    return " · ".join(described)


def redraw_command(frames: Frames) -> str:
    """Return the command that makes the report again, for the current folder."""
    options = [] if is_limited() else [ALL_FIGURES]
    options += ["--language", current_language()] if current_language() != "en" else []
    return report_again(frames.root, frames.manifest, *options)
