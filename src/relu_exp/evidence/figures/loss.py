"""Loss against updates, and how many updates it takes to reach a threshold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from relu_exp.evidence.data.derived import steps_to_threshold
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.regressions import is_regression, regression_text
from relu_exp.evidence.data.statistics import best_learning_rates, median_steps, summarize
from relu_exp.evidence.figures.catalog import DoesNotApply, Drawing, figure, finished
from relu_exp.evidence.figures.limits import left_out_words, most_across, most_down, spread
from relu_exp.evidence.figures.lines import (
    Grid,
    crossed,
    handles,
    interval_line,
    interval_words,
    lost_most,
)
from relu_exp.evidence.figures.sheet import Sheet
from relu_exp.evidence.figures.slices import AXES, Slice, axis_words, slices, trained
from relu_exp.evidence.figures.style import (
    EMPTY_LIMITS,
    INK,
    levels,
    log_axis,
    looks,
    plain,
    steps_axis,
)
from relu_exp.evidence.figures.words import text

__all__ = ["arms", "curves_of", "loss_curves", "steps_to_threshold_figure"]

ARMS = [axis for axis in AXES if axis != "learning_rate"]
CROSS: dict[str, Any] = {"ms": 6, "mew": 1.8, "zorder": 4}
_RATES = ("-best_rate", "-shared_rate")
"""How names of figures end that have chosen rates."""


@figure("curves")
def loss_curves(frames: Frames) -> Iterator[Drawing]:
    """Training loss against updates, at each arm's best learning rate and at a shared one."""
    runs = trained(frames.runs)
    curves, split = curves_of(frames, runs)
    drawn = ["activation_label", "initializer_label", "depth", "learning_rate"]
    parts, left_out = slices(_recorded(runs, curves), drawn)
    for arm, words in _arms_of(parts):
        yield _curves(frames, arm, curves, split, words, left_out)


def curves_of(frames: Frames, runs: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the loss on the training set, or of each batch where that was rarely evaluated."""
    for split in ("train", "batch"):
        curves = frames.read("curves", run_ids=runs["run_id"], split=[split])
        if curves["step"].nunique() > 2:
            return curves, split
    raise DoesNotApply(text("no_loss_recorded"))


def _recorded(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Return the runs that have a curve, and those that diverged before they had one.

    Interrupted runs may have none; diverged runs count when the best learning rate is chosen.
    """
    return runs[runs["run_id"].isin(curves["run_id"]) | (runs["status"] == "diverged")]


def _arms_of(parts: list[Slice]) -> list[tuple[Slice, str]]:
    """Return the runs of each drawing, and the words that name their learning rate."""
    found = [
        (Slice(chosen, part.stem + stem, part.words), words)
        for part in parts
        for chosen, stem, words in arms(part.runs)
    ]
    if not found:
        raise DoesNotApply(text("no_validation"))
    return found


def arms(runs: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, str, str]]:
    """Yield the runs at each arm's best learning rate, then those at the best shared one.

    Yields nothing where no run was evaluated on validation data.
    """
    if runs["learning_rate"].nunique() == 1:
        rate = runs["learning_rate"].iloc[0]
        yield runs, "", text("at_rate", rate=plain(rate))
        return
    best = best_learning_rates(runs, ARMS)
    if best.empty:
        return
    yield (
        runs.merge(best[[*ARMS, "learning_rate"]], on=[*ARMS, "learning_rate"]),
        "-best_rate",
        text("at_best_rate"),
    )
    rate = best_learning_rates(runs, [])["learning_rate"].iloc[0]
    yield (
        runs[runs["learning_rate"] == rate],
        "-shared_rate",
        text("at_shared_rate", rate=plain(rate)),
    )


def _how_chosen(part: Slice) -> str:
    words = regression_text if is_regression(part.runs).all() else text
    return next((words(f"how_{end[1:]}") for end in _RATES if part.stem.endswith(end)), "")


