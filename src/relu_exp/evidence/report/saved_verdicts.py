"""Saved verdicts: reads what `verdicts.json` holds of every claim, and how it was made."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from relu_exp.core.schema import BUDGETS, UsageError
from relu_exp.evidence.claims.verdicts import Bound, Rule
from relu_exp.evidence.data.commands import about_results
from relu_exp.results.reading import read_json

if TYPE_CHECKING:
    from relu_exp.evidence.claims.registry import Claim

__all__ = ["Origin", "of_claim", "origin", "read_verdicts", "rule_as_json"]


@dataclass(frozen=True)
class Origin:
    """The largest budget at which saved claims were decided, and the commit of those claims.

    `commit` is empty where it is unknown or more than one.
    """

    budget: str
    commit: str = ""


def read_verdicts(root: Path) -> dict[str, dict[str, Any]]:
    """Return the verdicts written below `root`, by claim; none where nothing was written.

    Raises:
        UsageError: the file is damaged.
    """
    path = root / "verdicts.json"
    if not (path.exists() or path.is_symlink()):
        return {}
    try:
        rows = read_json(path)
        if not isinstance(rows, list):
            raise ValueError("it is no list of claims")
        for row in rows:
            _check("a claim", row, {"claim": _is_text, "verdict": _is_text})
        found = {row["claim"]: {**_DEFAULTS, **row} for row in rows}
        for row in found.values():
            _check("a claim", row, _FIELDS)
            row["rule"] = {**_RULE_DEFAULTS, **row["rule"]}
            _check("a rule", row["rule"], _RULE)
            for cell in row["cells"]:
                _check("a part", cell, _CELL)
        return found
    except (OSError, ValueError) as error:
        again = about_results("report", results=root, option="")
        raise UsageError(
            f"{path} is damaged ({str(error)[:120]}): {again} writes it again from the results"
        ) from error


def of_claim(claim: Claim, verdicts: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return a claim's row among saved verdicts, or one with the verdict `not decided`."""
    blank = {**_DEFAULTS, "verdict": "not decided", "rule": rule_as_json(claim.rule)}
    return {**blank, **verdicts.get(claim.id, {}), "claim": claim.id, "group": claim.group}


def rule_as_json(rule: Rule) -> dict[str, Any]:
    """Return a rule as JSON holds it."""
    return {**asdict(rule), "since": rule.since.isoformat()}


def origin(verdicts: Mapping[str, dict[str, Any]]) -> Origin | None:
    """Return what saved verdicts rest on, or None where no claim was decided at a budget.

    Versions that did not save the budget by itself named it in each claim's command.
    """
    commits: dict[str, set[str]] = {}
    for row in verdicts.values():
        named = re.search(r" --budget (\w+)", row["command"])
        budget = row["budget"] or (named[1] if named else "")
        if budget in BUDGETS and row["verdict"] != "not decided":
            commits.setdefault(budget, set()).add(row["commit"])
    if not commits:
        return None
    largest = max(commits, key=BUDGETS.index)
    found = commits[largest]
    return Origin(largest, found.pop() if len(found) == 1 else "")


def _check(what: str, row: object, fields: Mapping[str, Callable[[Any], bool]]) -> None:
    if not isinstance(row, dict):
        raise ValueError(f"{what} is no mapping")
    for key, is_sound in fields.items():
        if key not in row or not is_sound(row[key]):
            raise ValueError(f"the {key} of {what} is not valid")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**31


def _is_number(value: Any) -> bool:
    return value is None or type(value) in (int, float)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


_EFFECT: Mapping[str, Callable[[Any], bool]] = dict.fromkeys(("effect", "low", "high"), _is_number)
_FIELDS = {
    **dict.fromkeys(("claim", "group", "verdict", "says", "scope", "command"), _is_text),
    **dict.fromkeys(("statement", "budget", "commit", "says_ko", "answer", "answer_ko"), _is_text),
    "scope_ko": _is_text,
    **dict.fromkeys(("num_seeds", "num_runs"), _is_count),
    **dict.fromkeys(("notes", "notes_ko", "experiments"), _are_texts),
    **_EFFECT,
    **dict.fromkeys(("least", "most"), _is_number),
    "bound": lambda value: value in get_args(Bound),
    "place": _is_text,
    "equivalent": lambda value: isinstance(value, bool),
    "seeds_needed": lambda value: value is None or _is_count(value),
    "rule": lambda value: isinstance(value, dict),
    "cells": lambda value: isinstance(value, list),
}
_RULE = {
    **dict.fromkeys(("measure", "says", "unit"), _is_text),
    "threshold": _is_number,
    "claimed_side": lambda value: value in ("above", "below"),
    "ratio": lambda value: isinstance(value, bool),
    "version": lambda value: _is_count(value) and value > 0,
    **dict.fromkeys(("since", "reason"), _is_text),
}
_DEFAULTS: Mapping[str, Any] = {
    **dict.fromkeys(("group", "says", "scope", "command", "statement", "budget", "commit"), ""),
    **dict.fromkeys(("answer", "answer_ko"), ""),
    **dict.fromkeys(("num_seeds", "num_runs"), 0),
    **dict.fromkeys(("effect", "low", "high", "least", "most", "seeds_needed")),
    "bound": "none",
    "says_ko": "",
    "scope_ko": "",
    "place": "",
    "equivalent": False,
    "notes": [],
    "notes_ko": [],
    "experiments": [],
    "rule": {},
    "cells": [],
}
"""The values of fields that another version did not write."""
_RULE_DEFAULTS: Mapping[str, Any] = {
    **dict.fromkeys(("measure", "says", "unit", "since", "reason"), ""),
    "version": 1,
    "threshold": None,
    "claimed_side": "above",
    "ratio": False,
}
_CELL = {"where": _is_mapping, "verdict": _is_text, **_EFFECT}
