"""Figures as files: small, and the same bytes for the same picture."""

from __future__ import annotations

import io
import re
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

__all__ = ["save_png", "save_svg"]

DPI = 110
NUM_COLORS = 256


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG with a palette: a third of the size in full colour."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    picture = Image.open(buffer).convert("RGB")
    small = picture.quantize(NUM_COLORS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    small.save(path, "PNG", optimize=True)


def save_svg(figure: Figure, path: Path) -> str:
    """Write a figure as SVG without date, comments and indentation, and return it."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = re.sub(r"<!--.*?-->", "", buffer.getvalue(), flags=re.DOTALL)
    svg = re.sub(r">\s+<", "><", svg) + "\n"
    path.write_text(svg, encoding="utf-8")
    return svg