def _curves(
    frames: Frames, part: Slice, curves: pd.DataFrame, split: str, words: str, left_out: str
) -> Drawing:
    keys = ["activation_label", "initializer_label", "depth"]
    joined = curves.merge(part.runs[["run_id", *keys]], on="run_id")
    joined = joined[np.isfinite(joined["loss"])]
    values = summarize(joined, [*keys, "step"], "loss", log=True)
    shown = looks(part.runs)
    grid = Grid.of(part.runs, "depth", "initializer_label")
    sheet = Sheet(len(grid.rows), len(grid.columns))
    stopped = part.runs[part.runs["status"] == "diverged"]
    ends = joined[joined["run_id"].isin(stopped["run_id"])]
    ends = ends.sort_values("step").drop_duplicates("run_id", keep="last")
    ended = crossed(values, lost_most(part.runs, keys), keys)
    low, high = _loss_limits(values, ended[~ended["is_lost"]])
    few = values["step"].nunique() <= 25

    # between 0 and the first evaluation there is nothing to see
    later = values.loc[values["step"] > 0, "step"]
    begin = int(later.min()) if len(later) else 1
    # marks here and there, at other places on each line: of lines that coincide each is seen
    apart = max(1, values["step"].nunique() // 8)

    def paint(axes: Axes, panel: pd.DataFrame) -> None:
        for index, (label, look) in enumerate(shown.items()):
            line = panel[panel["activation_label"] == label]
            marks: dict[str, Any] = {"markersize": 2.8}
            if not few:
                start = index * apart // len(shown)
                marks = {"markersize": 4.0, "markevery": (start, apart)}
            interval_line(axes, line, "step", look, lw=1.2, **marks)
        if not panel.empty:
            here = ends[(ends[keys[1:]] == panel.iloc[0][keys[1:]]).all(axis=1)]
            for label, last in here.groupby("activation_label", observed=True):
                heights, color = last["loss"].clip(upper=high / 1.08), shown[label].color
                axes.plot(last["step"], heights, "x", color=color, clip_on=False, **CROSS)
        steps_axis(axes, int(part.runs["num_steps"].max()), begin)
        log_axis(axes.yaxis, np.log10(high / low))
        axes.set_ylim(low, high)

    grid.fill(sheet.axes, values, paint, empty=text("no_finite_loss"))
    entries = handles(shown)
    if len(stopped):
        entries.append(
            Line2D(
                [], [], color=INK, marker="x", ls="", ms=6, mew=1.8, label=text("a_run_diverged")
            )
        )
    return finished(
        frames,
        sheet,
        part.runs,
        name=f"loss_curves{part.stem}",
        title=text("loss_title", loss=text(f"loss_{split}"), words=words)
        + (f" ({part.words})" if part.words else ""),
        caption=[
            text(f"loss_{split}_means"),
            _how_chosen(part),
            text("curves_diverged", n=len(stopped)) if len(stopped) else "",
            text("losses_above", value=plain(float(f"{high:.2g}")))
            if values["mean"].max() > high
            else "",
            text("losses_below", value=plain(float(f"{low:.2g}")))
            if values["mean"].min() < low
            else "",
            interval_words(values, log=True),
            grid.left_out,
            left_out,
        ],
        x=text("updates"),
        y=text(f"loss_{split}").lower(),
        column_titles=grid.column_titles,
        row_titles=grid.row_titles,
        handles=entries,
    )


def _loss_limits(values: pd.DataFrame, ended: pd.DataFrame) -> tuple[float, float]:
    """Return the range of the means; a loss far above where arms that `ended` began is cut off."""
    means = values["mean"].dropna()
    if means.empty:
        return EMPTY_LIMITS
    first = values[values["step"] == values["step"].min()]
    begins = ended.loc[ended["step"] == values["step"].min(), "mean"]
    begin = begins.max() if begins.notna().any() else first["mean"].median()
    high = min(float(means.max()), 5 * float(begin))
    return max(float(means.min()), 1e-6) / 1.25, high * 1.25


@figure("curves", name="steps_to_threshold")
def steps_to_threshold_figure(frames: Frames) -> Iterator[Drawing]:
    """Updates until a threshold is reached, with the runs that never reach it."""
    stated = frames.manifest.get("thresholds") or {}
    pairs = [(key, float(value)) for key, values in stated.items() for value in values]
    if not pairs:
        raise DoesNotApply(text("no_thresholds"))
    runs = trained(frames.runs)
    splits = sorted({key.rpartition("_")[0] for key, _ in pairs})
    curves = frames.read("curves", run_ids=runs["run_id"], split=splits)
    if curves.empty:
        raise DoesNotApply(text("no_loss_evaluated"))
    drawn = ["activation_label", "depth", "learning_rate"]
    parts, left_out = slices(_recorded(runs, curves), drawn)
    for arm, words in _arms_of(parts):
        of_numbers = is_regression(arm.runs).all()
        own = [pair for pair in pairs if not (of_numbers and pair[0].endswith("_accuracy"))]
        # without any evaluation there is no point to draw
        if own and arm.runs["run_id"].isin(curves["run_id"]).any():
            yield _thresholds(frames, arm, curves, own, words, left_out)


def _thresholds(
    frames: Frames,
    part: Slice,
    curves: pd.DataFrame,
    pairs: list[tuple[str, float]],
    words: str,
    left_out: str,
) -> Drawing:
    kept = spread(pairs, most_across(5))
    every = levels(part.runs, "depth")
    depths = spread(every, most_down(5))
    shown = looks(part.runs)
    sheet = Sheet(
        len(depths),
        len(kept),
        panel=(min(max(1.6, 0.34 * len(shown) + 0.3), 5.6), 1.8),
        share_x=True,
    )
    horizon = int(part.runs["num_steps"].max())
    own = curves[curves["run_id"].isin(part.runs["run_id"])]
    never, fastest = 0, float(horizon)
    for c, (key, threshold) in enumerate(kept):
        split, _, metric = key.rpartition("_")
        found = steps_to_threshold(own, part.runs, split, metric, threshold)
        found = found.merge(part.runs[["run_id", "activation_label", "depth", "seed"]], on="run_id")
        never += int(found["censored"].sum())
        fastest = min(fastest, max(1.0, float(found["steps"].min())))
        for r, depth in enumerate(depths):
            _dots(sheet.axes[r][c], found[found["depth"] == depth], shown, horizon)
    for axes in sheet.panels:
        log_axis(axes.yaxis, np.log10(horizon / fastest) + 0.5)
        axes.set_ylim(fastest / 1.6, horizon * 1.8)
    dot: dict[str, Any] = {"color": INK, "ls": ""}
    return finished(
        frames,
        sheet,
        part.runs,
        name=f"steps_to_threshold{part.stem}",
        title=text("threshold_title", words=words) + (f" ({part.words})" if part.words else ""),
        caption=[
            text("threshold_means"),
            text("never_reached", n=never) if never else "",
            text("steps_interpolated"),
            _how_chosen(part),
            left_out_words(len(kept), len(pairs), text("all_thresholds")),
            left_out_words(len(depths), len(every), text("all_depths")),
            left_out,
        ],
        x="",
        y=text("updates"),
        column_titles=[_threshold_words(key, value) for key, value in kept],
        row_titles=[axis_words("depth", depth) for depth in depths] if len(depths) > 1 else [],
        handles=[
            *handles(shown, linestyle=""),
            Line2D([], [], marker="_", ms=12, mew=2, label=text("median"), **dot),
            Line2D([], [], marker="^", mfc="none", label=text("not_reached"), **dot),
            Line2D([], [], marker="x", label=text("diverged"), **dot),
        ],
    )


def _threshold_words(key: str, value: float) -> str:
    split, _, metric = key.rpartition("_")
    split = text(f"split_{split}") if f"split_{split}" in text else split
    shown = f"{value:.0%}" if metric == "accuracy" else plain(value)
    return text("threshold_accuracy" if metric == "accuracy" else "threshold_loss",
                split=split, value=shown)  # fmt: skip


def _dots(axes: Axes, found: pd.DataFrame, shown: dict[Any, Any], horizon: int) -> None:
    for index, (label, look) in enumerate(shown.items()):
        arm = found[found["activation_label"] == label].sort_values("seed")
        if arm.empty:
            continue
        # side by side rather than on top of each other
        shift = np.linspace(-0.26, 0.26, len(arm)) if len(arm) > 1 else np.zeros(1)
        marks: dict[str, dict[str, Any]] = {
            "reached": {"marker": look.marker, "ms": 4},
            "diverged": {"marker": "x", "ms": 5, "mew": 1.4},
            "not reached": {"marker": "^", "mfc": "none", "ms": 5},
        }
        heights = arm["steps"].clip(lower=1.0).where(arm["reason"] == "reached", horizon * 1.25)
        # thousands of runs in one call each: a line per run would take a minute
        for reason, mark in marks.items():
            here = (arm["reason"] == reason).to_numpy()
            if here.any():
                axes.plot((index + shift)[here], heights[here], ls="", color=look.color, **mark)
        median = median_steps(arm["steps"], arm["censored"])
        if np.isfinite(median):
            axes.hlines(max(median, 1.0), index - 0.38, index + 0.38, color=look.color, lw=2)
    axes.axhline(horizon, color="#999999", lw=0.8, ls=(0, (4, 2)), zorder=0)
    axes.set_xlim(-0.6, len(shown) - 0.4)
    axes.set_xticks([])
    axes.grid(False, axis="x")
