"""The overview: the pictures that the documents draw, each with its claim and its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from relu_exp.core.schema import DEFAULT_PRECISION, UsageError
from relu_exp.evidence.claims.registry import Evidence, MissingRunsError
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.language import LANGUAGES
from relu_exp.evidence.data.language import language as writing_in
from relu_exp.evidence.data.pieces import Each, in_turn
from relu_exp.evidence.data.texts import Text, entry, read_texts
from relu_exp.evidence.figures import DoesNotApply, Drawing, draw
from relu_exp.evidence.report.judged_claims import JudgedClaim
from relu_exp.evidence.report.versions import save_versions, version

__all__ = ["FOLDER", "Picture", "draw_overview"]

FOLDER = "overview"
"""Of the pictures, below the results."""


class _Entry(NamedTuple):
    """A figure as the file lists it; the fields are explained there."""

    name: str
    figure: str
    experiment: str
    claims: Sequence[str]


@dataclass(frozen=True)
class Picture:
    """One picture: its place below the results, and the claim whose answer says what is seen.

    `stem` is its path without version and ending.
    """

    stem: str
    title: Text
    caption: Text
    judged: JudgedClaim

    def path(self, language: str, *, is_dark: bool = False) -> str:
        """Return the PNG of a version, as a path below the results; its SVG lies beside it."""
        return f"{self.stem}{version(language, is_dark=is_dark)}.png"


_ENTRIES: tuple[_Entry, ...] = tuple(
    entry(_Entry, values, f"overview.yaml: {number}")
    for number, values in enumerate(read_texts(__package__, "overview.yaml"), 1)
)


def draw_overview(
    evidence: Evidence, claims: Mapping[str, JudgedClaim], each: Each = in_turn
) -> list[Picture]:
    """Draw each picture below the results, in every language, light and dark, as PNG and SVG.

    Pictures whose results or claim are not there are left out. `each` computes what is drawn.

    Raises:
        OSError: a file cannot be written.
    """
    entries = [entry for entry in _ENTRIES if all(id in claims for id in entry.claims)]
    found = each([partial(_draw, evidence, entry) for entry in entries])
    return [
        Picture(one.stem, one.title, one.caption, claims[one.claim])
        for drawn in found
        for one in drawn
    ]


class _Drawn(NamedTuple):
    """A picture that was drawn; the fields are those of `Picture`."""

    stem: str
    title: Text
    caption: Text
    claim: str


def _draw(evidence: Evidence, of: _Entry) -> list[_Drawn]:
    """Draw the pictures of an entry, one for each of its claims, if its runs are there."""
    try:
        frames = evidence[of.experiment]
        english, korean = (_drawings(of, frames, language) for language in LANGUAGES)
    except (MissingRunsError, UsageError, DoesNotApply):
        return []
    found = []
    folder = evidence.root / FOLDER
    folder.mkdir(exist_ok=True)
    for number, (id, en, ko) in enumerate(zip(of.claims, english, korean, strict=False), 1):
        stem = of.name if len(of.claims) == 1 else f"{of.name}-{number}"
        for language, drawing in zip(LANGUAGES, (en, ko), strict=True):
            save_versions(folder, stem, drawing, language)
        words = (Text(en.title, ko.title), Text(en.caption, ko.caption))
        found.append(_Drawn(f"{FOLDER}/{stem}", *words, id))
    return found


def _drawings(of: _Entry, frames: Frames, language: str) -> list[Drawing]:
    """Return an entry's drawings in a language; labels are read in the language of writing."""
    with writing_in(language):
        if language != "en":
            frames = Frames.open(frames.root).only(DEFAULT_PRECISION)
        return list(draw(of.figure, frames))
