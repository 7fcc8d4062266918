"""Figures as files: small, and the same bytes for the same picture."""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

__all__ = ["save_png", "save_svg"]

DPI = 110
NUM_COLORS = 256


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG with a palette: a third of the size in full colour."""
    buffer = io.BytesIO()
    _save(figure, buffer, format="png", dpi=DPI)
    picture = Image.open(buffer).convert("RGB")
    small = picture.quantize(NUM_COLORS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    small.save(path, "PNG", optimize=True)


def save_svg(figure: Figure, path: Path) -> str:
    """Write a figure as SVG without date, comments and indentation, and return it."""
    buffer = io.StringIO()
    _save(figure, buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = re.sub(r"<!--.*?-->", "", buffer.getvalue(), flags=re.DOTALL)
    svg = re.sub(r">\s+<", "><", svg) + "\n"
    path.write_text(svg, encoding="utf-8")
    return svg


def _save(figure: Figure, buffer: io.BytesIO | io.StringIO, **how: Any) -> None:
    """Draw a figure; a character that no font has is a box in it, and not worth a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(buffer, **how)
