"""Accuracy against learning rate and depth, and the map of activation by initializer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    FixedLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
    PercentFormatter,
)

from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.labels import axis_name
from relu_exp.evidence.data.regressions import is_regression, regression_text
from relu_exp.evidence.data.statistics import best_learning_rates, goodness, score, summarize
from relu_exp.evidence.figures.catalog import DoesNotApply, Drawing, figure, finished
from relu_exp.evidence.figures.lines import (
    Grid,
    crossed,
    dodge,
    handles,
    interval_line,
    interval_words,
    lost_most,
    only,
    shift,
)
from relu_exp.evidence.figures.sheet import Sheet
from relu_exp.evidence.figures.slices import AXES, Slice, slices, trained
from relu_exp.evidence.figures.style import (
    EMPTY_LIMITS,
    INK,
    levels,
    log_axis,
    looks,
    plain,
    rate_axis,
)
from relu_exp.evidence.figures.words import text

__all__ = ["accuracy_by_depth", "learning_rate_sensitivity"]

ARMS = [axis for axis in AXES if axis != "learning_rate"]
CROSS: dict[str, Any] = {"ms": 7, "mew": 1.8, "zorder": 4}


def evaluated(frames: Frames) -> pd.DataFrame:
    runs = trained(frames.runs)
    if not runs.empty and (runs["status"] == "diverged").all():
        raise DoesNotApply(text("all_diverged"))
    # interrupted runs have no final accuracy
    runs = runs[goodness(runs).notna()]
    if (runs["status"] == "diverged").all():
        raise DoesNotApply(text("not_evaluated"))
    return runs


def with_accuracy(frames: Frames) -> pd.DataFrame:
    """Return the runs that have an accuracy: those that predict numbers have none."""
    runs = evaluated(frames)
    of_numbers = is_regression(runs)
    if of_numbers.all():
        raise DoesNotApply(regression_text("no_accuracy"))
    return runs[~of_numbers]


@figure()
def learning_rate_sensitivity(frames: Frames) -> Iterator[Drawing]:
    """Final validation accuracy and loss against the learning rate, the whole curve."""
    runs = evaluated(frames)
    if runs["learning_rate"].nunique() == 1:
        raise DoesNotApply(text("one_rate"))
    drawn = ["activation_label", "initializer_label", "depth", "learning_rate"]
    parts, left_out = slices(runs, drawn)
    for part in parts:
        metrics = ("loss",) if is_regression(part.runs).all() else ("accuracy", "loss")
        for metric in metrics:
            yield _sensitivity(frames, part, metric, left_out)


def _sensitivity(frames: Frames, part: Slice, metric: str, left_out: str) -> Drawing:
    keys = ["activation_label", "initializer_label", "depth", "learning_rate"]
    is_loss = metric == "loss"
    scored = part.runs.assign(value=score(part.runs, f"final_validation_{metric}"))
    values = summarize(scored, keys, "value", log=is_loss)
    values = crossed(values, lost_most(scored, keys), keys)
    lost = scored[scored["status"] == "diverged"].drop_duplicates(keys)
    shown = looks(part.runs)
    grid = Grid.of(part.runs, "depth", "initializer_label")
    sheet = Sheet(len(grid.rows), len(grid.columns))
    finite = values["mean"].dropna()
    low, largest = (finite.min(), finite.max()) if len(finite) else EMPTY_LIMITS
    # one arm close to divergence must not squeeze all others
    high = min(largest, 10 * finite.median()) if is_loss and len(finite) else largest

    def paint(axes: Axes, panel: pd.DataFrame) -> None:
        for label, look in shown.items():
            line = panel[panel["activation_label"] == label]
            line = dodge(line, "learning_rate", list(shown).index(label), len(shown))
            interval_line(axes, line, "learning_rate", look, band=False, share=not is_loss)
        rate_axis(axes, part.runs["learning_rate"].tolist())
        if not panel.empty:
            here = lost[(lost[keys[1:3]] == panel.iloc[0][keys[1:3]]).all(axis=1)]
            for _, point in here.iterrows():
                label, rate = point["activation_label"], point["learning_rate"]
                height = high * 1.15 if is_loss else _height(values, point, keys)
                moved = rate * shift(list(shown).index(label), len(shown))
                color = shown[label].color
                axes.plot(moved, height, "x", color=color, clip_on=False, **CROSS)
        if is_loss:
            log_axis(axes.yaxis, np.log10(high / low))
            axes.set_ylim(low / 1.3, high * 1.35)
        else:
            _accuracy_axis(axes)

    grid.fill(sheet.axes, values, paint)
    entries = handles(shown)
    if len(lost):
        entries.append(
            Line2D([], [], color=INK, marker="x", ls="", ms=7, mew=1.8, label=text("some_diverged"))
        )
    return finished(
        frames,
        sheet,
        part.runs,
        name=f"learning_rate_sensitivity_{metric}{part.stem}",
        title=text(f"sensitivity_{metric}") + (f" ({part.words})" if part.words else ""),
        caption=[
            text(f"final_{metric}"),
            text(f"cross_{metric}") if len(lost) else "",
            text("losses_above", value=plain(float(f"{1.35 * high:.2g}")))
            if largest > high
            else "",
            interval_words(values, log=is_loss, band=False),
            grid.left_out,
            left_out,
        ],
        x=axis_name("learning_rate"),
        y=text(f"validation_{metric}"),
        column_titles=grid.column_titles,
        row_titles=grid.row_titles,
        handles=entries,
        tick_width=0.46,
    )


def _height(values: pd.DataFrame, point: pd.Series[Any], keys: Sequence[str]) -> float:
    """Return the mean at a point, at which some runs diverged."""
    here = values[(values[list(keys)] == point[list(keys)]).all(axis=1)]
    return float(here["mean"].fillna(here["height"]).iloc[0])


@figure()
def accuracy_by_depth(frames: Frames) -> Iterator[Drawing]:
    """Test accuracy against depth at the best learning rate, with and without skip connections."""
    runs = with_accuracy(frames)
    runs = runs[runs["network"].isin(_deepening(runs))]
    if runs.empty:
        raise DoesNotApply(text("one_depth"))
    drawn = ["activation_label", "initializer_label", "network_label", "depth", "learning_rate"]
    parts, left_out = slices(runs, drawn)
    for part in parts:
        yield _by_depth(frames, part, left_out)


def _deepening(runs: pd.DataFrame) -> list[str]:
    depths = runs.groupby("network")["depth"].nunique()
    return [str(network) for network in depths.index[depths > 1]]


def at_best_rate(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs at each arm's best learning rate by validation, with their test `value`."""
    best = best_learning_rates(runs, ARMS)
    chosen = runs.merge(
        best[[*ARMS, "learning_rate", "at_edge"]], on=[*ARMS, "learning_rate"], how="inner"
    )
    return chosen.assign(value=score(chosen, "final_test_accuracy"))


