"""The words of claims: what each says where it holds or not, and how its number is read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from relu_exp.evidence.claims.answers.numbers import Unit
from relu_exp.evidence.claims.registry import Claim
from relu_exp.evidence.claims.verdicts import Rule
from relu_exp.evidence.data.language import Words
from relu_exp.evidence.data.texts import Text, entry, read_texts

__all__ = ["OWN", "WORDS", "Finding", "Own", "own_words"]

WORDS = Words(__package__, "words.yaml")
_FILE = "claims.yaml"
_BECOMES: Mapping[str, Callable[[float, float], float]] = {
    "by": lambda effect, by: effect * by,
    "over": lambda effect, by: by / effect if effect else math.inf,
    "power": lambda effect, by: by**effect,
}
"""How an effect that is stated in terms of a limit becomes the number that a student knows."""


@dataclass(frozen=True)
class Finding:
    """What was measured in some settings of a claim: a clause around `{found}`.

    `where` names the settings, by axis; `becomes` and `amount` turn the effect into the number.
    """

    says: Text
    unit: Unit
    where: Mapping[str, list[str]]
    becomes: str = ""
    amount: float = 1.0
    limit: float | None = None
    """The number that the rule asks for, as it is said."""

    def number(self, effect: float) -> float:
        """Return the number that is said of an effect."""
        return _BECOMES[self.becomes](effect, self.amount) if self.becomes else effect

    @property
    def is_reversed(self) -> bool:
        """Whether a larger effect is a smaller number."""
        return self.becomes == "over"


@dataclass(frozen=True)
class Own:
    """A claim's words: where it holds and where it fails, and what was measured."""

    holds: Text
    fails: Text
    findings: tuple[Finding, ...]
    measure: str = ""
    """The measure that the words were written for; of another one they would say what is false."""


def _read(id: str, values: Mapping[str, Any]) -> Own:
    where = f"{_FILE}: {id}"
    values = dict(values)
    unit = values.pop("unit", "plain")
    listed = values.pop("findings", None) or [{"says": values.pop("finding", None)}]
    findings = tuple(
        entry(Finding, {"unit": unit, "where": {}, **each}, where)
        for each in listed
        if each["says"]
    )
    for each in findings:
        if each.unit not in get_args(Unit) or each.becomes not in ("", *_BECOMES):
            raise ValueError(f"{where}: unknown unit or change of a number")
    return entry(Own, {**values, "findings": findings}, where)


def _read_all() -> dict[str, Own]:
    """Read the words of every claim that has its own."""
    return {id: _read(id, values) for id, values in read_texts(__package__, _FILE).items()}


OWN = _read_all()
"""The words of every claim that has its own, by its id."""


def own_words(claim: Claim) -> Own:
    """Return the words of a claim; where it has none for what its rule measures, general ones."""
    found = OWN.get(claim.id)
    rule = claim.rule
    if found is not None and found.measure in ("", rule.measure):
        return replace(found, findings=tuple(_with_limit(each, rule) for each in found.findings))
    unit: Unit = "times" if rule.ratio or rule.unit == "×" else "plain"
    measure = rule.part_measure or rule.measure
    says = Text(*(text.replace("{measure}", _safe(measure)) for text in WORDS.texts["own_finding"]))
    general = _with_limit(Finding(says, unit, {}), rule)
    return Own(WORDS.texts["own_holds"], WORDS.texts["own_fails"], (general,))


def _with_limit(finding: Finding, rule: Rule) -> Finding:
    """Return a finding with the limit that its numbers are judged by."""
    if rule.threshold is None:
        return finding
    return replace(finding, limit=finding.number(rule.threshold))


def _safe(measure: str) -> str:
    """Return a measure for a sentence: no braces, no names of code, no end of a sentence."""
    words = measure.replace("{", "(").replace("}", ")").replace("_", " ").replace(". ", ", ")
    return words.rstrip(".")
