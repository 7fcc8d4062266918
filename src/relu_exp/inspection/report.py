"""A table of layers: as text, HTML, rows, CSV and a DataFrame."""

from __future__ import annotations

import csv
import math
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relu_exp.core.lines import num_cells
from relu_exp.inspection.diagnosis import factor
from relu_exp.inspection.finding import Finding
from relu_exp.inspection.measuring import Measured
from relu_exp.inspection.passing import Pass
from relu_exp.inspection.sentences import TABLE_WORDS as WORDS
from relu_exp.inspection.sentences import Sentence

if TYPE_CHECKING:
    import pandas as pd

    from relu_exp.inspection.charts import Chart

__all__ = ["COLUMNS", "ROW", "Table", "number_words"]

COLUMNS = (
    "preactivation_std",
    "activation_mean",
    "activation_std",
    "saturated_fraction",
    "zero_fraction",
    "dead_on_probe_fraction",
    "effective_rank",
    "weight_grad_norm",
    "activation_grad_norm",
    "update_ratio",
)
"""Quantities that are printed, each a word of its table; `rows` has all."""

_SHARES = frozenset({"saturated_fraction", "zero_fraction", "dead_on_probe_fraction"})


class Table:
    """The layers of a pass, in the order in which they were used; `name` is the network's."""

    def __init__(self, found: Pass, name: str) -> None:
        self.name = name
        self.loss, self.mode, self._unseen = found.loss, found.mode, found.unseen
        self.layers: list[Measured] = found.layers
        self.predictions = found.predictions

    @property
    def sentences(self) -> list[Sentence]:
        """What `unseen` says, for either language."""
        return list(self._unseen)

    @property
    def unseen(self) -> list[str]:
        """What may be a nonlinearity and was not measured, in the language that is written now."""
        return [str(each) for each in self._unseen]

    @property
    def findings(self) -> list[Finding]:
        """Reasons why the network does not learn."""
        return []

    def number_of(self, kind: str) -> float:
        """Return the number that a kind of finding is about: a factor a layer, or a share."""
        quantity = {
            "dead": "dead_on_probe_fraction",
            "saturated": "saturated_fraction",
            "signal_explodes": "preactivation_std",
            "signal_vanishes": "preactivation_std",
            "gradient_vanishes": "activation_grad_norm",
            "gradient_explodes": "activation_grad_norm",
        }[kind]
        values = [layer.values[quantity] for layer in self.layers]
        values = [value for value in values if not math.isnan(value)]
        if kind in ("dead", "saturated"):
            return max(values, default=math.nan)
        if kind.startswith("gradient"):
            values = values[::-1]
        return factor(values[0], values[-1], len(values) - 1) if len(values) > 1 else math.nan

    def rows(self) -> list[dict[str, object]]:
        """Return a row per layer and quantity.

        Its keys: layer (from 1), name, function, num_units, quantity, value, predicted (by
        mean-field theory; nan where there is none).
        """
        return [
            {
                "layer": number,
                "name": layer.name,
                "function": layer.function,
                "num_units": layer.num_units,
                "quantity": quantity,
                "value": value,
                "predicted": self._predicted(number, quantity),
            }
            for number, layer in enumerate(self.layers, start=1)
            for quantity, value in layer.values.items()
        ]

    def _predicted(self, layer: int, quantity: str) -> float:
        found = self.predictions.get(quantity)
        return found[layer - 1] if found else math.nan

    def frame(self) -> pd.DataFrame:
        """Return `rows` as a DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.rows(), columns=ROW)

    def csv(self, file: str | Path) -> None:
        """Write `rows` as CSV."""
        with Path(file).open("w", newline="", encoding="utf-8") as target:
            writer = csv.DictWriter(target, ROW)
            writer.writeheader()
            writer.writerows(self.rows())

    def save(self, path: str | Path, language: str = "en") -> Path:
        """Write findings, table and figures as one HTML page in both languages; return its path.

        It needs no network. `language` is the one that it shows first.

        Raises:
            UsageError: there is no such language, or the file cannot be written.
        """
        from relu_exp.inspection.page import save_page

        return save_page(self, path, language)

    @property
    def figures(self) -> dict[str, Chart]:
        """Pictures by layer, which a notebook shows: `signal`, `gradient` and `shares`."""
        from relu_exp.inspection.page import charts_of

        return charts_of(self)

    # As a picture of itself -----------------------------------------------------------------

    def __str__(self) -> str:
        """Return findings, table and what was not seen, in the language that is written now."""
        headings, *rows = self._cells()
        widths = [max(map(num_cells, column)) for column in zip(headings, *rows, strict=True)]
        lines = [_line(cells, widths) for cells in (headings, *rows)]
        return "\n".join([*self._before(), "", *lines, *self._after()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Return the same as HTML, for notebooks."""
        headings, *rows = self._cells()
        head = "".join(f"<th>{escape(each)}</th>" for each in headings)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(each)}</td>" for each in row) + "</tr>" for row in rows
        )
        before, after = (
            "".join(f"<p>{escape(line)}</p>" for line in lines if line)
            for lines in (self._before(), self._after())
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return f"<div>{before}{table}{after}</div>"

    def _before(self) -> list[str]:
        found = self.findings
        loss = "" if self.loss is None else WORDS("loss", loss=f"{self.loss:.4g}")
        measured = WORDS("measured", n=len(self.layers), mode=WORDS(self.mode))
        lines = [f"{loss}{measured}"]
        for number, finding in enumerate(found, start=1):
            claim = WORDS("tested", claim=finding.claim) if finding.claim else ""
            lines.append(f"{number}. {finding}{claim}")
        if not self.layers:
            lines.append(WORDS("nothing_seen"))
        elif not found:
            lines.append(WORDS("nothing"))
        return lines

    def _after(self) -> list[str]:
        theory = WORDS("theory" if self.predictions else "no_theory")
        return ["", theory, *(WORDS("unseen", what=each) for each in self.unseen)]

    def _cells(self) -> list[list[str]]:
        """Return the headings, then a row of texts per layer."""
        shown = [
            quantity
            for quantity in COLUMNS
            if any(quantity in layer.values for layer in self.layers)
        ]
        predicted = ["preactivation_std_theory"] if self.predictions else []
        cells = [list(map(WORDS, ["layer", "units", *shown, *predicted]))]
        for number, layer in enumerate(self.layers, start=1):
            values = [number_words(quantity, layer.values.get(quantity)) for quantity in shown]
            theory = self._predicted(number, "preactivation_std")
            more = [number_words("preactivation_std", theory)] if predicted else []
            cells.append([layer.label, str(layer.num_units), *values, *more])
        return cells


ROW = ["layer", "name", "function", "num_units", "quantity", "value", "predicted"]


def number_words(quantity: str, value: Any) -> str:
    """Return a value of a quantity as it is printed: a share in percent, a dash for none."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:.0%}" if quantity in _SHARES else f"{value:.3g}"


def _line(cells: list[str], widths: list[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    name = first[0] + _spaces(*first)
    return "  ".join([name, *(_spaces(*each) + each[0] for each in others)]).rstrip()


def _spaces(cell: str, width: int) -> str:
    """Return what fills a cell to its width on a terminal."""
    return " " * (width - num_cells(cell))
