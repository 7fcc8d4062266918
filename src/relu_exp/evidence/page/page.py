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
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from markupsafe import Markup

from relu_exp.core.schema import UsageError
from relu_exp.evidence.claims.answers.deciding import decider
from relu_exp.evidence.claims.korean import measure_in_korean, rule_in_korean
from relu_exp.evidence.claims.registry import Evidence
from relu_exp.evidence.claims.sources import source_ko
from relu_exp.evidence.claims.verdicts import VerdictName
from relu_exp.evidence.data.language import LANGUAGES, check_language
from relu_exp.evidence.data.pieces import Each, in_turn
from relu_exp.evidence.explorer.packing import explorer_data
from relu_exp.evidence.figures.dark import dark_colors
from relu_exp.evidence.page.answers import Answer, answer
from relu_exp.evidence.page.documents import DOCUMENTS, title_of
from relu_exp.evidence.page.effects import (
    claimed_words,
    effect_words,
    factor_of,
    limit_words,
    seeds_words,
)
from relu_exp.evidence.page.glossary import GLOSSARY, explain
from relu_exp.evidence.page.interval_axes import distance_bar, interval_axis
from relu_exp.evidence.page.korean import (
    holds_ko,
    label_en,
    label_ko,
    place_en,
    place_ko,
)
from relu_exp.evidence.page.questions import QUESTIONS, Question
from relu_exp.evidence.page.story import story_steps
from relu_exp.evidence.page.synonyms import IDLE, SYNONYMS
from relu_exp.evidence.page.text_check import check_data
from relu_exp.evidence.page.words import WORDS
from relu_exp.evidence.report.claim_pictures import ClaimPicture
from relu_exp.evidence.report.explorer_section import ExplorerSection
from relu_exp.evidence.report.judged_claims import JudgedClaim
from relu_exp.evidence.report.looks import standardized
from relu_exp.evidence.report.overview import Picture as Drawn
from relu_exp.evidence.report.pages import as_json, asset, hangul_font, render, replace_text
from relu_exp.evidence.report.report import MOST_RUN_IDS, experiments
from relu_exp.evidence.report.verdict_pages import Judged

__all__ = ["build_page"]

STYLES = (
    "page.css",
    "overview.css",
    "claims.css",
    "claim_pictures.css",
    "check.css",
    "story.css",
    "slides.css",
    "glossary.css",
)
SCRIPTS = (
    "page.js",
    "search.js",
    "table.js",
    "pictures.js",
    "mentions.js",
    "check.js",
    "story.js",
    "slides.js",
)
"""Loaded in this order, after the base and before the explorer's."""
LAST_STYLE, LAST_SCRIPT = "print.css", "start.js"


SURPRISE: tuple[VerdictName, ...] = (
    "refuted",
    "conditional",
    "supported",
    "inconclusive",
    "not decided",
)
"""The order of the table of verdicts before a reader sorts it."""


def build_page(judged: Judged, language: str = "en", each: Each = in_turn) -> Path:
    """Write `report.html` beside the verdicts and return its path; it opens in `language`.

    One file that needs no network. The same results give the same bytes, whatever computes `each`
    piece of the work.

    Raises:
        UsageError: there is no such language, or the page cannot be written.
    """
    check_language(language)
    root: Path = judged.root
    claims = [one for _, _, part in judged.words["groups"] for one in part]
    of_claims = [one.picture for one in claims if one.picture]
    pictures = _pictures(root, [*of_claims, *judged.words["overview"]])
    explorer = explorer_data(root, opened=judged.evidence.at, each=each)
    answers, story = each(
        [partial(_answers, judged.evidence), partial(story_steps, judged.evidence)]
    )
    section = ExplorerSection.of(explorer, language)
    explored = {experiment["id"] for experiment in explorer["experiments"]}
    words = {
        **judged.words,
        "pictures": pictures,
        "paper": _paper(root, judged.words["overview"]),
        "language": language,
        "languages": LANGUAGES,
        "w": WORDS,
        "interval_axis": lambda one: interval_axis(
            one.verdict, one.claim.rule, factor_of(one.claim)
        ),
        "effect_words": effect_words,
        "claimed_words": claimed_words,
        "limit_words": limit_words,
        "seeds_words": seeds_words,
        "decider": decider,
        "distance": lambda one: distance_bar(one.verdict, one.claim.rule),
        "place": place_en,
        "place_ko": place_ko,
        "label_en": label_en,
        "label_ko": label_ko,
        "holds_ko": holds_ko,
        "rule_in_korean": rule_in_korean,
        "measure_in_korean": measure_in_korean,
        "source_ko": source_ko,
        "paper_words": lambda paper: f"{paper.reference}: {paper.found} ({paper.known})",
        "questions": list(zip(QUESTIONS, answers, strict=True)),
        "view": lambda question: _view(question, explored),
        "viewed": {id: asked for asked in reversed(QUESTIONS) for id in asked.claims},
        "claims_by_id": {one.claim.id: one for one in claims},
        "claim_ids": {one.claim.id for one in claims},
        "story": story,
        "explored": explored,
        "glossary": GLOSSARY,
        "explain": explain,
        "experiments": experiments(root, judged.evidence.at),
        "documents": sorted({source.document for one in claims for source in one.claim.sources}),
        "by_surprise": _by_surprise(judged.words["groups"]),
        "num_runs": len({id for one in claims for id in one.verdict.run_ids}),
        "document_title": title_of,
        "known_documents": DOCUMENTS,
        "most_run_ids": MOST_RUN_IDS,
        "style": _joined(
            [asset(name, __package__) for name in STYLES],
            section.style,
            asset(LAST_STYLE, __package__),
        ),
        "plain_style": asset("plain.css", __package__),
        "before": asset("before.js", __package__),
        "script": _joined(
            [section.base, *(asset(name, __package__) for name in SCRIPTS)],
            section.script,
            asset(LAST_SCRIPT, __package__),
        ),
        "explorer": section.html,
        "font": hangul_font(),
        "data": {
            "words": as_json(WORDS),
            "check": as_json(check_data(claims)),
            "synonyms": as_json({"groups": SYNONYMS, "idle": IDLE}),
            "pictures": as_json(
                {
                    "packed": {path: picture.compressed for path, picture in pictures.items()},
                    "dark": dark_colors([picture.svg for picture in pictures.values()]),
                }
            ),
            "explorer": section.runs,
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


def _answers(evidence: Evidence) -> list[Answer | None]:
    return [answer(evidence, question) for question in QUESTIONS]


def _joined(first: Sequence[Markup], *rest: Markup) -> Markup:
    return Markup("\n").join([*first, *rest])


@dataclass(frozen=True)
class Picture:
    """A picture as the page embeds it: its SVG, and compressed in base64; its size in pixels."""

    svg: str
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
        return cls(svg.decode(), compressed, round(width), round(height))


def _pictures(root: Path, drawn: Iterable[Drawn | ClaimPicture]) -> dict[str, Picture]:
    """Return pictures in every language, by the path of their PNG; the page makes them dark."""
    paths = [picture.path(language) for picture in drawn for language in LANGUAGES]
    return {path: Picture.read((root / path).with_suffix(".svg")) for path in paths}


def _paper(root: Path, overview: Sequence[Drawn]) -> dict[str, str]:
    """Return addresses that hold the overview's light PNGs, for paper and for no script."""
    paths = [picture.path(language) for picture in overview for language in LANGUAGES]
    return {path: _as_address((root / path).read_bytes()) for path in paths}


def _as_address(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


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
