"""The explorer's data: what real runs measured, averaged over seeds and compressed for a browser.

Nothing is interpolated: a setting that was not run has no entry. Numbers are 16-bit integers
(thousandths of a decade, ten-thousandths for shares, float16 for what is learned) or float32, for
means; the ten-thousandths of a histogram sum to 10,000. `explorer_data.js` reads them back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from relu_exp.core.schema import HISTOGRAM_BINS
from relu_exp.evidence.data.derived import learned_quantities
from relu_exp.evidence.data.frames import Frames, Open, find_results
from relu_exp.evidence.data.pieces import Each, in_turn
from relu_exp.evidence.explorer.bounds import bounds_by_label
from relu_exp.evidence.explorer.compression import CODES, Array, Stream, log_codes, whole_codes
from relu_exp.evidence.explorer.grouped_rows import Positions, Rows, mean
from relu_exp.evidence.explorer.settings import (
    MAIN,
    facts,
    facts_ko,
    labels_ko,
    plain_text,
    seed_ranges,
    values_of,
    variant_words,
    variants_ko,
    varying_columns,
)
from relu_exp.evidence.explorer.thinning import Choice, choices, expected_bytes
from relu_exp.evidence.figures.style import looks

__all__ = ["CURVES", "QUANTITIES", "experiment_data", "explorer_data"]

QUANTITIES = {
    "activation_mean": "float",
    "activation_std": "log",
    "preactivation_mean": "float",
    "preactivation_std": "log",
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
MOST_BYTES, MOST_OF_ONE = 1_960_000, 700_000
"""Limits of all compressed data, and of one experiment's: a page of six megabytes also holds its
pictures and its text."""
FAR_TOO_LARGE = 4
"""Nothing is read of what is expected to be so many times larger than there is room for."""


def explorer_data(
    root: Path, first: str = "default", opened: Open = Frames.open, each: Each = in_turn
) -> dict[str, Any]:
    """Return what the explorer embeds of every experiment below `root` that probed its layers.

    An experiment that does not fit beside the others goes without histograms of pre-activations,
    then without some steps, then without any histogram, and is at last left out and named.
    """
    folders = sorted(find_results(root), key=lambda folder: (folder.name != first, folder.name))
    experiments: list[dict[str, Any]] = []
    left_out: list[str] = []
    bytes_left = MOST_BYTES
    pieces = [partial(_probed, opened, folder, MOST_OF_ONE) for folder in folders]
    for folder, found in zip(folders, each(pieces), strict=True):
        if found is None:
            continue
        if not found.fits(bytes_left):
            found = _probed(opened, folder, bytes_left) or _NOTHING
        if found.data is None:
            left_out.append(folder.name)
            continue
        bytes_left -= found.size
        experiments.append(found.data)
    return _embedded(experiments, left_out)


class _Fitted(NamedTuple):
    """What of an experiment fits into some bytes, if anything, and the size that was expected."""

    data: dict[str, Any] | None
    expected: int = 0

    @property
    def size(self) -> int:
        """Bytes of the compressed data."""
        return len(self.data["data"]) if self.data else 0

    def fits(self, most_bytes: int) -> bool:
        """Return whether fewer bytes would hold the same."""
        return self.size <= most_bytes and self.expected <= FAR_TOO_LARGE * most_bytes


_NOTHING = _Fitted(None)


def _probed(opened: Open, folder: Path, most_bytes: int) -> _Fitted | None:
    """Return what of an experiment that probed its layers fits; None where none were probed."""
    frames = opened(folder)
    if frames.runs.empty or not frames.has("layers"):
        return None
    return _fitted(frames, folder.name, most_bytes, every_setting=True)


def experiment_data(frames: Frames, most_bytes: int) -> dict[str, Any] | None:
    """Return what the explorer embeds of one experiment, or None where it has no histograms.

    What does not fit is left out: histograms of pre-activations, then some steps, then settings; at
    last the experiment itself, which is then named in `left_out`.
    """
    if frames.runs.empty or not frames.has("layers") or not frames.has("histograms"):
        return None
    name = frames.root.name
    found = _fitted(frames, name, most_bytes, every_setting=False).data
    if found is None:
        return _embedded([], [name])
    return _embedded([found], []) if found["settings"] else None


def _embedded(experiments: list[dict[str, Any]], left_out: list[str]) -> dict[str, Any]:
    return {
        "experiments": experiments,
        "left_out": left_out,
        "quantities": list(QUANTITIES),
        "codes": list(QUANTITIES.values()),
        "curves": [" ".join(curve) for curve in CURVES],
        "curve_codes": list(CURVES.values()),
        "bins": {kind: list(bins) for kind, bins in HISTOGRAM_BINS.items()},
    }


def _fitted(frames: Frames, name: str, most_bytes: int, *, every_setting: bool) -> _Fitted:
    """Return as much of an experiment as fits into so many bytes."""
    runs = frames.runs[frames.runs["status"] != "failed"].reset_index(drop=True)
    varying = varying_columns(runs)
    runs = runs.assign(variant=[variant_words(row, varying) for row in runs.to_dict("records")])
    axes = [*MAIN, *(["variant"] if varying else [])]
    groups = runs.groupby(axes, observed=True, sort=False, dropna=False)
    runs = runs.assign(setting=groups.ngroup())
    ids, columns = runs["run_id"].tolist(), ["run_id", "step"]
    probes = frames.read("layers", run_ids=ids, columns=columns, quantity=["activation_std"])
    probes = probes.drop_duplicates()
    histograms = frames.read("histograms", run_ids=ids, columns=columns, kind=["activation"])
    for choice in choices(runs, axes, probes, every_setting=every_setting):
        expected = expected_bytes(choice, runs, histograms)
        if expected > FAR_TOO_LARGE * most_bytes:
            continue
        found = _experiment(frames, name, runs, axes, varying, choice)
        if len(found["data"]) <= most_bytes:
            omitted = _omitted(runs, axes, probes, choice)
            return _Fitted({**found, "omitted": omitted}, expected)
    return _NOTHING


def _omitted(
    runs: pd.DataFrame, axes: Sequence[str], probes: pd.DataFrame, choice: Choice
) -> dict[str, list[str]]:
    """Return what a choice leaves out, in words: kinds of histograms, steps, values of axes."""
    kept = runs[runs["setting"].isin(choice.settings)]
    steps = sorted({*probes["step"]} - {*(choice.steps or probes["step"])})
    gone = {
        axis.removesuffix("_label"): [
            value for value in values_of(runs, axis) if value not in values_of(kept, axis)
        ]
        for axis in axes
    }
    kinds = [kind for kind in HISTOGRAM_BINS if kind not in choice.kinds]
    found = {"kind": kinds, "step": [f"{step}" for step in steps], **gone}
    return {name: values for name, values in found.items() if values}


def _experiment(
    frames: Frames,
    name: str,
    every: pd.DataFrame,
    axes: Sequence[str],
    varying: Sequence[str],
    choice: Choice,
) -> dict[str, Any]:
    runs = every[every["setting"].isin(choice.settings)].reset_index(drop=True)
    learned = learned_quantities(frames, runs["run_id"])[:MOST_LEARNED]
    codes = {**QUANTITIES, **dict.fromkeys(learned, "real")}
    values = {axis: values_of(runs, axis) for axis in axes}
    steps: list[list[int]] = []
    seeds: list[str] = []
    stream, settings = Stream(), []
    # one activation at a time: all histograms at once would need much memory
    for _, part in runs.groupby("activation_label", observed=True, sort=False):
        found = list(part.groupby(list(axes), observed=True, sort=False, dropna=False))
        tables = _Tables.read(frames, [group for _, group in found], choice, codes)
        for number, (key, group) in enumerate(found):
            indices = [
                values[axis].index(plain_text(value)) for axis, value in zip(axes, key, strict=True)
            ]
            # networks that diverged before their first probe, or had none, show nothing
            if len(tables.layers.at(number)["step"]):
                packed = _pack(stream, steps, tables, number, group, codes)
                settings.append([*indices, *packed, _index(seeds, seed_ranges(group["seed"]))])
    colors = {str(label): look.color for label, look in looks(runs).items()}
    return {
        "id": name,
        "title": str(frames.manifest.get("title") or name),
        "title_ko": str(frames.manifest.get("title_ko") or frames.manifest.get("title") or name),
        "facts": facts(runs, varying),
        "facts_ko": facts_ko(runs, varying),
        "axes": [axis.removesuffix("_label") for axis in axes],
        "values": [values[axis] for axis in axes],
        "colors": [colors[label] for label in values["activation_label"]],
        "bounds": bounds_by_label(frames.functions, values["activation_label"]),
        "korean": labels_ko(frames, runs) | variants_ko(runs, varying),
        "kinds": list(choice.kinds),
        "learned": learned,
        "steps": steps,
        "seeds": seeds,
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
        choice: Choice,
        quantities: Collection[str],
    ) -> _Tables:
        positions = Positions.of(settings)
        ids = list(positions.setting)
        steps, kinds = choice.steps, choice.kinds
        layers = frames.read("layers", run_ids=ids, steps=steps, quantity=list(quantities))
        predictions = frames.read("predictions", run_ids=ids, quantity=list(PREDICTED))
        curves = frames.read("curves", run_ids=ids, split=["train", "validation"])
        counted = frames.read("histograms", run_ids=ids, steps=steps, kind=kinds) if kinds else None
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
    """Return (steps, layers, bins): the mean share of values in each bin, coded."""
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
    return whole_codes(total)


def _index(known: list[Any], wanted: Any) -> int:
    if wanted not in known:
        known.append(wanted)
    return known.index(wanted)