def _by_depth(frames: Frames, part: Slice, left_out: str) -> Drawing:
    chosen = at_best_rate(part.runs)
    keys = ["activation_label", "initializer_label", "network_label", "depth"]
    values = summarize(chosen, keys, "value")
    # the line ends before a depth at which most runs diverged
    values = crossed(values, lost_most(chosen, keys), keys)
    shown = looks(part.runs)
    grid = Grid.of(part.runs, "network_label", "initializer_label")
    sheet = Sheet(
        len(grid.rows),
        len(grid.columns),
    )
    depths = levels(part.runs, "depth")

    def paint(axes: Axes, panel: pd.DataFrame) -> None:
        for label, look in shown.items():
            interval_line(
                axes, panel[panel["activation_label"] == label], "depth", look, share=True
            )
            lost = only(panel[panel["activation_label"] == label], "is_lost", True)
            axes.plot(lost["depth"], lost["height"], "x", color=look.color, **CROSS)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(depths))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        _accuracy_axis(axes)

    grid.fill(sheet.axes, values, paint)
    entries = handles(shown)
    if values["is_lost"].any():
        entries.append(_most_diverged())
    edge = chosen.loc[chosen["at_edge"], ["activation_label", "initializer_label", "depth"]]
    return finished(
        frames,
        sheet,
        chosen,
        name=f"accuracy_by_depth{part.stem}",
        title=text("accuracy_by_depth") + (f" ({part.words})" if part.words else ""),
        caption=[
            text("best_arms"),
            text("diverged_is_0") if (chosen["status"] == "diverged").any() else "",
            text("rates_at_edge", n=len(edge.drop_duplicates())) if len(edge) else "",
            interval_words(values),
            grid.left_out,
            left_out,
        ],
        x=text("depth_axis"),
        y=text("test_accuracy"),
        column_titles=grid.column_titles,
        row_titles=grid.row_titles,
        handles=entries,
        tick_width=0.46,
    )


def _most_diverged() -> Line2D:
    return Line2D(
        [], [], color=INK, marker="x", ls="", ms=7, mew=1.8, label=text("picture_most_diverged")
    )


def _accuracy_axis(axes: Axes) -> None:
    axes.set_ylim(-0.04, 1.04)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
