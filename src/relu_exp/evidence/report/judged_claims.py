"""Judged claims: each claim with its verdict and all that a page shows beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from relu_exp.evidence.claims.answers import answer
from relu_exp.evidence.claims.korean import in_korean, paper_in_korean
from relu_exp.evidence.claims.registry import Claim, Evidence, Literature
from relu_exp.evidence.claims.runs import command, origin
from relu_exp.evidence.claims.verdicts import SettingVerdict, Verdict
from relu_exp.evidence.data.statistics import bounded_in_words, interval_in_words
from relu_exp.evidence.data.texts import Text
from relu_exp.evidence.report.claim_pictures import ClaimPicture
from relu_exp.evidence.report.looks import LOOKS

__all__ = ["JudgedClaim", "Map", "judge_claims", "place_of", "shown_effect"]


@dataclass(frozen=True)
class Map:
    """Where in the declared grid a claim holds: rows of settings under the last axis's values."""

    axis: str
    columns: list[str]
    rows: list[tuple[str, list[SettingVerdict | None]]]


@dataclass(frozen=True)
class JudgedClaim:
    """A claim with its verdict and what the page shows beside them."""

    claim: Claim
    verdict: Verdict
    command: str
    map: Map | None
    reports: list[str]
    origin: tuple[str, str]
    """The budget and the commit of its results; empty where they are unknown or not one."""
    answer: Text
    """What was found, in one sentence of each language."""
    other: JudgedClaim | None = None
    picture: ClaimPicture | None = None
    """Of the runs that were judged; a claim that was not decided has none."""
    no_picture: Text | None = None
    """Why its picture could not be drawn, where that failed."""

    @property
    def mark(self) -> str:
        """The verdict's sign."""
        return LOOKS[self.verdict.name].mark

    @property
    def effect(self) -> str:
        """The effect with its unit and interval; empty where there is none."""
        return shown_effect(self.verdict, self.claim.rule.unit)

    @property
    def claimed(self) -> str:
        """What the rule asks of the effect, as in `> 1.1×`; empty where it is exact."""
        rule = self.claim.rule
        sign = ">" if rule.claimed_side == "above" else "<"
        return "" if rule.threshold is None else f"{sign} {rule.threshold:.3g}{rule.unit}"

    @property
    def text(self) -> str:
        """The evidence in a line; where a map follows, the settings are left to it."""
        text = self.verdict.text
        return text.split(" Holds at ")[0] if self.map else text

    @property
    def text_ko(self) -> str:
        """The same in Korean; empty where that is not known."""
        is_whole = self.text == self.verdict.text
        return self.verdict.text_ko if is_whole else in_korean(self.text)

    @property
    def notes(self) -> list[Text]:
        """The notes in both languages; the Korean is empty where it is not known."""
        verdict = self.verdict
        return [Text(*pair) for pair in zip_longest(verdict.notes, verdict.notes_ko, fillvalue="")]

    @property
    def literature(self) -> list[tuple[Literature, Literature | None]]:
        """What papers found, in English and in Korean."""
        return [(paper, paper_in_korean(paper)) for paper in self.claim.literature]


def shown_effect(verdict: Verdict | SettingVerdict, unit: str = "") -> str:
    """Return an effect with its interval as people read it; of a bound what it lies beyond.

    Of a conditional claim it is the range over its settings.
    """
    if math.isnan(verdict.effect):
        return ""
    if isinstance(verdict, Verdict) and math.isfinite(verdict.least + verdict.most):
        return f"{verdict.least:.3g} to {verdict.most:.3g}{unit}"
    if verdict.bound != "none":
        return bounded_in_words(verdict.bound, verdict.effect, verdict.low, verdict.high, unit)
    return interval_in_words(verdict.effect, verdict.low, verdict.high, unit)


def judge_claims(
    evidence: Evidence, claims: Sequence[Claim], verdicts: Mapping[str, Verdict]
) -> list[JudgedClaim]:
    """Return claims with their verdicts; each comes with its reports, map and opposite."""
    root = evidence.root
    judged = {
        claim.id: JudgedClaim(
            claim=claim,
            verdict=verdicts[claim.id],
            command=command(claim, evidence),
            map=_map(verdicts[claim.id], claim.rule.grid),
            origin=origin(claim, evidence),
            answer=answer(claim, verdicts[claim.id]),
            reports=[name for name in claim.experiments if (root / name / "report.md").exists()],
        )
        for claim in claims
    }
    return [_beside(one, judged) for one in judged.values()]


def _beside(one: JudgedClaim, judged: Mapping[str, JudgedClaim]) -> JudgedClaim:
    """Return a claim with the one that says otherwise, whichever of the two names the other."""
    for other in judged.values():
        names = {one.claim.disagrees_with: other.claim.id, other.claim.disagrees_with: one.claim.id}
        if any(name is not None and name == id for name, id in names.items()):
            return JudgedClaim(**{**vars(one), "other": other})
    return one


def _map(verdict: Verdict, grid: Sequence[str]) -> Map | None:
    if len(verdict.settings) < 2:
        return None
    *left, last = grid
    columns = list(dict.fromkeys(setting.where[last] for setting in verdict.settings))
    rows: dict[str, dict[str, SettingVerdict]] = {}
    for setting in verdict.settings:
        name = ", ".join(f"{key} {setting.where[key]}" for key in left)
        rows.setdefault(name, {})[setting.where[last]] = setting
    return Map(
        last,
        columns,
        [(name, [settings.get(column) for column in columns]) for name, settings in rows.items()],
    )


def place_of(setting: SettingVerdict) -> str:
    """Return where a setting is; a bare number needs its axis's name, a word does not."""
    return ", ".join(
        value if value[:1].isalpha() else f"{axis.replace('_', ' ')} {value}"
        for axis, value in setting.where.items()
    )
