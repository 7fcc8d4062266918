"""The pictures of claims: exactly the runs that were judged, in the measure of the claim's rule.

As large as the pictures for a first look: letters that can be read on a phone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullLocator, PercentFormatter

from relu_exp.core.run_keys import RUN_KEYS
from relu_exp.core.schema import PARTS, histogram_edges
from relu_exp.evidence.claims.shown import EFFECT, Shown
from relu_exp.evidence.claims.verdicts import Effects
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.labels import axis_name
from relu_exp.evidence.data.statistics import summarize
from relu_exp.evidence.figures.catalog import Drawing
from relu_exp.evidence.figures.fonts import width_of, wrapped
from relu_exp.evidence.figures.histograms import bars_shown, height, pooled
from relu_exp.evidence.figures.limits import spread
from relu_exp.evidence.figures.lines import interval_line, interval_words
from relu_exp.evidence.figures.pictures import LETTERS, WIDTH, draw_bars, panels_of
from relu_exp.evidence.figures.slices import axis_words, describe
from relu_exp.evidence.figures.style import GRAY, INK, RC, Look, levels, log_axis, looks, plain
from relu_exp.evidence.figures.values import DIVERGED, values_of
from relu_exp.evidence.figures.words import claim_text as text
from relu_exp.evidence.figures.words import text as figure_text

__all__ = ["HISTOGRAMS", "draw_judged", "judged_runs"]

HISTOGRAMS = "activation"
"""The value that is drawn as histograms, a panel per layer."""
MOST_COLUMNS, MOST_ROWS = 3, 5
_LETTER = 0.56 * LETTERS
"""Points that a Latin letter is wide."""
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


@dataclass(frozen=True)
class _Panel:
    """One panel: its title, the line above its row if it is the first there, its rows."""

    title: str
    row: str
    rows: pd.DataFrame


def _panels(values: pd.DataFrame, shown: Shown) -> tuple[list[_Panel], int, bool]:
    """Return the panels row by row, how many stand side by side, and whether some are left out."""
    rows, some_rows = _levels(values, shown.rows, MOST_ROWS)
    columns, some_columns = _levels(values, shown.columns, 2 * MOST_COLUMNS)
    titles = [_level_words(shown.columns, column, shown) for column in columns]
    is_grid = len(rows) > 1 and all(
        not _only(_only(values, shown.rows, row), shown.columns, column).empty
        for row in rows
        for column in columns
    )
    panels = []
    for row in rows:
        words = _level_words(shown.rows, row, shown)
        for number, (column, title) in enumerate(zip(columns, titles, strict=True)):
            here = _only(_only(values, shown.rows, row), shown.columns, column)
            if is_grid or len(rows) == 1:
                heading = words if not number and len(rows) > 1 else ""
                panels.append(_Panel(title, heading, here))
            elif not here.empty:
                # settings that do not make a grid are named whole
                panels.append(_Panel(", ".join(filter(None, (title, words))), "", here))
    longest = max(width_of(panel.title) for panel in panels)
    fits = int((WIDTH - 40) // (longest * _LETTER + 12)) if longest else MOST_COLUMNS
    across = max(1, min(MOST_COLUMNS, fits, len(columns) if is_grid else len(panels)))
    if is_grid and across < len(columns):
        across = 1 if len(columns) % across else across
    return panels, across, some_rows or some_columns


def _levels(values: pd.DataFrame, axis: str, at_most: int) -> tuple[list[Any], bool]:
    if not axis:
        return [None], False
    is_ordered = isinstance(values[axis].dtype, pd.CategoricalDtype) or axis != "threshold"
    is_text = values[axis].dtype == object and isinstance(values[axis].iloc[0], str)
    every = levels(values, axis) if is_ordered and not is_text else [*dict.fromkeys(values[axis])]
    kept = spread(every, at_most)
    return kept, len(kept) < len(every)


def _only(values: pd.DataFrame, axis: str, value: Any) -> pd.DataFrame:
    if not axis:
        return values
    return values[values[axis].isna()] if pd.isna(value) else values[values[axis] == value]


def _level_words(axis: str, value: Any, shown: Shown) -> str:
    """Return what a value of an axis is called: `depth 5`, `ReLU`, `≤ 0.5`, `before training`."""
    if not axis:
        return ""
    if axis == "threshold":
        is_loss = shown.metric == "loss"
        words = plain(value) if is_loss else f"{value:.0%}"
        return text(f"of_threshold_{shown.metric}", value=words)
    if isinstance(value, str) and f"value_{value}" in text:
        return text(f"value_{value}")
    if f"of_{axis}" in text:
        return text(f"of_{axis}", value=_number(value))
    if axis.endswith("_label") or isinstance(value, str):
        return str(value)
    return axis_words(axis, value) if axis in RUN_KEYS else f"{_axis(axis)} {_number(value)}"


def _number(value: Any) -> str:
    return plain(float(value)) if isinstance(value, int | float | np.number) else str(value)


def _axis(axis: str) -> str:
    """Return what an axis is called."""
    if f"axis_{axis}" in text:
        return text(f"axis_{axis}")
    is_named = axis in RUN_KEYS or axis.removesuffix("_label") in PARTS
    return axis_name(axis) if is_named else axis.replace("_", " ")


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
                _level_words(axis, value, shown)
                for axis, value in zip(shown.series, row, strict=True)
            )
            for row in values[list(shown.series)].itertuples(index=False, name=None)
        ]
    )
    arms = _looks(values, shown)
    panels, across, some = _panels(values, shown)
    drawn_rows = pd.concat([panel.rows for panel in panels])
    places = None if shown.x in _NUMERIC else _levels(values, shown.x, 1000)[0]
    summaries = [_summary(panel.rows, shown) for panel in panels]
    every = pd.concat(summaries)
    entries = _entries(arms, every)
    figure, axes = _sheet(panels, across, entries, shown, wide=_y_width(values, shown))
    for panel, one, summary in zip(panels, axes, summaries, strict=False):
        _paint(one, summary, arms, shown, places)
        one.set_title(panel.title, size=LETTERS, pad=3)
    _finish(figure, axes[: len(panels)], across, panels, values, shown, places)
    own = runs[runs["run_id"].isin(drawn_rows["run_id"])] if "run_id" in drawn_rows else runs
    caption = [
        _drawn_words(own, effects, shown, some=some),
        interval_words(every, log=shown.log, band=_has_bands(shown)),
        text("diverged_means") if _has(every, is_diverged=True) else "",
        text("late_means") if _has(every, is_diverged=False) else "",
        text("limit_means", value=_limit(shown)) if shown.line is not None else "",
    ]
    return _drawing(name, figure, own, shown, caption)


def _looks(values: pd.DataFrame, shown: Shown) -> dict[str, Look]:
    """Return a look for each arm: that of its activation, where arms are activations."""
    if shown.series == ("activation_label",):
        return {str(label): look for label, look in looks(values).items()}
    found: dict[tuple[Any, ...], str] = {}
    ranks = [
        {value: n for n, value in enumerate(_levels(values, axis, 1000)[0])}
        for axis in shown.series
    ]
    for row in values[[*shown.series, "_arm"]].drop_duplicates().itertuples(index=False, name=None):
        found[tuple(rank[value] for rank, value in zip(ranks, row, strict=False))] = row[-1]
    order = [found[key] for key in sorted(found)]
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


def _has(summary: pd.DataFrame, *, is_diverged: bool) -> bool:
    """Return whether points are marked: as diverged, or as never arrived."""
    gone = summary[summary["lost"] >= 0.5]
    return bool(((gone["diverged"] >= gone["lost"] / 2) == is_diverged).any())


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


def _finish(
    figure: Figure,
    axes: Sequence[Axes],
    across: int,
    panels: Sequence[_Panel],
    values: pd.DataFrame,
    shown: Shown,
    places: list[Any] | None,
) -> None:
    """Give all panels the same axes, and numbers only to the outer ones.

    Layers are numbered in each panel: networks differ in depth.
    """
    limits = _limits(values["value"].astype(float), shown)
    for number, (one, panel) in enumerate(zip(axes, panels, strict=True)):
        one.tick_params(labelsize=LETTERS, pad=2)
        _x_axis(one, panel.rows if shown.x == "layer" else values, shown, places, across)
        if shown.log:
            log_axis(one.yaxis, np.log10(limits[1] / limits[0]))
            if limits[1] / limits[0] > 100:
                one.yaxis.set_major_locator(LogLocator(numticks=4))
        else:
            one.yaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 2, 2.5, 5, 10]))
        if shown.share:
            one.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        one.set_ylim(*limits)
        below = number + across >= len(axes) or shown.x == "layer"
        one.tick_params(labelbottom=below, labelleft=number % across == 0)
    tall = 72 * figure.get_size_inches()[1]
    figure.supxlabel(_axis(shown.x), size=LETTERS, y=4 / tall, va="bottom")


def _limits(values: pd.Series[float], shown: Shown) -> tuple[float, float]:
    if shown.share:
        low = float(min(values.min(), shown.line if shown.line is not None else np.inf))
        top = max(float(values.max()), shown.line or 0.0)
        top = next((top_ for top_ in (0.05, 0.1, 0.25, 0.5) if top < 0.9 * top_), 1.0)
        return -0.04 * top if low >= 0 else low - 0.05, 1.05 * top
    inside = [float(values.min()), float(values.max())]
    if shown.line is not None:
        inside.append(shown.line)
    low, high = min(inside), max(inside)
    if shown.log:
        return low / 1.5, high * 1.5
    pad = 0.08 * (high - low) or 0.1
    return low - pad, high + pad


def _x_axis(
    axes: Axes, rows: pd.DataFrame, shown: Shown, places: list[Any] | None, across: int
) -> None:
    room = (WIDTH - 50) / across
    if places is not None:
        names = [_place_words(shown.x, place, shown) for place in places]
        longest = max(map(width_of, names)) * _LETTER + 6
        kept = spread(list(range(len(places))), max(2, int(room // longest)))
        axes.set_xticks(kept, [names[place] for place in kept])
        axes.set_xlim(-0.5, len(places) - 0.5)
        return
    numbers = rows[shown.x].astype(float)
    if shown.x == "learning_rate":
        log_axis(axes.xaxis)
        tried = sorted(set(numbers))
        kept = spread(tried, 2 if across > 1 else 4)
        axes.xaxis.set_major_locator(FixedLocator(kept))
        apart = max((tried[-1] / tried[0]) ** 0.08, 1.15)
        axes.set_xlim(tried[0] / apart, tried[-1] * apart)
        if across > 1 and len(kept) > 1:
            # within the panel, so that no number meets that of the next
            first, last = axes.get_xticklabels()
            first.set_horizontalalignment("left")
            last.set_horizontalalignment("right")
    elif shown.x == "layer":
        most = 3 if across > 1 else 6
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=most, min_n_ticks=1))
        axes.set_xlim(0.6, numbers.max() + 0.4)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
        axes.set_xlim(0, numbers.max() * 1.02)
    axes.xaxis.set_minor_locator(NullLocator())


def _place_words(axis: str, value: Any, shown: Shown) -> str:
    """Return the words of a tick: a number needs no name of its axis."""
    return _level_words(axis, value, shown) if isinstance(value, str) else _number(value)


def _y_width(values: pd.DataFrame, shown: Shown) -> float:
    """Return how wide the numbers beside the panels are, in points."""
    if shown.share:
        return 42.0
    low, high = _limits(values["value"].astype(float), shown)
    if shown.log:
        return 44.0 if high < 1e4 and low > 1e-3 else 50.0
    return 20.0 + 7 * len(f"{max(abs(low), abs(high)):.2g}")


def _sheet(
    panels: Sequence[_Panel], across: int, entries: Sequence[Line2D], shown: Shown, *, wide: float
) -> tuple[Figure, list[Axes]]:
    """Return a figure with what stands above its panels, and the panels row by row."""
    rows = -(-len(panels) // across)
    has_titles = any(panel.title for panel in panels)
    has_rows = any(panel.row for panel in panels)
    high = 150.0 if rows == 1 else 104.0
    between = 6.0 + (20.0 if has_titles else 0.0) + (20.0 if has_rows else 0.0)
    between += 16.0 if shown.x == "layer" and rows > 1 else 0.0
    above = wrapped(_value_words(shown), int((WIDTH - 8) / _LETTER))
    legend = 18.5 * -(-len(entries) // _entries_across(entries))
    heading = 18.0 * len(above)
    over = 6.0 + heading + legend
    figure, grid = panels_of(rows, across, high, between, left=wide, below=44.0, over=over)
    axes = [one for row in grid for one in row]
    for spare in axes[len(panels) :]:
        spare.set_visible(False)
    tall = 72 * figure.get_size_inches()[1]
    figure.text(4 / WIDTH, 1 - 4 / tall, "\n".join(above), size=LETTERS, va="top", parse_math=False)
    figure.legend(handles=entries, loc="upper left", bbox_to_anchor=(0, 1 - (4 + heading) / tall),
                  ncols=_entries_across(entries), fontsize=LETTERS, handlelength=1.5,
                  columnspacing=0.9, labelspacing=0.25, borderaxespad=0.0, borderpad=0.2,
                  handletextpad=0.4)  # fmt: skip
    for panel, one in zip(panels, axes, strict=False):
        if panel.row:
            rise = 22.0 if has_titles else 4.0
            one.annotate(panel.row, (0, 1), (4 - wide, rise), "axes fraction",
                         textcoords="offset points", size=LETTERS, weight="bold", va="bottom",
                         parse_math=False)  # fmt: skip
    return figure, axes


def _entries(arms: Mapping[str, Look], summary: pd.DataFrame) -> list[Line2D]:
    """Return the entries of the legend: the arms, and the marks that occur."""
    entries = [look.handle(arm, ms=6, lw=1.8) for arm, look in arms.items()]
    for key, mark, is_diverged in (("most_diverged", "x", True), ("most_late", "^", False)):
        if _has(summary, is_diverged=is_diverged):
            entries.append(Line2D([], [], ls="", marker=mark, color=INK, mfc="none", ms=7, mew=1.8,
                                  label=text(key)))  # fmt: skip
    return entries


def _entries_across(entries: Sequence[Line2D]) -> int:
    """Return how many entries of the legend stand side by side."""
    widest = max(width_of(str(entry.get_label())) for entry in entries) * _LETTER + 30
    return max(1, min(len(entries), int((WIDTH - 8) // widest)))


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
    rows, some_rows = _levels(values, shown.rows, MOST_ROWS)
    every = sorted(values["layer"].unique())
    layers = spread(every, 5)
    shares = {
        (row, layer): pooled(of_row.loc[of_row["layer"] == layer, "counts"])
        for row in rows
        for of_row in [_only(values, shown.rows, row)]
        for layer in layers
    }
    first, last = bars_shown([*shares.values()])
    edges = np.array(histogram_edges("activation"))[first : last + 1]
    top = height([share[1 + first : 1 + last] for share in shares.values()])
    color = looks(values)[values["activation_label"].iloc[0]].color
    figure, grid = panels_of(len(rows), len(layers), 70.0, 24.0, left=6.0, below=40.0)
    for r, row in enumerate(rows):
        grid[r][0].annotate(_level_words(shown.rows, row, shown), (0, 1), (0, 3), "axes fraction",
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
        _drawn_words(own, effects, shown, some=some_rows),
        figure_text("picture_layers", seeds=seeds),
    ]
    return _drawing(name, figure, own, shown, caption)


def _value_words(shown: Shown) -> str:
    key = shown.words or shown.value
    # a claim of one's own may measure what has no words here
    words = text(key) if key in text else key.replace("_", " ")
    return words[:1].upper() + words[1:]


def _limit(shown: Shown) -> str:
    assert shown.line is not None
    return f"{shown.line:.0%}" if shown.share else plain(shown.line)


def _drawn_words(runs: pd.DataFrame, effects: Effects, shown: Shown, *, some: bool) -> str:
    """Return the sentence that says which of the judged runs are drawn."""
    total, number = len(set(effects.run_ids)), runs["run_id"].nunique()
    if not total:
        return text("drawn_effects")
    if number == total:
        return text("drawn_all", n=number)
    which = [
        _level_words(axis, value, shown)
        for axis, wanted in shown.only.items()
        for value in (wanted if isinstance(wanted, list | tuple) else [wanted])
    ]
    which += [text("panels_spread")] if some else []
    which = which or [text("with_a_value")]
    return text("drawn_part", n=number, total=total, which=", ".join(which))


def _drawing(
    name: str, figure: Figure, runs: pd.DataFrame, shown: Shown, caption: Sequence[str]
) -> Drawing:
    title = text("title_by", value=_value_words(shown), axis=_axis(shown.x))
    return Drawing(
        name=name,
        title=_value_words(shown) if shown.value == HISTOGRAMS else title,
        caption=" ".join(filter(None, caption)),
        small_print=describe(runs) if len(runs) else "",
        figure=figure,
        run_ids=tuple(dict.fromkeys(runs["run_id"].astype(str))) if len(runs) else (),
        num_seeds=int(runs["seed"].nunique()) if len(runs) else 0,
    )
