"""The explorer as a part of a page: its HTML, its data, and the scripts and styles it needs.

A page puts `html` where it stands, its words and `runs` in script elements with the ids `words` and
`explored`, `base` before its own scripts and `script` after them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from relu_exp.evidence.data.texts import Text, texts_of
from relu_exp.evidence.report.pages import as_json, asset, render

__all__ = ["BASE", "EXPLORER_WORDS", "SCRIPTS", "STYLES", "ExplorerSection"]

PACKAGE = "relu_exp.evidence.explorer"
EXPLORER_WORDS: Mapping[str, Text] = texts_of(PACKAGE, "words.yaml")
STYLES = ("explorer.css",)
BASE = ("base.js", "state.js")
"""What the scripts of a page use too."""
SCRIPTS = (
    "chart.js",
    "explorer_data.js",
    "explorer_histograms.js",
    "explorer_view.js",
    "explorer_save.js",
    "explorer.js",
)
"""Loaded in this order; the first lines of each name what it uses of the scripts before it."""


@dataclass(frozen=True)
class ExplorerSection:
    """What a page needs to show the explorer."""

    html: Markup
    runs: Markup
    style: Markup
    base: Markup
    script: Markup

    @classmethod
    def of(cls, data: Mapping[str, Any], language: str) -> ExplorerSection:
        """Return the section that shows the data; its words open in a language."""
        words = {"w": EXPLORER_WORDS, "opened_in": language}
        return cls(
            html=Markup(render("explorer.html", words, PACKAGE)),  # noqa: S704 - escaped there
            runs=as_json(data),
            style=_assets(STYLES),
            base=_assets(BASE),
            script=_assets(SCRIPTS),
        )


def _assets(names: tuple[str, ...]) -> Markup:
    return Markup("\n").join(asset(name, PACKAGE) for name in names)
