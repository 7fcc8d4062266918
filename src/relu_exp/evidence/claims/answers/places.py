"""Places: settings of a claim's grid, in words that a reader can act on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, permutations, product
from typing import Any

from relu_exp.evidence.claims.answers.numbers import join
from relu_exp.evidence.claims.verdicts import SettingVerdict
from relu_exp.evidence.data.labels import NAMES, korean_label
from relu_exp.evidence.data.language import current_language, in_language
from relu_exp.evidence.data.texts import Text, as_text, read_texts

__all__ = [
    "NUM_SHOWN",
    "PLACE_VALUES",
    "Where",
    "blocks_of",
    "conditions_of",
    "each_of",
    "in_a_sentence",
    "in_words",
    "label_words",
    "plain",
    "values_without",
]

Where = dict[str, tuple[str, ...]]
"""A condition: values of some axes of the grid, of which a setting has one each."""
NUM_SHOWN = 3
"""Conditions that a sentence names before it counts the others."""
_DATA: Mapping[str, Any] = read_texts(__package__, "places.yaml")
_AXES = {key: as_text(value, f"places.yaml: {key}") for key, value in _DATA["axes"].items()}
PLACE_VALUES = {
    key: as_text(value, f"places.yaml: {key}") for key, value in _DATA["values"].items()
}
_WHOLE = {key: as_text(value, f"places.yaml: {key}") for key, value in _DATA["whole"].items()}
_PAIR = re.compile(r"^(\w+) over (\w+)$")
_PATTERNS = [(re.compile(each["is"]), Text(each["en"], each["ko"])) for each in _DATA["patterns"]]
_LABELS = [(re.compile(each["is"]), each["ko"]) for each in _DATA["labels"]]


def conditions_of(
    some: Sequence[SettingVerdict], every: Sequence[SettingVerdict]
) -> list[Where] | None:
    """Return the shortest conditions that some settings of all fulfil and no other one does.

    None where more than a few are needed. An axis on which all settings agree is left out.
    """
    axes = _varying(every)
    others = [each for each in every if each not in some]
    for count in range(1, len(axes) + 1):
        for chosen in combinations(axes, count):
            here = _values(some, chosen)
            if here & _values(others, chosen):
                continue
            columns = [tuple(dict.fromkeys(v)) for v in zip(*_ordered(some, chosen), strict=True)]
            if set(product(*columns)) == here:
                return [dict(zip(chosen, columns, strict=True))]
            if len(here) <= NUM_SHOWN:
                return [
                    {axis: (value,) for axis, value in zip(chosen, values, strict=True)}
                    for values in dict.fromkeys(_ordered(some, chosen))
                ]
    return None


def values_without(some: Sequence[SettingVerdict], every: Sequence[SettingVerdict]) -> list[Where]:
    """Return the values of an axis, shared by several settings, that none of some settings has."""
    found: list[Where] = []
    for axis in _varying(every):
        values = [each.where[axis] for each in every]
        there = {each.where[axis] for each in some}
        found += [
            {axis: (value,)}
            for value in dict.fromkeys(values)
            if value not in there and values.count(value) > 1
        ]
    return found


def blocks_of(
    some: Sequence[SettingVerdict], every: Sequence[SettingVerdict]
) -> list[Where] | None:
    """Return a few conditions that together some settings fulfil and no other one does.

    Each is the largest that is left. None where more than a few are needed.
    """
    axes = _varying(every)
    here, left = _values(some, axes), dict.fromkeys(_ordered(some, axes))
    found: list[Where] = []
    while left and len(found) < NUM_SHOWN:
        grown = (
            _grown(one, order, here) for one in left for order in permutations(range(len(axes)))
        )
        block = max(grown, key=lambda each: len({*product(*each)} & left.keys()))
        left = {one: None for one in left if one not in {*product(*block)}}
        whole = [{each.where[axis] for each in every} for axis in axes]
        found.append(
            {axis: values for axis, values, all_ in zip(axes, block, whole, strict=True)
             if {*values} != all_}
        )  # fmt: skip
    return None if left else found


def _grown(
    one: tuple[str, ...], order: Sequence[int], here: set[tuple[str, ...]]
) -> list[tuple[str, ...]]:
    """Return a setting with more values of its axes, in an order, as long as all are among some."""
    block: list[tuple[str, ...]] = [(value,) for value in one]
    for place in order:
        for other in dict.fromkeys(each[place] for each in sorted(here)):
            wider = [*block]
            wider[place] = (*block[place], other)
            if other not in block[place] and {*product(*wider)} <= here:
                block = wider
    return block


def in_words(where: Where) -> str:
    """Return a condition in words, as in "with tanh at depth 4"; in Korean as a noun phrase."""
    return (", " if current_language() == "ko" else " ").join(_phrases(where))


def in_a_sentence(where: Where) -> str:
    """Return a condition in words that others may follow: Korean has all but the first in brackets.

    Not where the first one ends with a bracket itself.
    """
    first, *others = _phrases(where) or [""]
    if current_language() == "ko" and others and not first.endswith(")"):
        return f"{first}({', '.join(others)})"
    return in_words(where)


def _phrases(where: Where) -> list[str]:
    """Return what each axis of a condition adds to its words."""
    phrases = []
    for axis, values in where.items():
        if len(values) == 1 and values[0] in _WHOLE:
            phrases.append(in_language(_WHOLE[values[0]]))
            continue
        shown = join([plain(value) for value in values], "·")
        template = _AXES.get(axis, _AXES["other"])
        phrases.append(in_language(template).format(n=shown, axis=axis.replace("_", " ")))
    return phrases


def each_of(every: Sequence[SettingVerdict]) -> Iterator[tuple[Where, SettingVerdict]]:
    """Yield settings, each with what tells it from the others."""
    axes = _varying(every)
    for setting in every:
        yield {axis: (setting.where[axis],) for axis in axes}, setting


def plain(value: str) -> str:
    """Return a value of an axis in words, without names that only code uses."""
    if value in PLACE_VALUES:
        return in_language(PLACE_VALUES[value])
    if value in NAMES:
        return korean_label(NAMES[value]) if current_language() == "ko" else NAMES[value]
    value = _PAIR.sub(lambda pair: f"{plain(pair[1])} over {plain(pair[2])}", value)
    for pattern, text in _PATTERNS:
        value = pattern.sub(in_language(text), value)
    for name, shown in NAMES.items():
        if "_" in name:
            value = value.replace(name, shown)
    if re.fullmatch(r"\d+\.0", value):
        value = value.removesuffix(".0")
    value = re.sub(r"(?<! )=(?! )", " ", value.replace("_", " "))
    value = re.sub(r"(?<![\d.])\d{4,}$", lambda number: f"{int(number[0]):,}", value)
    return korean_label(value) if current_language() == "ko" else value


def label_words(label: str) -> str:
    """Return a label of figures in words, for a legend or a list to choose from."""
    if current_language() == "en":
        return plain(label)
    label = re.sub(r"(?<=gain=)[\d.]+", lambda gain: f"{float(gain[0]):.3g}", label)
    for pattern, korean in _LABELS:
        label = pattern.sub(korean, label)
    return korean_label(label) if label in NAMES.values() else plain(label)


def _varying(every: Sequence[SettingVerdict]) -> list[str]:
    axes = list(every[0].where) if every else []
    return [axis for axis in axes if len({each.where[axis] for each in every}) > 1]


def _ordered(some: Iterable[SettingVerdict], axes: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(each.where[axis] for axis in axes) for each in some]


def _values(some: Iterable[SettingVerdict], axes: Sequence[str]) -> set[tuple[str, ...]]:
    return set(_ordered(some, axes))
