"""The pictures of claims: exactly the runs that were judged, in the measure of the claim's rule.

As large as the pictures for a first look: letters that can be read on a phone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from relu_exp.core.schema import histogram_edges
from relu_exp.evidence.claims.shown import EFFECT, Shown
from relu_exp.evidence.claims.verdicts import Effects
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.statistics import summarize
from relu_exp.evidence.figures.catalog import Drawing
from relu_exp.evidence.figures.histograms import bars_shown, height, pooled
from relu_exp.evidence.figures.judged_axes import finish, room_for_numbers
from relu_exp.evidence.figures.judged_panels import (
    MOST_ROWS,
    has_marks,
    legend_entries,
    levels_shown,
    only,
    panels_shown,
    sheet_of,
)
from relu_exp.evidence.figures.judged_words import (
    axis_title,
    drawn_words,
    level_words,
    limit_words,
    value_words,
)
from relu_exp.evidence.figures.limits import spread
from relu_exp.evidence.figures.lines import interval_line, interval_words
from relu_exp.evidence.figures.pictures import LETTERS, draw_bars, panels_of
from relu_exp.evidence.figures.slices import describe
from relu_exp.evidence.figures.style import GRAY, RC, Look, levels, looks, plain
from relu_exp.evidence.figures.values import DIVERGED, values_of
from relu_exp.evidence.figures.words import claim_text as text
from relu_exp.evidence.figures.words import text as figure_text

__all__ = ["HISTOGRAMS", "draw_judged", "judged_runs"]

HISTOGRAMS = "activation"
"""The value that is drawn as histograms, a panel per layer."""
_NUMERIC = ("learning_rate", "layer", "step")


def judged_runs(frames: Mapping[str, Frames], shown: Shown, effects: Effects) -> pd.DataFrame:
    """Return the judged runs that a picture draws, with `experiment`: all, or those of `only`."""
    found = []
    for experiment, one in frames.items():
        runs = one.runs[one.runs["run_id"].isin(set(effects.run_ids))]
        found.append(runs.assign(experiment=experiment))
    every = pd.concat(found, ignore_index=True) if len(found) > 1 else found[0]
    for name in [name for name in every if str(name).endswith("_label")]:
        every[name] = _categories(name, found)
    for column, wanted in shown.only.items():
        values = list(wanted) if isinstance(wanted, list | tuple) else [wanted]
        every = every[every[column].isin(values)]
    return every


def _categories(name: Any, found: Sequence[pd.DataFrame]) -> pd.Categorical:
    """Return labels of several experiments in the order of their sweeps."""
    order = [label for runs in found for label in levels(runs, name)]
    labels = [label for runs in found for label in runs[name]]
    return pd.Categorical(labels, categories=list(dict.fromkeys(order)))


def draw_judged(
    name: str, frames: Mapping[str, Frames], shown: Shown, effects: Effects
) -> Drawing | None:
    """Return the picture of a claim, or nothing where none of its runs has the value.

    `frames` are the results of its experiments by name, of which those with judged runs are read.
    """
    with mpl.rc_context(RC):
        runs = judged_runs(frames, shown, effects)
        if shown.value == EFFECT:
            values = values_of(next(iter(frames.values())), runs, shown, effects)
            return _lines(name, values, runs, shown, effects)
        parts = [
            (frames[str(experiment)], part)
            for experiment, part in runs.groupby("experiment", sort=False)
        ]
        if shown.value == HISTOGRAMS:
            return _histograms(name, parts, runs, shown, effects)
        found = [values_of(one, part, shown, effects) for one, part in parts]
        if not found or all(each.empty for each in found):
            return None
        values = pd.concat(found, ignore_index=True)
        for label in [label for label in values if str(label).endswith("_label")]:
            values[label] = _categories(label, found)
        return _lines(name, values, runs, shown, effects)


def _lines(
    name: str, values: pd.DataFrame, runs: pd.DataFrame, shown: Shown, effects: Effects
) -> Drawing | None:
    """Draw the value over an axis: means over seeds with intervals, a line for each arm."""
    values = values[np.isfinite(values["value"].astype(float))].reset_index(drop=True)
    if shown.log:
        values = values[values["value"] > 0]
    if values.empty:
        return None
    values = values.assign(
        _arm=[
            ", ".join(
                level_words(axis, value, shown)
                for axis, value in zip(shown.series, row, strict=True)
            )
            for row in values[list(shown.series)].itertuples(index=False, name=None)
        ]
    )
    arms = _looks(values, shown)
    panels, across, some = panels_shown(values, shown)
    drawn_rows = pd.concat([panel.rows for panel in panels])
    places = None if shown.x in _NUMERIC else levels_shown(values, shown.x, 1000)[0]
    summaries = [_summary(panel.rows, shown) for panel in panels]
    every = pd.concat(summaries)
    entries = legend_entries(arms, every)
    figure, axes = sheet_of(panels, across, entries, shown, wide=room_for_numbers(values, shown))
    for panel, one, summary in zip(panels, axes, summaries, strict=False):
        _paint(one, summary, arms, shown, places)
        one.set_title(panel.title, size=LETTERS, pad=3)
    finish(figure, axes[: len(panels)], across, panels, values, shown, places)
    own = runs[runs["run_id"].isin(drawn_rows["run_id"])] if "run_id" in drawn_rows else runs
    caption = [
        drawn_words(own, effects, shown, some=some),
        interval_words(
            every,
            log=shown.log,
            band=_has_bands(shown),
            # what is timed has no runs: its values are repeats
            over="seeds" if effects.run_ids else "repeats",
        ),
        text("diverged_means") if has_marks(every, is_diverged=True) else "",
        text("late_means") if has_marks(every, is_diverged=False) else "",
        text("limit_means", value=limit_words(shown)) if shown.line is not None else "",
        text("best_means", arm=level_words("activation_label", shown.best, shown))
        if shown.best
        else "",
    ]
    return _drawing(name, figure, own, shown, caption)


def _looks(values: pd.DataFrame, shown: Shown) -> dict[str, Look]:
    """Return a look for each arm: that of its activation, where arms are activations."""
    if shown.series == ("activation_label",):
        return {
            level_words("activation_label", label, shown): look
            for label, look in looks(values).items()
        }
    found: dict[tuple[Any, ...], str] = {}
    ranks = [
        {value: n for n, value in enumerate(levels_shown(values, axis, 1000)[0])}
        for axis in shown.series
    ]
    for row in values[[*shown.series, "_arm"]].drop_duplicates().itertuples(index=False, name=None):
        found[tuple(rank[value] for rank, value in zip(ranks, row, strict=False))] = row[-1]
    # experiments may label one optimizer in two ways: in words it is one arm
    order = list(dict.fromkeys(found[key] for key in sorted(found)))
    labelled = values.assign(_arm=pd.Categorical(values["_arm"], categories=order))
    return {str(arm): look for arm, look in looks(labelled, "_arm").items()}


def _summary(rows: pd.DataFrame, shown: Shown) -> pd.DataFrame:
    """Return mean and interval over seeds per arm and place, and the `lost` share by its mark.

    Runs of one seed at one place are one value, their mean: before training they are copies.
    """
    keys = ["_arm", shown.x]
    value = np.log(rows["value"].astype(float)) if shown.log else rows["value"].astype(float)
    per_seed = rows.assign(_value=value).groupby([*keys, "seed"], observed=True, dropna=False)
    means = per_seed["_value"].mean().reset_index()
    if shown.log:
        means["_value"] = np.exp(means["_value"])
    found = summarize(means, keys, "_value", log=shown.log)
    marks = rows.assign(lost=rows["mark"] != "", diverged=rows["mark"] == DIVERGED)
    shares = marks.groupby(keys, observed=True, dropna=False)[["lost", "diverged"]].mean()
    return found.merge(shares.reset_index(), on=keys)


def _paint(
    axes: Axes,
    summary: pd.DataFrame,
    arms: Mapping[str, Look],
    shown: Shown,
    places: list[Any] | None,
) -> None:
    if shown.line is not None:
        axes.axhline(shown.line, color=GRAY, lw=1, ls=(0, (4, 3)), zorder=0)
    for number, (arm, look) in enumerate(arms.items()):
        line = summary[summary["_arm"] == arm].copy()
        if places is not None:
            # side by side, so that no bar hides another
            beside = 0.3 * (number - (len(arms) - 1) / 2) / max(1, len(arms) - 1)
            line["_x"] = [places.index(value) + beside for value in line[shown.x]]
        else:
            line["_x"] = line[shown.x].astype(float)
        is_order = places is None or not isinstance(places[0], str)
        kept = line[line["lost"] < 0.5]
        if arm == shown.best and len(kept):
            axes.axhline(kept["mean"].max(), color=look.color, lw=1.2, ls=":", zorder=0)
        size = 2.5 if shown.x == "layer" and len(line) > 12 else 5.0
        style: dict[str, Any] = {"lw": 1.8, "markersize": size}
        if not is_order:
            style["linestyle"] = ""
        interval_line(axes, kept, "_x", look, band=_has_bands(shown), share=shown.share, **style)
        gone = line[line["lost"] >= 0.5]
        is_diverged = gone["diverged"] >= gone["lost"] / 2
        for mark, some in (("x", gone[is_diverged]), ("^", gone[~is_diverged])):
            axes.plot(some["_x"], some["mean"], mark, color=look.color, ms=7, mew=1.8, mfc="none",
                      clip_on=False)  # fmt: skip


def _has_bands(shown: Shown) -> bool:
    """Return whether intervals are bands along a line, not bars at points."""
    return shown.x in ("layer", "step")


def _histograms(
    name: str,
    parts: Sequence[tuple[Frames, pd.DataFrame]],
    runs: pd.DataFrame,
    shown: Shown,
    effects: Effects,
) -> Drawing | None:
    """Draw what the documents draw: a histogram of each layer before training."""
    found = []
    for frames, part in parts:
        counts = frames.read(
            "histograms", run_ids=part["run_id"], steps="first", kind=["activation"]
        )
        found.append(part.merge(counts.astype({"run_id": "str"}), on="run_id"))
    if not found or all(each.empty for each in found):
        return None
    values = pd.concat(found, ignore_index=True)
    rows, some_rows = levels_shown(values, shown.rows, MOST_ROWS)
    every = sorted(values["layer"].unique())
    layers = spread(every, 5)
    shares = {
        (row, layer): pooled(of_row.loc[of_row["layer"] == layer, "counts"])
        for row in rows
        for of_row in [only(values, shown.rows, row)]
        for layer in layers
    }
    first, last = bars_shown([*shares.values()])
    edges = np.array(histogram_edges("activation"))[first : last + 1]
    top = height([share[1 + first : 1 + last] for share in shares.values()])
    color = looks(values)[values["activation_label"].iloc[0]].color
    figure, grid = panels_of(len(rows), len(layers), 70.0, 24.0, left=6.0, below=40.0)
    for r, row in enumerate(rows):
        grid[r][0].annotate(level_words(shown.rows, row, shown), (0, 1), (0, 3), "axes fraction",
                            textcoords="offset points", size=LETTERS, parse_math=False)  # fmt: skip
        for one, layer in zip(grid[r], layers, strict=True):
            draw_bars(one, shares[row, layer], edges, first, last, top, color)
            one.set(xlim=(edges[0], edges[-1]), ylim=(0, top), yticks=[])
            one.xaxis.set_major_locator(FixedLocator([-1, 1]))
            one.xaxis.set_major_formatter(lambda value, _: plain(value).replace("-", "−"))
            one.tick_params(labelsize=LETTERS, labelbottom=r == len(rows) - 1, pad=2)
            for place, label in enumerate(one.get_xticklabels()):
                label.set_horizontalalignment("right" if place else "left")
            one.grid(visible=False)
    for one, layer in zip(grid[-1], layers, strict=True):
        one.set_xlabel(figure_text("layer", n=layer), size=LETTERS, labelpad=2)
    seeds = figure_text("seeds", n=int(values["seed"].nunique()))
    own = runs[runs["run_id"].isin(values["run_id"])]
    caption = [
        drawn_words(own, effects, shown, some=some_rows),
        figure_text("picture_layers", seeds=seeds),
    ]
    return _drawing(name, figure, own, shown, caption)


def _drawing(
    name: str, figure: Figure, runs: pd.DataFrame, shown: Shown, caption: Sequence[str]
) -> Drawing:
    title = text("title_by", value=value_words(shown), axis=axis_title(shown.x))
    return Drawing(
        name=name,
        title=value_words(shown) if shown.value == HISTOGRAMS else title,
        caption=" ".join(filter(None, caption)),
        small_print=describe(runs) if len(runs) else "",
        figure=figure,
        run_ids=tuple(dict.fromkeys(runs["run_id"].astype(str))) if len(runs) else (),
        num_seeds=int(runs["seed"].nunique()) if len(runs) else 0,
    )
