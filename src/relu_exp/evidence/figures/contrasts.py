"""The forest of a contrast: every arm's paired difference from the reference, with its margin."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from relu_exp.core.schema import UsageError
from relu_exp.evidence.contrasts.asked import FEWEST_SEEDS, asked, by_default
from relu_exp.evidence.contrasts.contrast import Contrasted, Name, Row, contrasted
from relu_exp.evidence.contrasts.table import key_in_words, table_of
from relu_exp.evidence.contrasts.words import text as words
from relu_exp.evidence.data.commands import run_again, seeds
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.figures.catalog import DoesNotApply, Drawing, figure, finished
from relu_exp.evidence.figures.sheet import Sheet
from relu_exp.evidence.figures.style import INK, Look, plain

__all__ = ["contrast", "contrast_of_results", "forest"]

MOST_ROWS = 40
LOOKS: Mapping[Name, Look] = {
    "better": Look("#0072B2", "o"),
    "worse": Look("#D55E00", "s"),
    "no difference": Look("#009E73", "D"),
    "not decided": Look("#7F7F7F", "v"),
}


@figure(name="contrast_forest")
def contrast(frames: Frames) -> Iterator[Drawing]:
    """Every arm against the one that it is compared with, seed by seed, with 95% intervals."""
    found, origin = contrast_of_results(frames)
    yield forest(frames, found, origin)


def contrast_of_results(frames: Frames) -> tuple[Contrasted, str]:
    """Return the contrast that results state, or else the one they get by themselves.

    And who chose it: a key of the words of contrasts.

    Raises:
        DoesNotApply: there are no two arms, or too few seeds.
    """
    try:
        stated = asked(frames)
        chosen = stated or by_default(frames)
        if chosen is None:
            raise DoesNotApply(words("no_arms"))
        found = contrasted(frames, chosen)
    except UsageError as error:
        raise DoesNotApply(str(error)) from error
    if found.num_seeds < FEWEST_SEEDS:
        # what was tried has seeds; naming more of them keeps those
        command = run_again(
            frames.root,
            frames.manifest,
            seeds(int(frames.runs["seed"].min()), FEWEST_SEEDS),
            leave="seed=",
        )
        raise DoesNotApply(words("few_seeds", n=FEWEST_SEEDS, command=command))
    return found, "stated" if stated else "by_itself"


def forest(frames: Frames, found: Contrasted, origin: str) -> Drawing:
    """Return the forest figure of a contrast."""
    metric, margin = found.metric, found.contrast.margin
    every = [row for row in found.rows if row.name != "reference"]
    rows = every[:MOST_ROWS]
    sheet = Sheet(1, 1, panel=(4.2, 0.24 * max(len(rows), 2) + 0.2))
    (axes,) = sheet.panels
    none, low = (1.0, 1 / margin) if metric.is_ratio else (0.0, -margin)
    axes.axvspan(low, margin, color="#ededed", zorder=0)
    axes.axvline(none, color="#444444", linewidth=0.8)
    for place, row in enumerate(rows):
        _draw(axes, place, row)
    names = [_name(row) for row in rows]
    axes.set_yticks(range(len(rows)), names, parse_math=False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    if metric.is_ratio:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(plain))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6))
        if metric.kind == "accuracy":
            axes.xaxis.set_major_formatter(
                FuncFormatter(lambda value, _: f"{100 * value:+.3g}".replace("+0", "0"))
            )
    present = [name for name in LOOKS if any(row.name == name for row in rows)]
    title = words(
        f"title_{metric.kind}",
        reference=found.reference,
        split=words(f"split_{metric.split}"),
        curve=words(f"curve_{metric.curve}") if metric.curve else "",
        threshold=f"{metric.threshold:g}",
    )
    unit = f" ({words('points')})" if metric.kind == "accuracy" else ""
    return finished(
        frames,
        sheet,
        found.runs,
        name="contrast_forest",
        title=title,
        caption=[
            words("figure_means"),
            *table_of(found, origin).notes,
            words("first_rows", shown=len(rows), n=len(every)) if len(every) > len(rows) else "",
        ],
        x=words(f"axis_{metric.kind}") + unit,
        y="",
        handles=[LOOKS[name].handle(words(name.replace(" ", "_"))) for name in present],
        tick_width=0.075 * max(map(len, names), default=4) + 0.1,
    )


def _draw(axes: Axes, place: int, row: Row) -> None:
    """Draw one arm; a bound points where the true value lies."""
    verdict, look = row.verdict, LOOKS[row.name]
    if not math.isfinite(verdict.effect) or verdict.bound == "both":
        axes.text(
            0.5,
            place,
            words("unknown"),
            transform=axes.get_yaxis_transform(),
            ha="center",
            va="center",
            color=INK,
            size=8,
        )
        return
    ends = [end for end in (verdict.low, verdict.high) if math.isfinite(end)]
    axes.plot([*ends, verdict.effect], [place] * (len(ends) + 1), color=look.color, linewidth=1.3)
    axes.plot([verdict.effect], [place], color=look.color, marker=look.marker)
    if verdict.bound != "none":
        arrow = ">" if verdict.bound == "lower" else "<"
        axes.plot([verdict.effect], [place], color=look.color, marker=arrow, markersize=9)


def _name(row: Row) -> str:
    where = ", ".join(f"{key_in_words(key)} {value}" for key, value in row.where.items())
    return f"{row.arm} ({where})" if where else row.arm
