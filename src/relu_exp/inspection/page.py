"""The page of an inspection: findings, table and figures in one HTML file, in both languages.

It needs no network. Styles, scripts and the font are those of the page of all results
(`evidence.page`), and the style sheet shows one of the two languages.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from operator import mul
from pathlib import Path
from typing import Any

from markupsafe import Markup

from relu_exp.core.schema import UsageError
from relu_exp.evidence.data.language import LANGUAGES, check_language, language
from relu_exp.evidence.data.texts import Text, texts_of
from relu_exp.evidence.report.explorer_section import BASE
from relu_exp.evidence.report.pages import as_json, asset, hangul_font, render, replace_text
from relu_exp.inspection.charts import SMALLEST, Chart, Series, histogram_svg
from relu_exp.inspection.finding import Finding
from relu_exp.inspection.report import COLUMNS, Table, number_words

__all__ = ["WORDS", "charts_of", "save_page"]

WORDS: Mapping[str, Text] = texts_of(__package__ or "", "words_page.yaml")
_FROM, _BASE = "relu_exp.evidence.page", "relu_exp.evidence.explorer"
_SIGNAL = ("preactivation_std", "activation_std")
_GRADIENT = ("activation_grad_norm", "weight_grad_norm")
_SHARES = ("saturated_fraction", "zero_fraction", "dead_on_probe_fraction")


def save_page(table: Table, path: str | Path, opens_in: str = "en") -> Path:
    """Write the page of a table and return its path.

    Args:
        table: what was measured.
        path: of the HTML file.
        opens_in: the language that it shows first, unless the reader's browser is Korean.

    Raises:
        UsageError: there is no such language, or the file cannot be written.
    """
    check_language(opens_in)
    target = Path(path)
    found = charts_of(table)
    words = {
        "w": WORDS,
        "language": opens_in,
        "languages": LANGUAGES,
        "name": Text(table.name, table.name),
        "mode": table.mode,
        "loss": "" if table.loss is None else f"{table.loss:.4g}",
        "findings": [_in_both(finding) for finding in table.findings],
        "columns": _columns(table),
        "layers": _rows(table),
        "has_theory": bool(table.predictions),
        "charts": [_shown(key, chart) for key, chart in found.items()],
        "histograms": _histograms(table),
        "smallest": f"{SMALLEST:g}",
        "unseen": [_both(each) for each in table.sentences],
        "style": Markup("\n").join([asset("page.css", _FROM), asset("inspection.css", _HERE)]),
        "plain_style": asset("plain.css", _FROM),
        "before": asset("before.js", _FROM),
        "script": Markup("\n").join(
            [
                *(asset(name, _BASE) for name in BASE),
                asset("page.js", _FROM),
                asset("inspection.js", _HERE),
            ]
        ),
        "font": hangul_font(),
        "words": as_json(WORDS),
    }
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_text(target, render("inspection.html", words, _HERE))
    except OSError as error:
        raise UsageError(
            f"the page cannot be written to {target}: {error.strerror or error}"
        ) from error
    return target


_HERE = __package__ or ""


def charts_of(table: Table) -> dict[str, Chart]:
    """Return the figures by layer that have something to draw: signal, gradient, shares."""
    predicted = table.predictions
    signal = [_series(table, quantity) for quantity in _SIGNAL]
    gradient = [_series(table, quantity) for quantity in _GRADIENT]
    if theory := predicted.get("preactivation_std"):
        signal.append(Series(WORDS["preactivation_std_theory"], theory, is_theory=True))
    if factors := predicted.get("gradient_factor"):
        last = gradient[0].values[-1]
        back = [last * each for each in accumulate(reversed(factors), mul)]
        gradient.append(Series(WORDS["gradient_theory"], back[::-1], is_theory=True))
    shares = [_series(table, quantity) for quantity in _SHARES]
    layer = WORDS["layer"]
    every = {
        "signal": Chart(WORDS["signal"], WORDS["standard_deviation"], layer, tuple(signal)),
        "gradient": Chart(WORDS["gradient"], WORDS["norm"], layer, tuple(gradient)),
        "shares": Chart(WORDS["shares"], WORDS["share"], layer, tuple(shares), is_log=False),
    }
    return {key: chart for key, chart in every.items() if not chart.is_empty}


def _series(table: Table, quantity: str) -> Series:
    values = [layer.values.get(quantity, math.nan) for layer in table.layers]
    return Series(WORDS[quantity], values)


def _shown(key: str, chart: Chart) -> dict[str, Any]:
    """Return what the template needs of a chart."""
    has_theory = any(each.is_theory for each in chart.series)
    notes = {"signal": ["read_signal"], "gradient": ["read_gradient"] if has_theory else []}
    small = ["too_small"] if chart.left_out else []
    return {
        "key": key,
        "title": chart.title,
        "unit": chart.unit,
        "svg": Markup(chart.svg(f"chart-{key}")),  # noqa: S704 - numbers and escaped words
        "notes": [*notes.get(key, []), *small],
    }


def _histograms(table: Table) -> list[dict[str, Any]]:
    if not any(layer.counts for layer in table.layers):
        return []
    found = []
    for layer in table.layers:
        shown: dict[str, Any] = {"label": layer.label, "svg": ""}
        if (spread := layer.spread) is not None:
            shown["svg"] = Markup(histogram_svg(spread))  # noqa: S704 - numbers
            shown["low"], shown["high"] = f"{spread.low:.3g}", f"{spread.high:.3g}"
            shown["outside"] = f"{spread.outside:.1%}" if spread.outside >= 5e-4 else ""
        found.append(shown)
    return found


def _columns(table: Table) -> list[str]:
    shown = [each for each in COLUMNS if any(each in layer.values for layer in table.layers)]
    return [*shown, "preactivation_std_theory"] if table.predictions else shown


def _rows(table: Table) -> list[dict[str, Any]]:
    theory: Sequence[float] = table.predictions.get("preactivation_std", [])
    shown = [each for each in COLUMNS if any(each in layer.values for layer in table.layers)]
    rows = []
    for index, layer in enumerate(table.layers):
        cells = [number_words(each, layer.values.get(each)) for each in shown]
        cells += [number_words("preactivation_std", theory[index])] if theory else []
        rows.append({"label": layer.label, "num_units": layer.num_units, "cells": cells})
    return rows


def _in_both(finding: Finding) -> dict[str, Any]:
    texts, remedies = [], []
    for name in LANGUAGES:
        with language(name):
            texts.append(finding.text)
            remedies.append(finding.remedy)
    return {"text": Text(*texts), "remedy": Text(*remedies), "claim": finding.claim}


def _both(said: object) -> Text:
    """Return a sentence in both languages."""
    found = []
    for name in LANGUAGES:
        with language(name):
            found.append(str(said))
    return Text(*found)
