"""The table of a contrast: for a terminal, Markdown and LaTeX in words, as CSV in numbers."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from relu_exp.core.lines import num_cells
from relu_exp.evidence.contrasts.contrast import Contrasted, Row
from relu_exp.evidence.contrasts.words import text
from relu_exp.evidence.data.labels import axis_name
from relu_exp.evidence.data.regressions import is_regression

__all__ = ["FORMATS", "Table", "as_frame", "key_in_words", "table_of"]


@dataclass(frozen=True)
class Table:
    """A table in words: headings, rows of as many texts, and what stands below."""

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def key_in_words(key: str) -> str:
    """Return what a key is called in print; a setting keeps its name."""
    return key if "." in key else axis_name(key)


def table_of(found: Contrasted, origin: str = "chosen_later") -> Table:
    """Return the rows of a contrast in words; `origin` is the key of who chose it."""
    kind = found.metric.kind
    by, others = found.contrast.by, list(found.rows[0].tuned) if found.rows else []
    columns = [
        *map(key_in_words, by),
        text("arm"),
        text("rate"),
        *map(key_in_words, others),
        text(f"level_{kind}"),
        text("difference_ratio" if found.metric.is_ratio else "difference_amount"),
        text("failed"),
        text("seeds"),
        text("verdict"),
        text("needed"),
    ]
    rows = tuple(
        (
            *(_value(row.where[key]) for key in by),
            row.arm,
            f"{row.rate:g}{'*' if row.at_edge else ''}",
            *(_value(row.tuned[key]) for key in others),
            _level(row, kind),
            _effect(row, found),
            _failures(row),
            str(row.verdict.num_seeds or row.level.n)
            if row.name != "reference"
            else str(row.level.n),
            text(row.name.replace(" ", "_")),
            f"{needed:,}" if (needed := _needed(row)) else text("none"),
        )
        for row in found.rows
    )
    return Table(
        text("heading", reference=found.reference), tuple(columns), rows, _notes(found, origin)
    )


def _notes(found: Contrasted, origin: str) -> tuple[str, ...]:
    kind, margin = found.metric.kind, found.contrast.margin
    shown = f"{margin:g}×" if found.metric.is_ratio else f"{margin:g}"
    if kind == "accuracy":
        points = f"{100 * margin:g}"
        shown = f"{points} {text('point' if points == '1' else 'points')}"
    return (
        text(origin),
        *_how_tuned(found),
        *_left_out(found),
        *([text("edge")] if any(row.at_edge for row in found.rows) else []),
        text("how_judged", reference=found.reference, margin=shown, n=found.num_compared),
        text("how_failures"),
        *([text("how_bounds")] if any(row.verdict.bound != "none" for row in found.rows) else []),
        *([text("how_needed")] if any(_needed(row) for row in found.rows) else []),
    )


def _how_tuned(found: Contrasted) -> list[str]:
    if found.metric.kind == "updates":
        return [text("how_tuned_updates")]
    of_numbers = is_regression(found.runs)
    return [
        *([] if of_numbers.all() else [text("how_tuned_accuracy")]),
        *([text("how_tuned_regression")] if of_numbers.any() else []),
    ]


def _left_out(found: Contrasted) -> list[str]:
    if not found.num_without_metric:
        return []
    what = "classes" if found.metric.kind == "r2" else "numbers"
    return [text(f"{what}_left_out", n=found.num_without_metric)]


def _needed(row: Row) -> int | None:
    return row.verdict.seeds_needed if row.name == "not decided" else None


def _value(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)) or value is pd.NA:
        return text("none")
    return f"{value:g}" if isinstance(value, float) else str(value)


def _number(value: float, kind: str) -> str:
    return f"{100 * value:.2f}" if kind == "accuracy" else f"{value:.3g}"


def _level(row: Row, kind: str) -> str:
    mean, low, high, n = row.level
    if kind == "updates":
        return f"{mean:.4g}" if math.isfinite(mean) else text("never")
    if n == 0:
        return text("none")
    unit = "%" if kind == "accuracy" else ""
    if not math.isfinite(low):
        return f"{_number(mean, kind)}{unit}"
    return f"{_number(mean, kind)}{unit} [{_number(low, kind)}, {_number(high, kind)}]"


def _effect(row: Row, found: Contrasted) -> str:
    verdict, kind = row.verdict, found.metric.kind
    if row.name == "reference" or math.isnan(verdict.effect):
        return text("none")
    unit = {"accuracy": f" {text('points')}", "updates": "×"}.get(kind, "")
    sign = "" if found.metric.is_ratio else "+"

    def signed(value: float) -> str:
        number = 100 * value if kind == "accuracy" else value
        return f"{number:{sign}.2f}" if kind == "accuracy" else f"{number:{sign}.3g}"

    if verdict.bound == "both":
        return text("unknown")
    if verdict.bound == "lower":
        least = verdict.low if math.isfinite(verdict.low) else verdict.effect
        return text("more_than", value=f"{signed(least)}{unit}")
    if verdict.bound == "upper":
        most = verdict.high if math.isfinite(verdict.high) else verdict.effect
        return text("less_than", value=f"{signed(most)}{unit}")
    if not math.isfinite(verdict.low):
        return f"{signed(verdict.effect)}{unit}"
    return f"{signed(verdict.effect)}{unit} [{signed(verdict.low)}, {signed(verdict.high)}]"


def _failures(row: Row) -> str:
    if not row.failed:
        return text("none")
    (first, of), (second, _) = row.failed["first"], row.failed["second"]
    return text("failures_of", first=first, second=second, n=of) if first or second else "0"


def as_frame(found: Contrasted) -> pd.DataFrame:
    """Return the rows of a contrast as numbers: the columns of its CSV, in every language.

    `rate` and `tuned.KEY` are what was tuned, `at_edge` marks the last rate tried. `level`,
    `level_low`, `level_high` are the arm's own mean; `effect`, `low`, `high` the paired difference
    or ratio, of which `bound` says whether it is an estimate. `num_failed` of the arm and
    `num_failed_against` of the reference are seeds, as `num_seeds` that the effect rests on.
    """
    kind = found.contrast.metric
    records: list[dict[str, Any]] = []
    for row in found.rows:
        verdict, failed = row.verdict, row.failed
        records.append(
            {
                **{key: row.where[key] for key in found.contrast.by},
                "arm": row.arm,
                "against": found.reference,
                "metric": kind,
                "learning_rate": row.rate,
                "at_edge": row.at_edge,
                **{f"tuned.{key}": value for key, value in row.tuned.items()},
                "level": row.level.mean,
                "level_low": row.level.low,
                "level_high": row.level.high,
                "effect": verdict.effect,
                "low": verdict.low,
                "high": verdict.high,
                "bound": verdict.bound,
                "num_failed": failed["first"][0] if failed else None,
                "num_failed_against": failed["second"][0] if failed else None,
                "num_seeds": verdict.num_seeds if row.name != "reference" else row.level.n,
                "p_value": verdict.p_value,
                "margin": found.contrast.margin,
                "verdict": row.name,
                "seeds_needed": _needed(row),
            }
        )
    whole = ["num_failed", "num_failed_against", "seeds_needed"]
    return pd.DataFrame(records).astype(dict.fromkeys(whole, "Int64"))


def _as_text(table: Table) -> str:
    """Return columns that are aligned, also where letters are two cells wide."""
    lines = [table.columns, *table.rows]
    widths = [max(map(num_cells, column)) for column in zip(*lines, strict=True)]
    ruled = [lines[0], tuple("─" * width for width in widths), *lines[1:]]
    shown = [
        "  ".join(
            cell + " " * (width - num_cells(cell)) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in ruled
    ]
    return "\n".join([table.heading, "", *shown, "", *table.notes]) + "\n"


def _as_markdown(table: Table) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(_escaped(cell, _MARKDOWN) for cell in cells) + " |"

    rule = "|" + "---|" * len(table.columns)
    notes = [_escaped(note, _MARKDOWN) for note in table.notes]
    return (
        "\n".join([line(table.columns), rule, *map(line, table.rows), "", " ".join(notes)]) + "\n"
    )


_MARKDOWN: Mapping[str, str] = {letter: f"\\{letter}" for letter in "\\|*_`<>[]"}
_LATEX: Mapping[str, str] = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "×": "$\\times$",
    "²": "$^2$",
    "−": "$-$",
    "–": "--",
    "·": "$\\cdot$",
    "<": "$<$",
    ">": "$>$",
}


def _escaped(words: str, letters: Mapping[str, str]) -> str:
    return "".join(letters.get(letter, letter) for letter in words)


def _as_latex(table: Table) -> str:
    """Return a table of the package booktabs."""

    def line(cells: Sequence[str]) -> str:
        return " & ".join(_escaped(cell, _LATEX) for cell in cells) + r" \\"

    notes = [f"% {note}" for note in table.notes]
    return (
        "\n".join(
            [
                *notes,
                rf"\begin{{tabular}}{{{'l' * len(table.columns)}}}",
                r"\toprule",
                line(table.columns),
                r"\midrule",
                *map(line, table.rows),
                r"\bottomrule",
                r"\end{tabular}",
            ]
        )
        + "\n"
    )


def _as_csv(found: Contrasted) -> str:
    frame, written = as_frame(found), io.StringIO()
    frame.to_csv(written, index=False, quoting=csv.QUOTE_MINIMAL, lineterminator="\n")
    return written.getvalue()


FORMATS: Mapping[str, Callable[[Contrasted, str], str]] = {
    "table": lambda found, origin: _as_text(table_of(found, origin)),
    "csv": lambda found, _: _as_csv(found),
    "markdown": lambda found, origin: _as_markdown(table_of(found, origin)),
    "latex": lambda found, origin: _as_latex(table_of(found, origin)),
}
"""What a contrast can be printed as."""
