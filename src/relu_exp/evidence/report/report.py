"""The report of one experiment: one HTML file, one Markdown file and the figures beside them.

The same data give the same bytes; nothing is half written.
"""

from __future__ import annotations

import base64
import errno
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl

from relu_exp.core.lines import one_line
from relu_exp.core.run_keys import RUN_KEYS, keys_about
from relu_exp.core.schema import PARTS, UsageError
from relu_exp.evidence.contrasts.table import Table, table_of
from relu_exp.evidence.data.commands import run_again
from relu_exp.evidence.data.frames import Frames, Open, find_results
from relu_exp.evidence.data.labels import axis_name
from relu_exp.evidence.data.language import current_language, in_language
from relu_exp.evidence.data.language import language as writing_in
from relu_exp.evidence.explorer.packing import experiment_data
from relu_exp.evidence.figures import FIGURES, RC, DoesNotApply, Drawing, draw
from relu_exp.evidence.figures.contrasts import contrast_of_results
from relu_exp.evidence.figures.files import save_png, save_svg
from relu_exp.evidence.figures.limits import ALL_FIGURES
from relu_exp.evidence.figures.slices import redraw_command, with_pairs
from relu_exp.evidence.report import summary
from relu_exp.evidence.report.explorer_section import EXPLORER_WORDS, ExplorerSection
from relu_exp.evidence.report.pages import as_json, asset, hangul_font, render, replace_text
from relu_exp.evidence.report.words import text
from relu_exp.results.atomic import put_folder
from relu_exp.results.lock import replacing_report

__all__ = ["Built", "build", "build_index", "experiments", "find_results"]

MOST_RUN_IDS = 1000
"""Run ids listed below one figure; of a larger sweep the manifest lists them."""
MOST_FIGURES = 100
"""Kinds of figures in one report; the package has about twenty."""
CONTRAST = "contrast_forest"
"""The figure that every report has whose runs have two arms and enough seeds."""
MOST_BYTES = 5_400_000
"""Of figures and explorer in a page of six megabytes."""
MOST_EXPLORED = 2_500_000
"""Of the explorer's data."""
SMALL_TABLE = 16
"""Rows that fit on a terminal."""
MOST_LINES = 60
"""Rows on a terminal at most; the report has more."""
_TRIES = 5
_RENAME_RACES = (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST)
"""Errors of a rename that another report can cause by moving its figures at the same time."""


@dataclass(frozen=True)
class Built:
    """What was written, what a reader should be warned of, and a short table for the terminal.

    `summary` holds a row per activation (and depth, where that stays short): heading → text.
    """

    html: Path
    markdown: Path
    figures: tuple[Path, ...]
    warnings: tuple[str, ...]
    summary: tuple[dict[str, str], ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every file that was written."""
        return (self.html, self.markdown, *self.figures)


@dataclass(frozen=True)
class _Shown:
    """A drawing as the templates see it."""

    kind: str
    drawing: Drawing
    svg: str
    width: int
    run_ids: tuple[str, ...] = field(default=())


def build(
    results: Path, reload_seconds: int = 0, *, all_figures: bool = False, language: str = "en"
) -> Built:
    """Write the report of one experiment's results beside them, with all its words in a language.

    With `reload_seconds` the page notes that training goes on, and reloads at this interval. With
    `all_figures` figures leave nothing out, however much there is.

    Raises:
        UsageError: there are no results, a part is damaged, the report cannot be written, or there
            is no such language.
    """
    with writing_in(language):
        return _build(results, reload_seconds, all_figures)


def _build(results: Path, reload_seconds: int, all_figures: bool) -> Built:
    frames = Frames.open(results)
    with _writing(results):
        unfinished = frames.store.begin_report()
    try:
        with _writing(results):
            (unfinished / "figures").mkdir()
            shown, skipped = _draw_all(frames, unfinished, all_figures)
            words = _words(frames, shown, skipped)
            words["redraw"] += f" {ALL_FIGURES}" if all_figures else ""
            words |= {"reload_seconds": reload_seconds, "reload_script": asset("reload.js")}
            words |= _explorer(frames, shown, goes_on=reload_seconds > 0)
            for name in ("report.html", "report.md"):
                (unfinished / name).write_text(render(name, words), encoding="utf-8")
            _move(unfinished, results)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    figures = tuple(
        results / "figures" / f"{one.drawing.name}{ending}"
        for one in shown
        for ending in (".png", ".svg")
    )
    warnings = (
        *words["remarks"],
        *(text("not_drawn_because", name=name, reason=reason) for name, reason in skipped),
    )
    return Built(
        results / "report.html", results / "report.md", figures, warnings, _short_table(frames)
    )


def build_index(
    root: Path, verdicts: Mapping[str, Any] | None = None, opened: Open = Frames.open
) -> Path:
    """Write README.md, which links the reports of all experiments below `root`; return its path.

    It begins with the summary of the verdicts, where claims were decided.

    Raises:
        UsageError: there are no results, they are damaged, or the index cannot be written.
    """
    words = {"entries": experiments(root, opened), "verdicts": verdicts}
    try:
        replace_text(root / "README.md", render("index.md", words))
    except OSError as error:
        raise UsageError(
            f"the index cannot be written to {root}: {error.strerror or error}"
        ) from error
    return root / "README.md"


def experiments(root: Path, opened: Open = Frames.open) -> list[dict[str, str]]:
    """Return the entry of each experiment below `root` in an index.

    Raises:
        UsageError: there are no results, or they are damaged.
    """
    entries = []
    for folder in find_results(root):
        frames = opened(folder)
        manifest = frames.manifest
        entries.append(
            {
                "folder": folder.relative_to(root).as_posix(),
                "title": str(manifest.get("title") or folder.name),
                "question": str(manifest.get("question") or ""),
                "endings": summary.endings(frames, brief=True),
                **_in_korean(frames, folder.name),
                "budget": str(manifest.get("budget") or ""),
                "commit": str(manifest.get("commit") or "")[:10],
                "dirty": "+" if manifest.get("dirty") else "",
            }
        )
    return entries


def _in_korean(frames: Frames, name: str) -> dict[str, str]:
    """Return what an entry says in Korean, in English where the experiment has no Korean."""
    with writing_in("ko"):
        return {
            "title_ko": _stated(frames.manifest, "title") or name,
            "question_ko": _stated(frames.manifest, "question"),
            "endings_ko": summary.endings(frames, brief=True),
        }


@contextmanager
def _writing(results: Path) -> Iterator[None]:
    """Raise a `UsageError` that says in one line why the report cannot be written."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"the report cannot be written to {results}: {error.strerror or error}"
        ) from error


