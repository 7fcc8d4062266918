"""The verdicts in words: one page with a section per claim, tables for machines, one summary."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from relu_exp.evidence.claims.calibration import Check, calibrate
from relu_exp.evidence.claims.court import ORDER, command, count, decide_all
from relu_exp.evidence.claims.errata import ERRATA
from relu_exp.evidence.claims.registry import GROUPS, Claim, Evidence, MissingRunsError, all_claims
from relu_exp.evidence.claims.verdicts import Cell, Verdict, VerdictName
from relu_exp.evidence.forest import draw_forest
from relu_exp.evidence.pages import render, replace_text
from relu_exp.evidence.saved_verdicts import read_verdicts
from relu_exp.schema import UsageError

__all__ = ["MARKS", "Judged", "build", "read_verdicts", "shown_effect"]

MARKS: Mapping[VerdictName, str] = {
    "supported": "✓",
    "refuted": "✗",
    "conditional": "◐",
    "inconclusive": "?",
    "not decided": "–",
}
"""Beside each verdict's word, so that a map can be read in black and white."""
NUM_PLACES = 3
"""How many parts of a grid a list names; the claim's own map shows all."""
SURPRISING: tuple[VerdictName, ...] = ("refuted", "conditional")


@dataclass(frozen=True)
class Map:
    """Where in the declared grid a claim holds: rows of cells under the last axis's values."""

    axis: str
    columns: list[str]
    rows: list[tuple[str, list[Cell | None]]]


@dataclass(frozen=True)
class Heard:
    """A claim with its verdict and what the page shows beside them."""

    claim: Claim
    verdict: Verdict
    command: str
    map: Map | None
    figures: list[str]
    reports: list[str]
    other: Heard | None = None

    @property
    def mark(self) -> str:
        """The verdict's sign."""
        return MARKS[self.verdict.name]

    @property
    def effect(self) -> str:
        """The effect with its unit and interval; empty where there is none."""
        return shown_effect(self.verdict, self.claim.rule.unit)

    @property
    def claimed(self) -> str:
        """What the rule asks of the effect, as in `> 1.1×`; empty where it is exact."""
        rule = self.claim.rule
        sign = ">" if rule.claimed_side == "above" else "<"
        return "" if rule.threshold is None else f"{sign} {rule.threshold:.3g}{rule.unit}"

    @property
    def says(self) -> str:
        """The evidence in a line; where a map follows, the parts of the grid are left to it."""
        text = self.verdict.says
        return text.split(" Holds at ")[0] if self.map else text

    @property
    def brief(self) -> str:
        """What came out, short enough for a list: effect and claim, or where it holds and fails."""
        if self.claim.rule.is_exact or not self.effect:
            return self.verdict.says
        if self.verdict.name != "conditional":
            return f"{self.claim.rule.measure}: {self.effect}, claimed {self.claimed}."
        words = []
        for side, verb in (("supported", "holds"), ("refuted", "fails")):
            cells = [cell for cell in self.verdict.cells if cell.verdict == side]
            places = [_place(cell) for cell in cells[:NUM_PLACES]]
            more = [f"{len(cells) - NUM_PLACES} more"] if len(cells) > NUM_PLACES else []
            words.append(f"{verb} in {len(cells)} ({'; '.join([*places, *more])})")
        return f"of {len(self.verdict.cells)} parts of the grid it {' and '.join(words)}."


@dataclass(frozen=True)
class Judged:
    """What was written, and the summary of it: counts by verdict and what surprises."""

    html: Path
    paths: tuple[Path, ...]
    summary: Mapping[str, Any]


def build(root: Path, claims: Iterable[Claim] | None = None) -> Judged:
    """Decide every claim on the results below `root`, and write what came out beside them.

    `verdicts.csv` and `.json`, `claims.md` and `.html`, `verdicts.svg` and `.png`. The same results
    give the same bytes.

    Raises:
        UsageError: the files cannot be written.
    """
    heard = _hear(root, list(all_claims() if claims is None else claims))
    verdicts = {one.claim.id: one.verdict for one in heard}
    checks = calibrate(root)
    words: dict[str, Any] = {
        "groups": [(key, name, [one for one in heard if one.claim.group == key])
                   for key, name in GROUPS.items()],
        "marks": MARKS,
        "shown": shown_effect,
        "order": ORDER,
        "checks": checks,
        "errata": ERRATA,
        "remarks": _remarks(root, heard, checks),
        "summary": _summary(heard),
    }  # fmt: skip
    texts = {
        "verdicts.csv": _as_csv(heard),
        "verdicts.json": _as_json(heard),
    }
    try:
        pictures = _draw(root, {one.claim.id: one.claim.rule for one in heard}, verdicts)
        for name in ("claims.html", "claims.md"):
            texts[name] = render(name, {**words, "has_forest": bool(pictures)})
        for name, text in texts.items():
            replace_text(root / name, text)
    except OSError as error:
        raise UsageError(
            f"the verdicts cannot be written to {root}: {error.strerror or error}"
        ) from error
    paths = (*(root / name for name in texts), *pictures)
    return Judged(root / "claims.html", paths, words["summary"])


