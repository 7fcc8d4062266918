"""Figures for slides and papers: their sizes, and files in which every letter is large enough."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.backends import backend_mixed, backend_pdf
from matplotlib.figure import Figure
from matplotlib.text import Text

from relu_exp.core.naming import nearest
from relu_exp.core.schema import UsageError
from relu_exp.evidence.figures.style import RC

__all__ = [
    "FORMATS",
    "SIZES",
    "Size",
    "check_format",
    "current_size",
    "printing",
    "save_printed",
    "size_named",
]

FORMATS = ("pdf", "png", "svg")
DPI = 300
SMALLEST = 6.5
"""Points of the smallest letters of a figure as it is drawn."""
_LARGEST = 18.0
"""Points that letters need not exceed where there is room."""


@dataclass(frozen=True)
class Size:
    """A place in print: its width and height in inches, and the least size of letters in points.

    `columns` and `rows` are how many panels it has room for.
    """

    width: float
    height: float
    least: float
    columns: int
    rows: int

    @property
    def scale(self) -> float:
        """By which factor a sheet is enlarged, so that its smallest letters are large enough."""
        return self.least / SMALLEST

    @property
    def sheet(self) -> tuple[float, float]:
        """The width and height of a sheet before it is enlarged, in inches."""
        return self.width / self.scale, self.height / self.scale


SIZES = {
    "slide": Size(12.3, 6.6, 14.0, columns=4, rows=2),
    "column": Size(3.35, 9.0, 8.0, columns=2, rows=5),
    "page": Size(7.0, 9.0, 8.0, columns=4, rows=5),
}
"""A slide of 13.3 × 7.5 inches, a column of a paper and its whole width."""

_CURRENT: ContextVar[Size | None] = ContextVar("size", default=None)


def size_named(name: str) -> Size:
    """Return a size by its name.

    Raises:
        UsageError: there is no such size.
    """
    if name not in SIZES:
        raise UsageError(
            f"--size {name} is not valid{nearest(name, SIZES)}; valid: {', '.join(SIZES)}"
        )
    return SIZES[name]


def check_format(name: str) -> None:
    """Accept a format of figures.

    Raises:
        UsageError: there is no such format.
    """
    if name not in FORMATS:
        raise UsageError(
            f"--figures {name} is not valid{nearest(name, FORMATS)}; valid: {', '.join(FORMATS)}"
        )


def current_size() -> Size | None:
    """Return the place in print that is drawn for; None for pages on a screen."""
    return _CURRENT.get()


@contextmanager
def printing(size: Size) -> Iterator[None]:
    """Lay figures out for a place in print within the context."""
    before = _CURRENT.get()
    _CURRENT.set(size)
    try:
        yield
    finally:
        _CURRENT.set(before)


def save_printed(figure: Figure, stem: Path, kind: str, size: Size) -> Path:
    """Write a figure that was laid out for a size, enlarged to it, and return the file.

    Fonts are embedded in PDF, and letters are outlines in SVG.

    Raises:
        OSError: the file cannot be written.
    """
    path = stem.with_name(f"{stem.name}.{kind}")
    scale = _scale(figure, size)
    with mpl.rc_context({**RC, "pdf.fonttype": 42}):
        if kind == "pdf":
            _save_pdf(figure, path, scale)
        elif kind == "png":
            figure.savefig(path, format="png", dpi=DPI * scale)
        else:
            figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
            path.write_text(_enlarged(path.read_text(encoding="utf-8"), scale), encoding="utf-8")
    return path


def _scale(figure: Figure, size: Size) -> float:
    """Return the factor by which a figure fills its place, and no letter is too small."""
    width, height = figure.get_size_inches()
    letters = min(
        (
            float(each.get_fontsize())
            for each in figure.findobj(Text)
            if each.get_text() and each.get_visible()
        ),
        default=SMALLEST,
    )
    fills = min(size.width / width, size.height / height, max(_LARGEST, size.least) / letters)
    return float(max(fills, size.least / letters))


def _save_pdf(figure: Figure, path: Path, scale: float) -> None:
    """Write a figure as one page of PDF, enlarged: matplotlib itself cannot enlarge one."""
    before = figure.dpi
    figure.dpi = 72
    width, height = figure.get_size_inches()
    # neither states its types
    pdf: Any = backend_pdf
    mixed: Any = backend_mixed
    file = pdf.PdfFile(
        str(path), metadata={"CreationDate": None, "Creator": None, "Producer": None}
    )
    try:
        file.newPage(width * scale, height * scale)
        file.output(scale, 0, 0, scale, 0, 0, pdf.Op.concat_matrix)
        page = pdf.RendererPdf(file, 72, height, width)
        renderer = mixed.MixedModeRenderer(figure, width, height, 72, page)
        figure.draw(renderer)
        renderer.finalize()
        file.finalize()
    finally:
        file.close()
        figure.dpi = before


def _enlarged(svg: str, scale: float) -> str:
    """Return an SVG with its width and height multiplied."""

    def larger(found: re.Match[str]) -> str:
        return f'{found[1]}="{float(found[2]) * scale:.6g}pt"'

    return re.sub(r'\b(width|height)="([\d.]+)pt"', larger, svg, count=2)
