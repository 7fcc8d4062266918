"""The verdicts in words: Markdown with a section per claim, tables for machines, one summary."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from relu_exp.core.schema import UsageError
from relu_exp.evidence.claims.calibration import Check, against_itself, planted
from relu_exp.evidence.claims.errata import ERRATA
from relu_exp.evidence.claims.judging import ORDER, count, judge_together
from relu_exp.evidence.claims.registry import GROUPS, Claim, Evidence, MissingRunsError, all_claims
from relu_exp.evidence.claims.verdicts import Verdict, VerdictName
from relu_exp.evidence.data.commands import about_results
from relu_exp.evidence.data.pieces import Each, Piece, in_turn
from relu_exp.evidence.data.texts import Text
from relu_exp.evidence.report.claim_work import Worked, claim_pieces
from relu_exp.evidence.report.forest import draw_forest
from relu_exp.evidence.report.judged_claims import JudgedClaim, judge_claims, shown_effect
from relu_exp.evidence.report.looks import LOOKS, conditions, counts_in_words
from relu_exp.evidence.report.overview import draw_overview
from relu_exp.evidence.report.pages import render, replace_text
from relu_exp.evidence.report.saved_verdicts import read_verdicts, rule_as_json
from relu_exp.evidence.report.words import text as report_text

__all__ = ["Judged", "build", "read_verdicts"]

SURPRISING: tuple[VerdictName, ...] = ("refuted", "conditional")
_COLUMNS = (
    *("claim", "verdict", "effect", "low", "high"),
    *("num_seeds", "experiment", "scope", "answer", "answer_ko"),
)
"""The columns of verdicts.csv."""
_JSON_NAMES = {"text": "says", "text_ko": "says_ko", "settings": "cells"}
"""What verdicts.json calls the fields of a verdict that have another name here."""


@dataclass(frozen=True)
class Judged:
    """What was written, the summary of it, and the words that pages are filled with.

    `summary` holds the counts by verdict and what surprises; `evidence` the results as they were
    read, so that they are read once.
    """

    root: Path
    paths: tuple[Path, ...]
    summary: Mapping[str, Any]
    words: Mapping[str, Any]
    evidence: Evidence

    @property
    def markdown(self) -> Path:
        """The page with a section per claim."""
        return self.root / "claims.md"


def build(root: Path, claims: Iterable[Claim] | None = None, each: Each = in_turn) -> Judged:
    """Decide every claim on the results below `root`, and write what came out beside them.

    `verdicts.csv` and `.json`, `claims.md`, `verdicts.svg` and `.png`, and the pictures of the
    claims and of the overview. The same results give the same bytes, whatever computes `each` piece
    of the work.

    Raises:
        UsageError: the files cannot be written.
    """
    evidence = Evidence(root)
    chosen = list(all_claims() if claims is None else claims)
    checks, worked = _work(evidence, chosen, each)
    verdicts = judge_together({claim.id: worked[claim.id].alone for claim in chosen})
    judged = [
        replace(
            one, picture=worked[one.claim.id].picture, no_picture=worked[one.claim.id].no_picture
        )
        for one in judge_claims(evidence, chosen, verdicts)
    ]
    words: dict[str, Any] = {
        "groups": [(key, name, [one for one in judged if one.claim.group == key])
                   for key, name in GROUPS.items()],
        "marks": {name: look.mark for name, look in LOOKS.items()},
        "shown": shown_effect,
        "conditions": conditions,
        "order": ORDER,
        "checks": checks,
        "errata": ERRATA,
        "remarks": _remarks(evidence, judged, checks),
        "summary": _summary(judged),
    }  # fmt: skip
    texts = {
        "verdicts.csv": _as_csv(judged),
        "verdicts.json": _as_json(judged),
    }
    try:
        pictures = _draw(root, {one.claim.id: one.claim.rule for one in judged}, verdicts)
        overview = draw_overview(evidence, {one.claim.id: one for one in judged}, each)
        words["overview"] = words["summary"]["overview"] = overview
        texts["claims.md"] = render("claims.md", {**words, "has_forest": bool(pictures)})
        for name, text in texts.items():
            replace_text(root / name, text)
    except OSError as error:
        raise UsageError(
            f"the verdicts cannot be written to {root}: {error.strerror or error}"
        ) from error
    paths = (*(root / name for name in texts), *pictures)
    return Judged(root, paths, words["summary"], words, evidence)


def _work(
    evidence: Evidence, claims: Sequence[Claim], each: Each
) -> tuple[tuple[Check, ...], dict[str, Worked]]:
    """Return the checks of calibration, and what was found of each claim by itself.

    Raises:
        UsageError: a picture cannot be written.
    """
    root = evidence.root
    real_arms = partial(against_itself, root, evidence.at)
    # what is planted is known once it was computed, so that it is the last to need a process
    pieces: list[Piece] = [real_arms, *claim_pieces(evidence, claims), planted]
    try:
        real, *found, checks = each(pieces)
    except OSError as error:
        raise UsageError(
            f"the pictures cannot be written to {root}: {error.strerror or error}"
        ) from error
    worked = {id: one for part in found for id, one in part.items()}
    return (*checks, *([real] if real else [])), worked


def _summary(judged: Sequence[JudgedClaim]) -> dict[str, Any]:
    counts = count(one.verdict for one in judged)
    sentence = counts_in_words(counts)
    return {
        "total": len(judged),
        "counts": counts,
        "surprising": [one for name in SURPRISING for one in judged if one.verdict.name == name],
        "sentence": sentence.en,
        "sentence_ko": sentence.ko,
    }


def _remarks(
    evidence: Evidence, judged: Sequence[JudgedClaim], checks: Sequence[Check]
) -> list[Text]:
    """Return what a reader must know before trusting the verdicts."""
    phrases = []
    manifests, missing, stale = [], 0, []
    for experiment in sorted({name for one in judged for name in one.claim.experiments}):
        try:
            manifests.append(evidence[experiment].manifest)
            missing += evidence[experiment].num_missing
            stale += [experiment] if evidence[experiment].stale else []
        except (MissingRunsError, UsageError):
            continue
    if missing:
        phrases.append(report_text.both("results_partial", n=missing))
    if stale:
        phrases.append(report_text.both("results_stale", names=", ".join(stale)))
    budgets = sorted({str(manifest.get("budget") or "no") for manifest in manifests})
    if budgets == ["quick"]:
        larger = about_results("reproduce", "--budget", "standard", results=evidence.root)
        phrases.append(report_text.both("results_quick", command=larger))
    elif len(budgets) > 1:
        phrases.append(report_text.both("results_of_budgets", budgets=", ".join(budgets)))
    if any(manifest.get("dirty") for manifest in manifests):
        phrases.append(report_text.both("results_dirty"))
    if lost := sum(one.verdict.name == "not decided" for one in judged):
        phrases.append(report_text.both("results_undecided", n=lost, total=len(judged)))
    phrases += [
        Text(*(
            words.format(name=one.claim.id, reason=reason)
            for words, reason in zip(report_text.texts["no_picture"], one.no_picture, strict=True)
        ))
        for one in judged
        if one.no_picture
    ]  # fmt: skip
    phrases += [
        Text(
            report_text.both("results_calibration", says=check.says, rate=check.rate,
                             nominal=check.nominal).en,
            report_text.both("results_calibration", says=check.says_ko, rate=check.rate,
                             nominal=check.nominal).ko,
        )
        for check in checks
        if not check.holds
    ]  # fmt: skip
    return phrases


def _draw(
    root: Path, rules: Mapping[str, Any], verdicts: Mapping[str, Verdict]
) -> tuple[Path, ...]:
    """Draw every standardized effect; each picture appears whole."""
    targets = (root / "verdicts.svg", root / "verdicts.png")
    unfinished = [target.with_name(f".{secrets.token_hex(4)}-{target.name}") for target in targets]
    try:
        if not draw_forest(rules, verdicts, unfinished):
            return ()
        for source, target in zip(unfinished, targets, strict=True):
            os.replace(source, target)
    finally:
        for source in unfinished:
            source.unlink(missing_ok=True)
    return targets


def _as_csv(judged: Sequence[JudgedClaim]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for one in judged:
        verdict = one.verdict
        numbers = [
            f"{value:.6g}" if math.isfinite(value) else ""
            for value in (verdict.effect, verdict.low, verdict.high)
        ]
        experiments = " ".join(one.claim.experiments)
        said = (verdict.num_seeds, experiments, verdict.scope, *one.answer)
        writer.writerow([one.claim.id, verdict.name, *numbers, *said])
    return text.getvalue()


def _as_json(judged: Sequence[JudgedClaim]) -> str:
    rows = []
    for one in judged:
        claim, verdict = one.claim, asdict(replace(one.verdict, needs=None))
        run_ids = verdict.pop("run_ids")
        del verdict["needs"]
        budget, commit = one.origin
        rows.append(
            {
                "claim": claim.id,
                "group": claim.group,
                "statement": claim.statement,
                "statement_ko": claim.statement_ko,
                "sources": {source.document: source.section for source in claim.sources},
                "experiments": list(claim.experiments),
                "rule": rule_as_json(claim.rule),
                "verdict": verdict.pop("name"),
                "answer": one.answer.en,
                "answer_ko": one.answer.ko,
                **{_JSON_NAMES.get(key, key): value for key, value in verdict.items()},
                "num_runs": len(run_ids),
                "command": one.command,
                "budget": budget,
                "commit": commit,
            }
        )
    return json.dumps(_finite(rows), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    """Return the same with null for what JSON has no number for, and plain numbers for NumPy's."""
    if isinstance(value, Mapping):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if isinstance(value, bool | str | None):
        return value
    number = value.item() if hasattr(value, "item") else value
    if isinstance(number, float):
        # what is written is what is shown, not the last bit of this machine's arithmetic
        return float(f"{number:.6g}") if math.isfinite(number) else None
    return number
