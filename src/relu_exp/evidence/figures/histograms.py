"""Histogram grids: one row per initializer, one panel per layer, shared axes (document 002)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from relu_exp.core.schema import UsageError, histogram_edges
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.figures.catalog import DoesNotApply, Drawing, figure, finished
from relu_exp.evidence.figures.limits import is_limited, left_out_words, most_across, spread
from relu_exp.evidence.figures.sheet import Sheet
from relu_exp.evidence.figures.slices import (
    TRAINING_AXES,
    Slice,
    before_training,
    left_out,
    split,
)
from relu_exp.evidence.figures.style import GRAY, RC, levels, looks
from relu_exp.evidence.figures.words import shown_label, text

__all__ = [
    "bars_shown",
    "height",
    "histogram_grid",
    "histograms_at",
    "peaks",
    "pooled",
    "preactivation_grid",
]

AT_MOST = 6
"""Drawings; each is a whole page."""
MOST_LAYERS = 10
Array = np.ndarray[Any, Any]


@figure("histograms")
def histogram_grid(frames: Frames) -> Iterator[Drawing]:
    """Histograms of the activations before training: a row per initializer, a panel per layer."""
    yield from _grids(frames, "activation")


@figure("histograms")
def preactivation_grid(frames: Frames) -> Iterator[Drawing]:
    """Histograms of the pre-activations before training, in the same shape."""
    yield from _grids(frames, "preactivation")


def _grids(
    frames: Frames, kind: str, step: int = 0, layers: Sequence[int] = ()
) -> Iterator[Drawing]:
    runs = before_training(frames.runs) if step == 0 else frames.runs
    counted = frames.read(
        "histograms", run_ids=runs["run_id"], steps=(step,), columns=["run_id"], kind=[kind]
    )
    if counted.empty:
        raise DoesNotApply(text(f"no_{kind}_histogram"))
    runs = runs[runs["run_id"].isin(counted["run_id"])]
    chosen, others = _chosen(runs, TRAINING_AXES if step == 0 else ())
    for part in chosen:
        counts = frames.read(
            "histograms", run_ids=part.runs["run_id"], steps=(step,), kind=[kind]
        ).merge(part.runs[["run_id", "initializer_label"]], on="run_id")
        yield _drawing(frames, part, counts, kind, others, step=step, shown_layers=layers)


def histograms_at(frames: Frames, step: int, layers: Sequence[int]) -> Iterator[Drawing]:
    """Yield the histograms of activations at a step, of some layers or of all.

    Raises:
        UsageError: no histogram was probed at this step, or there is no such layer.
    """
    probed = frames.read("histograms", columns=["run_id", "step", "layer"], kind=["activation"])
    for name, asked, there in (
        ("--step", [step], sorted(probed["step"].unique())),
        ("--layers", list(layers), sorted(probed["layer"].unique())),
    ):
        if wrong := [each for each in asked if each not in there]:
            shown = ", ".join(f"{each:,}" for each in there) or "none"
            raise UsageError(
                f"{name} {wrong[0]}: {frames.root.name} has no histogram there; probed: {shown}"
            )
    with mpl.rc_context(RC):
        yield from _grids(frames, "activation", step, layers)


def _chosen(runs: pd.DataFrame, free: Sequence[str]) -> tuple[list[Slice], str]:
    """Choose the slices to draw: as many of every activation as there is room for.

    Networks of about the documents' five layers come first: their panels are large. Axes that are
    `free` do not matter.
    """
    every = split(runs, ["initializer_label", *free])
    if not is_limited():
        return every, ""
    by_activation: dict[str, list[Slice]] = {}
    for part in every:
        by_activation.setdefault(str(part.runs["activation_label"].iloc[0]), []).append(part)
    rounds = max(1, AT_MOST // len(by_activation))
    chosen = [
        id(part)
        for parts in by_activation.values()
        for part in sorted(parts, key=_distance_from_depth_5)[:rounds]
    ][:AT_MOST]
    kept = [part for part in every if id(part) in chosen]
    return kept, left_out(kept, every)


def _distance_from_depth_5(part: Slice) -> int:
    return abs(int(part.runs["depth"].iloc[0]) - 5)


def _drawing(
    frames: Frames,
    part: Slice,
    counts: pd.DataFrame,
    kind: str,
    others: str,
    *,
    step: int,
    shown_layers: Sequence[int],
) -> Drawing:
    first = part.runs.iloc[0]
    initializers = levels(part.runs, "initializer_label")
    every = sorted(counts["layer"].unique())
    shown_layers = [layer for layer in every if layer in shown_layers]
    layers = shown_layers or spread(every, most_across(MOST_LAYERS))
    shares = {
        key: pooled(column)
        for key, column in counts.groupby(["initializer_label", "layer"], observed=True)["counts"]
    }
    drawn = [shares[key] for key in shares if key[1] in layers]
    edges = np.array(histogram_edges(kind))
    first_bin, last_bin = bars_shown(drawn)
    top = height([share[1 + first_bin : 1 + last_bin] for share in drawn])
    color = looks(frames.runs)[first["activation_label"]].color
    sheet = Sheet(
        len(initializers),
        len(layers),
        panel=(1.0 if len(layers) > 5 else 1.6, 1.0 if len(initializers) > 1 else 1.6),
        gap=(0.14, 0.24),
    )

    def paint(axes: Axes, share: Array) -> None:
        inside = share[1 + first_bin : 1 + last_bin]
        axes.stairs(inside, edges[first_bin : last_bin + 1], fill=True, color=color)
        for index in peaks(inside, top):
            middle = (edges[first_bin + index] + edges[first_bin + index + 1]) / 2
            right = middle > (edges[first_bin] + edges[last_bin]) / 2 + 1e-9
            axes.annotate(
                f"{inside[index]:.0%}",
                (middle, top),
                (-3 if right else 3, -1),
                textcoords="offset points",
                ha="right" if right else "left",
                va="top",
                size=7,
                weight="bold",
                bbox={"facecolor": "white", "alpha": 0.75, "lw": 0, "pad": 0.6},
            )
        if (outside := 1 - inside.sum()) >= 5e-4:
            axes.text(
                1.0,
                1.02,
                text("outside", share=_percent(outside)),
                transform=axes.transAxes,
                ha="right",
                va="bottom",
                size=6.5,
                color=GRAY if outside < 0.005 else "#B00020",
            )
        axes.set_ylim(0, top)
        axes.set_xlim(edges[first_bin], edges[last_bin])
        axes.xaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))

    for r, initializer in enumerate(initializers):
        for c, layer in enumerate(layers):
            if (initializer, layer) in shares:
                paint(sheet.axes[r][c], shares[initializer, layer])
    where = [shown_label(first["activation_label"]), text("num_layers", n=first["depth"])]
    if pd.notna(first["width"]):
        where.append(text("units_each", n=first["width"]))
    layers_left = left_out_words(len(layers), len(every), text("all_layers"))
    return finished(
        frames,
        sheet,
        part.runs,
        name=f"{kind}_histograms" + (f"-step{step}" if step else "") + (part.stem or ""),
        title=text(f"histograms_{kind}", where=", ".join(where))
        if step == 0
        else text("histograms_at", where=", ".join(where), n=step),
        caption=[
            text("histogram_means", seeds=text("seeds", n=int(part.runs["seed"].nunique()))),
            layers_left,
            others,
        ],
        leave=("initializer_label", *(TRAINING_AXES if step == 0 else ())),
        x=text(f"value_{kind}"),
        y=text("share_per_bin"),
        column_titles=[text("layer", n=layer) for layer in layers],
        row_titles=[str(initializer) for initializer in initializers],
        over=0.12,
    )


def pooled(counts: pd.Series[Any]) -> Array:
    """Pool histograms of several seeds into shares of all values, out-of-range bins included."""
    total: Array = np.stack(counts.to_list()).sum(axis=0, dtype=np.int64)
    return total / max(int(total.sum()), 1)


def bars_shown(shares: list[Array]) -> tuple[int, int]:
    """Return the first and last bin (exclusive) of those holding 0.05% somewhere, and a margin."""
    inner = np.max(np.stack(shares), axis=0)[1:-1]
    used = np.flatnonzero(inner >= 5e-4)
    if not len(used):
        return 0, len(inner)
    return max(int(used[0]) - 1, 0), min(int(used[-1]) + 2, len(inner))


def height(shares: list[Array]) -> float:
    """Return the height of the axis: ordinary bars fit, spikes are clipped.

    A bar is a spike when it holds more than five times its share if all bars were equal.
    """
    every = np.concatenate(shares)
    usual = every[every <= 5 / len(shares[0])]
    return float(1.15 * usual.max(initial=0.01))


def peaks(share: Array, top: float) -> list[int]:
    """Return the tallest clipped bars, at most one in each half so that labels do not meet."""
    half = len(share) // 2
    found = []
    for start, stop in ((0, half), (half, len(share))):
        index = start + int(np.argmax(share[start:stop]))
        if share[index] > top:
            found.append(index)
    if len(found) == 2 and found[1] - found[0] < 3:
        found = [max(found, key=lambda index: share[index])]
    return found


def _percent(share: float) -> str:
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"
