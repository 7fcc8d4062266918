"""Dead units: how many, in which layers, when, and how many come back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from relu_exp.evidence.data.derived import revivals
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.labels import axis_name
from relu_exp.evidence.data.statistics import summarize
from relu_exp.evidence.figures.catalog import DoesNotApply, Drawing, figure, finished
from relu_exp.evidence.figures.limits import is_limited, left_out_words, spread
from relu_exp.evidence.figures.lines import (
    Grid,
    crossed,
    dodge,
    handles,
    interval_line,
    interval_words,
    lost_most,
    only,
)
from relu_exp.evidence.figures.sheet import Sheet
from relu_exp.evidence.figures.slices import Slice, left_out, slices, split, trained
from relu_exp.evidence.figures.style import INK, levels, looks, plain, rate_axis, steps_axis
from relu_exp.evidence.figures.words import shown_label, text

__all__ = ["dead_fraction"]

PANELS = ["initializer_label", "depth"]
MOST_DEADLY = 2
"""How many activations get three drawings of their own."""


def shares_of_layers(frames: Frames, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the share of dead units of each run, step and layer, as `value`.

    Raises:
        DoesNotApply: no run was probed for dead units.
    """
    dead = frames.read("layers", run_ids=runs["run_id"], quantity=["dead_fraction"])
    if dead.empty:
        raise DoesNotApply(text("dead_not_probed"))
    return dead


