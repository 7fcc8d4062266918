"""The fonts of figures: matplotlib's own, and others for the letters that it lacks."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from importlib.resources import files
from textwrap import wrap

from matplotlib.font_manager import fontManager

__all__ = ["families", "heading_weight", "width_of", "wrapped"]

_SYSTEM = (
    "Noto Sans CJK KR",
    "Noto Sans CJK JP",
    "Noto Sans KR",
    "NanumGothic",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "Noto Sans",
    "Arial Unicode MS",
)
"""Families with more letters, used where they are installed."""
_WIDE = 1.55
"""Width of a letter of Hangul or Han in Latin letters."""


def families() -> list[str]:
    """Return the font families of figures; each draws the letters that those before it lack.

    Hangul is drawn with the package's own font, the 2,350 syllables of KS X 1001, so that figures
    are the same everywhere. Only what it lacks depends on the fonts of the system.
    """
    own = files(__package__).joinpath("assets", "hangul.ttf")
    fontManager.addfont(str(own))
    # it stands for its bold self, which it lacks, without a warning
    fontManager.ttflist.append(replace(fontManager.ttflist[-1], weight=700))
    installed = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", "Relu Hangul", *(name for name in _SYSTEM if name in installed)]


def heading_weight(text: str) -> str:
    """Return the weight of a heading: Hangul has no bold, and stands beside no bold letters."""
    return "normal" if any(map(_is_wide, text)) else "bold"


def width_of(text: str) -> float:
    """Return the width of text in Latin letters."""
    return len(text) + (_WIDE - 1) * sum(map(_is_wide, text))


def wrapped(text: str, width: int) -> list[str]:
    """Return text in lines of at most so many Latin letters, like `textwrap.wrap`."""
    share = len(text) / width_of(text) if text else 1.0
    return wrap(text, max(1, int(width * share)))


def _is_wide(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in "WF"
