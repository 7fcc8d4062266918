"""Sentences: a verdict with its deciding numbers, in each language."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from relu_exp.evidence.claims.answers.deciding import deciding
from relu_exp.evidence.claims.answers.findings import (
    Group,
    measured,
    numbers_of,
    shortly_listed,
)
from relu_exp.evidence.claims.answers.numbers import (
    RATIOS,
    Measured,
    Unit,
    amount,
    limit,
    range_of,
    said,
    signed,
)
from relu_exp.evidence.claims.answers.places import (
    NUM_SHOWN,
    conditions_of,
    in_a_sentence,
    values_without,
)
from relu_exp.evidence.claims.answers.reasons import reason
from relu_exp.evidence.claims.answers.words_of import WORDS, Finding, Own, own_words
from relu_exp.evidence.claims.registry import Claim
from relu_exp.evidence.claims.verdicts import Rule, SettingVerdict, Verdict
from relu_exp.evidence.data.language import LANGUAGES, current_language, in_language, language
from relu_exp.evidence.data.texts import Text

__all__ = ["answer"]

LONGEST = 240
"""Characters of English from which a sentence is shortened."""
LONGEST_IN_FULL = 345
"""Characters of English up to which a sentence names every place that it can."""
MOST_LISTED = 4
"""Settings of which a mean is told with the number of each."""
Detail = Literal["full", "plain", "short"]
"""What a sentence names: every place, places that one condition describes, or only extremes."""


def answer(claim: Claim, verdict: Verdict) -> Text:
    """Return what was found about a claim, in one sentence of each language.

    A long one does not name every place; a longer one names the best and the worst setting only,
    where that makes it shorter.
    """
    found = _sentences(claim, verdict, "full")
    if len(found.en) <= LONGEST_IN_FULL:
        return found
    found = _sentences(claim, verdict, "plain")
    if len(found.en) <= LONGEST:
        return found
    return min(found, _sentences(claim, verdict, "short"), key=lambda text: len(text.en))


def _sentences(claim: Claim, verdict: Verdict, detail: Detail) -> Text:
    sentences = {}
    for name in LANGUAGES:
        with language(name):
            words = own_words(claim)
            sentences[name] = _capital(_sentence(words, claim.rule, verdict, detail))
    return Text(**sentences)


def _sentence(words: Own, rule: Rule, verdict: Verdict, detail: Detail) -> str:
    if verdict.name == "not decided":
        return WORDS("not_decided", because=reason(verdict.text))
    key: str = "equivalent" if verdict.equivalent else verdict.name
    if key == "equivalent" and _sides(verdict)[0]:  # the weakest setting alone shows no difference
        key = "open_somewhere"
    return WORDS(
        key,
        holds=in_language(words.holds),
        fails=in_language(words.fails),
        because=_because(rule, verdict) if key == "inconclusive" else "",
        finding=_finding(words, rule, verdict, detail),
    )


def _finding(words: Own, rule: Rule, verdict: Verdict, detail: Detail) -> str:
    """Return the clause that has the deciding numbers."""
    if rule.kind == "cases":
        return _cases(verdict)
    first = words.findings[0]
    if rule.kind == "share":
        return _share(first, rule, verdict)
    if rule.kind == "either":
        return _either(first, rule, verdict)
    is_mean = rule.kind == "effects" and rule.need == "mean"
    if not verdict.settings or (is_mean and not verdict.place):
        return _mean(first, rule, verdict, detail)
    return _by_settings(words, rule, verdict, detail)


def _cases(verdict: Verdict) -> str:
    if verdict.num_wrong:
        return WORDS("cases_disagree", wrong=verdict.num_wrong, n=verdict.num_cases)
    return WORDS(f"cases_agree{'_two' if verdict.num_cases == 2 else ''}", n=verdict.num_cases)


def _share(finding: Finding, rule: Rule, verdict: Verdict) -> str:
    held, broken = _sides(verdict)
    found = _counts("share_found", len(held), len(broken), len(verdict.settings))
    assert rule.threshold is not None
    assert rule.part_threshold is not None
    part = limit(rule.part_threshold, "above", finding.unit)
    if current_language() == "ko":
        part = part.replace(" 초과", " 넘게")
    needed = WORDS("extra_share", n=amount(rule.threshold, "percent"))
    return _with_extras(_said(finding, found).replace("{part}", part), [needed])


def _counts(key: str, held: int, broken: int, total: int, **values: str) -> str:
    """Return how many settings hold and how many fail; of none it says so in words."""
    none = "neither" if not held and not broken else "no_held" if not held else "no_broken"
    key = key if held and broken else f"{key}_{none}"
    return WORDS(key, held=held, broken=broken, total=total, **values)


def _either(finding: Finding, rule: Rule, verdict: Verdict) -> str:
    held, broken = _sides(verdict)
    assert rule.threshold is not None
    return _counts(
        "either_found",
        len(held),
        len(broken),
        len(verdict.settings),
        finding=_said(finding, amount(verdict.effect, finding.unit, finding.limit)),
        limit=amount(rule.threshold, finding.unit),
    )


def _mean(finding: Finding, rule: Rule, verdict: Verdict, detail: Detail) -> str:
    """Return the mean that decides, with the settings, or with the range over many of them."""
    extras, is_listed = [], False
    found = said(measured(finding, verdict), finding.unit)
    settings = _bounded_alike(verdict)
    numbers = [measured(finding, each) for each in settings]
    known = [each for each in numbers if each.bound == "none"]
    if verdict.bound == "both" and known:
        found = WORDS("where_known", n=range_of(known, finding.unit))
    elif len(numbers) > 1 and verdict.bound != "both":
        found = found if found == WORDS("same") else WORDS("on_average", n=found)
        ends = sorted(numbers, key=lambda each: each.value)
        shown = [said(end, finding.unit) for end in (ends[0], ends[-1])]
        is_listed = len(numbers) <= MOST_LISTED and shown[0] != shown[1] and detail == "full"
        if is_listed:
            listed = shortly_listed(settings, finding)
            extras.append(WORDS("extra_by_setting", found=listed))
        elif known == numbers and shown[0] != shown[1]:
            extras.append(WORDS("extra_range", range=signed(ends[0], ends[-1], finding.unit)))
    ends_are_known = math.isfinite(verdict.low) and math.isfinite(verdict.high)
    if (verdict.equivalent or verdict.name == "inconclusive") and ends_are_known:
        low, high = sorted(finding.number(end) for end in (verdict.low, verdict.high))
        if finding.unit == "percent" and 0 <= verdict.effect <= 1:  # a share of a whole
            low, high = max(low, 0.0), min(high, 1.0)
        ends = [Measured(end, limit=finding.limit) for end in (low, high)]
        extras.append(WORDS("extra_interval", range=signed(ends[0], ends[1], finding.unit)))
    extras += _asked(finding, rule, verdict, [verdict])
    extras += [] if is_listed else _open(verdict)
    if verdict.name == "inconclusive" and len(verdict.settings) > 1:
        held, broken = _sides(verdict)
        for words, some in (("alone_holds", held), ("alone_fails", broken)):
            # more than one condition would take more words than the answer
            if some and len(conditions_of(some, verdict.settings) or ()) == 1:
                alone = numbers_of([Group(some)], verdict.settings, finding)
                extras.append(WORDS(words, found=alone))
    return _with_extras(_said(finding, found), extras)


def _bounded_alike(verdict: Verdict) -> list[SettingVerdict]:
    """Return the settings as bounds where their mean is one: the same end of each's interval.

    Estimates beside a bound of their mean would seem to contradict it.
    """
    if verdict.bound not in ("lower", "upper"):
        return list(verdict.settings)
    return [
        replace(each, bound=verdict.bound) if each.bound == "none" else each
        for each in verdict.settings
    ]


def _open(verdict: Verdict) -> list[str]:
    """Return how many settings show on their own what the mean over all of them shows."""
    held, broken = _sides(verdict)
    alike = {"supported": held, "refuted": broken}.get(verdict.name, [])
    every = verdict.settings
    if verdict.equivalent or len(every) < 2 or not 0 < len(alike) < len(every):
        return []
    found = [_counts("extra_count", len(held), len(broken), len(every))]
    without = values_without(alike, every)
    if len(without) == 1:
        found.append(WORDS(f"extra_none_{verdict.name}", place=in_a_sentence(without[0])))
    return found


def _by_settings(words: Own, rule: Rule, verdict: Verdict, detail: Detail) -> str:
    """Return what was found in the settings that decide, each kind of number in its own clause."""
    clauses = []
    for finding in words.findings:
        every = [each for each in verdict.settings if _is_of(finding, each)]
        if not every:
            continue
        parts = [part for part in _parts(every, rule, verdict) if part.settings]
        if not parts:
            continue
        shown = _best_and_worst(parts, every, rule) if detail == "short" else parts
        found = numbers_of(shown, every, finding, in_full=detail == "full")
        extras = _counted(parts, every, rule, verdict, detail)
        if shown != parts:
            # the ends of those that are shown: a setting that is open may lie beyond them
            num_decided = sum(len(part.settings) for part in parts)
            is_all = num_decided == len(every)
            extras = [WORDS("extra_ends", n=num_decided), *([] if is_all else extras)]
        if verdict.name != "conditional":
            judged = [each for part in parts for each in part.settings]
            extras += _asked(finding, rule, verdict, judged)
        clauses.append(_with_extras(_said(finding, found), extras))
    text = _joined(clauses)
    held, broken = _sides(verdict)
    is_open = verdict.name == "inconclusive" and len(verdict.settings) > 1
    if is_open and (held or broken):
        total = len(verdict.settings)
        count = _counts("extra_count", len(held), len(broken), total)
        text = f"{text[:-1]}; {count})" if text.endswith(")") else _with_extras(text, [count])
    return text


def _parts(every: Sequence[SettingVerdict], rule: Rule, verdict: Verdict) -> list[Group]:
    """Return the settings that a sentence is about: those that decide, or all of them."""
    held = [each for each in every if each.verdict == "supported"]
    broken = [each for each in every if each.verdict == "refuted"]
    if verdict.name == "conditional":
        return [Group(held, "holds_at"), Group(broken, "fails_at")]
    if rule.need == "mean" and held and broken:
        return [Group(held), Group(broken)]
    return [Group(deciding(verdict, rule, every))]


def _best_and_worst(
    parts: Sequence[Group], every: Sequence[SettingVerdict], rule: Rule
) -> list[Group]:
    """Return the parts with the settings at their ends; a mere range has no places to leave out.

    Of settings that hold the best one is kept, of those that fail the worst.
    """
    if len(every) > NUM_SHOWN and len(parts) == 1 and len(parts[0].settings) == len(every):
        return list(parts)

    def lean(setting: SettingVerdict) -> float:
        # by the number that is told; of exceptions every one is one too many
        is_more = rule.claimed_side == "above" and rule.kind != "counts"
        return setting.effect if is_more else -setting.effect

    kept = []
    for part in parts:
        ends = [max(part.settings, key=lean), min(part.settings, key=lean)]
        if part.words or len(parts) > 1:
            ends = ends[:1] if part.settings[0].verdict == "supported" else ends[1:]
        kept += [Group([one], part.words) for one in ends[: 1 if ends[0] is ends[-1] else 2]]
    return list(parts) if sum(len(part.settings) for part in parts) == len(kept) else kept


def _counted(
    parts: Sequence[Group],
    every: Sequence[SettingVerdict],
    rule: Rule,
    verdict: Verdict,
    detail: Detail,
) -> list[str]:
    """Return in how many settings it is so, where the numbers do not say it."""
    shown = [each for part in parts for each in part.settings]
    if len(shown) < len(every):
        if verdict.name != "conditional" and rule.need != "every":
            return []
        others = [each for each in every if each not in shown]
        count = WORDS("extra_open", n=len(others))
        places = conditions_of(others, every) if detail == "full" else None
        if places is None or len(places) > 1:
            return [count]
        return [WORDS("extra_open_at", count=count, place=in_a_sentence(places[0]))]
    if len(every) == 1 or (len(parts) == 1 and len(every) <= NUM_SHOWN) or len(parts) > 1:
        return []
    is_settled = verdict.name in ("supported", "refuted")
    return [WORDS("extra_all" if is_settled else "extra_over", n=len(every))]


def _joined(clauses: Sequence[str]) -> str:
    """Return clauses as one sentence; in Korean all but the last go on."""
    if current_language() != "ko":
        return "; ".join(clauses)
    *others, last = clauses or [""]
    return ", ".join([*("이고".join(each.rsplit("이다", 1)) for each in others), last])


def _asked(
    finding: Finding, rule: Rule, verdict: Verdict, judged: Sequence[Verdict | SettingVerdict]
) -> list[str]:
    """Return what the claim needs, where the numbers alone do not show that they fall short."""
    if rule.threshold is None or verdict.equivalent or verdict.name == "supported":
        return []
    neutral = 1.0 if finding.unit in RATIOS else 0.0 if finding.unit in ("points", "size") else None
    threshold = finding.number(rule.threshold)
    opposite = neutral is not None and all(
        (finding.number(each.effect) - neutral) * (threshold - neutral) < 0 for each in judged
    )
    if verdict.name == "refuted" and opposite:
        return []
    is_above = (rule.claimed_side == "above") != finding.is_reversed
    return [_limit(threshold, "above" if is_above else "below", finding.unit)]


def _limit(threshold: float, side: str, unit: Unit) -> str:
    return WORDS("extra_limit", limit=limit(threshold, side, unit))


def _because(rule: Rule, verdict: Verdict) -> str:
    """Return why a claim is open."""
    if verdict.num_seeds < 2:
        return WORDS(f"one_{rule.over}")
    if any("on its own (p = " in note for note in verdict.notes):  # Holm's correction took it back
        return WORDS(f"few_{rule.over}s_among_many", n=verdict.num_seeds)
    if verdict.bound != "none":
        return WORDS("never_arrives")
    if verdict.seeds_needed is None:
        return WORDS("too_near")
    return WORDS(f"few_{rule.over}s", n=verdict.num_seeds)


def _sides(verdict: Verdict) -> tuple[list[SettingVerdict], list[SettingVerdict]]:
    held = [each for each in verdict.settings if each.verdict == "supported"]
    return held, [each for each in verdict.settings if each.verdict == "refuted"]


def _is_of(finding: Finding, setting: SettingVerdict) -> bool:
    return all(setting.where.get(axis) in values for axis, values in finding.where.items())


def _said(finding: Finding, found: str) -> str:
    return in_language(finding.says).replace("{found}", found)


def _with_extras(text: str, extras: Sequence[str]) -> str:
    return WORDS("extras", finding=text, extras="; ".join(extras)) if extras else text


def _capital(text: str) -> str:
    return text if text.startswith(("tanh", "max(")) else text[:1].upper() + text[1:]
