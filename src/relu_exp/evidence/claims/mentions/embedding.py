"""Embedding: all rules as plain data, for a script that marks sentences as `matching` does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from relu_exp.evidence.claims.errata import ERRATA
from relu_exp.evidence.claims.mentions.matching import (
    COMMON,
    Mention,
    common,
    names,
    rules_of_claims,
    rules_of_errata,
)
from relu_exp.evidence.claims.mentions.sentences import PATTERNS, RULES

__all__ = ["rules_as_data"]


def rules_as_data() -> dict[str, Any]:
    """Return the rules, their shorthands written out, so that JSON can hold them.

    Claims are named by their ids, errata by their numbers in `ERRATA`.
    """
    found, named = names()
    return {
        "sentences": {**RULES, **{name: each.pattern for name, each in PATTERNS.items()}},
        "rewrites": COMMON["rewrites"],
        "names": found,
        "named": named.pattern,
        "subject": common("subject").pattern,
        "denial": common("denial").pattern,
        "claims": [(id, _as_data(rules)) for id, rules in rules_of_claims().items()],
        "errata": [(ERRATA.index(each), _as_data(rules)) for each, rules in rules_of_errata()],
    }


def _as_data(rules: Sequence[Mention]) -> list[dict[str, Any]]:
    kinds = ("all", "about", "none")
    return [
        {
            **{kind: [each.pattern for each in getattr(rule, kind)] for kind in kinds},
            "denied": rule.denied,
        }
        for rule in rules
    ]
