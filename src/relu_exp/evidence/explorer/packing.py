"""The explorer's data: what real runs measured, averaged over seeds and compressed for a browser.

Nothing is interpolated: a setting that was not run has no entry. Numbers are 16-bit integers
(thousandths of a decade, ten-thousandths for shares, float16 for what is learned), histograms 8-bit
square roots of shares; `explorer_data.js` reads them back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from relu_exp.core.run_keys import RUN_KEYS, keys_about
from relu_exp.core.schema import HISTOGRAM_BINS
from relu_exp.evidence.data.derived import learned_quantities
from relu_exp.evidence.data.frames import Frames, Open, find_results
from relu_exp.evidence.data.labels import axis_name, korean_label
from relu_exp.evidence.data.language import language
from relu_exp.evidence.explorer.compression import CODES, Array, Stream, log_codes
from relu_exp.evidence.explorer.grouped_rows import Positions, Rows, mean
from relu_exp.evidence.figures.style import levels, looks, plain

__all__ = ["CURVES", "QUANTITIES", "explorer_data"]

QUANTITIES = {
    "activation_std": "log",
    "activation_grad_norm": "log",
    "dead_fraction": "share",
    "zero_fraction": "share",
    "saturated_fraction": "share",
}
"""The quantities that are shown by layer, and how each is coded."""
MOST_LEARNED = 3
"""Parameters that activations learn, of an experiment, that are shown by layer."""
PREDICTED = ("activation_std", "gradient_factor")
"""The quantities that theory predicts by layer at step 0."""
CURVES = {
    ("train", "loss"): "log",
    ("validation", "loss"): "log",
    ("validation", "accuracy"): "share",
}
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
MOST_BYTES = 5_500_000
"""Limit of all compressed data: a page of ten megabytes also holds its pictures and its text."""


def explorer_data(root: Path, first: str = "default", opened: Open = Frames.open) -> dict[str, Any]:
    """Return what the explorer embeds of every experiment below `root` that probed its layers.

    An experiment that does not fit beside the others goes without histograms of pre-activations,
    then without any, and is at last left out and named.
    """
    folders = sorted(find_results(root), key=lambda folder: (folder.name != first, folder.name))
    experiments: list[dict[str, Any]] = []
    left_out: list[str] = []
    bytes_left = MOST_BYTES
    for folder in folders:
        frames = opened(folder)
        if frames.runs.empty or not frames.has("layers"):
            continue
        for kinds in (tuple(HISTOGRAM_BINS), ("activation",), ()):
            found = _experiment(frames, folder.name, kinds)
            if len(found["data"]) <= bytes_left:
                break
        else:
            left_out.append(folder.name)
            continue
        bytes_left -= len(found["data"])
        experiments.append(found)
    return {
        "experiments": experiments,
        "left_out": left_out,
        "quantities": list(QUANTITIES),
        "codes": list(QUANTITIES.values()),
        "curves": [" ".join(curve) for curve in CURVES],
        "curve_codes": list(CURVES.values()),
        "bins": {kind: list(bins) for kind, bins in HISTOGRAM_BINS.items()},
    }


def _experiment(frames: Frames, name: str, kinds: Sequence[str]) -> dict[str, Any]:
    runs = frames.runs[frames.runs["status"] != "failed"].reset_index(drop=True)
    varying = _varying(runs)
    runs = runs.assign(variant=[_variant(row, varying) for row in runs.to_dict("records")])
    axes = [*MAIN, *(["variant"] if varying else [])]
    learned = learned_quantities(frames, runs["run_id"])[:MOST_LEARNED]
    codes = {**QUANTITIES, **dict.fromkeys(learned, "real")}
    values = {axis: _values(runs, axis) for axis in axes}
    steps: list[list[int]] = []
    stream, settings = Stream(), []
    # one activation at a time: all histograms at once would need much memory
    for _, part in runs.groupby("activation_label", observed=True, sort=False):
        found = list(part.groupby(axes, observed=True, sort=False, dropna=False))
        tables = _Tables.read(frames, [group for _, group in found], kinds, codes)
        for number, (key, group) in enumerate(found):
            indices = [
                values[axis].index(_text(value)) for axis, value in zip(axes, key, strict=True)
            ]
            # networks that diverged before their first probe, or had none, show nothing
            if len(tables.layers.at(number)["step"]):
                settings.append([*indices, *_pack(stream, steps, tables, number, group, codes)])
    colors = {str(label): look.color for label, look in looks(runs).items()}
    return {
        "id": name,
        "title": str(frames.manifest.get("title") or name),
        "title_ko": str(frames.manifest.get("title_ko") or frames.manifest.get("title") or name),
        "facts": _facts(runs, varying),
        "facts_ko": _facts_ko(runs, varying),
        "axes": [axis.removesuffix("_label") for axis in axes],
        "values": [values[axis] for axis in axes],
        "colors": [colors[label] for label in values["activation_label"]],
        "korean": frames.korean,
        "kinds": list(kinds),
        "learned": learned,
        "steps": steps,
        "num_numbers": stream.num_numbers,
        "settings": settings,
        "data": stream.compressed(),
    }


@dataclass(frozen=True)
class _Tables:
    """The tables of some settings' runs; histograms by kind."""

    layers: Rows
    predictions: Rows
    curves: Rows
    histograms: dict[str, Rows]

    @classmethod
    def read(
        cls,
        frames: Frames,
        settings: Sequence[pd.DataFrame],
        kinds: Sequence[str],
        quantities: Collection[str],
    ) -> _Tables:
        positions = Positions.of(settings)
        ids = list(positions.setting)
        layers = frames.read("layers", run_ids=ids, quantity=list(quantities))
        predictions = frames.read("predictions", run_ids=ids, quantity=list(PREDICTED))
        curves = frames.read("curves", run_ids=ids, split=["train", "validation"])
        counted = frames.read("histograms", run_ids=ids, kind=kinds) if kinds else None
        return cls(
            Rows.of(_coded(layers, quantities), positions, ("step", "layer", "code", "value")),
            Rows.of(_coded(predictions, PREDICTED), positions, ("layer", "code", "value")),
            Rows.of(curves, positions, ("split", "step", "loss", "accuracy")),
            {
                kind: Rows.of(
                    counted[counted["kind"] == kind], positions, ("step", "layer", "counts")
                )
                for kind in kinds
                if counted is not None
            },
        )


