"""Pictures: what texts about deep learning draw, small and in large letters, for a first look.

Each is as wide as a phone: at `WIDTH` pixels its letters are `LETTERS` pixels high. Titles and
sentences stand beside a picture and not in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator, PercentFormatter

from relu_exp.core.schema import histogram_edges
from relu_exp.evidence.claims.survival import MOST, SAID_TO_DIE, with_learning
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.labels import axis_name
from relu_exp.evidence.data.statistics import summarize
from relu_exp.evidence.figures.catalog import DoesNotApply, Drawing, figure
from relu_exp.evidence.figures.dead import shares_of_layers, shares_of_runs
from relu_exp.evidence.figures.histograms import bars_shown, height, peaks, pooled
from relu_exp.evidence.figures.limits import is_limited, left_out_words, spread
from relu_exp.evidence.figures.lines import interval_line
from relu_exp.evidence.figures.loss import arms, curves_of
from relu_exp.evidence.figures.slices import (
    TRAINING_AXES,
    Slice,
    before_training,
    describe,
    left_out,
    redraw_command,
    split,
    trained,
)
from relu_exp.evidence.figures.style import INK, levels, log_axis, looks, plain
from relu_exp.evidence.figures.words import shown_label, text

__all__ = [
    "LETTERS",
    "WIDTH",
    "dead_picture",
    "draw_bars",
    "layers_picture",
    "loss_picture",
    "panels_of",
]

WIDTH = 340.0
LETTERS = 13.0
"""Of a picture, in points; a page shows a point as a pixel."""
MOST_LAYERS = 5
FAR = 2.0
"""How many times the scale that keeps a signal makes weights too large, or too small."""
WORDS: dict[str, Any] = {"size": LETTERS, "parse_math": False}
Array = np.ndarray[Any, Any]


@figure("histograms")
def layers_picture(frames: Frames) -> Iterator[Drawing]:
    """Activations of each layer before training, by initializer: what the documents draw."""
    runs = before_training(frames.runs)
    counts = frames.read("histograms", run_ids=runs["run_id"], steps=(0,), kind=["activation"])
    if counts.empty:
        raise DoesNotApply(text("no_activation_histogram"))
    runs = runs[runs["run_id"].isin(counts["run_id"])]
    every = split(runs, ["initializer_label", *TRAINING_AXES])
    kept = every
    if is_limited():
        nearest: dict[str, Slice] = {}
        for part in sorted(every, key=lambda part: abs(int(part.runs["depth"].iloc[0]) - 5)):
            nearest.setdefault(str(part.runs["activation_label"].iloc[0]), part)
        chosen = {id(part) for part in nearest.values()}
        kept = [part for part in every if id(part) in chosen]
    for part in kept:
        yield _layers(frames, part, counts, left_out(kept, every) if len(kept) < len(every) else "")


def _layers(frames: Frames, part: Slice, counts: pd.DataFrame, others: str) -> Drawing:
    own = counts.merge(part.runs[["run_id", "initializer_label"]], on="run_id")
    groups = own.groupby(["initializer_label", "layer"], observed=True)["counts"]
    every = sorted(own["layer"].unique())
    layers = spread(every, MOST_LAYERS)
    shares = {key: pooled(column) for key, column in groups if key[1] in layers}
    first, last = bars_shown([*shares.values()])
    edges = np.array(histogram_edges("activation"))[first : last + 1]
    top = height([share[1 + first : 1 + last] for share in shares.values()])
    rows = levels(part.runs, "initializer_label")
    color = looks(frames.runs)[part.runs["activation_label"].iloc[0]].color
    high, between = 44.0, 24.0
    drawn, panels = panels_of(len(rows), len(layers), high, between, left=6.0, below=40.0)
    for r, row in enumerate(rows):
        panels[r][0].annotate(
            _named(part.runs[part.runs["initializer_label"] == row]),
            (0, 1), (0, 3), "axes fraction", textcoords="offset points", **WORDS,
        )  # fmt: skip
        for axes, layer in zip(panels[r], layers, strict=True):
            if (row, layer) in shares:
                draw_bars(axes, shares[row, layer], edges, first, last, top, color)
    for axes, layer in zip(panels[-1], layers, strict=True):
        axes.set_xlabel(text("layer", n=layer), size=LETTERS, labelpad=2)
    for axes in drawn.axes:
        low, high = edges[0], edges[-1]
        ticks = [-1, 1] if low < -1 and high < 1.2 else [0, round(float(high) * 0.75)]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(lambda value, _: plain(value).replace("-", "−"))
        axes.set(xlim=(low, high), ylim=(0, top), yticks=[])
        axes.tick_params(labelsize=LETTERS, labelbottom=axes in panels[-1], pad=2)
        # within the panel, so that no number meets that of the next
        for place, label in enumerate(axes.get_xticklabels()):
            label.set_horizontalalignment("right" if place else "left")
        axes.grid(visible=False)
    where = f"{part.runs['activation_label'].iloc[0]}, " + text(
        "num_layers", n=part.runs["depth"].iloc[0]
    )
    return _drawing(
        frames,
        part.runs,
        drawn,
        name=f"layers_picture{part.stem}",
        title=text("histograms_activation", where=where),
        caption=[
            text("picture_layers", seeds=text("seeds", n=int(part.runs["seed"].nunique()))),
            left_out_words(len(layers), len(every), text("all_layers")),
            others,
        ],
        leave=("initializer_label", *TRAINING_AXES),
    )


def _named(runs: pd.DataFrame) -> str:
    """Return the name of an initializer, and whether its weights are too small or too large.

    Of a normal distribution with standard deviation s, n inputs keep their scale where s√n is
    about 1.
    """
    first = runs.iloc[0]
    name = shown_label(first["initializer_label"])
    if str(first["initializer"]) != "normal" or pd.isna(first["width"]):
        return name
    scale = float(first["initializer.std"]) * float(first["width"]) ** 0.5
    if 1 / FAR <= scale <= FAR:
        return name
    return text("picture_too_large" if scale > FAR else "picture_too_small", name=name)


def draw_bars(
    axes: Axes, share: Array, edges: Array, first: int, last: int, top: float, color: str
) -> None:
    """Draw a histogram between two bins, with the shares of bars that are taller than the axis."""
    inside = share[1 + first : 1 + last]
    axes.stairs(inside, edges, fill=True, color=color)
    tall = peaks(inside, top)
    lines = 0
    for index in tall:
        is_right = index > len(inside) / 2
        _write(axes, f"{inside[index]:.0%}", lines, is_right=is_right)
        lines += 1
    if (beyond := float(share[1 + last :].sum())) >= 0.005:
        _write(axes, f"{beyond:.0%} →", lines, is_right=True)


def _write(axes: Axes, words: str, line: int, *, is_right: bool) -> None:
    """Write a share into a panel, on its first line or the one below."""
    axes.annotate(
        words,
        (float(is_right), 1), (-4 if is_right else 4, -1 - 16 * line), "axes fraction",
        textcoords="offset points", ha="right" if is_right else "left", va="top",
        bbox={"facecolor": "white", "alpha": 0.7, "lw": 0, "pad": 0.3}, **WORDS,
    )  # fmt: skip


@figure("layers")
def dead_picture(frames: Frames) -> Iterator[Drawing]:
    """Share of dead units at the end by learning rate, a line for each depth."""
    runs = trained(frames.runs)
    _, last = shares_of_runs(shares_of_layers(frames, runs))
    columns = ["run_id", "depth", "learning_rate", "status", "learns"]
    values = last.merge(with_learning(runs)[columns], on="run_id")
    share = values.set_index(values["run_id"].astype(str))["value"]
    every = split(runs[runs["run_id"].isin(last["run_id"])], ["learning_rate", "depth"])
    kept = every
    if is_limited():
        kept = [max(every, key=lambda part: float(share.reindex(part.runs["run_id"]).mean()))]
    others = left_out(kept, every, text("most_dead")) if len(kept) < len(every) else ""
    for part in kept:
        yield _dead(frames, part, values[values["run_id"].isin(part.runs["run_id"])], others)


def _dead(frames: Frames, part: Slice, values: pd.DataFrame, others: str) -> Drawing:
    keys = ["depth", "learning_rate"]
    summary = summarize(values, keys, "value")
    lost = values.assign(lost=values["status"].eq("diverged")).groupby(keys, observed=True)
    summary = summary.merge(lost[["lost", "learns"]].mean().reset_index(), on=keys)
    summary["learns"] = summary["learns"] >= MOST
    every = levels(part.runs, "depth")
    depths = spread(every, 4)
    shown = looks(part.runs[part.runs["depth"].isin(depths)], "depth")
    drawn, [[axes]] = panels_of(1, 1, 190.0, 0.0, left=66.0, below=50.0, over=14.0)
    for depth, look in shown.items():
        line = summary[summary["depth"] == depth].sort_values("learning_rate")
        there = line[line["lost"] < 0.5]
        interval_line(axes, there, "learning_rate", look, band=False, share=True,
                      lw=2.2, markersize=6)  # fmt: skip
        if len(fails := there[~there["learns"]]):
            hollow = {**look.kwargs, "linestyle": "", "markerfacecolor": "white"}
            axes.plot(fails["learning_rate"], fails["mean"], **hollow, ms=6, mew=1.6, zorder=3)
        # what most runs had reached when they diverged is no state at the end
        gone = line[line["lost"] >= 0.5]
        axes.plot(gone["learning_rate"], gone["mean"], "x", color=look.color, ms=8, mew=2)
    log_axis(axes.xaxis)
    rates = sorted(part.runs["learning_rate"].unique())
    axes.xaxis.set_major_locator(FixedLocator(spread(rates, 4)))
    axes.set_xlim(rates[0] / 1.4, rates[-1] * 1.4)
    axes.axhline(SAID_TO_DIE, color=INK, lw=1, ls=(0, (4, 3)), zorder=1)
    axes.annotate(
        text("picture_said_to_die", share=f"{SAID_TO_DIE:.0%}"), (0, SAID_TO_DIE), (4, 2),
        axes.get_yaxis_transform(), textcoords="offset points", color=INK, **WORDS,
    )  # fmt: skip
    axes.set_ylim(-0.03, 1.03)
    axes.yaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    entries = [look.handle(f"{axis_name('depth')} {depth}") for depth, look in shown.items()]
    if ((summary["lost"] < 0.5) & ~summary["learns"]).any():
        entries.append(Line2D([], [], marker="o", ls="", mfc="white", mec=INK, ms=6, mew=1.6,
                              label=text("picture_most_fail")))  # fmt: skip
    if (summary["lost"] >= 0.5).any():
        entries.append(Line2D([], [], marker="x", ls="", color=INK, ms=8, mew=2,
                              label=text("picture_most_diverged")))  # fmt: skip
    _label(axes, axis_name("learning_rate"), text("dead_share"))
    axes.legend(handles=entries, fontsize=LETTERS, loc="upper left", handlelength=1.4,
                borderaxespad=0.1, labelspacing=0.2)  # fmt: skip
    return _drawing(
        frames,
        part.runs,
        drawn,
        name=f"dead_picture{part.stem}",
        title=_titled(text("dead_by_rate"), part),
        caption=[
            text("dead_means"),
            text("dead_layers_mean"),
            left_out_words(len(depths), len(every), text("all_depths")),
            others,
        ],
    )


@figure("curves")
def loss_picture(frames: Frames) -> Iterator[Drawing]:
    """Training loss against updates by activation, each at its best learning rate."""
    runs = trained(frames.runs)
    curves, of = curves_of(frames, runs)
    recorded = runs[runs["run_id"].isin(curves["run_id"]) | runs["status"].eq("diverged")]
    found = [chosen for chosen, stem, _ in arms(recorded) if stem != "-shared_rate"]
    if not found:
        raise DoesNotApply(text("no_validation"))
    every = split(found[0], ["activation_label", "learning_rate", "num_steps"])
    kept = every
    if is_limited():
        kept = [max(every, key=lambda part: _told(part.runs, curves))]
    others = left_out(kept, every) if len(kept) < len(every) else ""
    for part in kept:
        yield _loss(frames, part, curves, of, others)


def _told(runs: pd.DataFrame, curves: pd.DataFrame) -> tuple[bool, float]:
    """Return whether any of the runs has a curve, and how deep they are: the deepest are drawn."""
    return bool(runs["run_id"].isin(curves["run_id"]).any()), float(runs["depth"].max())


def _loss(frames: Frames, part: Slice, curves: pd.DataFrame, of: str, others: str) -> Drawing:
    runs = part.runs
    joined = curves.merge(runs[["run_id", "activation_label"]], on="run_id")
    values = summarize(joined[np.isfinite(joined["loss"])],
                       ["activation_label", "step"], "loss", log=True)  # fmt: skip
    # the slowest may train longer: what is compared is the time that all have
    last = int(runs.groupby("activation_label", observed=True)["num_steps"].max().min())
    values = values[values["step"] <= last]
    shown = looks(runs)
    kept = spread(list(shown), 6)
    drawn, [[axes]] = panels_of(1, 1, 190.0, 0.0, left=56.0, below=50.0, over=14.0, right=18.0)
    # a mark here and there, at other places on each line, so that color alone tells nothing
    apart = max(1, values["step"].nunique() // 5)
    for index, label in enumerate(kept):
        line = values[values["activation_label"] == label]
        interval_line(axes, line, "step", shown[label], lw=2.0, markersize=6,
                      markevery=(index % apart, apart))  # fmt: skip
    begin = values.loc[values["step"] == values["step"].min(), "mean"].median()
    axes.set_xlim(0, last)
    if np.isfinite(begin):
        axes.set_ylim(0, 1.25 * float(begin))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    _label(axes, text("updates"), text(f"loss_{of}").lower())
    entries = [shown[label].handle(shown_label(str(label).split(" · ")[0]), ms=6) for label in kept]
    axes.legend(handles=entries, fontsize=LETTERS, loc="upper right", handlelength=1.4, ncols=2,
                borderaxespad=0.0, labelspacing=0.2, columnspacing=0.9)  # fmt: skip
    return _drawing(
        frames,
        runs,
        drawn,
        name=f"loss_picture{part.stem}",
        title=_titled(
            text("loss_title", loss=text(f"loss_{of}"), words=text("at_best_rate")), part
        ),
        caption=[
            text(f"loss_{of}_means"),
            left_out_words(len(kept), len(shown), text("all_activations")),
            others,
        ],
    )


def _titled(heading: str, part: Slice) -> str:
    return f"{heading}: {part.words}" if part.words else heading


def panels_of(
    rows: int,
    columns: int,
    high: float,
    between: float,
    *,
    left: float,
    below: float,
    over: float = 0.0,
    right: float = 10.0,
) -> tuple[Figure, list[list[Axes]]]:
    """Return a picture of rows × columns of panels; all lengths are points."""
    gap = 8.0
    wide = (WIDTH - left - right - gap * (columns - 1)) / columns
    tall = rows * (high + between) + below + over
    drawn = Figure(figsize=(WIDTH / 72, tall / 72))
    panels = [
        [
            drawn.add_axes((
                (left + c * (wide + gap)) / WIDTH,
                (below + (rows - 1 - r) * (high + between)) / tall,
                wide / WIDTH,
                high / tall,
            ))
            for c in range(columns)
        ]
        for r in range(rows)
    ]  # fmt: skip
    return drawn, panels


def _label(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x, size=LETTERS, labelpad=4)
    axes.set_ylabel(y, size=LETTERS, labelpad=4)
    axes.tick_params(labelsize=LETTERS)


def _drawing(
    frames: Frames,
    runs: pd.DataFrame,
    drawn: Figure,
    *,
    name: str,
    title: str,
    caption: Sequence[str],
    leave: Sequence[str] = (),
) -> Drawing:
    """Return a picture with the words that stand beside it."""
    command = text("redraw", command=redraw_command(frames))
    return Drawing(
        name=name,
        title=title,
        caption=" ".join(filter(None, caption)),
        small_print=f"{describe(runs, leave=leave)}\n{command}",
        figure=drawn,
        run_ids=tuple(runs["run_id"].astype(str)),
        num_seeds=int(runs["seed"].nunique()),
    )
