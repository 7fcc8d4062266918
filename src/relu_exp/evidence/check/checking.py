"""Checking: marks the sentences of a text that make a claim, with what was found about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relu_exp.evidence.claims.errata import ERRATA, Erratum
from relu_exp.evidence.claims.mentions import Sentence, claims_of, errata_of, sentences_of
from relu_exp.evidence.claims.mentions.matching import rules_of_errata
from relu_exp.evidence.claims.registry import Claim, find_claim
from relu_exp.evidence.data.texts import Text
from relu_exp.evidence.report.saved_verdicts import read_verdicts

__all__ = [
    "COMMITTED",
    "Checked",
    "Mark",
    "always_corrected",
    "check_text",
    "verdicts_for",
]

COMMITTED = Path(__file__).parents[4] / "results"
"""The results that are committed beside the package's source, where it runs from a clone."""


_NONE = Text("", "")


@dataclass(frozen=True)
class Mark:
    """A claim that a sentence makes, the verdict on it, and what is right instead.

    `claim` is None for a mistake that is no claim tested here. `verdict` and `answer` are empty
    where no verdict is known. `corrections` are right statements, each with its source.
    """

    claim: Claim | None
    verdict: str = ""
    answer: Text = _NONE
    corrections: tuple[tuple[Text, str], ...] = ()


@dataclass(frozen=True)
class Checked:
    """A sentence that makes at least one claim, with a mark for each."""

    sentence: Sentence
    marks: tuple[Mark, ...]


def check_text(text: str, verdicts: Mapping[str, Mapping[str, Any]]) -> list[Checked]:
    """Return the sentences of a text that make a claim.

    Args:
        text: plain text or Markdown, Korean or English.
        verdicts: saved verdicts by claim; without them a mark has only its claim.
    """
    found = []
    for sentence in sentences_of(text):
        marks = _marks(sentence, verdicts)
        if marks:
            found.append(Checked(sentence, tuple(marks)))
    return found


def verdicts_for(results: Path) -> dict[str, dict[str, Any]]:
    """Return the verdicts of a folder, or those that are committed where it has none.

    Raises:
        UsageError: they are damaged.
    """
    return read_verdicts(results) or read_verdicts(COMMITTED)


def _marks(sentence: Sentence, verdicts: Mapping[str, Mapping[str, Any]]) -> list[Mark]:
    """Return the marks of a sentence; mistakes apart from its claims are in one of their own."""
    claims = claims_of(sentence)
    errata = errata_of(sentence)
    marks = []
    for id in claims:
        about = [*always_corrected(id), *(each for each in errata if each.claim == id)]
        marks.append(_mark(id, verdicts.get(id, {}), about))
    if others := [each for each in errata if each.claim not in claims]:
        marks.append(Mark(None, corrections=_corrections(others)))
    return marks


def _mark(id: str, row: Mapping[str, Any], errata: Sequence[Erratum]) -> Mark:
    answer = Text(row.get("answer") or row.get("says", ""), row.get("answer_ko") or "")
    if not answer.ko:
        answer = Text(answer.en, row.get("says_ko") or answer.en)
    return Mark(find_claim(id), row.get("verdict", ""), answer, _corrections(errata))


def _corrections(errata: Sequence[Erratum]) -> tuple[tuple[Text, str], ...]:
    return tuple(dict.fromkeys((each.right, each.source) for each in errata))


def always_corrected(id: str) -> list[Erratum]:
    """Return errata about a claim that have no rules of their own."""
    own = [each for each, _ in rules_of_errata()]
    return [each for each in ERRATA if each.claim == id and each not in own]
