"""The verdicts on a terminal: a table per group, below each row its answer in one sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.segment import Segments
from rich.table import Table
from rich.text import Text

from relu_exp.evidence.claims.registry import GROUPS
from relu_exp.evidence.claims.verdicts import Rule, Verdict
from relu_exp.evidence.report.judged_claims import shown_effect
from relu_exp.evidence.report.looks import LOOKS, on_scale, standardized

__all__ = ["bar", "show_verdicts"]

_WIDE = 112
"""Characters that a terminal needs for whole words."""
_NARROW = {"claim": 35, "effect, 95% interval": 24}
"""Widths of columns in a terminal of 80 characters."""
_BARS = "against│for"
"""The heading of the column of bars."""
_LINES = 3
"""Lines that a row takes with its answer."""
_HALF = 7
"""Characters of a bar on either side of its threshold."""
_LEGEND = (
    "│ threshold  ● effect (where settings decide: the one that does)  ━ 95% interval\n"
    "Right of │ supports the claim; distances are relative to half the interval's width."
)
_RULE = ("measure", "says", "threshold", "claimed_side", "ratio", "unit")
"""The fields of a saved rule that are read."""
_FIRST = ("refuted", "conditional", "inconclusive", "supported", "not decided")
"""The order in which rows are kept where a terminal is too small for all."""


def show_verdicts(
    verdicts: Mapping[str, Mapping[str, Any]], console: Console, most_rows: int | None = None
) -> None:
    """Print verdicts as they were written, group by group.

    Args:
        verdicts: by claim, as `read_verdicts` returns them.
        console: where to; colors only where it is a terminal.
        most_rows: of a group; the surprising ones stay, and a line says how many are left out.
    """
    for group, name in GROUPS.items():
        rows = [row for row in verdicts.values() if row["group"] == group]
        if not rows:
            continue
        has_answers = any(row.get("answer") for row in rows)
        kept = _kept(rows, most_rows // _LINES if most_rows and has_answers else most_rows)
        _show(_table(f"{group}. {name}", kept, console.width < _WIDE), kept, console)
        if len(kept) < len(rows):
            console.print(f"and {len(rows) - len(kept)} more: relu-exp list claims", style="dim")
    console.print(_LEGEND, style="dim", highlight=False)


def _show(table: Table, rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print a table, of which a row is a line, with the rows' answers between the lines."""
    lines = console.render_lines(table, pad=False, new_lines=True)
    heading = next(
        number for number, line in enumerate(lines) if any(_BARS in piece.text for piece in line)
    )
    answers = {heading + 2 + index: row.get("answer", "") for index, row in enumerate(rows)}
    for number, line in enumerate(lines):
        console.print(Segments(line), end="")
        if answers.get(number):
            console.print(Padding(Text(answers[number]), (0, 0, 0, 2)), highlight=False)


def _table(title: str, rows: Sequence[Mapping[str, Any]], is_narrow: bool) -> Table:
    """Return the table of a group; a narrow one leaves out the threshold and the verdict's word."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.pad_edge = False
    most = _NARROW if is_narrow else {}
    for heading in ["claim", _BARS, "effect, 95% interval"]:
        width = most.get(heading)
        table.add_column(heading, no_wrap=True, overflow="ellipsis", max_width=width)
    if not is_narrow:
        table.add_column("claimed", no_wrap=True)
        table.add_column("verdict", no_wrap=True)
    for row in rows:
        table.add_row(*list(_cells(row))[: len(table.columns)])
    return table


def bar(verdict: Verdict, rule: Rule) -> str:
    """Return where an effect and its interval lie from the threshold, in a line of characters.

    Empty where there is no interval to draw, as for claims about formulas.
    """
    distances = standardized(verdict, rule)
    if distances is None:
        return ""
    low, middle, high = map(_column, distances)
    line = [" "] * (2 * _HALF + 1)
    line[low : high + 1] = "━" * (high + 1 - low)
    line[_HALF] = "┿" if line[_HALF] == "━" else "│"
    line[middle] = "●"
    return "".join(line)


def _column(distance: float) -> int:
    """Return the character of a bar at a distance in half-widths, on a logarithmic scale."""
    return _HALF + round(on_scale(distance) * _HALF)


def _kept(rows: Sequence[Mapping[str, Any]], most: int | None) -> list[Mapping[str, Any]]:
    """Return at most `most` rows in their order, leaving out the least surprising."""
    if most is None or len(rows) <= most:
        return list(rows)
    order = sorted(range(len(rows)), key=lambda row: _FIRST.index(rows[row]["verdict"]))
    return [rows[row] for row in sorted(order[:most])]


def _cells(row: Mapping[str, Any]) -> Iterator[Text]:
    """Yield the cells of a row: mark and claim, bar, effect, threshold and verdict."""
    rule = Rule(**{key: row["rule"][key] for key in _RULE})
    numbers = {
        key: math.nan if row.get(key) is None else float(row[key])
        for key in ("effect", "low", "high", "least", "most")
    }
    verdict = Verdict(
        row["verdict"],
        "",
        numbers["effect"],
        numbers["low"],
        numbers["high"],
        least=numbers["least"],
        most=numbers["most"],
        bound=row.get("bound", "none"),
    )
    look = LOOKS[verdict.name]
    yield Text.assemble((look.mark, look.style), " ", row["claim"])
    yield Text(bar(verdict, rule), look.style)
    yield Text(shown_effect(verdict, rule.unit))
    sign = ">" if rule.claimed_side == "above" else "<"
    yield Text("exact" if rule.threshold is None else f"{sign} {rule.threshold:.3g}{rule.unit}")
    yield Text(verdict.name, look.style)
