"""The overview: the pictures that the documents draw, each with its claim and its answer."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl

from relu_exp.core.schema import DEFAULT_PRECISION, UsageError
from relu_exp.evidence.claims.registry import Evidence, MissingRunsError
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.language import LANGUAGES
from relu_exp.evidence.data.language import language as writing_in
from relu_exp.evidence.data.texts import Text, entry, read_texts
from relu_exp.evidence.figures import RC, DoesNotApply, Drawing, draw
from relu_exp.evidence.figures.dark import darkened
from relu_exp.evidence.figures.files import save_png, save_svg
from relu_exp.evidence.report.judged_claims import JudgedClaim

__all__ = ["FOLDER", "Overview", "Picture", "draw_overview"]

FOLDER = "overview"
"""Of the pictures, below the results."""


@dataclass(frozen=True)
class _Entry:
    """A picture as the file lists it; the fields are explained there."""

    name: str
    figure: str
    experiments: Sequence[str]
    claim: str
    title: Text
    second: str = ""


@dataclass(frozen=True)
class Picture:
    """One picture: its place below the results without version and ending, and what it shows."""

    stem: str
    title: Text
    caption: Text

    def path(self, language: str, *, is_dark: bool = False, ending: str = ".png") -> str:
        """Return the file of a version, as a path below the results."""
        return f"{self.stem}{_version(language, is_dark)}{ending}"


@dataclass(frozen=True)
class Overview:
    """Pictures that belong together, with the claims whose answers say what is seen."""

    title: Text
    pictures: tuple[Picture, ...]
    claims: tuple[JudgedClaim, ...]


_ENTRIES: tuple[_Entry, ...] = tuple(
    entry(_Entry, values, f"overview.yaml: {number}")
    for number, values in enumerate(read_texts(__package__, "overview.yaml"), 1)
)


def draw_overview(evidence: Evidence, claims: Mapping[str, JudgedClaim]) -> list[Overview]:
    """Draw each picture below the results, in every language, light and dark, as PNG and SVG.

    Pictures whose results or claim are not there are left out.

    Raises:
        OSError: a file cannot be written.
    """
    found = []
    for each in _ENTRIES:
        judged = [claims[id] for id in (each.claim, each.second) if id in claims]
        if judged and (pictures := _pictures(evidence, each)):
            found.append(Overview(each.title, pictures, tuple(judged)))
    return found


def _pictures(evidence: Evidence, of: _Entry) -> tuple[Picture, ...]:
    """Return the pictures of an entry, drawn on the first experiment that has its runs."""
    for experiment in of.experiments:
        try:
            frames = evidence[experiment]
            drawn = {name: _drawings(of, frames, name) for name in LANGUAGES}
        except (MissingRunsError, UsageError, DoesNotApply):
            continue
        folder = evidence.root / FOLDER
        folder.mkdir(exist_ok=True)
        stems = [f"{of.name}-{n}" if len(drawn["en"]) > 1 else of.name
                 for n, _ in enumerate(drawn["en"], 1)]  # fmt: skip
        for name, drawings in drawn.items():
            for stem, drawing in zip(stems, drawings, strict=True):
                _save(folder, stem, drawing, name)
        return tuple(
            Picture(
                f"{FOLDER}/{stem}",
                Text(english.title, korean.title),
                Text(english.caption, korean.caption),
            )
            for stem, english, korean in zip(stems, drawn["en"], drawn["ko"], strict=True)
        )
    return ()


def _drawings(of: _Entry, frames: Frames, language: str) -> list[Drawing]:
    """Return an entry's drawings in a language; labels are read in the language of writing."""
    with writing_in(language):
        if language != "en":
            frames = Frames.open(frames.root).only(DEFAULT_PRECISION)
        return list(draw(of.figure, frames))


def _version(language: str, is_dark: bool) -> str:
    return ("" if language == "en" else f"-{language}") + ("-dark" if is_dark else "")


def _save(folder: Path, stem: str, drawing: Drawing, language: str) -> None:
    """Save a drawing light and dark; each file appears whole."""
    for is_dark in (False, True):
        figure = darkened(drawing.figure) if is_dark else drawing.figure
        for save, ending in ((save_png, ".png"), (save_svg, ".svg")):
            target = folder / f"{stem}{_version(language, is_dark)}{ending}"
            unfinished = folder / f".{secrets.token_hex(4)}-{target.name}"
            try:
                with mpl.rc_context(RC):
                    save(figure, unfinished)
                os.replace(unfinished, target)
            finally:
                unfinished.unlink(missing_ok=True)