def _draw_all(
    frames: Frames, unfinished: Path, everything: bool
) -> tuple[list[_Shown], list[tuple[str, str]]]:
    """Draw the figures that the experiment asks for; return them, and why others were skipped."""
    shown: list[_Shown] = []
    skipped: list[tuple[str, str]] = []
    asked = frames.manifest.get("figures") or ([] if frames.runs.empty else list(FIGURES))
    names = list(dict.fromkeys(asked))
    by_itself = frames.manifest.get("contrast") is None and CONTRAST not in (
        frames.manifest.get("figures") or []
    )
    if len(names) > MOST_FIGURES:
        skipped.append((f"{names[MOST_FIGURES]}, …", text("too_many_figures", n=MOST_FIGURES)))
    compared = [] if frames.runs.empty else [CONTRAST]
    for name in dict.fromkeys([*names[:MOST_FIGURES], *compared]):
        try:
            for drawing in draw(name, frames, everything=everything):
                with _writing(frames.root):
                    shown.append(_save(name, drawing, unfinished / "figures"))
                    # an old folder is deleted as left over from a killed command
                    os.utime(unfinished)
        except DoesNotApply as reason:
            if name != CONTRAST or not by_itself:
                skipped.append((name, str(reason)))
        except UsageError as error:
            # the figure may belong to a plugin that is not loaded; damaged parts are real errors
            if name in FIGURES:
                raise
            skipped.append((name, str(error)))
        except Exception as error:
            # an error in one figure must not end the report
            kind = type(error).__name__
            skipped.append((name, text("drawing_failed", error=kind, message=one_line(error))))
    return shown, skipped


def _save(kind: str, drawing: Drawing, folder: Path) -> _Shown:
    stem = folder / drawing.name
    with mpl.rc_context(RC):
        save_png(drawing.figure, stem.with_name(f"{drawing.name}.png"))
        svg = save_svg(drawing.figure, stem.with_name(f"{drawing.name}.svg"))
    width = round(float(drawing.figure.get_size_inches()[0]) * 96)
    encoded = base64.b64encode(svg.encode()).decode()
    return _Shown(kind, drawing, encoded, width, drawing.run_ids[:MOST_RUN_IDS])


