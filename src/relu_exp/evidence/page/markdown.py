"""The Markdown pages in Korean: a section per claim, and the index of the experiments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from relu_exp.core.schema import UsageError
from relu_exp.evidence.claims.korean import rule_in_korean
from relu_exp.evidence.claims.sources import source_ko
from relu_exp.evidence.data.frames import Frames, Open
from relu_exp.evidence.data.language import language
from relu_exp.evidence.data.texts import Text, texts_of
from relu_exp.evidence.page.documents import title_of
from relu_exp.evidence.page.effects import claimed_words, effect_words, seeds_words
from relu_exp.evidence.page.korean import holds_ko, place_ko
from relu_exp.evidence.page.words import WORDS
from relu_exp.evidence.report.claim_pictures import ClaimPicture
from relu_exp.evidence.report.judged_claims import JudgedClaim
from relu_exp.evidence.report.pages import render, replace_text
from relu_exp.evidence.report.report import experiments
from relu_exp.evidence.report.verdict_pages import Judged

__all__ = ["build_korean_claims", "build_korean_index"]

_TEXTS: Mapping[str, Text] = {**WORDS, **texts_of(__package__, "words_markdown.yaml")}


def build_korean_claims(judged: Judged) -> Path:
    """Write `claims.md` in Korean in place of the English one; return its path.

    Raises:
        UsageError: the file cannot be written.
    """
    return _write(judged.markdown, {**judged.words, **_WORDS})


def build_korean_index(
    root: Path, verdicts: Mapping[str, Any] | None = None, opened: Open = Frames.open
) -> Path:
    """Write `README.md` in Korean, as `build_index` does in English; return its path.

    Raises:
        UsageError: there are no results, they are damaged, or the file cannot be written.
    """
    words = {"entries": experiments(root, opened), "verdicts": verdicts}
    return _write(root / "README.md", {**words, **_WORDS})


def _write(target: Path, words: Mapping[str, Any]) -> Path:
    try:
        with language("ko"):
            replace_text(target, render(f"korean_{target.name}", words, __package__))
    except OSError as error:
        raise UsageError(
            f"the page cannot be written to {target}: {error.strerror or error}"
        ) from error
    return target


def _word(key: str, **values: object) -> str:
    """Return a text of the page in Korean with values filled in."""
    return _TEXTS[key].ko.format(**values)


def _rows(one: JudgedClaim) -> list[list[str]]:
    """Return the table of a claim: a row for all settings, then one for each.

    The cells of a row: setting, verdict, effect, what is claimed, and seeds. A verdict without an
    effect and without settings has no rows.
    """
    claim, verdict = one.claim, one.verdict
    limit = _claimed(one)
    effect = effect_words(claim, verdict)
    if not effect and not verdict.settings:
        return []
    seeds = seeds_words(claim, verdict).ko if verdict.num_seeds else "—"
    rows = [[_word("whole"), _word(verdict.name), effect.ko if effect else "—", limit, seeds]]
    for setting in verdict.settings if len(verdict.settings) > 1 else ():
        effect = effect_words(claim, setting)
        shown = effect.ko if effect else "—"
        name = _word(setting.verdict)
        rows.append([place_ko(setting.where), name, shown, limit, str(setting.num_seeds)])
    return rows


def _claimed(one: JudgedClaim) -> str:
    """Return what a rule asks of an effect; a dash where each part has a limit of its own."""
    if one.claim.rule.is_exact:
        return _word("exact")
    claimed = claimed_words(one.claim)
    return claimed.ko.removeprefix("주장: ") if claimed else "—"


def _rule(one: JudgedClaim) -> str:
    """Return what the rule of a claim asks; where it has no Korean in full, with its limit."""
    if in_full := rule_in_korean(one.claim.rule):
        return in_full
    claimed = claimed_words(one.claim)
    return holds_ko(one.claim) + (f" ({claimed.ko})" if claimed else "")


def _svg(picture: ClaimPicture) -> str:
    return str(PurePosixPath(picture.path("ko")).with_suffix(".svg"))


_WORDS: Mapping[str, Any] = {
    "w": _word,
    "rows": _rows,
    "rule": _rule,
    "claimed": _claimed,
    "effect_words": effect_words,
    "svg": _svg,
    "title_of": title_of,
    "source_ko": source_ko,
}
"""What the templates use."""
