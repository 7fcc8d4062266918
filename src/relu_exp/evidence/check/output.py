"""Output: what was found in a text, for a terminal, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text as Line

from relu_exp.core.naming import printable
from relu_exp.evidence.check.checking import Checked, Mark
from relu_exp.evidence.claims.sources import source_ko
from relu_exp.evidence.data.language import Words, in_language
from relu_exp.evidence.data.texts import Text
from relu_exp.evidence.report.looks import LOOKS

__all__ = ["FORMATS", "as_json", "as_markdown", "print_checked"]

FORMATS = ("text", "json", "markdown")
_WORDS = Words(__package__, "words.yaml")


def print_checked(found: Sequence[Checked], console: Console) -> None:
    """Print marked sentences, each above its claims, verdicts and corrections."""
    for each in found:
        where = _WORDS("line", line=each.sentence.line)
        console.print(Line(f"{where}: ", "dim") + Line(printable(each.sentence.text), "bold"))
        for mark in each.marks:
            console.print(Padding(_heading(mark), (0, 0, 0, 2), expand=False))
            for name, text in _lines(mark):
                console.print(
                    Padding(Line(f"{name}: ", "dim") + Line(text), (0, 0, 0, 4), expand=False)
                )
        console.print()
    console.print(Line(_summary(found)))


def _heading(mark: Mark) -> Line:
    symbol, word, style = _look(mark)
    line = Line(f"{symbol} {word}", style)
    if mark.claim is not None:
        line += Line(f"  {_statement(mark)}") + Line(f"  {mark.claim.id}", "dim")
    return line


def as_markdown(found: Sequence[Checked], name: str) -> str:
    """Return marked sentences as Markdown, quoted, with their claims in a list."""
    lines = [f"# {_escaped(_WORDS('title', name=name))}", "", _summary(found), ""]
    for each in found:
        where = _WORDS("line", line=each.sentence.line)
        lines += [f"> {_escaped(each.sentence.text)} ({where})", ""]
        for mark in each.marks:
            symbol, word, _ = _look(mark)
            about = f" {_escaped(_statement(mark))} (`{mark.claim.id}`)" if mark.claim else ""
            lines.append(f"- {symbol} **{word}**{':' if about else ''}{about}")
            lines += [f"  - {title}: {_escaped(text)}" for title, text in _lines(mark)]
        lines.append("")
    return "\n".join(lines)


def as_json(found: Sequence[Checked]) -> str:
    """Return marked sentences as JSON: a list, all texts in both languages."""
    rows = [
        {
            "line": each.sentence.line,
            "sentence": each.sentence.text,
            "marks": [_as_dict(mark) for mark in each.marks],
        }
        for each in found
    ]
    return json.dumps(rows, ensure_ascii=False, indent=2) + "\n"


def _as_dict(mark: Mark) -> dict[str, Any]:
    claim = mark.claim
    return {
        "claim": claim.id if claim else None,
        "statement": claim.statement if claim else "",
        "statement_ko": claim.statement_ko if claim else "",
        "verdict": mark.verdict or None,
        "answer": mark.answer.en,
        "answer_ko": mark.answer.ko,
        "corrections": [
            {"right": right.en, "right_ko": right.ko, "source": source}
            for right, source in mark.corrections
        ],
    }


def _lines(mark: Mark) -> list[tuple[str, str]]:
    """Return the lines below a claim, each with its title."""
    lines = []
    if answer := in_language(mark.answer):
        lines.append((_WORDS("measured"), answer))
    lines += [
        (_WORDS("right"), f"{in_language(right)} ({_WORDS('source')}: {_source(source)})")
        for right, source in mark.corrections
    ]
    return lines


def _source(source: str) -> str:
    return in_language(Text(source, source_ko(source)))


def _statement(mark: Mark) -> str:
    assert mark.claim is not None
    return in_language(Text(mark.claim.statement, mark.claim.statement_ko))


def _look(mark: Mark) -> tuple[str, str, str]:
    """Return the sign of a mark, its word and its style on a terminal."""
    if mark.claim is None:
        return "!", _WORDS("mistake"), "red"
    for name, look in LOOKS.items():
        if name == mark.verdict:
            return look.mark, in_language(look.word), look.style
    return "·", _WORDS("no_verdict"), "dim"


def _summary(found: Sequence[Checked]) -> str:
    if not found:
        return _WORDS("none_found")
    counts = Counter(_look(mark)[:2] for each in found for mark in each.marks)
    verdicts = ", ".join(f"{symbol} {word} {n}" for (symbol, word), n in counts.most_common())
    return _WORDS("found", n=len(found), claims=sum(counts.values()), verdicts=verdicts)


def _escaped(text: str) -> str:
    """Return text in which Markdown and HTML see no markup."""
    text = printable(text)
    for sign in "\\`*_[]<>#|":
        text = text.replace(sign, f"\\{sign}" if sign not in "<>" else f"&{'lg'[sign == '>']}t;")
    return text