def _words(
    frames: Frames, shown: Sequence[_Shown], skipped: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    manifest, runs = frames.manifest, frames.runs
    table = summary.best_results(frames)
    remarks = summary.remarks(frames, max((s.drawing.num_seeds for s in shown), default=None))
    if any(ALL_FIGURES in one.drawing.caption for one in shown):
        remarks.append(text("some_figures", command=f"{redraw_command(frames)} {ALL_FIGURES}"))
    return {
        "title": _stated(manifest, "title") or frames.root.name,
        "question": _stated(manifest, "question"),
        "font": hangul_font() if current_language() == "ko" else "",
        "axes": _axes(manifest),
        "fixed": _fixed(frames),
        "endings": summary.endings(frames),
        "remarks": remarks,
        "table": table,
        "studies": summary.studies(frames),
        "contrast": _contrast(frames, shown),
        "ended": summary.run_counts(frames),
        "figures": shown,
        "skipped": skipped,
        "failures": summary.failures(frames),
        "sessions": summary.sessions(frames),
        "manifest_file": f"manifests/{manifest.get('session', '…')}.json",
        "command": run_again(frames.root, manifest),
        "redraw": redraw_command(frames),
        "num_runs": len(runs),
        "num_seeds": int(runs["seed"].nunique()),
        "num_parts": int(runs["part"].nunique()),
        "most_run_ids": MOST_RUN_IDS,
    }


def _explorer(frames: Frames, shown: Sequence[_Shown], *, goes_on: bool) -> dict[str, Any]:
    """Return the explorer of the layers for the templates, where histograms were measured.

    It takes the room that the figures leave. While training goes on the page is written often, and
    goes without.
    """
    room = min(MOST_BYTES - sum(len(one.svg) for one in shown), MOST_EXPLORED)
    data = None if goes_on else experiment_data(frames, room)
    note = ""
    if goes_on and not frames.runs.empty and frames.has("histograms"):
        note = in_language(EXPLORER_WORDS["at_the_end"])
    elif data and data["left_out"]:
        note = in_language(EXPLORER_WORDS["no_room"])
    has_it = data is not None and not note
    return {
        "explorer": ExplorerSection.of(data, current_language()) if data and has_it else None,
        "explorer_words": as_json(EXPLORER_WORDS) if has_it else "",
        "explorer_style": asset("explorer_report.css"),
        "explorer_note": note,
        "explorer_link": in_language(EXPLORER_WORDS["in_report"]) if has_it else "",
    }


def _contrast(frames: Frames, shown: Sequence[_Shown]) -> Table | None:
    """Return the table beside the figure of the arms, where that was drawn."""
    if not any(one.kind == CONTRAST for one in shown):
        return None
    return table_of(*contrast_of_results(with_pairs(frames)))


def _stated(manifest: Mapping[str, Any], name: str) -> str:
    """Return what an experiment says, in English where it does not say it in the language."""
    return str(manifest.get(f"{name}_{current_language()}") or manifest.get(name) or "")


def _axes(manifest: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Return the axes of the sweep with their values: as configured, in English."""
    axes = manifest.get("axes") or {}
    if current_language() == "en":
        return [(axis, list(labels)) for axis, labels in axes.items()]
    names = {key.written: name for name, key in RUN_KEYS.items()} | {name: name for name in PARTS}
    return [
        (axis_name(names[axis]) if axis in names else axis, list(labels))
        for axis, labels in axes.items()
    ]


def _fixed(frames: Frames) -> list[tuple[str, str]]:
    """Return what all runs share and no axis names."""
    if frames.runs.empty:
        return []
    columns = [
        "dataset_label",
        "network_label",
        *keys_about("network"),
        "optimizer_label",
        *(
            name
            for name in keys_about("training", "measuring", "computing")
            if not RUN_KEYS[name].is_schedule
        ),
    ]
    found = []
    for column in columns:
        values = frames.runs[column].dropna().unique()
        is_hidden = column in RUN_KEYS and RUN_KEYS[column].is_hidden({*values})
        if len(values) == 1 and not is_hidden:
            value = values[0]
            found.append(
                (axis_name(column), f"{value:g}" if isinstance(value, float) else str(value))
            )
    return found


def _short_table(frames: Frames) -> tuple[dict[str, str], ...]:
    table = summary.best_results(frames)
    if len(table.rows) > SMALL_TABLE:
        table = summary.best_results(frames, by=["activation_label"])
    return tuple(table.as_dicts()[:MOST_LINES])


def _move(unfinished: Path, results: Path) -> None:
    """Move a finished report to the results, where it replaces the old one.

    Under a lock, so that figures and pages belong to the same report.
    """
    with replacing_report(results):
        _put_figures(unfinished, results / "figures")
        for name in ("report.html", "report.md"):
            os.replace(unfinished / name, results / name)


def _put_figures(unfinished: Path, target: Path) -> None:
    for tries_left in reversed(range(_TRIES)):
        try:
            # an unpacked archive may hold a file or a link of this name
            if target.is_symlink() or (target.exists() and not target.is_dir()):
                target.rename(unfinished / "old")
            put_folder(unfinished / "figures", target)
            return
        except OSError as error:
            # without a lock another report may move its figures between two renames
            if error.errno not in _RENAME_RACES or not tries_left:
                raise
        # `put_folder` may have moved the old figures aside: the next try needs that name
        shutil.rmtree(unfinished / "figures-replaced", ignore_errors=True)
        time.sleep(0.05)
