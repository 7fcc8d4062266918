"""The versions of a picture: in each language, light and dark, as PNG and SVG."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import matplotlib as mpl

from relu_exp.evidence.figures import RC, Drawing
from relu_exp.evidence.figures.dark import dark_svg, darkened
from relu_exp.evidence.figures.files import save_png, save_svg

__all__ = ["save_light_and_dark", "save_versions", "version"]


def version(language: str, *, is_dark: bool) -> str:
    """Return what the name of a version ends in: nothing for English and light."""
    return ("" if language == "en" else f"-{language}") + ("-dark" if is_dark else "")


def save_light_and_dark(folder: Path, stem: str, drawing: Drawing, language: str) -> None:
    """Save a drawing in a language as SVG light and dark, and as PNG in English and light.

    Drawn once: of many pictures every version would take a minute. Each file appears whole.

    Raises:
        OSError: a file cannot be written.
    """
    unfinished = folder / f".{secrets.token_hex(4)}-{stem}"
    try:
        with mpl.rc_context(RC):
            svg = save_svg(drawing.figure, unfinished)
            os.replace(unfinished, folder / f"{stem}{version(language, is_dark=False)}.svg")
            unfinished.write_text(dark_svg(svg), encoding="utf-8")
            os.replace(unfinished, folder / f"{stem}{version(language, is_dark=True)}.svg")
            if language == "en":
                save_png(drawing.figure, unfinished)
                os.replace(unfinished, folder / f"{stem}.png")
    finally:
        unfinished.unlink(missing_ok=True)


def save_versions(folder: Path, stem: str, drawing: Drawing, language: str) -> None:
    """Save a drawing in a language light and dark; each file appears whole.

    Raises:
        OSError: a file cannot be written.
    """
    for is_dark in (False, True):
        figure = darkened(drawing.figure) if is_dark else drawing.figure
        for save, ending in ((save_png, ".png"), (save_svg, ".svg")):
            target = folder / f"{stem}{version(language, is_dark=is_dark)}{ending}"
            unfinished = folder / f".{secrets.token_hex(4)}-{target.name}"
            try:
                with mpl.rc_context(RC):
                    save(figure, unfinished)
                os.replace(unfinished, target)
            finally:
                unfinished.unlink(missing_ok=True)
