"""Computed cases: what claims about formulas have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from relu_exp.evidence.claims.registry import Evidence, MissingRunsError, claim
from relu_exp.evidence.claims.verdicts import Effects, Rule

__all__ = ["agreeing", "cases_of", "computed", "formula", "listed"]

EXPERIMENT = "formulas"
NUM_SHOWN = 3


def formula(
    id: str, *, measure: str, says: str, **stated: Any
) -> Callable[[Callable[[Evidence], Effects]], Callable[[Evidence], Effects]]:
    """Register a claim of computed cases, every one of which must hold."""
    rule = Rule(measure=measure, says=says, kind="cases", need="every")
    return claim(id, group="A", experiments=EXPERIMENT, rule=rule, **stated)


def cases_of(evidence: Evidence, check: str) -> pd.DataFrame:
    """Return the cases of one check.

    Raises:
        MissingRunsError: it was not computed.
    """
    table = evidence[EXPERIMENT].studied("checks")
    found = table[table["check"] == check] if len(table) else table
    if found.empty:
        raise MissingRunsError(f"{EXPERIMENT} holds no {check}: {evidence.run(EXPERIMENT)}")
    return found


def computed(evidence: Evidence, check: str, scope: str, notes: Sequence[str] = ()) -> Effects:
    """Return the cases of one check as effects."""
    return agreeing(cases_of(evidence, check), scope, notes)


def agreeing(cases: pd.DataFrame, scope: str, notes: Sequence[str]) -> Effects:
    """Return cases with the counter-examples printed."""
    wrong = cases[~cases["holds"].astype(bool)]
    if wrong.empty:
        text = f"All {len(cases)} cases agree."
    else:
        shown = "; ".join(_said(case) for case in wrong.head(NUM_SHOWN).itertuples())
        text = f"{len(wrong)} of {len(cases)} cases do not agree: {shown}."
    return Effects(cases, scope=scope, notes=notes, text=text)


def listed(evidence: Evidence, check: str, *, failing: bool = False, matching: str = "") -> str:
    """Return what the cases of a check found; of `failing` ones also what was stated."""
    cases = cases_of(evidence, check)
    cases = cases[cases["case"].str.contains(matching)]
    if failing:
        wrong = cases[~cases["holds"].astype(bool)]
        return "; ".join(_said(case) for case in wrong.itertuples())
    return "; ".join(
        f"{case}: {_number(found)}"
        for case, found in zip(cases["case"], cases["found"], strict=True)
    )


def _said(case: Any) -> str:
    """Return one case in words: what is stated and what is found."""
    detail = f" ({case.detail})" if case.detail else ""
    return f"{case.case}: stated {_number(case.expected)}, found {_number(case.found)}{detail}"


def _number(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")
