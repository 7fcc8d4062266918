"""`relu-exp claim --language ko`: a claim, its rule and its verdict in Korean."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path
from typing import Any

from relu_exp.core.schema import UsageError
from relu_exp.evidence.claims.korean import measure_in_korean, paper_in_korean, rule_in_korean
from relu_exp.evidence.claims.registry import Claim, Evidence
from relu_exp.evidence.claims.runs import why_skipped
from relu_exp.evidence.claims.sources import source_ko
from relu_exp.evidence.claims.verdicts import SettingVerdict
from relu_exp.evidence.data.commands import about_results
from relu_exp.evidence.data.frames import find_results
from relu_exp.evidence.data.language import language
from relu_exp.evidence.page.documents import title_of
from relu_exp.evidence.page.effects import effect_words
from relu_exp.evidence.page.korean import holds_ko, place_ko
from relu_exp.evidence.report.looks import LOOKS, conditions
from relu_exp.session.words import text

__all__ = ["rows_in_korean"]


def rows_in_korean(
    claim: Claim, found: Mapping[str, Any], results: Path, command: str
) -> list[tuple[str, str]]:
    """Return what is shown of a claim: names of fields and their texts, in Korean.

    What has no Korean, such as a note of a plugin's claim, is in English. `found` is the saved
    verdict, empty where there is none; `command` makes the runs.
    """
    with language("ko"):
        return [(text(f"field_{key}"), said) for key, said in _rows(claim, found, results, command)]


def _rows(
    claim: Claim, found: Mapping[str, Any], results: Path, command: str
) -> list[tuple[str, str]]:
    documents = (f"{title_of(one.document)} ({source_ko(one.section)})" for one in claim.sources)
    rows = [("claim", claim.id), ("claim", claim.statement_ko), ("documents", "; ".join(documents))]
    in_full = rule_in_korean(claim.rule)
    rows.append(("rule", in_full or holds_ko(claim)))
    rows += [("rule", korean) for _, korean in conditions(claim.rule)]
    if not (in_full or claim.rule.is_exact):
        rows.append(("measure", measure_in_korean(claim.rule.measure) or claim.rule.measure))
    rows += _verdict(claim, found) if found else _no_verdict(claim, results)
    for paper in claim.literature:
        said = paper_in_korean(paper) or paper
        rows.append(("literature", f"{said.reference}: {said.found} ({said.known})"))
    return [*rows, ("command", command)]


def _verdict(claim: Claim, found: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [
        ("verdict", _word(found["verdict"])),
        ("answer", found["answer_ko"] or found["answer"]),
        ("evidence", found["says_ko"] or found["says"]),
    ]
    rows += [("part", _part(claim, cell)) for cell in found["cells"]]
    rows += [("scope", found["scope_ko"] or found["scope"]), ("runs", str(found["num_runs"]))]
    notes = zip_longest(found["notes"], found["notes_ko"], fillvalue="")
    return [*rows, *(("notes", korean or english) for english, korean in notes)]


def _no_verdict(claim: Claim, results: Path) -> list[tuple[str, str]]:
    """Return why there is no verdict, and which commands decide it."""
    if skipped := why_skipped(claim, Evidence(results)):
        return [("verdict", _word("not decided")), ("evidence", skipped.ko)]
    hint = text("no_verdict", path=results, every=about_results("reproduce", results=results))
    with suppress(UsageError):
        find_results(results)  # there are runs to decide it on
        finished = about_results("report", results=results, option="")
        hint += text("verdict_of_finished", command=finished)
    return [("verdict", hint)]


def _part(claim: Claim, cell: Mapping[str, Any]) -> str:
    """Return one setting of a claim with its verdict and effect, in one line."""
    numbers = {
        key: math.nan if cell[key] is None else cell[key] for key in ("effect", "low", "high")
    }
    setting = SettingVerdict(
        where=cell["where"],
        num_seeds=0,
        verdict=cell["verdict"],
        bound=cell.get("bound", "none"),
        **numbers,
    )
    effect = effect_words(claim, setting)
    said = ", ".join(filter(None, [_word(cell["verdict"]), effect.ko if effect else ""]))
    return f"{place_ko(cell['where'])}: {said}"


def _word(verdict: str) -> str:
    """Return the Korean name of a saved verdict; of another version's it stays."""
    return next((look.word.ko for name, look in LOOKS.items() if name == verdict), verdict)
