"""The pictures of claims: of each one's judged runs, in every language, light and dark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from relu_exp.core.lines import one_line
from relu_exp.core.schema import UsageError
from relu_exp.evidence.claims.registry import Claim, Evidence, MissingRunsError
from relu_exp.evidence.claims.shown import Shown
from relu_exp.evidence.claims.verdicts import Effects
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.language import LANGUAGES
from relu_exp.evidence.data.language import language as writing_in
from relu_exp.evidence.data.texts import Text
from relu_exp.evidence.figures import DoesNotApply, Drawing, draw
from relu_exp.evidence.figures.judged import draw_judged
from relu_exp.evidence.report.versions import save_light_and_dark, version
from relu_exp.evidence.report.words import text

__all__ = ["FOLDER", "ClaimPicture", "draw_claim", "draw_claims"]

FOLDER = "claims"
"""Of the pictures, below the results."""


@dataclass(frozen=True)
class ClaimPicture:
    """The picture of a claim: its place below the results, and the words beside it."""

    stem: str
    title: Text
    caption: Text
    run_ids: tuple[str, ...]

    def path(self, language: str, *, is_dark: bool = False) -> str:
        """Return a version, as a path below the results; only that for English has a PNG."""
        return f"{self.stem}{version(language, is_dark=is_dark)}.png"


def draw_claims(
    root: Path, evidence: Evidence, claims: Mapping[str, Claim]
) -> tuple[dict[str, ClaimPicture], dict[str, Text]]:
    """Draw the picture of each claim that was judged, below the results.

    Returns:
        The pictures by claim, and why the others' could not be drawn.

    Raises:
        OSError: a file cannot be written.
    """
    pictures: dict[str, dict[str, Drawing]] = {}
    failed: dict[str, Text] = {}
    for language in LANGUAGES:
        with writing_in(language):
            # labels are read in the language that is written
            frames = evidence if language == "en" else Evidence(evidence.root)
            for id, claim in claims.items():
                effects = evidence.effects.get(id)
                if not effects:
                    continue
                try:
                    drawing = draw_claim(claim, frames, effects)
                except Exception as error:
                    # a claim of one's own whose picture cannot be drawn must not end the report
                    words = {"error": type(error).__name__, "message": one_line(error)}
                    failed[id] = text.both("drawing_failed", **words)
                    continue
                if drawing is not None:
                    (root / FOLDER).mkdir(exist_ok=True)
                    save_light_and_dark(root / FOLDER, id, drawing, language)
                    pictures.setdefault(id, {})[language] = drawing
    found = {
        id: ClaimPicture(
            f"{FOLDER}/{id}",
            Text(drawn["en"].title, drawn["ko"].title),
            Text(drawn["en"].caption, drawn["ko"].caption),
            drawn["en"].run_ids,
        )
        for id, drawn in pictures.items()
        if {*drawn} == {*LANGUAGES}
    }
    return found, failed


def draw_claim(claim: Claim, evidence: Evidence, effects: Effects) -> Drawing | None:
    """Return the picture of a claim's judged runs, in the language that is written now.

    Nothing where the claim names no figure, or its runs cannot be drawn as that.
    """
    frames = dict(_results(claim, evidence))
    if not claim.figure or not frames:
        return None
    if isinstance(claim.figure, Shown):
        return draw_judged(claim.id, frames, claim.figure, effects)
    first = next(iter(frames.values()))
    judged = first.runs[first.runs["run_id"].isin(set(effects.run_ids))]
    try:
        return next(draw(claim.figure, first.showing(judged)), None)
    except (DoesNotApply, UsageError):
        return None


def _results(claim: Claim, evidence: Evidence) -> Iterator[tuple[str, Frames]]:
    """Yield the experiments of a claim that have usable results."""
    for experiment in claim.experiments:
        try:
            yield experiment, evidence[experiment]
        except (MissingRunsError, UsageError):
            continue