def shown_effect(verdict: Verdict | Cell, unit: str = "") -> str:
    """Return an effect with its interval as people read it."""
    if math.isnan(verdict.effect):
        return ""
    text = f"{verdict.effect:.3g}{unit}"
    if not (math.isfinite(verdict.low) and math.isfinite(verdict.high)):
        return text
    return f"{text} [{verdict.low:.3g}, {verdict.high:.3g}]"


def _hear(root: Path, claims: Sequence[Claim]) -> list[Heard]:
    verdicts = decide_all(root, claims)
    evidence = Evidence(root)
    heard = {
        claim.id: Heard(
            claim=claim,
            verdict=verdicts[claim.id],
            command=command(claim, evidence),
            map=_map(verdicts[claim.id], claim.rule.grid),
            figures=_figures(root, claim),
            reports=[name for name in claim.experiments if (root / name / "report.md").exists()],
        )
        for claim in claims
    }
    return [_beside(one, heard) for one in heard.values()]


def _beside(one: Heard, heard: Mapping[str, Heard]) -> Heard:
    """Return a claim with the one that says otherwise, whichever of the two names the other."""
    for other in heard.values():
        names = {one.claim.disagrees_with: other.claim.id, other.claim.disagrees_with: one.claim.id}
        if any(name is not None and name == id for name, id in names.items()):
            return Heard(**{**vars(one), "other": other})
    return one


def _map(verdict: Verdict, grid: Sequence[str]) -> Map | None:
    if len(verdict.cells) < 2:
        return None
    *left, last = grid
    columns = list(dict.fromkeys(cell.where[last] for cell in verdict.cells))
    rows: dict[str, dict[str, Cell]] = {}
    for cell in verdict.cells:
        name = ", ".join(f"{key} {cell.where[key]}" for key in left)
        rows.setdefault(name, {})[cell.where[last]] = cell
    return Map(
        last,
        columns,
        [(name, [cells.get(column) for column in columns]) for name, cells in rows.items()],
    )


def _figures(root: Path, claim: Claim) -> list[str]:
    """Return the first picture of the claim's figure, as a path below the results, if any."""
    if claim.figure is None:
        return []
    found = []
    for experiment in claim.experiments[:1]:
        folder = root / experiment / "figures"
        found += sorted(folder.glob(f"{claim.figure}*.png"))
    return [path.relative_to(root).as_posix() for path in found[:1]]


def _summary(heard: Sequence[Heard]) -> dict[str, Any]:
    counts = count(one.verdict for one in heard)
    return {
        "total": len(heard),
        "counts": counts,
        "surprising": [one for name in SURPRISING for one in heard if one.verdict.name == name],
        "sentence": ", ".join(f"{number} {name}" for name, number in counts.items() if number),
    }


def _remarks(root: Path, heard: Sequence[Heard], checks: Sequence[Check]) -> list[str]:
    """Return what a reader must know before trusting the verdicts."""
    told = []
    evidence, manifests = Evidence(root), []
    for experiment in sorted({name for one in heard for name in one.claim.experiments}):
        try:
            manifests.append(evidence[experiment].manifest)
        except (MissingRunsError, UsageError):
            continue
    budgets = sorted({str(manifest.get("budget") or "no") for manifest in manifests})
    if budgets == ["quick"]:
        told.append(
            "Made at the quick budget, with few seeds: many claims stay open that "
            "relu-exp reproduce --budget standard decides."
        )
    elif len(budgets) > 1:
        told.append(f"The experiments were made at different budgets: {', '.join(budgets)}.")
    if any(manifest.get("dirty") for manifest in manifests):
        told.append("Made with uncommitted changes: the commit alone does not reproduce it.")
    if lost := sum(one.verdict.name == "not decided" for one in heard):
        told.append(f"{lost} of {len(heard)} claims are not decided; each says why.")
    told += [
        f"Calibration: {check.says} {check.rate:.1%} of the time, and {check.nominal:.1%} "
        "lies outside the interval."
        for check in checks
        if not check.holds
    ]
    return told


def _place(cell: Cell) -> str:
    """Return where a part of the grid is; a bare number needs its axis's name, a word does not."""
    return ", ".join(
        value if value[:1].isalpha() else f"{axis.replace('_', ' ')} {value}"
        for axis, value in cell.where.items()
    )


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


def _as_csv(heard: Sequence[Heard]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["claim", "verdict", "effect", "low", "high", "num_seeds", "experiment", "scope"]
    )
    for one in heard:
        verdict = one.verdict
        numbers = [
            f"{value:.6g}" if math.isfinite(value) else ""
            for value in (verdict.effect, verdict.low, verdict.high)
        ]
        experiments = " ".join(one.claim.experiments)
        writer.writerow(
            [one.claim.id, verdict.name, *numbers, verdict.num_seeds, experiments, verdict.scope]
        )
    return text.getvalue()


def _as_json(heard: Sequence[Heard]) -> str:
    rows = []
    for one in heard:
        claim, verdict = one.claim, asdict(one.verdict)
        run_ids = verdict.pop("run_ids")
        rows.append(
            {
                "claim": claim.id,
                "group": claim.group,
                "statement": claim.statement,
                "statement_ko": claim.statement_ko,
                "sources": {source.document: source.section for source in claim.sources},
                "experiments": list(claim.experiments),
                "rule": asdict(claim.rule),
                "verdict": verdict.pop("name"),
                **verdict,
                "num_runs": len(run_ids),
                "command": one.command,
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
