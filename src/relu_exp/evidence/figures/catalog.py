"""The catalog of figures: what a figure is, how one is registered and drawn."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from relu_exp.core.file_names import storable
from relu_exp.core.labels import summary_of
from relu_exp.core.registry import Registry
from relu_exp.core.settings import Setting
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.figures.limits import left_out_words, limits, spread
from relu_exp.evidence.figures.sheet import Sheet
from relu_exp.evidence.figures.slices import describe, redraw_command, unusual_words, with_pairs
from relu_exp.evidence.figures.style import PNG_DPI, RC, levels
from relu_exp.evidence.figures.words import text

__all__ = ["FIGURES", "DoesNotApply", "Drawing", "FigureKind", "draw", "figure", "finished"]

MOST_ACTIVATIONS = 60
"""Activations in one figure: more could not be distinguished, and each takes time to draw."""


class DoesNotApply(Exception):  # noqa: N818 - a finding about the data, not an error
    """The data cannot be drawn as this figure; the message tells a reader why."""


@dataclass(frozen=True)
class Drawing:
    """One finished figure with what stands under it.

    `name` is the stem of its file, made one that every system can store. `caption` explains what is
    drawn and how to read it; `small_print` names the seeds, data, settings and the command that
    redraws it. `num_seeds` is 0 where nothing was drawn at random.
    """

    name: str
    title: str
    caption: str
    small_print: str
    figure: Figure
    run_ids: tuple[str, ...] = ()
    num_seeds: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", storable(self.name))

    def _repr_png_(self) -> bytes:
        """Return the figure as a notebook shows it."""
        picture = io.BytesIO()
        with mpl.rc_context(RC):
            self.figure.savefig(picture, format="png", dpi=PNG_DPI, metadata={"Software": None})
        return picture.getvalue()


@dataclass(frozen=True)
class FigureKind:
    """A registered figure: `make` turns frames into drawings or raises `DoesNotApply`."""

    name: str
    summary: str
    needs: tuple[str, ...]
    make: Callable[[Frames], Iterator[Drawing]]
    reference: str = ""
    settings: Mapping[str, Setting] = field(default_factory=dict)


FIGURES: Registry[FigureKind] = Registry("figure")


def figure(
    *needs: str, name: str | None = None
) -> Callable[[Callable[[Frames], Iterator[Drawing]]], Callable[[Frames], Iterator[Drawing]]]:
    """Register a function as a figure that needs rows in the tables `needs`."""
    return FIGURES.register(
        lambda make: FigureKind(name or make.__name__, summary_of(make).rstrip("."), needs, make)
    )


def finished(
    frames: Frames,
    sheet: Sheet,
    runs: pd.DataFrame,
    *,
    name: str,
    title: str,
    caption: Iterable[str],
    leave: Collection[str] = (),
    note: str | None = None,
    **labels: Any,
) -> Drawing:
    """Return a sheet as a drawing of `runs`, without empty sentences of the caption.

    `leave` names the axes that do not matter here; `note` replaces the description of the runs
    where nothing was drawn at random; `labels` go to `Sheet.finish`.
    """
    num_seeds = int(runs["seed"].nunique()) if note is None else 0
    if note is None:
        title += unusual_words(frames.runs, runs, title, leave)
    command = text("redraw", command=redraw_command(frames))
    note = f"{describe(runs, leave=leave) if note is None else note}\n{command}"
    return Drawing(
        name=name,
        title=title,
        caption=" ".join(filter(None, caption)),
        small_print=note,
        figure=sheet.finish(title=title, small_print=note, **labels),
        run_ids=tuple(runs["run_id"].astype(str)),
        num_seeds=num_seeds,
    )


def draw(name: str, frames: Frames, *, everything: bool = False) -> Iterator[Drawing]:
    """Yield a figure's drawings one by one.

    With `everything` no combination, layer, rate or threshold is left out, however many there are.

    Raises:
        DoesNotApply: the data cannot be drawn as this figure.
        UsageError: there is no figure of this name.
    """
    kind = FIGURES[name]
    for table in kind.needs:
        if not frames.has(table):
            key = f"missing_{table}"
            raise DoesNotApply(text(key) if key in text else text("missing_table", table=table))
    with mpl.rc_context(RC), limits(apply=not everything, command=redraw_command(frames)):
        frames, note = _few_activations(with_pairs(frames))
        for drawing in kind.make(frames):
            yield replace(drawing, caption=f"{drawing.caption} {note}") if note else drawing


def _few_activations(frames: Frames) -> tuple[Frames, str]:
    """Return frames with as many activations as a figure can show, and a sentence on the others."""
    if frames.runs.empty:
        return frames, ""
    every = levels(frames.runs, "activation_label")
    kept = spread(every, MOST_ACTIVATIONS)
    if len(kept) == len(every):
        return frames, ""
    shown = frames.runs[frames.runs["activation_label"].isin(kept)]
    return frames.showing(shown), left_out_words(len(kept), len(every), text("all_activations"))
