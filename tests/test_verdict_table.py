"""Verdicts on a terminal: bars that lie where the interval lies, and a screen for each group."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from relu_exp.evidence.claims.registry import all_claims
from relu_exp.evidence.claims.verdicts import Rule, Verdict
from relu_exp.evidence.report.looks import LOOKS
from relu_exp.evidence.report.verdict_table import bar, show_verdicts
from relu_exp.session.listing import show

ABOVE = Rule(measure="m", says="s", threshold=1.0)
BELOW = Rule(measure="m", says="s", threshold=1.0, claimed_side="below")
RATIO = Rule(measure="m", says="s", threshold=1.0, ratio=True, unit="×")


def verdict(low: float, effect: float, high: float) -> Verdict:
    return Verdict("supported", "", effect, low, high)


@pytest.mark.parametrize(
    ("rule", "numbers", "drawn"),
    [
        (ABOVE, (0.9, 1.0, 1.1), "     ━━●━━     "),
        (ABOVE, (1.1, 1.2, 1.3), "       │ ●━    "),
        (ABOVE, (0.0, 0.01, 0.02), "●      │       "),
        (BELOW, (0.0, 0.01, 0.02), "       │      ●"),
        (RATIO, (1 / 1.2, 1.0, 1.2), "     ━━●━━     "),
        (ABOVE, (0.95, 1.1, 1.25), "      ━┿●━     "),
    ],
)
def test_a_bar_shows_on_which_side_of_the_threshold_an_interval_lies(
    rule: Rule, numbers: tuple[float, float, float], drawn: str
) -> None:
    assert bar(verdict(*numbers), rule) == drawn


def test_there_is_no_bar_where_there_is_no_interval() -> None:
    assert bar(verdict(-math.inf, 1.0, math.inf), ABOVE) == ""
    assert bar(Verdict("supported", ""), Rule("m", "exact")) == ""


def row(claim: str, verdict: str, group: str = "C") -> dict[str, Any]:
    rule = vars(RATIO) | {"grid": []}
    found = {"claim": claim, "verdict": verdict, "group": group, "rule": rule}
    return found | {"effect": 2.0, "low": 1.9, "high": 2.1}


ROWS = [
    row("first", "supported"),
    row("second", "not decided") | {"effect": None, "low": None, "high": None},
    row("third-with-a-name-of-many-words", "refuted"),
    row("fourth", "conditional"),
    row("fifth", "inconclusive", "D"),
]


def shown(width: int, most_rows: int | None = None) -> list[str]:
    file = io.StringIO()
    show_verdicts({one["claim"]: one for one in ROWS}, Console(file=file, width=width), most_rows)
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 120])
def test_every_claim_has_one_line_that_fits(width: int) -> None:
    lines = shown(width)
    assert all(len(line) <= width for line in lines)
    for one in ROWS:
        (line,) = [line for line in lines if f" {one['claim']} " in line]
        assert ("2× [1.9, 2.1]" in line) == ("│" in line) == (one["effect"] is not None)
        assert LOOKS[one["verdict"]].mark in line
        assert (one["verdict"] in line) == ("> 1×" in line) == (width == 120)
    heading = next(line for line in lines if "against│for" in line)
    drawn = next(line for line in lines if " first " in line)
    assert heading.index("│") == drawn.index("│")
    titles = [line.rstrip() for line in lines if line.startswith(("C.", "D."))]
    assert titles == ["C. Training", "D. Dying units and sparsity"]


def test_where_a_screen_is_too_small_the_surprising_stay() -> None:
    text = "\n".join(shown(120, 2))
    assert "third-with" in text
    assert "fourth" in text
    assert "first" not in text
    assert "and 2 more: relu-exp list claims" in text


def test_a_terminal_lists_claims_that_have_no_verdict_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, *_ = all_claims()
    # as another version wrote it
    rows = [{"claim": first.id, "verdict": "refuted", "effect": 0.2, "low": 0.1, "high": 0.3}]
    (tmp_path / "verdicts.json").write_text(json.dumps(rows))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "160")
    show("claims", (), tmp_path)
    lines = {line.split()[1]: line for line in capsys.readouterr().out.splitlines() if "-" in line}
    assert "refuted" in lines[first.id]
    assert "not decided" in lines[second.id]
    assert len(lines.keys() & {claim.id for claim in all_claims()}) == len(list(all_claims()))