def _coded(table: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Return a table with `code`, the index of its quantity among the names."""
    return table.assign(code=pd.Categorical(table["quantity"], categories=list(names)).codes)


def _pack(
    stream: Stream,
    steps: list[list[int]],
    tables: _Tables,
    number: int,
    runs: pd.DataFrame,
    codes: Mapping[str, str],
) -> list[int]:
    """Add one setting to the stream; return its seeds, how many diverged, its shape and offset.

    `codes` says how each quantity by layer is coded.
    """
    layers, curves = tables.layers.at(number), tables.curves.at(number)
    probed, evaluated = np.unique(layers["step"]), np.unique(curves["step"])
    num_layers = int(layers["layer"].max())
    where = (stream.num_numbers, stream.num_counts)
    shape = (len(runs), len(probed), num_layers)
    alive = np.zeros(shape[:2], dtype=bool)
    measured = np.full((len(codes), *shape), np.nan)
    at_step = np.searchsorted(probed, layers["step"])
    measured[layers["code"], layers["seed"], at_step, layers["layer"] - 1] = layers["value"]
    alive[layers["seed"], at_step] = True
    stream.add(alive.sum(axis=0).astype("<i2"))
    for values, code in zip(measured, codes.values(), strict=True):
        stream.add(CODES[code](mean(values)))
    stream.add(log_codes(_theory(tables.predictions.at(number), len(runs), num_layers)))
    for (split, metric), code in CURVES.items():
        seen = np.full((len(runs), len(evaluated)), np.nan)
        is_it = curves["split"] == split
        seen[curves["seed"][is_it], np.searchsorted(evaluated, curves["step"][is_it])] = curves[
            metric
        ][is_it]
        stream.add(CODES[code](mean(seen)))
    for kind, rows in tables.histograms.items():
        stream.add_counts(_shares(rows.at(number), kind, probed, num_layers))
    diverged = int((runs["status"] == "diverged").sum())
    shapes = (_index(steps, probed.tolist()), _index(steps, evaluated.tolist()))
    return [len(runs), diverged, num_layers, *shapes, *where]


def _theory(rows: Mapping[str, Array], num_runs: int, num_layers: int) -> Array:
    """Return (2, layers): predicted spread of activations, gradient over the last layer's."""
    every = np.full((num_runs, len(PREDICTED), num_layers), np.nan)
    every[rows["seed"], rows["code"], rows["layer"] - 1] = rows["value"]
    found = mean(every)
    found[1] = np.cumprod(found[1, ::-1])[::-1]
    return found


def _shares(rows: Mapping[str, Array], kind: str, probed: Array, num_layers: int) -> Array:
    """Return (steps, layers, bins): the mean share of values in each bin, as 8-bit square roots."""
    bins = HISTOGRAM_BINS[kind][2] + 2
    total = np.zeros((len(probed), num_layers, bins))
    if len(rows["counts"]):
        counts = np.stack(rows["counts"].tolist()).astype(float)
        shares = counts / counts.sum(axis=1, keepdims=True)
        where = (np.searchsorted(probed, rows["step"]), rows["layer"] - 1)
        seeds = np.zeros(total.shape[:2])
        np.add.at(total, where, shares)
        np.add.at(seeds, where, 1)
        total /= np.maximum(seeds, 1)[..., None]
    return np.round(255 * np.sqrt(total)).astype(np.uint8)


def _index(lists: list[list[int]], wanted: list[int]) -> int:
    if wanted not in lists:
        lists.append(wanted)
    return lists.index(wanted)


def _varying(runs: pd.DataFrame) -> list[str]:
    """Return what tells settings apart that agree in all main axes."""
    groups = runs.groupby(list(MAIN), observed=True, dropna=False)
    return [column for column in SPOKEN if groups[column].nunique(dropna=False).max() > 1]


def _variant(row: dict[Any, Any], columns: Sequence[str]) -> str:
    return " · ".join(f"{SPOKEN[column]}{_text(row[column])}" for column in columns)


def _facts(runs: pd.DataFrame, varying: Sequence[str]) -> str:
    """Return what all runs share: data, network, width and so on."""
    same = _shared(runs, varying)
    return " · ".join(f"{SPOKEN[column]}{value}" for column, value in same.items())


def _facts_ko(runs: pd.DataFrame, varying: Sequence[str]) -> str:
    """Return the same in Korean."""
    with language("ko"):
        return " · ".join(
            f"{axis_name(column)} {value}" if SPOKEN[column] else korean_label(value)
            for column, value in _shared(runs, varying).items()
        )


def _shared(runs: pd.DataFrame, varying: Sequence[str]) -> dict[str, str]:
    """Return what is the same in all runs and worth saying: column → value in words."""
    shown = [column for column in SPOKEN if column not in varying]
    same = [column for column in shown if runs[column].nunique() == 1]
    return {
        column: _text(runs[column].dropna().iloc[0])
        for column in same
        if column not in RUN_KEYS or not RUN_KEYS[column].is_hidden({*runs[column]})
    }


def _values(runs: pd.DataFrame, axis: str) -> list[str]:
    if axis == "variant":
        return list(dict.fromkeys(runs["variant"]))
    return [_text(value) for value in levels(runs, axis)]


def _text(value: Any) -> str:
    if pd.isna(value):
        return "—"
    return plain(float(value)) if isinstance(value, int | float | np.number) else str(value)
