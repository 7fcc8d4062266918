"""Figures as files for slides and papers: PDF, PNG or SVG in the size of their place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from relu_exp.core.schema import UsageError
from relu_exp.evidence.claims.judging import judge_all
from relu_exp.evidence.claims.registry import Evidence, find_claim
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.language import language as writing_in
from relu_exp.evidence.figures import FIGURES, DoesNotApply, Drawing, draw
from relu_exp.evidence.figures.histograms import histograms_at
from relu_exp.evidence.figures.printing import check_format, printing, save_printed, size_named
from relu_exp.evidence.report.claim_pictures import draw_claim

__all__ = ["FOLDER", "write_claims", "write_figures"]

FOLDER = "print"
"""Of the files, below the results."""
CAPTIONS = "captions.md"
"""What stands under each figure, beside the files."""


def write_figures(
    results: Path,
    kind: str,
    size: str,
    language: str = "en",
    *,
    step: int | None = None,
    layers: Sequence[int] = (),
) -> list[Path]:
    """Write the figures of one experiment's report for a place in print, and return the files.

    With `step` or `layers` only histograms of activations are drawn: at that step (before training
    by default), of those layers (of all by default).

    Raises:
        UsageError: there are no results, no such format, size, language, step or layer, or the
            files cannot be written.
    """
    check_format(kind)
    with writing_in(language), printing(size_named(size)):
        frames = Frames.open(results)
        if step is not None or layers:
            drawings = histograms_at(frames, step or 0, layers)
        else:
            drawings = _asked(frames)
        return _write(results, drawings, kind, size)


def write_claims(root: Path, kind: str, size: str, language: str = "en") -> list[Path]:
    """Write the pictures of the claims that results decide, and return the files.

    Raises:
        UsageError: there is no such format, size or language, or the files cannot be written.
    """
    check_format(kind)
    with writing_in(language), printing(size_named(size)):
        evidence = Evidence(root)
        verdicts = judge_all(evidence)
        decided = [id for id, verdict in verdicts.items() if verdict.name != "not decided"]
        found = (draw_claim(find_claim(id), evidence, evidence.effects[id]) for id in decided)
        return _write(root, (drawing for drawing in found if drawing), kind, size)


def _asked(frames: Frames) -> Iterator[Drawing]:
    """Yield the figures that an experiment asks for and that its results can be drawn as."""
    asked = frames.manifest.get("figures") or ([] if frames.runs.empty else list(FIGURES))
    for name in dict.fromkeys(name for name in asked if name in FIGURES):
        try:
            yield from draw(name, frames)
        except DoesNotApply:
            continue


def _write(results: Path, drawings: Iterator[Drawing], kind: str, size: str) -> list[Path]:
    folder = results / FOLDER
    paths, captions = [], []
    try:
        folder.mkdir(exist_ok=True)
        for drawing in drawings:
            stem = folder / f"{drawing.name}-{size}"
            paths.append(save_printed(drawing.figure, stem, kind, size_named(size)))
            words = f"{drawing.caption}\n\n{drawing.small_print}"
            captions.append(f"## {paths[-1].name}\n\n{drawing.title}\n\n{words}\n")
        if captions:
            (folder / CAPTIONS).write_text("\n".join(captions), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"the figures cannot be written to {folder}: {error.strerror or error}"
        ) from error
    return paths
