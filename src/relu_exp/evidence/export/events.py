"""Event files: one run of TensorBoard per run, with its curves, layers, histograms and settings."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from relu_exp.core.run_keys import RUN_KEYS
from relu_exp.core.schema import METRICS, PARTS, PLACES, UsageError, histogram_edges
from relu_exp.evidence.data.frames import Frames

try:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb
    from tensorboard.summary.writer.record_writer import RecordWriter
except ImportError as error:
    raise UsageError(
        "--to tensorboard needs the package tensorboard: pip install tensorboard"
    ) from error

__all__ = ["run_names", "write"]

_MOST_CHARACTERS = 200
"""Of a folder's name; file systems take 255 bytes."""
_PLAIN_KEYS = tuple(name for name, key in RUN_KEYS.items() if not key.is_schedule)
_TABLES = ("curves", "layers", "histograms")
_HISTOGRAM = ["step", "layer", "kind", "counts", "minimum", "maximum"]


def write(frames: Frames, folder: Path) -> None:
    """Write an event file per run, in a folder with the run's name.

    Scalars are `loss/SPLIT`, `accuracy/SPLIT`, `r2/SPLIT` and `QUANTITY/layer_NN`, histograms
    `KIND/layer_NN`; a run's settings are in the tab HPARAMS. The same results give the same bytes.
    """
    runs = frames.runs.assign(name=run_names(frames.runs))
    started = frames.manifest.get("started")
    wall_time = datetime.fromisoformat(started).timestamp() if started else 0.0
    for _, part in runs.groupby("part", sort=True):
        found = {
            table: _by_run(frames.read(table, run_ids=part["run_id"].tolist())) for table in _TABLES
        }
        for run in part.to_dict("records"):
            rows = {table: found[table].get(run["run_id"]) for table in _TABLES}
            target = folder / run["name"]
            target.mkdir()
            with (target / f"events.out.tfevents.{wall_time:.0f}.relu-exp").open("wb") as file:
                _save(file, wall_time, run, rows)


def run_names(runs: pd.DataFrame) -> list[str]:
    """Return a readable name for each run: the settings it does not share with all others.

    As in `leaky_relu,negative_slope=0.2,depth=5,seed=0`: short, because TensorBoard cuts names.
    """
    shown = pd.DataFrame(index=runs.index)
    for group in PARTS:
        if group == "activation" or runs[group].nunique() > 1:
            shown[group] = runs[group]
        for key in _settings_of(runs, group):
            # a setting distinguishes entries of the same name
            varies = runs.groupby(group)[key].transform("nunique", dropna=False) > 1
            shown[key] = runs[key].where(varies)
    for key in _PLAIN_KEYS:
        if key == "seed" or runs[key].nunique(dropna=False) > 1:
            shown[key] = runs[key]
    named = [_plain(",".join(_words(row)))[:_MOST_CHARACTERS] for row in shown.to_dict("records")]
    counts = Counter(named)
    return [
        name if counts[name] == 1 else _plain(f"{name},{run_id}")
        for name, run_id in zip(named, runs["run_id"], strict=True)
    ]


def _plain(name: str) -> str:
    """Return a name without characters that lead out of a folder."""
    return re.sub(r"[^\w.,=+-]+", "_", name)


def _words(values: Mapping[Any, Any]) -> list[str]:
    """Return choices by their names and the rest as `key=value`, as short as people write them."""
    return [
        value if key in PARTS else f"{key.rpartition('.')[2]}={_number(value)}"
        for key, value in values.items()
        if not pd.isna(value)
    ]


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _settings_of(runs: pd.DataFrame, group: str) -> list[str]:
    """Return the columns of a group's settings, without those that say where data lie."""
    prefix = f"{group}."
    keys = [column for column in map(str, runs) if column.startswith(prefix)]
    return [key for key in keys if key.removeprefix(prefix) not in PLACES]


