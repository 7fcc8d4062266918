"""Matching: which claims and errata a sentence makes, by rules that are data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from relu_exp.evidence.claims.errata import ERRATA, Erratum
from relu_exp.evidence.claims.mentions.sentences import RULES, Sentence
from relu_exp.evidence.data.texts import read_texts

__all__ = [
    "COMMON",
    "Mention",
    "claims_of",
    "common",
    "errata_of",
    "names",
    "plain",
    "rules_of_claims",
    "rules_of_errata",
]

COMMON: Mapping[str, Any] = read_texts(__package__, "names.yaml")
"""How a sentence is read, and what all rules use."""

_GROUPS = ("A", "B", "C", "D", "E", "F")
_KEYS = {"all", "about", "none", "denied"}


@dataclass(frozen=True)
class Mention:
    """A rule: a sentence makes the claim if all of `all` occur in it, and none of `none`.

    `about` must occur in the sentence or in what it stands under; of that, the nearest piece that
    names a function decides for a pattern that names one. A sentence that denies something, as
    `names.yaml` says, matches only a rule whose own patterns see to that: one that is `denied`.
    """

    all: tuple[re.Pattern[str], ...]
    about: tuple[re.Pattern[str], ...] = ()
    none: tuple[re.Pattern[str], ...] = ()
    denied: bool = False

    def matches(self, text: str, context: Sequence[str]) -> bool:
        """Return whether a sentence makes the claim; of its context the nearest is last."""
        return (
            all(each.search(text) for each in self.all)
            and (self.denied or not common("denial").search(text))
            and not any(each.search(text) for each in self.none)
            and all(each.search(text) or _is_about(each, context) for each in self.about)
        )


def claims_of(sentence: Sentence) -> list[str]:
    """Return the ids of the claims that a sentence makes, in the order of the claims."""
    return [id for id, rules in rules_of_claims().items() if _any_matches(rules, sentence)]


def errata_of(sentence: Sentence) -> list[Erratum]:
    """Return the errata that a sentence makes, by rules of their own."""
    return [each for each, rules in rules_of_errata() if _any_matches(rules, sentence)]


def _is_about(pattern: re.Pattern[str], context: Sequence[str]) -> bool:
    subject = common("subject")
    for piece in reversed(context):
        if pattern.search(piece):
            return True
        if "@" in pattern.pattern and subject.search(piece):
            return False
    return False


def _any_matches(rules: tuple[Mention, ...], sentence: Sentence) -> bool:
    text = plain(sentence.text)
    if text.endswith("?") or len(text) > RULES["longest"]:
        return False
    context = [plain(each) for each in sentence.context]
    return any(rule.matches(text, context) for rule in rules)


@cache
def plain(text: str) -> str:
    """Return a text as rules read it: lower case, without markup, functions by one name each."""
    text = text.lower()
    for pattern, new in COMMON["rewrites"]:
        text = re.sub(pattern, new, text)
    found, named = names()

    def name(word: re.Match[str]) -> str:
        return f"@{found[word.lastindex - 1]}" if word.lastindex else word[0]

    return " ".join(named.sub(name, text).split())


@cache
def names() -> tuple[list[str], re.Pattern[str]]:
    """Return the names of functions, and the pattern that has a group for each.

    It also takes every other word as a whole, so that no name is found within one.
    """
    data: Mapping[str, str] = COMMON["names"]
    groups = "|".join(f"({pattern})" for pattern in data.values())
    return list(data), re.compile(f"{groups}|[a-z]+")


@cache
def common(name: str) -> re.Pattern[str]:
    """Return a pattern that every rule obeys."""
    return _compiled(COMMON[name])


def _compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern, with shorthands such as `<faster>` written out."""
    words: Mapping[str, str] = COMMON["words"]
    while short := re.search(r"<([a-z_]+)>", pattern):
        pattern = pattern.replace(short[0], f"(?:{words[short[1]]})")
    return re.compile(pattern)


@cache
def rules_of_claims() -> dict[str, tuple[Mention, ...]]:
    """Return the rules of every claim that has some, by its id."""
    return {
        id: tuple(_mentions(id, rules))
        for group in _GROUPS
        for id, rules in read_texts(__package__, f"{group}.yaml").items()
    }


@cache
def rules_of_errata() -> tuple[tuple[Erratum, tuple[Mention, ...]], ...]:
    """Return errata with rules of their own; each is named by its document and what is written."""
    return tuple(
        (_erratum(key), tuple(_mentions(key, rules)))
        for key, rules in read_texts(__package__, "errata.yaml").items()
    )


def _erratum(key: str) -> Erratum:
    document, _, phrase = key.partition(": ")
    found = [e for e in ERRATA if e.document == document and phrase in e.written.en]
    if len(found) != 1:
        raise ValueError(f"errata.yaml: {key!r} names {len(found)} errata")
    return found[0]


def _mentions(name: str, rules: list[Mapping[str, Any]]) -> Iterator[Mention]:
    for rule in rules:
        if unknown := [key for key in rule if key not in _KEYS]:
            raise ValueError(f"the rules of {name}: unknown key {unknown[0]!r}")
        patterns = {
            key: tuple(_compiled(pattern) for pattern in rule.get(key, ()))
            for key in ("all", "about", "none")
        }
        yield Mention(**patterns, denied=rule.get("denied", False))
