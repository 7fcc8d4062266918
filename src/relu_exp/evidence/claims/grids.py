"""Rules that every part of a grid must satisfy, or some part, instead of the mean over it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import pandas as pd

from relu_exp.evidence.claims.verdicts import (
    ALPHA,
    Cell,
    Rule,
    Verdict,
    VerdictName,
    judge,
    seeds_to_decide,
)

__all__ = ["judge_cells"]


def judge_cells(
    effects: pd.DataFrame,
    rule: Rule,
    *,
    need: Literal["every", "some"],
    scope: str,
    run_ids: Sequence[str] = (),
) -> Verdict:
    """Return the verdict of a rule that every part of the grid, or some part, must satisfy.

    `judge` lets the mean over the grid decide, which suits one effect seen in several places. A
    ranking holds only if each of its steps does (`every`; held by some and broken by others it is
    conditional), and "can be worse" holds if it is so anywhere (`some`). Parts are decided at a
    level corrected for their number, and so is the p-value.
    """
    verdict = judge(effects, rule, scope=scope, run_ids=run_ids)
    if not verdict.cells:
        return verdict
    held = [cell for cell in verdict.cells if cell.verdict == "supported"]
    broken = [cell for cell in verdict.cells if cell.verdict == "refuted"]
    name: VerdictName = "inconclusive"
    if need == "some":
        if held:
            name = "supported"
        elif len(broken) == len(verdict.cells):
            name = "refuted"
    elif len(held) == len(verdict.cells):
        name = "supported"
    elif broken:
        name = "conditional" if held else "refuted"
    if name == ("supported" if need == "some" else "refuted"):
        # one part decides, and it might have been any
        decisive = held if need == "some" else broken
        p_value = min(1.0, len(verdict.cells) * min(cell.p_value for cell in decisive))
    else:
        p_value = max(1.0 if math.isnan(cell.p_value) else cell.p_value for cell in verdict.cells)
    says = (
        f"{rule.measure}, claimed {rule.claimed_side} {rule.threshold:g}{rule.unit} in {need} part "
        f"of the grid: holds in {len(held)} of {len(verdict.cells)} parts{_listed(held, rule)}, "
        f"fails in {len(broken)}{_listed(broken, rule)}."
    )
    seeds = _seeds_needed(verdict.cells, need, rule) if name == "inconclusive" else None
    return replace(verdict, name=name, p_value=p_value, says=says, seeds_needed=seeds)


def _seeds_needed(cells: Sequence[Cell], need: Literal["every", "some"], rule: Rule) -> int | None:
    """Return the seeds that decide the claim if every open part goes the way it leans.

    One part that holds (`some`) or breaks the rule (`every`) is enough; if none leans that way, all
    must be decided.
    """
    assert rule.threshold is not None
    level = ALPHA / len(cells)
    enough: list[float] = []
    others: list[float] = []
    for cell in cells:
        if cell.verdict == "inconclusive":
            holds = (cell.effect > rule.threshold) == (rule.claimed_side == "above")
            seeds = seeds_to_decide(cell.p_value, cell.num_seeds, level) or math.inf
            (enough if holds == (need == "some") else others).append(seeds)
    seeds = min(enough) if enough else max(others)
    return None if seeds == math.inf else int(seeds)


def _listed(cells: Sequence[Cell], rule: Rule) -> str:
    """Return parts of the grid with their effects, in parentheses."""
    told = [f"{', '.join(cell.where.values())}: {cell.effect:.3g}{rule.unit}" for cell in cells[:6]]
    more = [f"{len(cells) - 6} more"] if len(cells) > 6 else []
    return f" ({'; '.join([*told, *more])})" if told else ""
