"""The page: all results in one HTML file, for people who never type a command.

The templates inline the style sheets and scripts of `assets/`, and the scripts run in the order of
`SCRIPTS`. Every word is in the page in both languages, and the style sheet shows one of them.
Pictures and runs are compressed; the browser unpacks them when they are needed. In an address, what
lies between `#` and `?` is a place on the page and the rest is its state: `#claim-id?lang=ko`.

Text uses the reader's fonts. `hangul.woff2` (the 2,350 syllables of KS X 1001) is used only where a
system has no Korean font; a test keeps all Korean words within these syllables.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from markupsafe import Markup

from relu_exp.core.schema import UsageError
from relu_exp.evidence.claims.verdicts import VerdictName
from relu_exp.evidence.data.language import LANGUAGES, check_language
from relu_exp.evidence.figures import FIGURES
from relu_exp.evidence.page.answers import answer
from relu_exp.evidence.page.documents import DOCUMENTS, title_of
from relu_exp.evidence.page.explorer import explorer_data
from relu_exp.evidence.page.interval_axes import distance_bar, interval_axis
from relu_exp.evidence.page.korean import holds_ko, label_ko, place_ko, source_ko
from relu_exp.evidence.page.questions import QUESTIONS, Question
from relu_exp.evidence.page.words import WORDS
from relu_exp.evidence.report.judged_claims import JudgedClaim, place_of
from relu_exp.evidence.report.looks import standardized
from relu_exp.evidence.report.overview import Picture as Drawn
from relu_exp.evidence.report.pages import as_json, asset, hangul_font, render, replace_text
from relu_exp.evidence.report.report import MOST_RUN_IDS, experiments
from relu_exp.evidence.report.verdict_pages import Judged

__all__ = ["build_page"]

STYLES = ("page.css", "overview.css", "claims.css", "explorer.css")
SCRIPTS = (
    "state.js",
    "page.js",
    "table.js",
    "pictures.js",
    "chart.js",
    "explorer_data.js",
    "explorer_view.js",
    "explorer.js",
)
"""Loaded in this order; the first lines of each name what it uses of the scripts before it."""


SURPRISE: tuple[VerdictName, ...] = (
    "refuted",
    "conditional",
    "supported",
    "inconclusive",
    "not decided",
)
"""The order of the table of verdicts before a reader sorts it."""


def build_page(judged: Judged, language: str = "en") -> Path:
    """Write `report.html` beside the verdicts and return its path; it opens in `language`.

    One file that needs no network. The same results give the same bytes.

    Raises:
        UsageError: there is no such language, or the page cannot be written.
    """
    check_language(language)
    root: Path = judged.root
    claims = [one for _, _, part in judged.words["groups"] for one in part]
    pictures = _pictures(root, claims) | _overview_pictures(root, judged.words["overview"])
    explorer = explorer_data(root, opened=judged.evidence.at)
    explored = {experiment["id"] for experiment in explorer["experiments"]}
    words = {
        **judged.words,
        "pictures": pictures,
        "language": language,
        "languages": LANGUAGES,
        "w": WORDS,
        "interval_axis": lambda one: interval_axis(one.verdict, one.claim.rule),
        "distance": lambda one: distance_bar(one.verdict, one.claim.rule),
        "alt": _alternative,
        "place": place_of,
        "place_ko": place_ko,
        "label_ko": label_ko,
        "holds_ko": holds_ko,
        "source_ko": source_ko,
        "questions": [(each, answer(judged.evidence, each)) for each in QUESTIONS],
        "view": lambda question: _view(question, explored),
        "viewed": {id: each for each in reversed(QUESTIONS) for id in each.claims},
        "claims_by_id": {one.claim.id: one for one in claims},
        "claim_ids": {one.claim.id for one in claims},
        "experiments": experiments(root, judged.evidence.at),
        "documents": sorted({source.document for one in claims for source in one.claim.sources}),
        "by_surprise": _by_surprise(judged.words["groups"]),
        "num_runs": len({id for one in claims for id in one.verdict.run_ids}),
        "document_title": title_of,
        "known_documents": DOCUMENTS,
        "most_run_ids": MOST_RUN_IDS,
        "style": Markup("\n").join(asset(name, __package__) for name in STYLES),
        "before": asset("before.js", __package__),
        "script": Markup("\n").join(asset(name, __package__) for name in SCRIPTS),
        "font": hangul_font(),
        "data": {
            "words": as_json(WORDS),
            "pictures": as_json({path: picture.compressed for path, picture in pictures.items()}),
            "explorer": as_json(explorer),
        },
    }
    target = root / "report.html"
    try:
        replace_text(target, render("page.html", words, __package__))
    except OSError as error:
        raise UsageError(
            f"the page cannot be written to {target}: {error.strerror or error}"
        ) from error
    return target


@dataclass(frozen=True)
class Picture:
    """A picture as the page embeds it: its SVG, compressed, in base64; its size in pixels."""

    compressed: str
    width: int
    height: int

    @classmethod
    def read(cls, path: Path) -> Picture:
        """Read an SVG; one without a size gets the size of most figures."""
        svg = path.read_bytes()
        box = re.search(rb'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg[:2000])
        width, height = map(float, box.groups()) if box else (640.0, 420.0)
        compressed = base64.b64encode(zlib.compress(svg, 9)).decode()
        return cls(compressed, round(width), round(height))


def _pictures(root: Path, claims: Sequence[JudgedClaim]) -> dict[str, Picture]:
    """Return each picture that a claim shows, once, by its path."""
    paths = sorted({path for one in claims for path in one.figures})
    vectors = {path: (root / path).with_suffix(".svg") for path in paths}
    return {path: Picture.read(svg) for path, svg in vectors.items() if svg.is_file()}


def _overview_pictures(root: Path, overview: Sequence[Drawn]) -> dict[str, Picture]:
    """Return every version of the overview's pictures, by the path of its PNG."""
    paths = [
        picture.path(language, is_dark=is_dark)
        for picture in overview
        for language in LANGUAGES
        for is_dark in (False, True)
    ]
    return {path: Picture.read((root / path).with_suffix(".svg")) for path in paths}


def _by_surprise(
    groups: Sequence[tuple[str, str, Sequence[JudgedClaim]]],
) -> list[tuple[str, JudgedClaim]]:
    """Return all claims with their topic: first those that fail, the most clearly decided first."""

    def rank(pair: tuple[str, JudgedClaim]) -> tuple[int, float]:
        verdict = pair[1].verdict
        distances = standardized(verdict, pair[1].claim.rule)
        return SURPRISE.index(verdict.name), -abs(distances.effect) if distances else 0.0

    return sorted(((key, one) for key, _, part in groups for one in part), key=rank)


def _view(question: Question, explored: Collection[str]) -> str:
    """Return the address of a question in the explorer; empty where its runs are not there."""
    if not question.views or any(view.experiment not in explored for view in question.views):
        return ""
    sides = {key: view.address for key, view in zip("ab", question.views, strict=True)}
    return f"#explorer?{urlencode({**sides, 'compare': 'yes'})}"


def _alternative(one: JudgedClaim) -> str:
    """Return the alternative text of a claim's picture: what is drawn, and what was found."""
    name = one.claim.figure or ""
    shown = FIGURES[name].summary if name in FIGURES else name.replace("_", " ").capitalize()
    return f"{shown}; experiment {one.claim.experiments[0]}. {one.text}"