def _settings(run: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a run's configuration as the tab HPARAMS takes it: text, numbers and truth values."""
    keys = [key for key in run if key in PARTS or key in _PLAIN_KEYS]
    keys += [key for key in run if key.partition(".")[0] in PARTS and "." in key]
    settings = {key: run[key] for key in keys if not pd.isna(run[key])}
    settings["status"] = run["status"]
    return {
        key: value if isinstance(value, str | bool) else float(value)
        for key, value in settings.items()
    }


def _by_run(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(run_id): own for run_id, own in rows.groupby("run_id", observed=True)}


def _save(
    file: BinaryIO, wall_time: float, run: Mapping[Any, Any], rows: Mapping[str, Any]
) -> None:
    """Write the events of one run: the file's version, the settings, and one per step."""
    writer = RecordWriter(file)
    steps: dict[int, Any] = defaultdict(Summary)
    for step, value in _values(rows):
        steps[step].value.append(value)
    settings = hparams_pb(_settings(run), trial_id=run["name"], start_time_secs=wall_time)
    events = [Event(file_version="brain.Event:2"), Event(summary=settings)]
    events += [Event(step=step, summary=steps[step]) for step in sorted(steps)]
    for event in events:
        event.wall_time = wall_time
        writer.write(event.SerializeToString(deterministic=True))


def _values(rows: Mapping[str, pd.DataFrame | None]) -> Iterator[tuple[int, Any]]:
    """Yield each value of a run with its step."""
    curves, layers, histograms = (rows[table] for table in _TABLES)
    known_of: dict[tuple[int, int, str], float] = {}
    if curves is not None:
        for metric in METRICS:
            known = curves.dropna(subset=metric)
            for step, split, value in known[["step", "split", metric]].to_numpy().tolist():
                yield step, Summary.Value(tag=f"{metric}/{split}", simple_value=value)
    if layers is not None:
        known = layers.dropna(subset="value")
        columns = ["step", "layer", "quantity", "value"]
        for step, layer, quantity, value in known[columns].to_numpy().tolist():
            known_of[step, layer, quantity] = value
            yield step, Summary.Value(tag=f"{quantity}/layer_{layer:02}", simple_value=value)
    if histograms is not None:
        for step, layer, kind, counts, *ends in histograms[_HISTOGRAM].to_numpy().tolist():
            moments = (known_of.get((step, layer, f"{kind}_{name}")) for name in ("mean", "std"))
            histogram = _histogram(kind, np.asarray(counts, dtype=float), ends, *moments)
            yield step, Summary.Value(tag=f"{kind}/layer_{layer:02}", histo=histogram)


def _histogram(
    kind: str,
    counts: np.ndarray[Any, Any],
    ends: Sequence[float],
    mean: float | None,
    std: float | None,
) -> Any:
    """Return counts in TensorBoard's form: right edges, and the ends of the outermost bins.

    Minimum, maximum, mean and standard deviation are the data's. What was not measured, or is no
    finite number, is estimated from the bins; one more of equal width holds what lies beyond them.
    """
    edges = histogram_edges(kind)
    width = edges[1] - edges[0]
    edges = [edges[0] - width, *edges, edges[-1] + width]
    filled = np.flatnonzero(counts)
    first, last = (int(filled[0]), int(filled[-1])) if len(filled) else (0, 0)
    kept = counts[first : last + 1]
    limits = np.asarray(edges[first : last + 2])
    centers = (limits[:-1] + limits[1:]) / 2
    low, high = (
        measured if measured is not None and isfinite(measured) else limit
        for measured, limit in zip(ends, (limits[0], limits[-1]), strict=True)
    )
    # the outermost bins reach as far as the values
    limits[-1] = max(limits[-1], high)
    num, total, squares = kept.sum(), kept @ centers, kept @ centers**2
    if mean is not None and std is not None and isfinite(mean) and isfinite(std):
        total, squares = num * mean, num * (std**2 + mean**2)
    return HistogramProto(
        min=low,
        max=high,
        num=num,
        sum=total,
        sum_squares=squares,
        bucket_limit=np.maximum(limits[1:], low),
        bucket=kept,
    )