def shares_of_runs(dead: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the mean over the layers of each run at each step, and at its last one.

    Intervals are over seeds, so a run's layers are averaged first.
    """
    over_time = dead.groupby(["run_id", "step"], observed=True)["value"].mean().reset_index()
    return over_time, over_time.sort_values("step").drop_duplicates("run_id", keep="last")


@figure("layers")
def dead_fraction(frames: Frames) -> Iterator[Drawing]:
    """Share of dead units by learning rate, by layer and over time, and how many revive."""
    runs = trained(frames.runs)
    dead = shares_of_layers(frames, runs)
    over_time, last = shares_of_runs(dead)
    last_step = last.set_index("run_id")["step"]
    runs = runs[runs["run_id"].isin(last["run_id"])]

    parts, others = slices(runs, ["activation_label", "learning_rate", *PANELS])
    for part in parts:
        yield _by_rate(frames, part, last, others)

    ever = dead.groupby("run_id", observed=True)["value"].max()
    dying = runs[runs["run_id"].map(ever) > 0]
    if dying.empty:
        return
    runs = runs[runs["activation_label"].isin(dying["activation_label"].unique())]
    parts, others = _deadliest(runs, last)
    final = dead[dead["step"] == dead["run_id"].map(last_step).astype(int)]
    counted = revivals(frames.read("dead_units", run_ids=runs["run_id"]), dead)
    counted = counted[counted["step"] == counted["run_id"].map(last_step)]
    before = counted["still_dead"] + counted["revived"]
    counted = counted.assign(value=counted["revived"] / before)[before > 0]
    for part in parts:
        yield _view(frames, part, final, BY_LAYER, others)
        yield _view(frames, part, over_time, OVER_TIME, others)
        if counted["run_id"].isin(part.runs["run_id"]).any():
            yield _view(frames, part, counted, REVIVALS, others)


def _deadliest(runs: pd.DataFrame, last: pd.DataFrame) -> tuple[list[Slice], str]:
    """Return the slices with most dead units at the end, at most `MOST_DEADLY`, in sweep order."""
    every = split(runs, ["learning_rate", *PANELS])
    share = last.set_index(last["run_id"].astype(str))["value"]
    deaths = [float(share.reindex(part.runs["run_id"]).mean()) for part in every]
    if not is_limited():
        return every, ""
    limit = sorted(deaths, reverse=True)[:MOST_DEADLY][-1]
    kept = [part for part, death in zip(every, deaths, strict=True) if death >= limit]
    kept = kept[:MOST_DEADLY]
    return kept, left_out(kept, every, text("most_dead"))


def _titled(heading: str, part: Slice) -> str:
    return f"{heading}: {part.words}" if part.words else heading


def _named(heading: str, part: Slice) -> str:
    """Return the title of a drawing of one activation; the slice's words may name it already."""
    activation = shown_label(part.runs["activation_label"].iloc[0])
    return f"{heading}: {part.words if activation in part.words else activation}"


def _labels(grid: Grid, entries: list[Any], legend: str | None = None) -> dict[str, Any]:
    return {
        "column_titles": grid.column_titles,
        "row_titles": grid.row_titles,
        "handles": entries,
        "legend_title": legend,
        "tick_width": 0.46,
    }


def _by_rate(frames: Frames, part: Slice, last: pd.DataFrame, others: str) -> Drawing:
    columns = ["activation_label", "learning_rate", *PANELS]
    joined = last.merge(part.runs[["run_id", "status", *columns]], on="run_id")
    values = summarize(joined, columns, "value")
    # what a run that diverged was last seen with is no end of training
    values = crossed(values, lost_most(joined, columns), columns)
    shown = looks(part.runs)
    alive = [
        label for label in shown if not (joined["value"][joined["activation_label"] == label]).any()
    ]
    drawn = {label: look for label, look in shown.items() if label not in alive}
    grid = Grid.of(part.runs, "depth", "initializer_label")
    sheet = Sheet(len(grid.rows), len(grid.columns))

    def paint(axes: Axes, panel: pd.DataFrame) -> None:
        for label, look in (drawn or shown).items():
            line = panel[panel["activation_label"] == label]
            line = dodge(line, "learning_rate", list(shown).index(label), len(shown))
            interval_line(axes, line, "learning_rate", look, band=False, share=True)
            lost = only(line, "is_lost", True)
            axes.plot(lost["learning_rate"], lost["height"], "x", color=look.color, ms=6, mew=1.8)
        rate_axis(axes, part.runs["learning_rate"].tolist())
        _share_axis(axes, values["mean"].fillna(values["height"]).max())

    grid.fill(sheet.axes, values, paint)
    entries = handles(drawn or shown)
    if values["is_lost"].any():
        entries.append(Line2D([], [], color=INK, marker="x", ls="", ms=6, mew=1.8,
                              label=text("picture_most_diverged")))  # fmt: skip
    diverged = int((joined["status"] == "diverged").sum())
    return finished(
        frames,
        sheet,
        part.runs,
        name=f"dead_fraction_by_learning_rate{part.stem}",
        title=_titled(text("dead_by_rate"), part),
        caption=[
            text("dead_means"),
            text("dead_layers_mean"),
            text("none_died", names=", ".join(map(str, alive))) if alive and drawn else "",
            "" if drawn else text("none_dead"),
            text("dead_diverged", n=diverged) if diverged else "",
            interval_words(values, band=False),
            grid.left_out,
            others,
        ],
        x=axis_name("learning_rate"),
        y=text("dead_share"),
        **_labels(grid, entries),
    )


class View(NamedTuple):
    """One way to look at an activation's dead units: a line per learning rate over `x`.

    `stem` begins the file's name and is the key of the words, `y` the key of the axis.
    """

    stem: str
    x: str
    y: str = "dead_share"
    as_points: bool = False


BY_LAYER = View("dead_fraction_by_layer", "layer")
OVER_TIME = View("dead_fraction_over_time", "step")
REVIVALS = View("revivals_by_layer", "layer", "revived_share", as_points=True)


def _view(frames: Frames, part: Slice, measured: pd.DataFrame, view: View, others: str) -> Drawing:
    columns = ["learning_rate", *PANELS]
    joined = measured.merge(part.runs[["run_id", "status", *columns]], on="run_id")
    # over time a line ends where its runs diverged; at the end they have no share
    is_lost = (joined["status"] == "diverged") & (view.x != "step")
    num_lost, joined = joined.loc[is_lost, "run_id"].nunique(), joined[~is_lost]
    values = summarize(joined, [*columns, view.x], "value")
    rates = levels(part.runs, "learning_rate")
    kept = spread(rates, 6)
    shown = looks(part.runs[part.runs["learning_rate"].isin(kept)], "learning_rate")
    grid = Grid.of(part.runs, "depth", "initializer_label")
    sheet = Sheet(len(grid.rows), len(grid.columns), share_x=view.x == "step")
    last = int(part.runs["num_steps"].max())

    def paint(axes: Axes, panel: pd.DataFrame) -> None:
        for index, (rate, look) in enumerate(shown.items()):
            line = panel[panel["learning_rate"] == rate]
            if view.as_points:
                # layers may be missing: points side by side, no line across the gap
                beside = line["layer"] + 0.12 * (index - (len(shown) - 1) / 2)
                points = line.assign(layer=beside)
                interval_line(axes, points, "layer", look, band=False, share=True, linestyle="")
            else:
                interval_line(axes, line, view.x, look, share=True)
        if view.x == "step":
            steps_axis(axes, last)
        else:
            _layer_axis(axes, panel)
        _share_axis(axes, values["mean"].max())

    grid.fill(sheet.axes, values, paint, empty=text("none_dead_before") if view.as_points else "")
    counts = ""
    if view is REVIVALS:
        revived, still = int(joined["revived"].sum()), int(joined["still_dead"].sum())
        share = revived / max(revived + still, 1)
        counts = text("revived_counts", revived=revived, n=revived + still, share=f"{share:.0%}")
    return finished(
        frames,
        sheet,
        part.runs,
        name=f"{view.stem}{part.stem}",
        title=_named(text(view.stem), part),
        caption=[
            text("dead_means"),
            text(f"{view.stem}_means"),
            text("diverged_left_out", n=num_lost) if num_lost else "",
            counts,
            interval_words(values, band=not view.as_points),
            left_out_words(len(kept), len(rates), text("all_rates")),
            grid.left_out,
            others,
        ],
        x=text("updates" if view.x == "step" else "hidden_layer"),
        y=text(view.y),
        **_labels(
            grid,
            handles(shown, plain, **({"linestyle": ""} if view.as_points else {})),
            axis_name("learning_rate"),
        ),
    )


def _layer_axis(axes: Axes, panel: pd.DataFrame) -> None:
    if panel.empty:
        axes.set_xticks([])
        return
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
    axes.set_xlim(0.6, int(panel["depth"].max()) + 0.4)


def _share_axis(axes: Axes, largest: float) -> None:
    top = next((top for top in (0.05, 0.1, 0.25, 0.5) if largest < 0.9 * top), 1.0)
    axes.set_ylim(-0.03 * top, 1.03 * top)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
