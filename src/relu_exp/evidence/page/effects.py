"""Effects in the unit of the claim's sentence, so that a page has one number for one thing."""

from __future__ import annotations

import math
from collections.abc import Mapping

from relu_exp.evidence.claims.answers.deciding import deciding
from relu_exp.evidence.claims.answers.numbers import RATIOS, Unit, amount, digits
from relu_exp.evidence.claims.answers.words_of import Finding, own_words
from relu_exp.evidence.claims.registry import Claim
from relu_exp.evidence.claims.verdicts import SettingVerdict, Verdict
from relu_exp.evidence.data.texts import Text
from relu_exp.evidence.page.words import WORDS

__all__ = ["claimed_words", "effect_words", "factor_of", "limit_words", "seeds_words"]

_UNITS: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(RATIOS, ("×", "배")),
    "percent": ("%", "%"),
    "points": (" points", "%p"),
    "size": (" points", "%p"),
    "plain": ("", ""),
}
_TO = (" to ", " ~ ")


def effect_words(claim: Claim, found: Verdict | SettingVerdict) -> Text | None:
    """Return an effect with its interval; of a bound the end that is known.

    Of a conditional claim it is the range over its settings, and of one that single settings
    decide the range over those, as its sentence has it. None where there is none, and of a verdict
    on settings that are measured in different units.
    """
    finding = _finding(claim, found)
    if finding is None or math.isnan(found.effect):
        return None
    if isinstance(found, Verdict):
        if math.isfinite(found.least + found.most):
            return _range(finding, found.least, found.most)
        settings = _deciding(claim, found)
        if len(settings) == 1:
            return effect_words(claim, settings[0])
        if settings:
            effects = [each.effect for each in settings]
            return _range(finding, min(effects), max(effects))
    if found.bound == "both":
        return WORDS["not_known"]
    if found.bound != "none":
        end = found.low if found.bound == "lower" else found.high
        is_lower = (found.bound == "lower") != finding.is_reversed
        words = WORDS["at_least_n" if is_lower else "at_most_n"]
        (number,) = _numbers(finding, end if math.isfinite(end) else found.effect)
        return _filled(words, number, finding)
    (number,) = _numbers(finding, found.effect)
    return Text(*(f"{number}{unit}{_interval(finding, found)}" for unit in _units(finding)))


def _interval(finding: Finding, found: Verdict | SettingVerdict) -> str:
    """Return the interval of an effect in brackets; a share of a whole lies between 0 and 1."""
    if not math.isfinite(found.low + found.high):
        return ""
    low, high = sorted(map(finding.number, (found.low, found.high)))
    if finding.unit == "percent" and 0 <= finding.number(found.effect) <= 1:
        low, high = max(low, 0.0), min(high, 1.0)
    return f" [{', '.join(_bare(end, finding.unit) for end in (low, high))}]" if low != high else ""


def seeds_words(claim: Claim, verdict: Verdict) -> Text:
    """Return over how many seeds, repeats or sets of seeds a verdict is, setting by setting."""
    counts = [each.num_seeds for each in verdict.settings]
    key = f"over_{claim.rule.over}s"
    if claim.rule.kind != "effects" or len(counts) < 2 or {*counts} == {verdict.num_seeds}:
        return _with_number(WORDS[key], f"{verdict.num_seeds}")
    low, high = min(counts), max(counts)
    number = f"{low}" if low == high else f"{low}–{high}"
    return _with_number(WORDS[f"{key}_each"], number)


def limit_words(claim: Claim, limit: float) -> Text | None:
    """Return a limit in the unit of the claim's settings; None where each part has its own."""
    findings = own_words(claim).findings
    if len(findings) != 1 or findings[0].becomes:
        return None
    (number,) = _numbers(findings[0], limit)
    return Text(*(f"{number}{unit}" for unit in _units(findings[0])))


def claimed_words(claim: Claim) -> Text | None:
    """Return what a rule asks of an effect; None where it is exact or each part has its own."""
    rule = claim.rule
    finding = _finding(claim, None)
    if rule.threshold is None or finding is None or finding.becomes:
        return None
    (number,) = _numbers(finding, rule.threshold)
    return _filled(WORDS[f"claimed_{rule.claimed_side}"], number, finding)


def factor_of(claim: Claim) -> float:
    """Return by what the effects of settings are multiplied to be numbers of their unit."""
    findings = own_words(claim).findings
    is_share = len(findings) == 1 and findings[0].unit in ("percent", "points", "size")
    return 100.0 if is_share and not findings[0].becomes else 1.0


def _finding(claim: Claim, found: Verdict | SettingVerdict | None) -> Finding | None:
    """Return how a number of a claim is read; None of a verdict on several kinds of numbers."""
    findings = own_words(claim).findings
    if isinstance(found, SettingVerdict):
        here = (
            each
            for each in findings
            if all(found.where.get(axis) in values for axis, values in each.where.items())
        )
        return next(here, None)
    if claim.rule.kind == "share":
        return Finding(Text("", ""), "percent", {})
    return findings[0] if len(findings) == 1 else None


def _deciding(claim: Claim, verdict: Verdict) -> list[SettingVerdict]:
    """Return the settings whose range a verdict's number is; none where it has one of its own.

    Where some are bounds there is no range: the number is that of the setting that decides.
    """
    if len(verdict.settings) < 2 or not (verdict.place or claim.rule.kind == "counts"):
        return []
    found = deciding(verdict, claim.rule)
    return [] if any(each.bound != "none" for each in found) else found


def _range(finding: Finding, *ends: float) -> Text:
    low, high = _numbers(finding, *ends)
    if low == high:
        return Text(*(f"{low}{unit}" for unit in _units(finding)))
    return Text(*(f"{low}{to}{high}{unit}" for to, unit in zip(_TO, _units(finding), strict=True)))


def _with_number(words: Text, number: str) -> Text:
    return Text(*(text.replace("{n}", number) for text in words))


def _filled(words: Text, number: str, finding: Finding) -> Text:
    english, korean = _units(finding)
    if english == " points" and number.lstrip("−") == "1":
        english = " point"
    return Text(
        words.en.replace("{n}", f"{number}{english}"), words.ko.replace("{n}", f"{number}{korean}")
    )


def _units(finding: Finding) -> tuple[str, str]:
    return _UNITS[finding.unit]


def _numbers(finding: Finding, *effects: float) -> list[str]:
    return [_bare(finding.number(effect), finding.unit) for effect in effects]


def _bare(value: float, unit: Unit) -> str:
    """Return a number without its unit, as the sentences write it."""
    if unit not in ("percent", "points", "size"):
        return digits(value)
    text = amount(abs(value), "percent").removesuffix("%")
    return f"−{text}" if value < 0 and text != "0" else text
