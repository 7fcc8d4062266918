"""Said in Korean: whole sentences by the templates that match them, lists by their phrases."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from relu_exp.evidence.claims.answers.places import PLACE_VALUES
from relu_exp.evidence.claims.korean.templates import ITEMS, PLAIN, Template, catalogue
from relu_exp.evidence.claims.registry import Literature
from relu_exp.evidence.claims.verdicts import Rule, Verdict
from relu_exp.evidence.data.labels import NAMES, korean_label

__all__ = [
    "change_in_korean",
    "data_note_in_korean",
    "in_korean",
    "measure_in_korean",
    "paper_in_korean",
    "rule_in_korean",
    "with_korean",
]


def in_korean(text: str) -> str:
    """Return the sentences of a verdict in Korean; empty where no template matches one of them."""
    return _sentences(text) or ""


def with_korean(verdict: Verdict) -> Verdict:
    """Return a verdict with its text, scope and notes in Korean too, as far as they are known."""
    return replace(
        verdict,
        text_ko=verdict.text_ko or in_korean(verdict.text),
        scope_ko=in_korean(verdict.scope),
        notes_ko=tuple(map(in_korean, verdict.notes)),
    )


def change_in_korean(reason: str) -> str:
    """Return what has changed since runs were made in Korean; what is not known stays."""
    return _items(reason)


def data_note_in_korean(note: str) -> str:
    """Return a note on a data set in Korean; one that no template matches stays."""
    return _by_template(note, "data_note") or note


def paper_in_korean(paper: Literature) -> Literature | None:
    """Return what a paper found in Korean; None where that is not known."""
    found = _by_template(paper.found, "found")
    known = _by_template(paper.known, "known")
    if found is None or known is None:
        return None
    reference = _by_template(paper.reference, "paper") or paper.reference
    return replace(paper, reference=reference, found=found, known=known)  # type: ignore[arg-type]


def rule_in_korean(rule: Rule) -> str:
    """Return what a rule asks and measures in Korean; empty where that is not known in full."""
    says = _by_template(rule.says, "rule") or ""
    if rule.is_exact or not says:
        return says
    measure = measure_in_korean(rule.measure)
    return f"{says}; 측정량: {measure}" if measure else ""


def measure_in_korean(measure: str) -> str:
    """Return what a rule measures in Korean; empty where that is not known."""
    return _by_template(measure, "measure") or ""


@cache
def _sentences(text: str) -> str | None:
    """Return one sentence or several in Korean; the longest beginning that is known goes first."""
    if (whole := _by_template(text, "sentence")) is not None:
        return whole
    for end in reversed([match.end() for match in re.finditer(r"\.(?= )", text)]):
        first = _by_template(text[:end], "sentence")
        rest = None if first is None else _sentences(text[end + 1 :])
        if rest is not None:
            return f"{first} {rest}"
    return None


def _by_template(text: str, kind: str) -> str | None:
    """Return the Korean of the first template of a kind that matches with all of its values."""
    for template, pattern in _patterns(kind):
        if match := pattern.fullmatch(text):
            values = {name: _value(match[name], of) for name, of in template.kinds.items()}
            if None not in values.values():
                return template.ko.format_map(values)
    return None


@cache
def _patterns(kind: str) -> tuple[tuple[Template, re.Pattern[str]], ...]:
    return tuple((each, re.compile(each.pattern, re.DOTALL)) for each in catalogue()[kind])


def _value(text: str, kind: str) -> str | None:
    if kind in PLAIN:
        return text
    if kind in (ITEMS, "listed", "word"):
        return _items(text)
    return _sentences(text) if kind == "sentences" else _by_template(text, kind)


class _Phrases(NamedTuple):
    """Every phrase as one pattern, and by number its template and the groups of its values."""

    pattern: re.Pattern[str]
    templates: Mapping[str, tuple[Template, Mapping[str, str]]]


@cache
def _phrases() -> _Phrases:
    names = {name: korean_label(shown) for name, shown in NAMES.items()}
    places = {value: text.ko for value, text in PLACE_VALUES.items()}
    plain = {name: Template.read(name, korean) for name, korean in {**names, **places}.items()}
    known = plain | {each.en: each for each in catalogue()["phrase"]}
    templates, patterns = {}, []
    for number, each in enumerate(sorted(known.values(), key=lambda one: -len(one.en))):
        key, pattern = f"p{number}", each.pattern
        if not each.kinds and each.en[0].isalpha():
            pattern = re.escape(each.en)
        groups = {name: f"{key}_{name}" for name in each.kinds}
        for name, group in groups.items():
            pattern = pattern.replace(f"(?P<{name}>", f"(?P<{group}>")
        patterns.append(f"(?P<{key}>{pattern})")
        templates[key] = (each, groups)
    return _Phrases(re.compile(rf"(?<![\w.])(?:{'|'.join(patterns)})(?!\w)"), templates)


def _items(text: str) -> str:
    """Return a list of values with its phrases in Korean; numbers and other names stay."""
    pattern, templates = _phrases()

    def korean(match: re.Match[str]) -> str:
        key = next(key for key in templates if match[key] is not None)
        template, groups = templates[key]
        values = {name: _value(match[groups[name]], of) for name, of in template.kinds.items()}
        return template.ko.format_map(values)

    return pattern.sub(korean, text)
