"""Findings: the numbers of settings, each with where it was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from relu_exp.evidence.claims.answers.numbers import Measured, join, range_of, shortly
from relu_exp.evidence.claims.answers.places import (
    NUM_SHOWN,
    blocks_of,
    conditions_of,
    each_of,
    in_a_sentence,
)
from relu_exp.evidence.claims.answers.words_of import WORDS, Finding
from relu_exp.evidence.claims.verdicts import SettingVerdict, Verdict

__all__ = ["Group", "measured", "numbers_of", "shortly_listed"]


@dataclass(frozen=True)
class Group:
    """Settings whose numbers are given together, and the words around them."""

    settings: list[SettingVerdict]
    words: str = ""


def measured(finding: Finding, one: Verdict | SettingVerdict) -> Measured:
    """Return the number of an effect; of a bound the end of its interval that is known."""
    effect = one.effect
    bound = one.bound
    if bound == "lower" and one.low > float("-inf"):
        effect = one.low
    elif bound == "upper" and one.high < float("inf"):
        effect = one.high
    if finding.is_reversed and bound in ("lower", "upper"):
        bound = "upper" if bound == "lower" else "lower"
    return Measured(finding.number(effect), bound, finding.limit)


def numbers_of(
    groups: Sequence[Group],
    every: Sequence[SettingVerdict],
    finding: Finding,
    *,
    in_full: bool = False,
) -> str:
    """Return the numbers of groups of settings, each with its place unless all are in one.

    Where no short condition says where, settings are counted; `in_full` they are named.
    """
    filled = [group for group in groups if group.settings]
    phrases = []
    for number, group in enumerate(filled):
        goes_on = number < len(filled) - 1
        phrases.append(_group(group, every, finding, goes_on, in_full))
    return join(phrases)


def shortly_listed(every: Sequence[SettingVerdict], finding: Finding) -> str:
    """Return each setting's number at its place for parentheses: differences carry their sign."""
    return join([
        WORDS("at", n=shortly(measured(finding, each), finding.unit), place=in_a_sentence(place))
        for place, each in each_of(every)
    ])  # fmt: skip


def _group(
    group: Group,
    every: Sequence[SettingVerdict],
    finding: Finding,
    goes_on: bool,
    in_full: bool,
) -> str:
    some = group.settings
    numbers = [measured(finding, each) for each in some]
    if len(every) == 1:
        found = range_of(numbers, finding.unit, goes_on=goes_on)
    elif len(some) == len(every) and len(every) <= NUM_SHOWN:
        found = _listed(every, finding, goes_on)
    elif len(some) == len(every):
        found = range_of(numbers, finding.unit, goes_on=goes_on)
    else:
        number = range_of(numbers, finding.unit, goes_on=goes_on)
        places = conditions_of(some, every)
        blocks = blocks_of(some, every) if in_full and places is None else None
        if blocks is not None:
            found = WORDS("at", n=number, place=WORDS("or").join(map(in_a_sentence, blocks)))
        elif places is None:
            found = WORDS("in_some", n=number, num=len(some), total=len(every))
        else:
            found = WORDS("at", n=number, place=join([in_a_sentence(place) for place in places]))
    return WORDS(group.words, found=found) if group.words else found


def _listed(every: Sequence[SettingVerdict], finding: Finding, goes_on: bool) -> str:
    """Return each setting's number at its place; one number where they are the same in print."""
    shown = {range_of([measured(finding, each)], finding.unit) for each in every}
    if len(shown) == 1:
        return range_of([measured(finding, every[0])], finding.unit, goes_on=goes_on)
    phrases = []
    for index, (place, each) in enumerate(each_of(every)):
        is_last = index == len(every) - 1
        number = range_of([measured(finding, each)], finding.unit, goes_on=goes_on or not is_last)
        phrases.append(WORDS("at", n=number, place=in_a_sentence(place)))
    return join(phrases)
